"""CT: sclerotic and lytic candidates inside bone, by attenuation against the bone around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bmnode.domain.codes import Concept, Localisation, Unit
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import Evaluation, Measurement, QualityCheck, ResultSet, Verdict
from bmnode.domain.study import Branch, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, Step, StudyInput
from operators.kernels import bone, ct_candidates, lesion_type
from operators.kernels.bone import BoneProfile, WorkingBone, segment_bone
from operators.kernels.components import united
from operators.kernels.ct_candidates import CandidateLimits, find_candidates
from operators.kernels.lesion_type import BoneReference, TypeLimits, type_of
from operators.kernels.measurement import statistics
from operators.readers.frames import read_header
from operators.readers.volume import ImageVolume, read_volume
from pipelines.config import load_profile
from pipelines.orientation import orientation_check, refuse_contradiction
from pipelines.volumetric import (
    MORPHOLOGY,
    NEIGHBORHOOD,
    NOT_A_DIAGNOSIS,
    SITES_NOT_NAMED,
    LesionReport,
    VolumetricReport,
    algorithm,
    burden_measurements,
    first_readable,
    result_of,
    size_measurements,
    value_measurements,
)

HU_METHOD = "CT_HU_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityLimits:
    """Limits of the input checks."""

    minimum_bone_ml: float
    thickest_slice_mm: float
    comparable_kvp: float
    metal_warning_ml: float
    contrast_warning_ml: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CtProfile:
    """The branch's `pipeline.toml`."""

    skeleton: BoneProfile
    candidates: CandidateLimits
    typing: TypeLimits
    quality: QualityLimits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepared:
    """The series in HU, with its tube voltage and whether contrast medium was given, where stated."""

    study: StudyInput
    series_uid: str
    volume: ImageVolume
    kvp: float | None
    contrast_agent: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segmented:
    """The series with its bone, on the working grid and on its own."""

    prepared: Prepared
    work: WorkingBone
    bone: CroppedMask


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detected:
    """The candidates on the series' grid, largest first, each with its reference."""

    segmented: Segmented
    lesions: tuple[tuple[CroppedMask, BoneReference], ...]


@cache
def profile() -> CtProfile:
    """The thresholds in force. Raises ConfigError where `pipeline.toml` is wrong."""
    return load_profile(CtProfile, Path(__file__).with_name("pipeline.toml"))


def prepare(study: StudyInput) -> Prepared:
    """Read the first series that forms a volume. Raises NotAssessableError where none does."""
    series_uid, volume = first_readable(study, study.role(SeriesRole.ANATOMY), read=read_volume)
    header = read_header(volume.slice_paths[0])
    kvp = header.get("KVP")
    return Prepared(
        study=study,
        series_uid=series_uid,
        volume=volume,
        kvp=None if kvp is None else float(kvp),
        contrast_agent=bool(header.get("ContrastBolusAgent") or header.get("ContrastBolusAgentSequence")),
    )


def segment_skeleton(prepared: Prepared) -> Segmented:
    """Bone by attenuation.

    Raises NotAssessableError: bone_not_found where there is too little to assess, unexplained_orientation where the
    patient lies otherwise than the header says.
    """
    work = segment_bone(prepared.volume.array, prepared.volume.geometry, profile=profile().skeleton)
    refuse_contradiction(work.orientation)
    found_ml = float(np.count_nonzero(work.bone)) * work.voxel_volume_ml
    if found_ml < profile().quality.minimum_bone_ml:
        raise NotAssessableError(
            Reason.BONE_NOT_FOUND,
            f"Only {found_ml:.1f} ml of bone were found in the CT; "
            f"{profile().quality.minimum_bone_ml:g} ml are needed to assess it.",
        )
    return Segmented(prepared=prepared, work=work, bone=CroppedMask.from_array(work.to_grid(work.bone)))


def detect_lesions(segmented: Segmented) -> Detected:
    """Sclerotic and lytic candidates on the CT's own grid."""
    work = segmented.work
    lesions = []
    for candidate in find_candidates(work, limits=profile().candidates, types=profile().typing):
        on_grid = work.to_grid(candidate.mask.to_array())
        lesions.append((CroppedMask.from_array(on_grid), candidate.reference))
    lesions.sort(key=lambda item: (-item[0].voxel_count, item[0].origin))
    return Detected(segmented=segmented, lesions=tuple(lesions))


def quantify(detected: Detected) -> ResultSet:
    """HU, type and size of every candidate, and the study's totals."""
    segmented = detected.segmented
    prepared, volume = segmented.prepared, segmented.prepared.volume
    masks = tuple(mask for mask, _ in detected.lesions)
    evaluated = united((segmented.bone, *masks), shape=volume.geometry.shape)
    bone_mask = CroppedMask.from_array(evaluated)
    report = VolumetricReport(
        study=prepared.study,
        branch=Branch.CT,
        series_uid=prepared.series_uid,
        input_series_uids=(prepared.series_uid,),
        volume=volume,
        bone=bone_mask,
        lesions=tuple(_lesion(volume, mask, reference) for mask, reference in detected.lesions),
        measurements=burden_measurements(masks, bone=bone_mask, geometry=volume.geometry),
        quality=_quality(segmented),
        algorithms=(
            algorithm(bone.METHOD, family=MORPHOLOGY, profile=profile().skeleton),
            algorithm(ct_candidates.METHOD, family=NEIGHBORHOOD, profile=profile().candidates),
            algorithm(lesion_type.METHOD, family=NEIGHBORHOOD, profile=profile().typing),
        ),
        limitations=LIMITATIONS,
    )
    return result_of(report)


LIMITATIONS = (
    NOT_A_DIAGNOSIS,
    SITES_NOT_NAMED,
    "Attenuation alone does not tell metastases from bone islands, degeneration or other benign sclerosis.",
    "Lytic lesions that break through the cortex, lesions in thin bones, and sclerosis in the joints and posterior "
    "elements around the spinal canal are not searched for.",
    "Bone beside metal and beside dense contrast medium is not searched.",
)


def _lesion(volume: ImageVolume, mask: CroppedMask, reference: BoneReference) -> LesionReport:
    values = volume.array[mask.box][mask.values]
    limits = profile().typing
    typed = type_of(values, reference=reference, limits=limits)
    typing = tuple(
        Measurement(concept=concept, value=value, unit=unit, method=lesion_type.METHOD)
        for concept, value, unit in (
            (Concept.LYTIC_LIMIT, lesion_type.lytic_limit(reference, limits), Unit.HU),
            (Concept.SCLEROTIC_LIMIT, lesion_type.sclerotic_limit(reference, limits), Unit.HU),
            (Concept.LYTIC_FRACTION, 100.0 * typed.lytic_share, Unit.PERCENT),
            (Concept.SCLEROTIC_FRACTION, 100.0 * typed.sclerotic_share, Unit.PERCENT),
        )
    )
    return LesionReport(
        mask=mask,
        measurements=(
            *size_measurements(mask, volume.geometry),
            *value_measurements(
                statistics(volume.array, mask), concept=Concept.ATTENUATION, unit=Unit.HU, method=HU_METHOD
            ),
            *typing,
        ),
        evaluations=(
            Evaluation(concept=Concept.LESION_TYPE, value=typed.type),
            Evaluation(concept=Concept.LOCALISATION, value=Localisation.IN_BONE),
        ),
    )


def _quality(segmented: Segmented) -> tuple[QualityCheck, ...]:
    limits, prepared, work = profile().quality, segmented.prepared, segmented.work
    slice_mm = max(prepared.volume.geometry.spacing_mm)
    metal_ml = float(np.count_nonzero(work.hu > profile().candidates.metal_hu)) * work.voxel_volume_ml
    contrast_ml = float(np.count_nonzero(work.contrast)) * work.voxel_volume_ml
    kvp = "not stated" if prepared.kvp is None else f"{prepared.kvp:g} kV"
    given = " Contrast medium was given." if prepared.contrast_agent else ""
    return (
        orientation_check(work.orientation),
        _check(
            "Slice spacing",
            slice_mm <= limits.thickest_slice_mm,
            f"{slice_mm:.2f} mm, at most {limits.thickest_slice_mm:g} mm for the type of a lesion.",
        ),
        QualityCheck(
            name="Tube voltage",
            verdict=Verdict.NOT_EVALUABLE
            if prepared.kvp is None
            else Verdict.PASS
            if prepared.kvp == limits.comparable_kvp
            else Verdict.WARN,
            explanation=f"{kvp}; HU of bone compare at {limits.comparable_kvp:g} kV.",
        ),
        _check("Metal", metal_ml < limits.metal_warning_ml, f"{metal_ml:.1f} ml of metal with streaks around it."),
        _check(
            "Contrast medium",
            contrast_ml < limits.contrast_warning_ml,
            f"{contrast_ml:.1f} ml as dense as bone were taken out of the bone mask; remains are possible.{given}",
        ),
    )


def _check(name: str, passed: bool, explanation: str) -> QualityCheck:
    return QualityCheck(name=name, verdict=Verdict.PASS if passed else Verdict.WARN, explanation=explanation)


BRANCH = BranchDefinition(
    branch=Branch.CT,
    steps=(
        Step(name="prepare", run=prepare),
        Step(name="segment_skeleton", run=segment_skeleton),
        Step(name="detect_lesions", run=detect_lesions),
        Step(name="quantify", run=quantify),
    ),
)
