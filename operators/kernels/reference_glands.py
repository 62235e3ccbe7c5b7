"""Where spleen and parotid glands are sampled on a hybrid scan: places by rule from the CT, as for the liver.

Conventions of this project. The miPSMA score compares a lesion with both organs and says nothing of how they are
sampled. Many places are tried, and uptake decides which of them is taken: beside a parotid gland lies muscle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.bones import Bone
from bmnode.domain.geometry import BoolArray
from operators.kernels.coarse_ct import CoarseCt, canal_line
from operators.kernels.reference_place import Point, deepest_first, lung_base
from operators.kernels.skeleton_sites.sites import SkeletonMap

SPLEEN_METHOD = "SPLEEN_SPHERE20_V1"
PAROTID_METHOD = "PAROTID_SPHERES12_V1"

_Box = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True, slots=True)
class SpleenLimits:
    """Where the sphere may lie: beside and behind the canal's front on the left, around the base of the left lung.

    `left_mm` and `wall_mm`, the greatest distance to ribs or lung, keep it off the kidney, `ahead_mm` off the stomach.
    """

    radius_mm: float
    margin_mm: float
    soft_hu: tuple[float, ...]
    left_mm: tuple[float, ...]
    ahead_mm: tuple[float, ...]
    height_mm: tuple[float, ...]
    lung_ml: float
    wall_mm: float
    apart_mm: float
    tries: int

    def __post_init__(self) -> None:
        _require_pairs(self.soft_hu, self.left_mm, self.ahead_mm, self.height_mm)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParotidLimits:
    """Where the spheres may lie: beside the first two cervical vertebrae, near the skin, before the mastoid muscles.

    `skin_mm` is the distance to what is outside the body, `height_mm` that to the height of both vertebrae.
    """

    radius_mm: float
    margin_mm: float
    soft_hu: tuple[float, ...]
    beside_mm: tuple[float, ...]
    ahead_mm: tuple[float, ...]
    height_mm: tuple[float, ...]
    skin_mm: tuple[float, ...]
    body_hu: float
    least_bone_ml: float
    apart_mm: float
    tries: int

    def __post_init__(self) -> None:
        _require_pairs(self.soft_hu, self.beside_mm, self.ahead_mm, self.height_mm, self.skin_mm)


def _require_pairs(*pairs: tuple[float, ...]) -> None:
    if any(len(pair) != 2 or pair[0] >= pair[1] for pair in pairs):
        raise ValueError("each limit of place and density is a pair of a lower and an upper one")


def spleen_places(ct: CoarseCt, *, limits: SpleenLimits) -> tuple[Point, ...]:
    """Centres (LPS, mm) of spheres that fit into the spleen, the deepest first; empty where none does.

    Depth is the distance to the nearest block that is no soft tissue. The base of the left lung must be in the field.
    """
    line = canal_line(ct)
    if line is None:
        return ()
    columns = np.arange(ct.hu.shape[2])
    left = ct.lung & (columns[None, None, :] > line[:, 1][:, None, None])
    base = lung_base(left, ct, least_ml=limits.lung_ml)
    if base is None:
        return ()
    row, column = line[base]
    box = _box(
        ct,
        (base + limits.height_mm[0] / ct.spacing_mm[0], base + limits.height_mm[1] / ct.spacing_mm[0]),
        (row - limits.ahead_mm[1] / ct.spacing_mm[1], row - limits.ahead_mm[0] / ct.spacing_mm[1]),
        (column + limits.left_mm[0] / ct.spacing_mm[2], column + limits.left_mm[1] / ct.spacing_mm[2]),
    )
    places = () if box is None else _deep_places(ct, box, limits=limits)
    return tuple(place for place in places if _beside_wall(ct, place, reach_mm=limits.wall_mm))


def _beside_wall(ct: CoarseCt, place: Point, *, reach_mm: float) -> bool:
    """Whether ribs or lung lie to the left of a place: beside a kidney lies the spleen, or fat and bowel."""
    at = np.rint(np.linalg.inv(ct.matrix) @ np.array([*place, 1.0]))[:3].astype(int)
    reach = [int(reach_mm / step) for step in ct.spacing_mm]
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    gap = grid * np.asarray(ct.spacing_mm)
    length = np.linalg.norm(gap, axis=1)
    near = at + grid[(length <= reach_mm) & (gap[:, 2] >= _STEEP * length)]
    near = near[np.all((near >= 0) & (near < np.asarray(ct.hu.shape)), axis=1)]
    wall: BoolArray = ct.bone | ct.lung
    return bool(wall[tuple(near.T)].any())


_STEEP = 0.8
"""Cosine of 37 degrees: a cone to the left that the gap between two ribs does not let through."""


def parotid_places(
    ct: CoarseCt, skeleton: SkeletonMap | None, *, limits: ParotidLimits
) -> tuple[tuple[Point, ...], ...]:
    """Centres (LPS, mm) of spheres that may lie in the parotid glands: those on the right, those on the left.

    Both are empty where the map names no first and second cervical vertebra, or the field holds no canal.
    """
    line, height = canal_line(ct), None if skeleton is None else _upper_neck_mm(skeleton, limits=limits)
    if line is None or height is None:
        return (), ()
    middle = (height - float(ct.matrix[2, 3])) / ct.spacing_mm[0]
    at = int(np.clip(round(middle), 0, ct.hu.shape[0] - 1))
    row, column = line[at]
    skin_mm = ndimage.distance_transform_edt(_body(ct, at, limits=limits), sampling=ct.spacing_mm)
    near_skin = (skin_mm >= limits.skin_mm[0]) & (skin_mm <= limits.skin_mm[1])
    found = []
    for side in (-1.0, 1.0):
        ends = sorted(column + side * edge / ct.spacing_mm[2] for edge in limits.beside_mm)
        box = _box(
            ct,
            (middle + limits.height_mm[0] / ct.spacing_mm[0], middle + limits.height_mm[1] / ct.spacing_mm[0]),
            (row - limits.ahead_mm[1] / ct.spacing_mm[1], row - limits.ahead_mm[0] / ct.spacing_mm[1]),
            (ends[0], ends[1]),
        )
        found.append(() if box is None else _deep_places(ct, box, limits=limits, allowed=near_skin))
    return tuple(found)


def _body(ct: CoarseCt, at: int, *, limits: ParotidLimits) -> BoolArray:
    """The head and neck without the air inside: filled slice by slice, elsewhere false to save time."""
    body = np.zeros(ct.hu.shape, dtype=np.bool_)
    reach = int(max(abs(edge) for edge in limits.height_mm) / ct.spacing_mm[0]) + 2
    for index in range(max(0, at - reach), min(ct.hu.shape[0], at + reach + 1)):
        body[index] = ndimage.binary_fill_holes(ct.hu[index] > limits.body_hu)
    return body


def _upper_neck_mm(skeleton: SkeletonMap, *, limits: ParotidLimits) -> float | None:
    """LPS height of the middle of C1 and C2, None where too little of them is named."""
    found = np.argwhere(np.isin(skeleton.bones, (Bone.C1, Bone.C2)))
    volume_ml = abs(float(np.linalg.det(skeleton.matrix[:3, :3]))) / 1000.0
    if len(found) * volume_ml < limits.least_bone_ml:
        return None
    places = found @ skeleton.matrix[:3, :3].T + skeleton.matrix[:3, 3]
    return float(np.median(places[:, 2]))


def _box(ct: CoarseCt, *spans: tuple[float, float]) -> _Box | None:
    """Whole blocks between the ends of each axis, None where none is left."""
    parts = [
        slice(max(0, int(np.floor(low))), min(size, int(np.ceil(high)) + 1))
        for (low, high), size in zip(spans, ct.hu.shape, strict=True)
    ]
    return None if any(part.start >= part.stop for part in parts) else (parts[0], parts[1], parts[2])


def _deep_places(
    ct: CoarseCt, box: _Box, *, limits: SpleenLimits | ParotidLimits, allowed: BoolArray | None = None
) -> tuple[Point, ...]:
    """The deepest places of even soft tissue whose centre lies in the box, `apart_mm` from each other."""
    margin = [int(np.ceil(2.0 * limits.radius_mm / step)) for step in ct.spacing_mm]
    wide = tuple(
        slice(max(0, part.start - more), min(size, part.stop + more))
        for part, more, size in zip(box, margin, ct.hu.shape, strict=True)
    )
    smooth = ndimage.uniform_filter(ct.hu[wide], size=3, mode="nearest")
    soft = (smooth >= limits.soft_hu[0]) & (smooth <= limits.soft_hu[1]) & ~ct.bone[wide] & ~ct.lung[wide]
    depth = ndimage.distance_transform_edt(soft, sampling=ct.spacing_mm)
    inside = np.zeros(depth.shape, dtype=np.bool_)
    inside[tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide, strict=True))] = True
    if allowed is not None:
        inside &= allowed[wide]
    start = np.array([part.start for part in wide])
    found: list[npt.NDArray[np.float64]] = []
    for at in deepest_first(depth, at_least=limits.radius_mm + limits.margin_mm):
        if not inside[at]:
            continue  # the middle of what reaches into the box from beside it, e.g. of a kidney
        k, j, i = (float(first + step) for first, step in zip(start, at, strict=True))
        place = np.asarray(ct.position_lps((k, j, i)), dtype=np.float64)
        if all(float(np.linalg.norm(place - other)) >= limits.apart_mm for other in found):
            found.append(place)
        if len(found) == limits.tries:
            break
    return tuple((float(x), float(y), float(z)) for x, y, z in found)
