"""Sclerotic and lytic candidates inside bone on CT. Thresholds against the bone around them, not diagnoses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, CroppedMask
from operators.kernels.bone import WorkingBone
from operators.kernels.components import components, minimum_voxels
from operators.kernels.lesion_type import BoneReference, TypeLimits
from operators.kernels.morphology import Spacing, block_means, dilate, erode, open_parts

METHOD = "CT_CANDIDATES_V2"


@dataclass(frozen=True, kw_only=True, slots=True)
class CandidateLimits:
    """Conventions of this project, sparing on purpose.

    A sclerotic candidate holds a ball of `sclerotic_radius_mm` (cortex does not) and lies to `interior_share`
    `cortex_mm` or more under the surface; a lytic one holds a ball of `lytic_radius_mm` that lies there
    altogether, and grows from it by `lytic_growth_mm`. Of the voxels within `shell_mm` around a candidate `shell_share`
    are bone (a vessel's are not); `flat_shell_share` suffices where it holds the deepest point of the bone within
    `flat_reach_mm`, since what fills a flat bone has bone around it in the bone's plane alone.
    The reference is trabecular: `reference_depth_mm` under the surface and within its HU range, so that cortex
    does not widen it. Left out are metal and contrast medium with their margins, and, for sclerosis, the joints
    beside and behind the canal, whose degeneration looks the same.
    """

    cortex_mm: float
    reference_depth_mm: float
    reference_lowest_hu: float
    reference_highest_hu: float
    reference_radius_mm: float
    reference_minimum_ml: float
    interior_share: float
    sclerotic_radius_mm: float
    sclerotic_minimum_ml: float
    sclerotic_sd_hu: float
    sclerotic_sd_below_hu: float
    lytic_radius_mm: float
    lytic_minimum_ml: float
    lytic_lowest_hu: float
    lytic_growth_mm: float
    shell_mm: float
    shell_share: float
    flat_shell_share: float
    flat_reach_mm: float
    metal_hu: float
    metal_margin_mm: float
    contrast_margin_mm: float
    facet_beside_mm: float
    facet_behind_mm: float
    facet_along_mm: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reference:
    """Trabecular HU around every block: mean and SD maps float32 (z, y, x), NaN where too little is known."""

    mean: npt.NDArray[np.float32]
    sd: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidate:
    """A candidate on the working grid and the reference it was held against."""

    mask: CroppedMask
    reference: BoneReference


def find_candidates(work: WorkingBone, *, limits: CandidateLimits, types: TypeLimits) -> list[Candidate]:
    """Sclerotic, then lytic candidates; the reference is taken twice, the second time without the first candidates.

    Only the box that holds all bone is looked at: what lies farther from it than the limits reach decides nothing.
    """
    box = _box_of_bone(work, limits=limits)
    near = replace(work, hu=work.hu[box], bone=work.bone[box], canal=work.canal[box], contrast=work.contrast[box])
    return [
        replace(item, mask=_placed(item.mask, box, shape=work.bone.shape))
        for item in _find(near, limits=limits, types=types)
    ]


def _box_of_bone(work: WorkingBone, *, limits: CandidateLimits) -> tuple[slice, slice, slice]:
    """Bone and canal with the widest margin of the limits; it begins at even blocks, which the reference doubles."""
    margin_mm = max(limits.shell_mm, limits.metal_margin_mm, limits.contrast_margin_mm)
    held = work.bone | work.canal
    sides = []
    for axis, spacing in enumerate(work.spacing_mm):
        shown = np.flatnonzero(held.any(axis=tuple(other for other in range(3) if other != axis)))
        margin = int(margin_mm / spacing) + 3
        first, last = (int(shown[0]), int(shown[-1])) if shown.size else (0, 0)
        sides.append(slice(max(0, first - margin) // 2 * 2, last + margin + 1))
    z, y, x = sides
    return z, y, x


def _placed(mask: CroppedMask, box: tuple[slice, slice, slice], *, shape: tuple[int, ...]) -> CroppedMask:
    z, y, x = (int(start) + side.start for start, side in zip(mask.origin, box, strict=True))
    return CroppedMask(grid_shape=(shape[0], shape[1], shape[2]), origin=(z, y, x), values=mask.values)


def _find(work: WorkingBone, *, limits: CandidateLimits, types: TypeLimits) -> list[Candidate]:
    interior = erode(work.bone, radius_mm=limits.cortex_mm, spacing_mm=work.spacing_mm)
    allowed = ~unreliable_zone(work, limits=limits)
    lesion_free = allowed & erode(work.bone, radius_mm=limits.reference_depth_mm, spacing_mm=work.spacing_mm)
    lesion_free &= (work.hu > limits.reference_lowest_hu) & (work.hu < limits.reference_highest_hu)
    facets = facet_zone(work, limits=limits)
    # Noise would punch holes into a region that must hold a ball; the reference is then smoothed alike.
    smooth = replace(work, hu=ndimage.uniform_filter(work.hu, size=3))
    found: BoolArray = np.zeros_like(interior)
    reference = Reference(mean=work.hu, sd=work.hu)
    for _ in range(2):
        reference = local_reference(work, lesion_free & ~found, limits=limits)
        sclerotic = _sclerotic(work, allowed & ~facets, reference, limits=limits, types=types)
        smooth_reference = local_reference(smooth, lesion_free & ~found, limits=limits)
        lytic = _lytic(work, smooth, interior & allowed, smooth_reference, limits=limits, types=types)
        found = sclerotic | lytic
        if not found.any():
            return []
    candidates = [
        *(
            item
            for item in _confirmed(work, sclerotic, reference, limits=limits, minimum_ml=limits.sclerotic_minimum_ml)
            if float(np.mean(interior[item.mask.box][item.mask.values])) >= limits.interior_share
        ),
        *_confirmed(work, lytic & ~sclerotic, reference, limits=limits, minimum_ml=limits.lytic_minimum_ml),
    ]
    return [item for item in candidates if not _is_homogeneous(work, item.mask, limits=limits)]


def unreliable_zone(work: WorkingBone, *, limits: CandidateLimits) -> BoolArray:
    """Metal and dense contrast medium with their margins, where HU say nothing of bone."""
    metal: BoolArray = dilate(work.hu > limits.metal_hu, radius_mm=limits.metal_margin_mm, spacing_mm=work.spacing_mm)
    metal |= dilate(work.contrast, radius_mm=limits.contrast_margin_mm, spacing_mm=work.spacing_mm)
    return metal


def facet_zone(work: WorkingBone, *, limits: CandidateLimits) -> BoolArray:
    """A box around every voxel of the canal: to both sides, along the patient, and behind."""
    z, y, x = work.spacing_mm
    along, beside, behind = int(limits.facet_along_mm / z), int(limits.facet_beside_mm / x), limits.facet_behind_mm / y
    grown = ndimage.maximum_filter1d(work.canal.astype(np.uint8), size=2 * along + 1, axis=0)
    grown = ndimage.maximum_filter1d(grown, size=2 * beside + 1, axis=2)
    reach = max(1, int(behind))
    # The window is shifted so that it looks from each voxel towards the front only, and not back from the field's edge.
    origin = reach // 2 - (1 - reach % 2)
    grown = ndimage.maximum_filter1d(grown, size=reach, axis=1, origin=origin, mode="constant")
    zone: BoolArray = grown.astype(np.bool_)
    return zone


def local_reference(work: WorkingBone, trabecular: BoolArray, *, limits: CandidateLimits) -> Reference:
    """Mean and SD of the trabecular HU in a box of `reference_radius_mm` around every block, on doubled blocks."""
    double = (2, 2, 2)
    share = block_means(trabecular.astype(np.float32), double)
    first = block_means(np.where(trabecular, work.hu, 0.0), double)
    second = block_means(np.where(trabecular, work.hu**2, 0.0), double)
    size = [max(1, int(2.0 * limits.reference_radius_mm / (2.0 * step))) | 1 for step in work.spacing_mm]
    weight, total, squares = (
        ndimage.uniform_filter(item, size=size, mode="constant") for item in (share, first, second)
    )
    known = weight * float(np.prod(size)) * 8.0 * work.voxel_volume_ml >= limits.reference_minimum_ml
    safe = np.maximum(weight, 1e-9)
    mean = np.where(known, total / safe, np.nan)
    sd = np.where(known, np.sqrt(np.maximum(squares / safe - (total / safe) ** 2, 0.0)), np.nan)
    shape = work.hu.shape
    return Reference(mean=_enlarge(mean, shape), sd=_enlarge(sd, shape))


def _enlarge(coarse: npt.NDArray[np.floating], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    fine = coarse.astype(np.float32).repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    return fine[: shape[0], : shape[1], : shape[2]]


def _sclerotic(
    work: WorkingBone, allowed: BoolArray, reference: Reference, *, limits: CandidateLimits, types: TypeLimits
) -> BoolArray:
    limit = np.maximum(reference.mean + types.deviations * reference.sd, types.sclerotic_above_hu)
    dense = work.bone & allowed & (work.hu > limit)  # NaN compares false: no reference, no candidate
    return open_parts(dense, radius_mm=limits.sclerotic_radius_mm, spacing_mm=work.spacing_mm)


def _lytic(
    work: WorkingBone,
    smooth: WorkingBone,
    interior: BoolArray,
    reference: Reference,
    *,
    limits: CandidateLimits,
    types: TypeLimits,
) -> BoolArray:
    """Balls of soft tissue on the smoothed CT, and what the unsmoothed one shows of them up to the surface."""
    limit = np.minimum(reference.mean - types.deviations * reference.sd, types.lytic_below_hu)
    soft = interior & (smooth.hu < limit) & (smooth.hu > limits.lytic_lowest_hu)
    seeds = open_parts(soft, radius_mm=limits.lytic_radius_mm, spacing_mm=work.spacing_mm)
    grown = dilate(seeds, radius_mm=limits.lytic_growth_mm, spacing_mm=work.spacing_mm)
    return seeds | (grown & work.bone & (work.hu < limit) & (work.hu > limits.lytic_lowest_hu))


def _confirmed(
    work: WorkingBone, mask: BoolArray, reference: Reference, *, limits: CandidateLimits, minimum_ml: float
) -> Iterator[Candidate]:
    least = minimum_voxels(minimum_ml, voxel_volume_ml=work.voxel_volume_ml)
    for part in components(mask, minimum_voxels=least):
        share = shell_share(part, work.bone, spacing_mm=work.spacing_mm, radius_mm=limits.shell_mm)
        if share < limits.flat_shell_share:
            continue
        if share < limits.shell_share and not holds_deepest_point(part, work, reach_mm=limits.flat_reach_mm):
            continue
        mean = float(np.mean(reference.mean[part.box][part.values], dtype=np.float64))
        sd = float(np.mean(reference.sd[part.box][part.values], dtype=np.float64))
        yield Candidate(mask=part, reference=BoneReference(mean_hu=mean, sd_hu=sd))


def shell_share(part: CroppedMask, bone: BoolArray, *, spacing_mm: Spacing, radius_mm: float) -> float:
    """The share of the voxels within the radius around a part that are bone, 0 to 1."""
    box, inside = _surroundings(part, spacing_mm=spacing_mm, reach_mm=radius_mm)
    shell = dilate(inside, radius_mm=radius_mm, spacing_mm=spacing_mm) & ~inside
    return float(np.mean(bone[box][shell])) if shell.any() else 0.0


def holds_deepest_point(part: CroppedMask, work: WorkingBone, *, reach_mm: float) -> bool:
    """Whether no bone within the reach lies deeper under the bone's surface than the part does."""
    spacing_mm = work.spacing_mm
    # Surfaces farther than that from the part do not decide which of its points is the deepest.
    box, inside = _surroundings(part, spacing_mm=spacing_mm, reach_mm=3.0 * reach_mm)
    bone = work.bone[box]
    depth = ndimage.distance_transform_edt(bone, sampling=spacing_mm)
    near = bone & dilate(inside, radius_mm=reach_mm, spacing_mm=spacing_mm)
    return bool(depth[inside].max() >= depth[near].max())


def _surroundings(part: CroppedMask, *, spacing_mm: Spacing, reach_mm: float) -> tuple[tuple[slice, ...], BoolArray]:
    """The part's box widened by the reach, as far as the grid goes, and the part in it."""
    reach = [int(reach_mm / spacing) + 1 for spacing in spacing_mm]
    low = [max(0, start - margin) for start, margin in zip(part.origin, reach, strict=True)]
    high = [
        min(limit, start + size + margin)
        for start, size, limit, margin in zip(part.origin, part.values.shape, part.grid_shape, reach, strict=True)
    ]
    inside = np.zeros(tuple(last - first for first, last in zip(low, high, strict=True)), dtype=np.bool_)
    inner = tuple(
        slice(start - first, start - first + size)
        for start, first, size in zip(part.origin, low, part.values.shape, strict=True)
    )
    inside[inner] = part.values
    return tuple(slice(first, last) for first, last in zip(low, high, strict=True)), inside


def _is_homogeneous(work: WorkingBone, part: CroppedMask, *, limits: CandidateLimits) -> bool:
    """Even enhancement of blood or urine, not bone: little spread at a mean that contrast medium reaches."""
    values = work.hu[part.box][part.values]
    mean = float(values.mean(dtype=np.float64))
    return 150.0 < mean < limits.sclerotic_sd_below_hu and float(values.std(dtype=np.float64)) < limits.sclerotic_sd_hu
