"""The interface: whatever names bones gives a `SkeletonMap`, and a lesion's site is read from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.bones import Bone
from bmnode.domain.codes import Code, Laterality, SiteCertainty
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.bone import WorkingBone

LEFT, RIGHT = 1, -1


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteLimits:
    """When a lesion is given a name: `majority` of its voxels agree, `side_majority` of those on the side.

    Voxels of a lesion beyond the mapped bone count for the nearest mapped voxel within `reach_mm`.
    """

    majority: float
    side_majority: float
    reach_mm: float

    def __post_init__(self) -> None:
        if not (0.5 <= self.majority <= 1.0 and 0.5 < self.side_majority <= 1.0 and self.reach_mm > 0.0):
            raise ValueError("a majority is 0.5 to 1, and the reach is above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedSite:
    """Where a lesion lies: the site and side as far as they are known, and how exactly that is."""

    site: Code | None
    laterality: Code | None
    certainty: Code


NOT_NAMED = NamedSite(site=None, laterality=None, certainty=SiteCertainty.NONE)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SkeletonMap:
    """Named bone on a grid.

    Args:
        bones: uint8 (z, y, x), value of `Bone`; 0 where there is no bone or none is named.
        sides: int8 (z, y, x), 1 left, -1 right, 0 in the midline or withheld.
        matrix: 4 by 4, from the index to LPS millimetres.
        certain: the bones whose own name is trusted; of the others only the part is.
        outlined: the bones whose borders are those of the image. An atlas outlines none: it lays its own borders
            through the bone, however high a vertebra is.
        method: name and version of what made it.
        basis: sentences that say what the names rest on.
    """

    bones: npt.NDArray[np.uint8]
    sides: npt.NDArray[np.int8]
    matrix: npt.NDArray[np.float64]
    certain: frozenset[Bone]
    method: str
    basis: tuple[str, ...] = ()
    outlined: frozenset[Bone] = frozenset()

    def __post_init__(self) -> None:
        if self.bones.dtype != np.uint8 or self.sides.dtype != np.int8 or self.bones.shape != self.sides.shape:
            raise ValueError("a map of the skeleton has bones (uint8) and sides (int8) on one grid")
        if self.matrix.shape != (4, 4) or abs(float(np.linalg.det(self.matrix[:3, :3]))) < 1e-9:
            raise ValueError("a map of the skeleton lies somewhere: its matrix is 4 by 4 and has a volume")

    def site_of(self, mask: CroppedMask, geometry: VolumeGeometry, *, limits: SiteLimits) -> NamedSite:
        """The site of a lesion on any grid of the same frame of reference."""
        bones, sides = self._at(mask, geometry, reach_mm=limits.reach_mm)
        return named(bones, sides, certain=self.certain, limits=limits)

    def _at(
        self, mask: CroppedMask, geometry: VolumeGeometry, *, reach_mm: float
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
        """Bone and side of every voxel of the lesion that lies on named bone or within reach of it."""
        voxels = np.argwhere(mask.values) + np.asarray(mask.origin)
        to_map = np.linalg.inv(self.matrix) @ geometry.matrix
        places = voxels @ to_map[:3, :3].T + to_map[:3, 3]
        steps = np.linalg.norm(self.matrix[:3, :3], axis=0)
        margin = np.ceil(reach_mm / steps).astype(int) + 1
        low = np.clip(np.floor(places.min(axis=0)).astype(int) - margin, 0, None)
        high = np.minimum(np.ceil(places.max(axis=0)).astype(int) + margin + 1, self.bones.shape)
        if np.any(low >= high):
            return np.empty(0, np.uint8), np.empty(0, np.int8)
        box = tuple(slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
        bones, sides = self.bones[box], self.sides[box]
        if not bones.any():
            return np.empty(0, np.uint8), np.empty(0, np.int8)
        distance, nearest = ndimage.distance_transform_edt(bones == 0, sampling=steps, return_indices=True)
        index = np.rint(places).astype(int) - low
        inside = np.all((index >= 0) & (index < np.asarray(bones.shape)), axis=1)
        at = tuple(index[inside].T)
        close = distance[at] <= reach_mm
        source = tuple(axis[at][close] for axis in nearest)
        return bones[source], sides[source]


def named(
    bones: npt.NDArray[np.uint8], sides: npt.NDArray[np.int8], *, certain: Iterable[Bone], limits: SiteLimits
) -> NamedSite:
    """The most exact name on which the majority of a lesion's voxels agree: bone, part, region, or none.

    A side is named where nearly all voxels of that name lie on it; a bone that has two sides and lies in the
    midline, or on both, is named without.
    """
    known = frozenset(certain)
    votes = {Bone(int(value)): int(count) for value, count in zip(*np.unique(bones, return_counts=True), strict=True)}
    total = sum(votes.values())
    if total == 0:
        return NOT_NAMED
    names: tuple[tuple[Code, Callable[[Bone], Code | None]], ...] = (
        (SiteCertainty.BONE, lambda bone: bone.code if bone in known else None),
        (SiteCertainty.PART, lambda bone: bone.part),
        (SiteCertainty.REGION, lambda bone: bone.region),
    )
    for certainty, name_of in names:
        site, count = _most(votes, name_of)
        if site is not None and count >= limits.majority * total:
            agreeing = [bone for bone in votes if name_of(bone) == site]
            side = None
            if all(bone.is_paired for bone in agreeing):
                side = _side(sides[np.isin(bones, agreeing)], share=limits.side_majority)
            return NamedSite(site=site, laterality=side, certainty=certainty)
    return NOT_NAMED


def _most(votes: Mapping[Bone, int], name_of: Callable[[Bone], Code | None]) -> tuple[Code | None, int]:
    totals: dict[Code, int] = {}
    for bone, count in votes.items():
        name = name_of(bone)
        if name is not None:
            totals[name] = totals.get(name, 0) + count
    return max(totals.items(), key=lambda item: (item[1], item[0].value)) if totals else (None, 0)


def _side(sides: npt.NDArray[np.int8], *, share: float) -> Code | None:
    for side, code in ((LEFT, Laterality.LEFT), (RIGHT, Laterality.RIGHT)):
        if np.count_nonzero(sides == side) >= share * len(sides):
            return code
    return None


class SiteNamer(Protocol):
    """Names the bones of a CT. A learned model is another implementation."""

    def __call__(self, work: WorkingBone, geometry: VolumeGeometry) -> SkeletonMap:
        """The map of a CT's bone; `geometry` is the CT's own grid."""
        ...
