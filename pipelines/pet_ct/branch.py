"""PET and PET/CT: uptake above the tracer's threshold, inside the bone of the CT where there is one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from bmnode.domain.codes import Concept, Derivation, Localisation, Unit
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import Algorithm, Evaluation, Measurement, QualityCheck, ResultSet
from bmnode.domain.study import Branch, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, Step, StudyInput
from operators.kernels import basins, bone, suv
from operators.kernels.bone import BoneProfile
from operators.kernels.components import united
from operators.kernels.measurement import peak, statistics, volume_ml
from operators.kernels.reference_glands import PAROTID_METHOD, SPLEEN_METHOD
from operators.kernels.reference_place import BLOOD_METHOD, LIVER_METHOD
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from operators.kernels.uptake import UptakeLimits
from operators.readers.pet import SuvVolume, read_suv
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
from pipelines.pet_ct.patient import bone_pattern, percist_count, psma_measurements
from pipelines.pet_ct.quality import QualityLimits, input_checks
from pipelines.pet_ct.references import (
    OrganUptake,
    ReferenceLimits,
    References,
    find_references,
    lean_peak,
    lesion_classes,
    lesion_ratios,
    percist_limit,
    reference_checks,
    reference_measurements,
    with_glands,
)
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

PEAK_METHOD = "SUVPEAK_1ML_GLOBAL_V1"
LOCAL_PEAK_METHOD = "SUVPEAK_1ML_LOCAL_V1"

_LIGANDS_OF_PSMA = frozenset({"PSMA", "PSMA-11", "PSMA-617", "PSMA-1007", "DCFPyL", "DCFBC", "rhPSMA"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TracerLimits:
    """Thresholds by tracer, SUVbw."""

    FDG: UptakeLimits
    PSMA: UptakeLimits
    NaF: UptakeLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class PetProfile:
    """The branch's `pipeline.toml`."""

    tracers: TracerLimits
    localisation: LocalisationLimits
    quality: QualityLimits
    reference: ReferenceLimits
    skeleton: BoneProfile
    sites: NamingLimits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepared:
    """The PET as SUVbw and the tracer that its thresholds depend on."""

    study: StudyInput
    series_uid: str
    suv: SuvVolume
    tracer: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segmented:
    """The PET with the CT's bone, or the sentence that says why there is none, and with the reference regions."""

    prepared: Prepared
    hybrid: HybridBone | None
    why_no_bone: str
    references: References


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detected:
    """Regions of uptake, largest first, and how many organs that reach into the bone's margin were left out."""

    segmented: Segmented
    lesions: tuple[CroppedMask, ...]
    organs: int


@cache
def profile() -> PetProfile:
    """The thresholds in force. Raises ConfigError where `pipeline.toml` is wrong."""
    return load_profile(PetProfile, Path(__file__).with_name("pipeline.toml"))


def tracer_key(tracer: str | None) -> str:
    """The thresholds' name for a tracer. Raises NotAssessableError (unsupported_tracer) where there are none."""
    if tracer in {"FDG", "NaF"}:
        return str(tracer)
    if tracer in _LIGANDS_OF_PSMA:
        return "PSMA"
    detail = "does not name its tracer" if tracer is None else f"was made with {tracer}"
    raise NotAssessableError(
        Reason.UNSUPPORTED_TRACER, f"The PET {detail}; thresholds are known for FDG, NaF and PSMA ligands."
    )


def prepare(study: StudyInput) -> Prepared:
    """The first PET series whose SUV can be computed. Raises NotAssessableError with the reason where none can."""
    emission = study.role(SeriesRole.EMISSION)
    tracer = next((series.tracer for series in study.headers.series if series.series_uid in emission[:1]), None)
    tracer_key(tracer)
    series_uid, volume = first_readable(study, emission, read=read_suv)
    refuse_noise(volume.volume, what="PET")
    return Prepared(study=study, series_uid=series_uid, suv=volume, tracer=str(tracer))


def segment_skeleton(prepared: Prepared) -> Segmented:
    """The CT's bone on the PET grid and the reference regions, where the study has a CT that fits."""
    volume, limits = prepared.suv.volume, profile().reference
    hybrid, why_not = find_hybrid_bone(
        prepared.study,
        volume,
        skeleton=profile().skeleton,
        limits=profile().localisation,
        organ_block_mm=limits.block_mm,
        namer=AtlasNamer(limits=profile().sites.atlas),
    )
    references, key = References(), tracer_key(prepared.tracer)
    coarse = None if hybrid is None else hybrid.coarse
    if coarse is not None:
        plausible: OrganUptake = getattr(limits.plausible, key)
        references = find_references(volume, coarse, plausible=plausible, limits=limits)
    if key == "PSMA":
        skeleton = None if hybrid is None else hybrid.skeleton
        references = with_glands(references, volume, coarse, skeleton=skeleton, limits=limits)
    if hybrid is not None:
        hybrid = replace(hybrid, coarse=None)
    return Segmented(prepared=prepared, hybrid=hybrid, why_no_bone=why_not, references=references)


def limits_of(prepared: Prepared) -> UptakeLimits:
    """The thresholds of the study's tracer."""
    limits: UptakeLimits = getattr(profile().tracers, tracer_key(prepared.tracer))
    return limits


def detect_lesions(segmented: Segmented) -> Detected:
    """Uptake above the threshold: in the bone and its margin, or anywhere where there is no bone."""
    lesions, organs = find_lesions(
        segmented.prepared.suv.volume,
        segmented.hybrid,
        uptake=limits_of(segmented.prepared),
        limits=profile().localisation,
    )
    return Detected(segmented=segmented, lesions=lesions, organs=organs)


def quantify(detected: Detected) -> ResultSet:
    """SUV, metabolic volume and glycolysis of every region, and the study's totals."""
    segmented, hybrid = detected.segmented, detected.segmented.hybrid
    prepared, volume = segmented.prepared, segmented.prepared.suv.volume
    evaluated = (
        None
        if hybrid is None
        else CroppedMask.from_array(hybrid.bone | united(detected.lesions, shape=volume.geometry.shape))
    )
    lesions = tuple(_lesion(segmented, mask) for mask in detected.lesions)
    measured, judged, said = _whole_patient(segmented, lesions)
    report = VolumetricReport(
        study=prepared.study,
        branch=Branch.PET_CT,
        series_uid=prepared.series_uid,
        input_series_uids=(prepared.series_uid, *(() if hybrid is None else (hybrid.series_uid,))),
        volume=volume,
        bone=evaluated,
        lesions=lesions,
        references=segmented.references.regions,
        measurements=(
            *burden_measurements(detected.lesions, bone=evaluated, geometry=volume.geometry),
            *_totals(prepared, lesions),
            *measured,
            *reference_measurements(
                segmented.references, lean_share=prepared.suv.lean_share, tracer_key=tracer_key(prepared.tracer)
            ),
            *suv_factor_measurement(prepared.suv.scale.per_bq_ml, method=suv.METHOD),
        ),
        evaluations=judged,
        quality=_quality(segmented),
        algorithms=_algorithms(segmented),
        limitations=(*_limitations(detected), *said),
        skeleton=None if hybrid is None else hybrid.skeleton,
        naming=profile().sites,
    )
    return result_of(report)


def threshold_method(prepared: Prepared) -> str:
    """The name of the rule that draws a region, by tracer."""
    return {"FDG": "FDG_41PCT_MIN4_V1", "PSMA": "PSMA_FIXED3_V1", "NaF": "NAF_FIXED15_V1"}[tracer_key(prepared.tracer)]


def _lesion(segmented: Segmented, mask: CroppedMask) -> LesionReport:
    prepared, references = segmented.prepared, segmented.references
    volume, method, lean_share = prepared.suv.volume, threshold_method(prepared), prepared.suv.lean_share
    values = statistics(volume.array, mask)
    highest = peak(volume.array, mask, volume.geometry)
    size_ml = volume_ml(mask, volume.geometry)
    peaks = tuple(
        Measurement(
            concept=Concept.SUV_BW, value=value, unit=Unit.SUV_BW, method=name, derivation=Derivation.PEAK_IN_ROI
        )
        for name, value in ((PEAK_METHOD, highest.best), (LOCAL_PEAK_METHOD, highest.local))
    )
    return LesionReport(
        mask=mask,
        measurements=(
            *size_measurements(mask, volume.geometry),
            *value_measurements(values, concept=Concept.SUV_BW, unit=Unit.SUV_BW, method=suv.METHOD),
            *peaks,
            *lean_peak(highest.best, lean_share=lean_share, method=PEAK_METHOD),
            *lesion_ratios(references, suv_max=values.maximum),
            Measurement(concept=Concept.METABOLIC_VOLUME, value=size_ml, unit=Unit.ML, method=method),
            Measurement(
                concept=Concept.TOTAL_LESION_GLYCOLYSIS, value=values.mean * size_ml, unit=Unit.GRAM, method=method
            ),
        ),
        evaluations=(
            Evaluation(
                concept=Concept.LOCALISATION,
                value=Localisation.NOT_LOCALISED if segmented.hybrid is None else Localisation.IN_BONE,
            ),
            *partial_volume(mask, volume.geometry, limit_mm=profile().quality.quantifiable_mm),
            *_classes(segmented, suv_mean=values.mean, suv_peak=highest.best),
        ),
    )


def _classes(segmented: Segmented, *, suv_mean: float, suv_peak: float) -> tuple[Evaluation, ...]:
    """What the tracer's own criterion says of one lesion."""
    prepared, key = segmented.prepared, tracer_key(segmented.prepared.tracer)
    lean_share = prepared.suv.lean_share
    return lesion_classes(
        segmented.references,
        suv_mean=suv_mean,
        sul_peak=None if lean_share is None else suv_peak * lean_share,
        limit=percist_limit(segmented.references, lean_share=lean_share, tracer_key=key),
        ligand=prepared.tracer if key == "PSMA" else None,
    )


def _totals(prepared: Prepared, lesions: tuple[LesionReport, ...]) -> tuple[Measurement, ...]:
    method = threshold_method(prepared)

    def total(concept: object) -> float:
        return float(sum(item.value for lesion in lesions for item in lesion.measurements if item.concept == concept))

    return (
        Measurement(
            concept=Concept.METABOLIC_VOLUME,
            value=total(Concept.METABOLIC_VOLUME),
            unit=Unit.ML,
            method=method,
            derivation=Derivation.TOTAL,
        ),
        Measurement(
            concept=Concept.TOTAL_LESION_GLYCOLYSIS,
            value=total(Concept.TOTAL_LESION_GLYCOLYSIS),
            unit=Unit.GRAM,
            method=method,
            derivation=Derivation.TOTAL,
        ),
    )


def _whole_patient(
    segmented: Segmented, lesions: tuple[LesionReport, ...]
) -> tuple[tuple[Measurement, ...], tuple[Evaluation, ...], tuple[str, ...]]:
    """What the tracer's own criteria say of all lesions together: numbers, classes, sentences."""
    prepared, hybrid = segmented.prepared, segmented.hybrid
    key = tracer_key(prepared.tracer)
    if key != "PSMA":
        limit = percist_limit(segmented.references, lean_share=prepared.suv.lean_share, tracer_key=key)
        return percist_count(lesions, limit=limit), (), ()
    judged, said = bone_pattern(
        None if hybrid is None else lesions,
        skeleton=None if hybrid is None else hybrid.skeleton,
        geometry=prepared.suv.volume.geometry,
        limits=profile().sites.lesion,
    )
    measured = () if hybrid is None else psma_measurements(lesions, method=threshold_method(prepared))
    return measured, judged, said


def _quality(segmented: Segmented) -> tuple[QualityCheck, ...]:
    checks = input_checks(
        segmented.prepared.suv.scale,
        coverage=None if segmented.hybrid is None else segmented.hybrid.coverage,
        minimum_coverage=profile().localisation.minimum_coverage,
        limits=profile().quality,
    )
    fit = None if segmented.hybrid is None else segmented.hybrid.fit
    return (*checks, fusion_check(fit, limits=profile().localisation.fusion), *reference_checks(segmented.references))


def _algorithms(segmented: Segmented) -> tuple[Algorithm, ...]:
    uptake = algorithm(threshold_method(segmented.prepared), family=HISTOGRAM, profile=limits_of(segmented.prepared))
    if segmented.hybrid is None:
        return (uptake,)
    return (
        algorithm(bone.METHOD, family=MORPHOLOGY, profile=profile().skeleton),
        algorithm(basins.METHOD, family=MORPHOLOGY, profile=profile().localisation),
        algorithm(LIVER_METHOD, family=MORPHOLOGY, profile=profile().reference.liver),
        algorithm(BLOOD_METHOD, family=MORPHOLOGY, profile=profile().reference.aorta),
        *_gland_algorithms(segmented.prepared),
        uptake,
    )


def _gland_algorithms(prepared: Prepared) -> tuple[Algorithm, ...]:
    if tracer_key(prepared.tracer) != "PSMA":
        return ()
    glands = profile().reference.glands
    return (
        algorithm(SPLEEN_METHOD, family=MORPHOLOGY, profile=glands.spleen),
        algorithm(PAROTID_METHOD, family=MORPHOLOGY, profile=glands.parotid),
    )


def _limitations(detected: Detected) -> tuple[str, ...]:
    segmented = detected.segmented
    sentences = [NOT_A_DIAGNOSIS]
    if segmented.hybrid is None:
        sentences += [
            f"Uptake is not localised to bone: {segmented.why_no_bone}",
            "Physiological uptake (brain, heart, kidneys, urinary tract, bowel and others) cannot be told from lesions "
            "and is among the regions and in the totals reported.",
        ]
    else:
        sentences += [
            organs_left_out(detected.organs),
            "Physiological uptake inside bone (active marrow, degeneration, fractures) is not told from lesions.",
        ]
    if segmented.prepared.tracer == "PSMA-1007":
        sentences.append("Unspecific bone uptake is frequent with 18F-PSMA-1007.")
    return tuple(sentences)


BRANCH = BranchDefinition(
    branch=Branch.PET_CT,
    steps=(
        Step(name="prepare", run=prepare),
        Step(name="segment_skeleton", run=segment_skeleton),
        Step(name="detect_lesions", run=detect_lesions),
        Step(name="quantify", run=quantify),
    ),
)
