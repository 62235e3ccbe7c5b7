"""CT: sclerotic and lytic candidates inside bone, by attenuation against the bone around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.domain.codes import Concept, Unit
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import Measurement, QualityCheck, ResultSet, Verdict
from bmnode.domain.study import Branch, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, Step, StudyInput
from operators.kernels import bone, cortex, ct_candidates, lesion_type
from operators.kernels.bone import WorkingBone, segment_bone
from operators.kernels.components import united
from operators.kernels.ct_candidates import find_candidates
from operators.kernels.measurement import statistics
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from operators.kernels.skeleton_sites.sites import SkeletonMap
from operators.kernels.stability import collapse, place, shaft
from operators.readers.frames import read_header
from operators.readers.volume import ImageVolume, read_volume
from pipelines.ct.lesions import HU_METHOD, FoundLesion, describe_lesion
from pipelines.ct.profile import profile
from pipelines.ct.stability import find_stability, stability_notices, stability_sentences
from pipelines.orientation import orientation_check, refuse_contradiction
from pipelines.volumetric import (
    MORPHOLOGY,
    NEIGHBORHOOD,
    NOT_A_DIAGNOSIS,
    VolumetricReport,
    algorithm,
    burden_measurements,
    first_readable,
    result_of,
    spread_measurements,
    value_measurements,
)


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
    """The series with its bone, on the working grid and on its own, and the bones' names."""

    prepared: Prepared
    work: WorkingBone
    bone: CroppedMask
    skeleton: SkeletonMap


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detected:
    """The candidates on the series' grid, largest first."""

    segmented: Segmented
    lesions: tuple[FoundLesion, ...]


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
    patient lies otherwise than the header says, unsupported_examination where it is a head alone.
    """
    work = segment_bone(prepared.volume.array, prepared.volume.geometry, profile=profile().skeleton)
    refuse_contradiction(work.orientation)
    limits = profile().quality
    if work.cavity_ml >= limits.head_cavity_ml and work.cavity_share >= limits.head_cavity_share:
        raise NotAssessableError(
            Reason.UNSUPPORTED_EXAMINATION,
            f"The CT shows a head and little else: {100.0 * work.cavity_share:.0f} % of its slices cut the cranial "
            "cavity. A CT of the head alone is not assessed for bone metastases.",
        )
    found_ml = float(np.count_nonzero(work.bone)) * work.voxel_volume_ml
    if found_ml < profile().quality.minimum_bone_ml:
        raise NotAssessableError(
            Reason.BONE_NOT_FOUND,
            f"Only {found_ml:.1f} ml of bone were found in the CT; "
            f"{profile().quality.minimum_bone_ml:g} ml are needed to assess it.",
        )
    return Segmented(
        prepared=prepared,
        work=work,
        bone=CroppedMask.from_array(work.to_grid(work.bone)),
        skeleton=AtlasNamer(limits=profile().sites.atlas)(work, prepared.volume.geometry),
    )


def detect_lesions(segmented: Segmented) -> Detected:
    """Sclerotic and lytic candidates on the CT's own grid, each with its bone and what the scores ask of its place."""
    work, skeleton, geometry = segmented.work, segmented.skeleton, segmented.prepared.volume.geometry
    candidates = find_candidates(work, limits=profile().candidates, types=profile().typing)
    blocks = [item.mask.to_array() for item in candidates]
    masks = [CroppedMask.from_array(work.to_grid(item)) for item in blocks]
    sites = [skeleton.site_of(mask, geometry, limits=profile().sites.lesion) for mask in masks]
    lesions = [
        FoundLesion(mask=mask, reference=candidate.reference, site=site, stability=stability)
        for mask, candidate, site, stability in zip(
            masks, candidates, sites, find_stability(blocks, sites, work, skeleton=skeleton), strict=True
        )
    ]
    lesions.sort(key=lambda item: (-item.mask.voxel_count, item.mask.origin))
    return Detected(segmented=segmented, lesions=tuple(lesions))


def quantify(detected: Detected) -> ResultSet:
    """HU, type and size of every candidate, and the study's totals."""
    segmented = detected.segmented
    prepared, volume = segmented.prepared, segmented.prepared.volume
    masks = tuple(lesion.mask for lesion in detected.lesions)
    sound = segmented.bone.to_array()
    evaluated = united((segmented.bone, *masks), shape=volume.geometry.shape)
    bone_mask = CroppedMask.from_array(evaluated)
    described = tuple(
        describe_lesion(lesion, volume=volume, bone=evaluated, sound=sound) for lesion in detected.lesions
    )
    report = VolumetricReport(
        study=prepared.study,
        branch=Branch.CT,
        series_uid=prepared.series_uid,
        input_series_uids=(prepared.series_uid,),
        volume=volume,
        bone=bone_mask,
        lesions=described,
        measurements=(
            *burden_measurements(masks, bone=bone_mask, geometry=volume.geometry),
            *_bone_attenuation(volume, bone_mask),
        ),
        quality=_quality(segmented),
        algorithms=(
            algorithm(bone.METHOD, family=MORPHOLOGY, profile=profile().skeleton),
            algorithm(ct_candidates.METHOD, family=NEIGHBORHOOD, profile=profile().candidates),
            algorithm(lesion_type.METHOD, family=NEIGHBORHOOD, profile=profile().typing),
            algorithm(cortex.METHOD, family=MORPHOLOGY, profile=profile().cortex),
            algorithm(place.METHOD, family=NEIGHBORHOOD, profile=profile().spine),
            algorithm(shaft.METHOD, family=MORPHOLOGY, profile=profile().shaft),
            algorithm(collapse.METHOD, family=MORPHOLOGY, profile=profile().collapse),
        ),
        limitations=(*LIMITATIONS, *stability_sentences([lesion.stability for lesion in detected.lesions])),
        notices=stability_notices([lesion.measurements for lesion in described]),
        skeleton=segmented.skeleton,
        naming=profile().sites,
    )
    return result_of(report)


__all__ = ["BRANCH", "detect_lesions", "prepare", "profile", "quantify", "segment_skeleton"]

LIMITATIONS = (
    NOT_A_DIAGNOSIS,
    "Attenuation alone does not tell metastases from bone islands, degeneration or other benign sclerosis.",
    "Lytic lesions that break through the cortex, lesions in thin bones, and sclerosis in the joints and posterior "
    "elements around the spinal canal are not searched for.",
    "Bone beside metal and beside dense contrast medium is not searched.",
    "Candidates are drawn in bone alone: a soft-tissue component outside bone, and with it measurability by RECIST "
    "1.1, was not evaluated.",
)


def _bone_attenuation(volume: ImageVolume, bone_mask: CroppedMask) -> tuple[Measurement, ...]:
    """HU of all evaluated bone, the candidates included."""
    values = statistics(volume.array, bone_mask)
    return (
        *value_measurements(values, concept=Concept.ATTENUATION, unit=Unit.HU, method=HU_METHOD),
        *spread_measurements(volume.array, bone_mask, concept=Concept.ATTENUATION, unit=Unit.HU, method=HU_METHOD),
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
