"""The CT beside an emission series: its bone on the emission grid, or why there is none, and the uptake in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.domain.codes import Concept, Unit
from bmnode.domain.geometry import BoolArray, CroppedMask
from bmnode.domain.results import Measurement
from bmnode.domain.study import Reason, SeriesRole
from operators.graph.contract import NotAssessableError, StudyInput
from operators.kernels.basins import BasinLimits, organ_uptake
from operators.kernels.bone import BoneProfile, segment_bone
from operators.kernels.coarse_ct import CoarseCt, coarsen
from operators.kernels.fusion_orientation import Fit, FusionLimits, judge_fusion
from operators.kernels.morphology import dilate
from operators.kernels.neighbours import METHOD as NEIGHBOURS
from operators.kernels.neighbours import neighbour_correlation
from operators.kernels.resample import bone_on_grid, covered
from operators.kernels.skeleton_sites.sites import SiteNamer, SkeletonMap
from operators.kernels.uptake import UptakeLimits, find_uptake
from operators.readers.volume import ImageVolume, read_volume
from pipelines.orientation import refuse_contradiction, refuse_misfit
from pipelines.volumetric import first_readable, largest_first

LEAST_NEIGHBOURS = 0.3
"""[P]: images of patients and phantoms lie above 0.87, noise at 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalisationLimits:
    """How bone of the CT is used on the emission grid (conventions of this project)."""

    bone_margin_mm: float
    minimum_bone_ml: float
    minimum_coverage: float
    fusion: FusionLimits
    basins: BasinLimits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HybridBone:
    """Bone on the emission grid (slice, row, column) and the search region around it.

    `coverage` is the share of the emission slices that the CT covers, `coarse` the CT at organ scale, where asked for,
    `skeleton` names the CT's bones, `fit` is how the emission lies on the CT.
    """

    series_uid: str
    bone: BoolArray
    search: BoolArray
    coverage: float
    skeleton: SkeletonMap | None = None
    coarse: CoarseCt | None = None
    fit: Fit | None = None


def find_hybrid_bone(
    study: StudyInput,
    emission: ImageVolume,
    *,
    skeleton: BoneProfile,
    limits: LocalisationLimits,
    namer: SiteNamer,
    organ_block_mm: float,
) -> tuple[HybridBone | None, str]:
    """The bone of the study's CT on the emission grid, and "" or the sentence that says why there is none.

    The CT is kept beside it in blocks of `organ_block_mm`, to place reference regions on.

    Emission and CT must share a frame of reference: without it their places cannot be compared. Raises
    NotAssessableError (unexplained_orientation) where the CT shows the patient otherwise than its header says (the
    emission images that it was scanned with are then not to be trusted either), or the emission image lies on the CT
    only when it is mirrored or turned.
    """
    target = emission.geometry
    series = study.role(SeriesRole.ANATOMY)
    if not series:
        return None, "The study has no CT in the frame of reference of the emission images."
    try:
        series_uid, volume = first_readable(study, series, read=read_volume)
    except NotAssessableError as error:
        return None, f"The CT beside the emission images cannot be used: {error.refusal.explanation}"
    source = volume.geometry
    if not source.frame_of_reference_uid or source.frame_of_reference_uid != target.frame_of_reference_uid:
        return None, "The CT and the emission images are in different frames of reference."
    work = segment_bone(volume.array, source, profile=skeleton)
    refuse_contradiction(work.orientation)
    coarse = coarsen(work, source=source, block_mm=organ_block_mm)
    fit = judge_fusion(emission.array, target, coarse, limits=limits.fusion)
    refuse_misfit(fit, limits=limits.fusion)
    bone = bone_on_grid(work, source=source, target=target)
    found_ml = float(np.count_nonzero(bone)) * target.voxel_volume_ml
    if found_ml < limits.minimum_bone_ml:
        return None, f"Only {found_ml:.1f} ml of bone were found in the CT."
    return (
        HybridBone(
            series_uid=series_uid,
            bone=bone,
            search=dilate(bone, radius_mm=limits.bone_margin_mm, spacing_mm=target.spacing_mm),
            coverage=float(np.mean(covered(source=source, target=target))),
            coarse=coarse,
            skeleton=namer(work, source),
            fit=fit,
        ),
        "",
    )


def refuse_noise(volume: ImageVolume, *, what: str) -> None:
    """Raise NotAssessableError (bone_not_found) where neighbouring voxels have nothing to do with each other."""
    found = neighbour_correlation(volume.array)
    if found is not None and found < LEAST_NEIGHBOURS:
        raise NotAssessableError(
            Reason.BONE_NOT_FOUND,
            f"The {what} shows no patient, as noise does not: neighbouring voxels correlate by {found:.2f}, "
            f"at least {LEAST_NEIGHBOURS:g} is expected ({NEIGHBOURS}).",
        )


def find_lesions(
    volume: ImageVolume, hybrid: HybridBone | None, *, uptake: UptakeLimits, limits: LocalisationLimits
) -> tuple[tuple[CroppedMask, ...], int]:
    """Regions of uptake, largest first, and how many organs reached into the search region and were left out.

    With bone, regions lie in it and its margin, and uptake that peaks outside is taken out first. Without,
    regions lie anywhere.
    """
    if hybrid is None:
        return largest_first(find_uptake(volume.array, None, volume.geometry, limits=uptake)), 0
    organs = organ_uptake(volume.array, hybrid.search, uptake=uptake, limits=limits.basins)
    found = find_uptake(volume.array, hybrid.search & ~organs.mask, volume.geometry, limits=uptake)
    return largest_first(found), organs.count


def organs_left_out(count: int) -> str:
    """The sentence that says what PEAK_IN_BONE_V1 left out."""
    return (
        f"Uptake that peaks outside bone, or lies outside it for the most part, was taken for an organ and left out "
        f"({count} reached into the bone's margin); a lesion without a peak of its own beside a hotter organ is missed."
    )


def suv_factor_measurement(per_bq_ml: float | None, *, method: str) -> tuple[Measurement, ...]:
    """SUVbw of 1 Bq/ml in g/Bq, so that a reader can recompute every SUV; nothing where no one factor holds."""
    if per_bq_ml is None:
        return ()
    return (Measurement(concept=Concept.SUV_FACTOR, value=per_bq_ml, unit=Unit.GRAM_PER_BQ, method=method),)
