"""The spine's course through axial slices, and slices seen from it: the frame in which patients compare.

A convention of this project (part of SKELETON_ATLAS_V1). Coordinates of a slice are (v, u) in millimetres from the
spine's middle: u to the patient's left, v to the back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.morphology import Spacing, block_means

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True, kw_only=True, slots=True)
class PathLimits:
    """The spine is where discs of `body_radius_mm` hold most bone, near the middle of the patient's outline.

    `midline_mm` is the distance from the middle at which the weight falls to 0.37, `front_share` the front part of
    the patient where no spine lies; a millimetre aside a millimetre along costs `bend` discs. `smooth_mm` is the
    standard deviation of the smoothing along the course.
    """

    grid_mm: float
    body_radius_mm: float
    midline_mm: float
    front_share: float
    bend: float
    smooth_mm: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Coarse:
    """Bone as shares (0 to 1) of blocks (z, y, x) and whether a block lies in the patient.

    `factors` are the voxels a block; positions in millimetres are (index times spacing) of block centres, from
    the first block's.
    """

    share: npt.NDArray[np.float32]
    outline: BoolArray
    spacing_mm: Spacing
    factors: tuple[int, int, int]

    @classmethod
    def of(cls, bone: BoolArray, outline: BoolArray, *, spacing_mm: Spacing, grid_mm: float) -> Coarse:
        """Blocks of about `grid_mm` of a mask and an outline (z, y, x) on the same grid."""
        z, y, x = (max(1, round(grid_mm / step)) for step in spacing_mm)
        spacing = (spacing_mm[0] * z, spacing_mm[1] * y, spacing_mm[2] * x)
        share = block_means(bone.astype(np.float32), (z, y, x))
        inside = block_means(outline.astype(np.float32), (z, y, x)) > 0.5
        return cls(share=_solid(share, spacing_mm=spacing), outline=inside, spacing_mm=spacing, factors=(z, y, x))


_SOLID_GAP_MM = 7.0
_SOLID_MM2 = 3000.0
"""Holes up to a little more than a vertebral body's section count as bone: masks miss marrow behind thin cortex."""


def _solid(share: npt.NDArray[np.float32], *, spacing_mm: Spacing) -> npt.NDArray[np.float32]:
    """Shares with small holes of each slice filled, also those whose rim has gaps."""
    closed = share > 0.3
    reach = [int(_SOLID_GAP_MM / step) for step in spacing_mm[1:]]
    rows, columns = np.indices((2 * reach[0] + 1, 2 * reach[1] + 1))
    ball = np.hypot((rows - reach[0]) * spacing_mm[1], (columns - reach[1]) * spacing_mm[2]) <= _SOLID_GAP_MM
    padded = np.pad(closed, ((0, 0), (reach[0], reach[0]), (reach[1], reach[1])))
    closed = ndimage.binary_closing(padded, structure=ball[None])[
        :, reach[0] : reach[0] + closed.shape[1], reach[1] : reach[1] + closed.shape[2]
    ]
    in_plane = ndimage.generate_binary_structure(3, 1)
    in_plane[0] = in_plane[2] = False
    labels, _ = ndimage.label(~closed, structure=in_plane)
    small = np.bincount(labels.ravel()) * (spacing_mm[1] * spacing_mm[2]) <= _SOLID_MM2
    small[0] = True
    filled: npt.NDArray[np.float32] = np.where(small[labels], np.float32(1.0), share)
    return filled


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SpinePath:
    """Middle of the spine in every coarse slice: (y, x) in millimetres, (n, 2), and the bone found there (n,)."""

    middle_mm: npt.NDArray[np.float64]
    evidence: npt.NDArray[np.float64]


def upright_below(path: SpinePath, *, slice_index: float, step_mm: float) -> SpinePath:
    """The course with everything below a slice straight down from it: how a sacrum curves is then no matter.

    The place is the mean of the two centimetres above the slice.
    """
    first = int(np.clip(round(slice_index), 0, len(path.middle_mm) - 1))
    above = path.middle_mm[first : first + max(1, round(20.0 / step_mm))].mean(axis=0)
    middle = path.middle_mm.copy()
    middle[:first] = above
    return SpinePath(middle_mm=middle, evidence=path.evidence)


def spine_path(coarse: Coarse, *, limits: PathLimits) -> SpinePath:
    """The smooth course with the most bone about it, slice by slice, by dynamic programming."""
    score = _score(coarse, limits=limits)
    _, step_y, step_x = coarse.spacing_mm
    moves = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    price = [limits.bend * float(np.hypot(dy * step_y, dx * step_x)) / coarse.spacing_mm[0] for dy, dx in moves]
    best, choices = score[0], []
    for plane in score[1:]:
        padded = np.pad(best, 1, constant_values=-np.inf)
        rows, columns = plane.shape
        options = np.stack(
            [
                padded[1 - dy : 1 - dy + rows, 1 - dx : 1 - dx + columns] - cost
                for (dy, dx), cost in zip(moves, price, strict=True)
            ]
        )
        choice = options.argmax(axis=0)
        choices.append(choice)
        best = np.take_along_axis(options, choice[None], axis=0)[0] + plane
    row, column = np.unravel_index(int(np.argmax(best)), best.shape)
    path = [(int(row), int(column))]
    for choice in reversed(choices):
        dy, dx = moves[int(choice[path[-1]])]
        path.append((path[-1][0] - dy, path[-1][1] - dx))
    places = np.asarray(path[::-1])
    evidence = score[np.arange(len(places)), places[:, 0], places[:, 1]].astype(np.float64)
    sigma = limits.smooth_mm / coarse.spacing_mm[0]
    middle = ndimage.gaussian_filter1d(places * np.array([step_y, step_x]), sigma, axis=0, mode="nearest")
    return SpinePath(middle_mm=np.asarray(middle, dtype=np.float64), evidence=evidence)


def _score(coarse: Coarse, *, limits: PathLimits) -> npt.NDArray[np.float64]:
    """Bone in a disc about every block, weighted by its distance from the patient's middle; 0 in front."""
    _, step_y, step_x = coarse.spacing_mm
    reach = [max(1, int(limits.body_radius_mm / step)) for step in (step_y, step_x)]
    rows, columns = np.indices((2 * reach[0] + 1, 2 * reach[1] + 1))
    disc = np.hypot((rows - reach[0]) * step_y, (columns - reach[1]) * step_x) <= limits.body_radius_mm
    mean = ndimage.convolve(coarse.share, (disc / disc.sum()).astype(np.float32)[None], mode="constant")
    profile = coarse.outline.sum(axis=1, dtype=np.float64)
    across = np.arange(coarse.share.shape[2]) * step_x
    weight = profile.sum(axis=1)
    middle = np.where(weight > 0, (profile * across).sum(axis=1) / np.maximum(weight, 1.0), np.nan)
    middle = np.where(np.isnan(middle), np.nanmedian(middle) if weight.any() else across.mean(), middle)
    middle = ndimage.median_filter(middle, size=min(len(middle), 31), mode="nearest")
    near = np.exp(-(((across[None, :] - middle[:, None]) / limits.midline_mm) ** 2))
    depth: BoolArray = np.asarray(coarse.outline.any(axis=2))
    first = np.where(depth.any(axis=1), depth.argmax(axis=1), 0)
    last = np.where(depth.any(axis=1), depth.shape[1] - 1 - depth[:, ::-1].argmax(axis=1), depth.shape[1] - 1)
    behind = np.arange(depth.shape[1])[None, :] >= (first + limits.front_share * (last - first))[:, None]
    return np.asarray(mean * near[:, None, :] * behind[:, :, None], dtype=np.float64)


def seen_from_spine(
    coarse: Coarse, middle_mm: npt.NDArray[np.float64], *, v_mm: FloatArray, u_mm: FloatArray, turn_deg: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Slices (n, v, u) as seen from the spine: share of bone, and 1 inside the image or 0 beyond it.

    `turn_deg` is how far the patient's left lies behind the image's left.
    """
    turn = np.deg2rad(turn_deg)
    v, u = np.meshgrid(v_mm, u_mm, indexing="ij")
    offset_y, offset_x = v * np.cos(turn) + u * np.sin(turn), u * np.cos(turn) - v * np.sin(turn)
    _, step_y, step_x = coarse.spacing_mm
    rows = (middle_mm[:, 0, None, None] + offset_y) / step_y
    columns = (middle_mm[:, 1, None, None] + offset_x) / step_x
    planes = np.broadcast_to(np.arange(len(middle_mm))[:, None, None], rows.shape)
    share = ndimage.map_coordinates(coarse.share, [planes, rows, columns], order=1, mode="constant")
    inside = (rows > -0.5) & (rows < coarse.share.shape[1] - 0.5)
    inside &= (columns > -0.5) & (columns < coarse.share.shape[2] - 0.5)
    return share.astype(np.float32), inside.astype(np.float32)
