"""SPECT and SPECT/CT: uptake as SUV where the image is calibrated, as a ratio to normal skeleton otherwise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from bmnode.domain.codes import Code, Concept, Derivation, Localisation, Unit
from bmnode.domain.geometry import BoolArray, CroppedMask
from bmnode.domain.results import Algorithm, Evaluation, Measurement, QualityCheck, ResultSet, Verdict
from bmnode.domain.study import Branch, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, Step, StudyInput
from operators.kernels import basins, bone, spect
from operators.kernels.bone import BoneProfile
from operators.kernels.components import united
from operators.kernels.measurement import long_axis_mm, peak, statistics
from operators.kernels.reference_spine import METHOD as SPINE_METHOD
from operators.kernels.reference_spine import vertebral_bodies
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from operators.kernels.spect import trimmed_level
from operators.kernels.uptake import UptakeLimits
from operators.readers.spect import SpectUnit, SpectVolume, read_spect
from operators.readers.volume import ImageVolume
from pipelines.config import load_profile
from pipelines.hybrid import (
    HybridBone,
    LocalisationLimits,
    find_hybrid_bone,
    find_lesions,
    organs_left_out,
    refuse_noise,
    suv_factor_measurement,
)
from pipelines.orientation import fusion_check
from pipelines.volumetric import (
    HISTOGRAM,
    MORPHOLOGY,
    NOT_A_DIAGNOSIS,
    LesionReport,
    NamingLimits,
    VolumetricReport,
    algorithm,
    burden_measurements,
    first_readable,
    partial_volume,
    result_of,
    size_measurements,
    value_measurements,
)

REFERENCE_METHOD = "NORM_TRIM2_V1"
PEAK_METHOD = "SPECT_PEAK_1ML_GLOBAL_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceLimits:
    """How the level of normal skeleton is taken (conventions of this project).

    With a CT from the vertebral bodies, where the image holds `spine_ml` of them: bone within `spine_radius_mm` of a
    line `spine_ahead_mm` before the canal. Else from all bone.
    """

    block_mm: float
    spine_ahead_mm: float
    spine_radius_mm: float
    spine_ml: float
    trim_multiple: float
    body_share: float
    skeleton_multiple: float


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityLimits:
    """Limits of the checks."""

    quantifiable_mm: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SpectProfile:
    """The branch's `pipeline.toml`."""

    suv: UptakeLimits
    ratio: UptakeLimits
    reference: ReferenceLimits
    localisation: LocalisationLimits
    quality: QualityLimits
    skeleton: BoneProfile
    sites: NamingLimits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepared:
    """The SPECT as SUVbw or in counts."""

    study: StudyInput
    series_uid: str
    spect: SpectVolume


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segmented:
    """The SPECT with the CT's bone, or the sentence that says why there is none.

    `level_method` names the skeleton that the level was taken from.

    `level` is the normal skeleton's, in counts, where the image is not calibrated; the volume is then relative to it.
    """

    prepared: Prepared
    volume: ImageVolume
    hybrid: HybridBone | None
    why_no_bone: str
    level: float | None
    level_method: str = REFERENCE_METHOD


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detected:
    """Regions of uptake, largest first, and how many organs that reach into the bone's margin were left out."""

    segmented: Segmented
    lesions: tuple[CroppedMask, ...]
    organs: int


@cache
def profile() -> SpectProfile:
    """The thresholds in force. Raises ConfigError where `pipeline.toml` is wrong."""
    return load_profile(SpectProfile, Path(__file__).with_name("pipeline.toml"))


def prepare(study: StudyInput) -> Prepared:
    """Read the first SPECT series that forms a volume. Raises NotAssessableError where none does."""
    series_uid, volume = first_readable(study, study.role(SeriesRole.EMISSION), read=read_spect)
    refuse_noise(volume.volume, what="SPECT")
    return Prepared(study=study, series_uid=series_uid, spect=volume)


def segment_skeleton(prepared: Prepared) -> Segmented:
    """The CT's bone on the SPECT grid where there is one; the level of normal skeleton where there is no SUV.

    Raises NotAssessableError (insufficient_counts) where no level can be taken.
    """
    volume = prepared.spect.volume
    hybrid, why_not = find_hybrid_bone(
        prepared.study,
        volume,
        skeleton=profile().skeleton,
        limits=profile().localisation,
        organ_block_mm=profile().reference.block_mm,
        namer=AtlasNamer(limits=profile().sites.atlas),
    )
    level, method = None, REFERENCE_METHOD
    if prepared.spect.unit is SpectUnit.COUNTS:
        skeleton, method = _normal_skeleton(volume, hybrid)
        try:
            level = trimmed_level(volume.array[skeleton], multiple=profile().reference.trim_multiple)
        except ValueError as error:
            raise NotAssessableError(
                Reason.INSUFFICIENT_COUNTS, "The skeleton holds too few counts to take its normal level from."
            ) from error
        volume.array[...] /= np.float32(level)
    return Segmented(
        prepared=prepared,
        volume=volume,
        hybrid=None if hybrid is None else replace(hybrid, coarse=None),
        why_no_bone=why_not,
        level=level,
        level_method=method,
    )


def _normal_skeleton(volume: ImageVolume, hybrid: HybridBone | None) -> tuple[BoolArray, str]:
    """Vertebral bodies, else all bone, else what is likely skeleton; and the method's name.

    The thresholds are those of vertebrae; long bones and ribs take up less, and would make every vertebra hot.
    """
    if hybrid is None or hybrid.coarse is None:
        return _likely_skeleton(volume), REFERENCE_METHOD
    limits = profile().reference
    bodies = vertebral_bodies(
        hybrid.bone,
        volume.geometry,
        hybrid.coarse,
        ahead_mm=limits.spine_ahead_mm,
        radius_mm=limits.spine_radius_mm,
    )
    if bodies is None or np.count_nonzero(bodies) * volume.geometry.voxel_volume_ml < limits.spine_ml:
        return hybrid.bone, REFERENCE_METHOD
    return bodies, SPINE_METHOD


def _likely_skeleton(volume: ImageVolume) -> BoolArray:
    """Voxels well above the patient's median: with a bone tracer, mostly skeleton."""
    limits = profile().reference
    body = volume.array > limits.body_share * float(np.percentile(volume.array, 99.5))
    if not body.any():
        return body
    skeleton: BoolArray = volume.array > limits.skeleton_multiple * float(np.median(volume.array[body]))
    return skeleton


def detect_lesions(segmented: Segmented) -> Detected:
    """Uptake above the threshold: in the bone and its margin, or anywhere where there is no bone."""
    lesions, organs = find_lesions(
        segmented.volume, segmented.hybrid, uptake=limits_of(segmented), limits=profile().localisation
    )
    return Detected(segmented=segmented, lesions=lesions, organs=organs)


def limits_of(segmented: Segmented) -> UptakeLimits:
    """The thresholds in the volume's unit."""
    return profile().suv if segmented.level is None else profile().ratio


def quantify(detected: Detected) -> ResultSet:
    """SUV or ratio, and size, of every region, and the study's totals."""
    segmented, hybrid = detected.segmented, detected.segmented.hybrid
    volume, study = segmented.volume, segmented.prepared.study
    evaluated = (
        None
        if hybrid is None
        else CroppedMask.from_array(hybrid.bone | united(detected.lesions, shape=volume.geometry.shape))
    )
    report = VolumetricReport(
        study=study,
        branch=Branch.SPECT,
        series_uid=segmented.prepared.series_uid,
        input_series_uids=(segmented.prepared.series_uid, *(() if hybrid is None else (hybrid.series_uid,))),
        volume=volume,
        bone=evaluated,
        lesions=tuple(_lesion(segmented, mask) for mask in detected.lesions),
        measurements=(
            *burden_measurements(detected.lesions, bone=evaluated, geometry=volume.geometry),
            *_level_measurement(segmented),
            *suv_factor_measurement(segmented.prepared.spect.per_bq_ml, method=spect.SUV_METHOD),
        ),
        quality=_quality(segmented),
        algorithms=_algorithms(segmented),
        limitations=_limitations(detected),
        skeleton=None if hybrid is None else hybrid.skeleton,
        naming=profile().sites,
    )
    return result_of(report)


def _scale_of(segmented: Segmented) -> tuple[Code, Code, str]:
    if segmented.level is None:
        return Concept.SUV_BW, Unit.SUV_BW, spect.SUV_METHOD
    return Concept.UPTAKE_RATIO, Unit.RATIO, spect.RATIO_METHOD


def _lesion(segmented: Segmented, mask: CroppedMask) -> LesionReport:
    volume = segmented.volume
    concept, unit, method = _scale_of(segmented)
    return LesionReport(
        mask=mask,
        measurements=(
            *size_measurements(mask, volume.geometry),
            *value_measurements(statistics(volume.array, mask), concept=concept, unit=unit, method=method),
            Measurement(
                concept=concept,
                value=peak(volume.array, mask, volume.geometry).best,
                unit=unit,
                method=PEAK_METHOD,
                derivation=Derivation.PEAK_IN_ROI,
            ),
        ),
        evaluations=(
            Evaluation(
                concept=Concept.LOCALISATION,
                value=Localisation.NOT_LOCALISED if segmented.hybrid is None else Localisation.IN_BONE,
            ),
            *partial_volume(mask, volume.geometry, limit_mm=profile().quality.quantifiable_mm),
        ),
    )


def _level_measurement(segmented: Segmented) -> tuple[Measurement, ...]:
    """The level that ratios refer to, so that they can be recomputed from the counts."""
    if segmented.level is None:
        return ()
    return (
        Measurement(
            concept=Concept.TOMOGRAM_ACTIVITY,
            value=float(np.float32(segmented.level)),
            unit=Unit.COUNTS,
            method=segmented.level_method,
            derivation=Derivation.MEAN,
        ),
    )


def _quality(segmented: Segmented) -> tuple[QualityCheck, ...]:
    calibrated = segmented.level is None
    checks = [
        QualityCheck(
            name="Calibration",
            verdict=Verdict.PASS if calibrated else Verdict.WARN,
            explanation=segmented.prepared.spect.explanation,
        )
    ]
    checks.append(_ATTENUATION[segmented.prepared.spect.attenuation_corrected])
    fit = None if segmented.hybrid is None else segmented.hybrid.fit
    checks.append(fusion_check(fit, limits=profile().localisation.fusion))
    if segmented.hybrid is not None:
        coverage = segmented.hybrid.coverage
        checks.append(
            QualityCheck(
                name="CT coverage",
                verdict=Verdict.PASS if coverage >= profile().localisation.minimum_coverage else Verdict.WARN,
                explanation=f"The CT covers {100.0 * coverage:.0f} % of the SPECT; the rest is not evaluated.",
            )
        )
    return tuple(checks)


_ATTENUATION = {
    corrected: QualityCheck(name="Attenuation correction", verdict=verdict, explanation=explanation)
    for corrected, verdict, explanation in (
        (True, Verdict.PASS, "The image is corrected for attenuation."),
        (None, Verdict.NOT_EVALUABLE, "The image does not say what it is corrected for."),
        (
            False,
            Verdict.WARN,
            "The image is not corrected for attenuation: normal bone near the skin (spinous processes, iliac crests, "
            "shoulders) looks up to four times as hot as vertebral bodies, and is among the candidates.",
        ),
    )
}
"""By what the image says of its corrections."""


def _algorithms(segmented: Segmented) -> tuple[Algorithm, ...]:
    name = spect.SUV_METHOD if segmented.level is None else spect.RATIO_METHOD
    uptake = algorithm(name, family=HISTOGRAM, profile=limits_of(segmented))
    reference = algorithm(segmented.level_method, family=HISTOGRAM, profile=profile().reference)
    localised = (
        algorithm(bone.METHOD, family=MORPHOLOGY, profile=profile().skeleton),
        algorithm(basins.METHOD, family=MORPHOLOGY, profile=profile().localisation),
    )
    return (
        *(() if segmented.hybrid is None else localised),
        *(() if segmented.level is None else (reference,)),
        uptake,
    )


def _limitations(detected: Detected) -> tuple[str, ...]:
    segmented = detected.segmented
    sentences = [NOT_A_DIAGNOSIS]
    if segmented.level is not None:
        sentences.append("The image is not calibrated: uptake is given relative to normal skeleton, never as SUV.")
    if segmented.hybrid is None:
        sentences += [
            f"Uptake is not localised to bone: {segmented.why_no_bone}",
            "Kidneys, bladder and the injection site cannot be told from lesions and may be among the regions.",
        ]
    else:
        sentences += [
            organs_left_out(detected.organs),
        ]
    limit_mm = profile().quality.quantifiable_mm
    small = [
        str(index)
        for index, mask in enumerate(detected.lesions, start=1)
        if long_axis_mm(mask, segmented.volume.geometry) < limit_mm
    ]
    if small:
        sentences.append(
            f"Lesions shorter than {limit_mm:g} mm lose signal to partial volume and are not quantifiable: "
            f"{', '.join(small)}."
        )
    return tuple(sentences)


BRANCH = BranchDefinition(
    branch=Branch.SPECT,
    steps=(
        Step(name="prepare", run=prepare),
        Step(name="segment_skeleton", run=segment_skeleton),
        Step(name="detect_lesions", run=detect_lesions),
        Step(name="quantify", run=quantify),
    ),
)
