"""MRI: candidates of abnormal marrow by ADC, inside a region of the vertebral bodies found from the spinal canal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.domain.codes import Concept, Derivation, Finding, Localisation, Site, SiteCertainty, Unit
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import Evaluation, Measurement, QualityCheck, ResultSet, Verdict
from bmnode.domain.study import Branch, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, Step, StudyInput
from operators.kernels import marrow, vertebral_region
from operators.kernels.adc import FIT_METHOD, FitLimits
from operators.kernels.components import united
from operators.kernels.marrow import MarrowLimits, find_marrow_candidates
from operators.kernels.measurement import statistics, volume_ml
from operators.kernels.skeleton_sites.sites import NamedSite
from operators.kernels.vertebral_region import RegionLimits, VertebralRegion, find_region
from operators.readers.mr_diffusion import AdcVolume, MapLimits, fit_adc_map, read_adc_map, read_b_values
from operators.readers.volume import ImageVolume
from pipelines.config import load_profile
from pipelines.mri.marrow_signal import MarrowImages, high_b_measurement, read_images
from pipelines.volumetric import (
    HISTOGRAM,
    MORPHOLOGY,
    NOT_A_DIAGNOSIS,
    LesionReport,
    ReferenceRegion,
    VolumetricReport,
    algorithm,
    burden_measurements,
    first_readable,
    largest_first,
    result_of,
    size_measurements,
    spread_measurements,
    value_measurements,
)

MAP_METHOD = "ADC_MAP_V1"
TDV_METHOD = "TDV_MARROW_CANDIDATES_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityLimits:
    """Limits of the checks; ADC in um2/s, b-values in s/mm2."""

    abnormal_above_um2_s: float
    lowest_high_b: float
    minimum_valid_share: float
    minimum_muscle_ml: float


@dataclass(frozen=True, kw_only=True, slots=True)
class MriProfile:
    """The branch's `pipeline.toml`."""

    map: MapLimits
    fit: FitLimits
    region: RegionLimits
    marrow: MarrowLimits
    quality: QualityLimits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prepared:
    """ADC, the series on whose grid it lies, and the highest b-value on the same grid, where there is one."""

    study: StudyInput
    series_uid: str
    input_series_uids: tuple[str, ...]
    adc: AdcVolume
    high_b: ImageVolume | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Segmented:
    """The ADC with the vertebral region, and the part of it that has an ADC."""

    prepared: Prepared
    region: VertebralRegion
    bone: CroppedMask
    valid_share: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detected:
    """The candidates, largest first."""

    segmented: Segmented
    lesions: tuple[CroppedMask, ...]


IN_SPINE = NamedSite(site=Site.SPINE, laterality=None, certainty=SiteCertainty.REGION)
"""All that is searched on an ADC map lies before the spinal canal; levels are not counted."""


@cache
def profile() -> MriProfile:
    """The thresholds in force. Raises ConfigError where `pipeline.toml` is wrong."""
    return load_profile(MriProfile, Path(__file__).with_name("pipeline.toml"))


def prepare(study: StudyInput) -> Prepared:
    """The scanner's ADC map, else an ADC fitted from the b-values.

    Raises NotAssessableError (missing_diffusion) where there is neither, and with the map's own reason where
    the map cannot be used and nothing can be fitted.
    """
    maps, weighted = study.role(SeriesRole.ADC), study.role(SeriesRole.DIFFUSION)
    if not maps and not weighted:
        raise NotAssessableError(
            Reason.MISSING_DIFFUSION,
            "The MR study holds no diffusion-weighted series and no ADC map, on which marrow is measured.",
        )
    by_b = _readable_b_values(study, weighted)
    try:
        series_uid, adc = first_readable(study, maps, read=lambda files: read_adc_map(files, limits=profile().map))
    except NotAssessableError as error:
        if maps and len(by_b) < 2:
            raise error from None
        series_uid, adc = weighted[0], fit_adc_map(by_b, limits=profile().fit)
    high_b = _high_b(by_b, adc.volume)
    used = (series_uid, *weighted) if adc.fitted or high_b is not None else (series_uid,)
    return Prepared(
        study=study, series_uid=series_uid, input_series_uids=tuple(dict.fromkeys(used)), adc=adc, high_b=high_b
    )


def _readable_b_values(study: StudyInput, weighted: tuple[str, ...]) -> Mapping[float, ImageVolume]:
    """The b-values of the study; none where a diffusion series cannot be read beside a map that can."""
    if not weighted:
        return {}
    try:
        return read_b_values([study.files.get(uid, ()) for uid in weighted])
    except NotAssessableError:
        if study.role(SeriesRole.ADC):
            return {}
        raise


def _high_b(by_b: Mapping[float, ImageVolume], adc: ImageVolume) -> ImageVolume | None:
    high = [b for b in by_b if b >= profile().quality.lowest_high_b]
    volume = by_b[max(high)] if high else None
    return volume if volume is not None and volume.geometry.is_same_grid(adc.geometry, tolerance_mm=0.1) else None


def segment_skeleton(prepared: Prepared) -> Segmented:
    """The vertebral region. Raises NotAssessableError (bone_not_found) where no spinal canal is found."""
    volume = prepared.adc.volume
    region = find_region(volume.array, volume.geometry, limits=profile().region)
    if region is None:
        raise NotAssessableError(
            Reason.BONE_NOT_FOUND,
            "No spinal canal was found on the ADC map; without it no region of bone is defined.",
        )
    valid = region.mask & (volume.array > 0.0) & (volume.array <= profile().fit.highest_adc)
    if not valid.any():
        raise NotAssessableError(Reason.BONE_NOT_FOUND, "The vertebral region of the ADC map holds no ADC values.")
    share = float(np.count_nonzero(valid)) / float(np.count_nonzero(region.mask))
    return Segmented(prepared=prepared, region=region, bone=CroppedMask.from_array(valid), valid_share=share)


def detect_lesions(segmented: Segmented) -> Detected:
    """Marrow in the published range of viable tumour; a high b-value, or else the length, tells it from a disc."""
    prepared = segmented.prepared
    high_b: npt.NDArray[np.float32] | None = None if prepared.high_b is None else prepared.high_b.array
    found = find_marrow_candidates(
        prepared.adc.volume.array,
        segmented.region.mask,
        prepared.adc.volume.geometry,
        limits=profile().marrow,
        high_b=high_b,
    )
    return Detected(segmented=segmented, lesions=largest_first(found))


def quantify(detected: Detected) -> ResultSet:
    """ADC and size of every candidate, of the evaluated region, and the study's totals."""
    segmented, prepared = detected.segmented, detected.segmented.prepared
    volume = prepared.adc.volume
    method = FIT_METHOD if prepared.adc.fitted else MAP_METHOD
    images = read_images(
        prepared.study,
        segmented.region.muscle,
        volume.geometry,
        high_b=prepared.high_b,
        minimum_ml=profile().quality.minimum_muscle_ml,
    )
    muscle = () if images.muscle is None else (images.muscle.mask,)
    report = VolumetricReport(
        study=prepared.study,
        branch=Branch.MRI,
        series_uid=prepared.series_uid,
        input_series_uids=tuple(dict.fromkeys((*prepared.input_series_uids, *images.series_uids))),
        volume=volume,
        bone=segmented.bone,
        bone_label="Evaluated vertebral region",
        lesions=tuple(_lesion(segmented, mask, method=method, images=images) for mask in detected.lesions),
        measurements=(
            *burden_measurements(detected.lesions, bone=segmented.bone, geometry=volume.geometry),
            *_region(segmented, method=method, images=images),
            *_global_diffusion(detected, method=method),
        ),
        quality=_quality(segmented),
        algorithms=(
            *((algorithm(FIT_METHOD, family=HISTOGRAM, profile=profile().fit),) if prepared.adc.fitted else ()),
            algorithm(vertebral_region.METHOD, family=MORPHOLOGY, profile=profile().region),
            algorithm(marrow.METHOD, family=HISTOGRAM, profile=profile().marrow),
        ),
        references=tuple(ReferenceRegion(label="Muscle", type=Finding.MUSCLE, mask=mask) for mask in muscle),
        limitations=(*_limitations(detected), *images.missing),
    )
    return result_of(report)


def _lesion(
    segmented: Segmented,
    mask: CroppedMask,
    *,
    method: str,
    images: MarrowImages,
) -> LesionReport:
    volume = segmented.prepared.adc.volume
    values = statistics(volume.array, mask)
    return LesionReport(
        mask=mask,
        measurements=(
            *size_measurements(mask, volume.geometry),
            *value_measurements(values, concept=Concept.ADC, unit=Unit.ADC, method=method),
            *spread_measurements(volume.array, mask, concept=Concept.ADC, unit=Unit.ADC, method=method),
            *images.measure(mask),
            *high_b_measurement(mask, segmented.bone, segmented.prepared.high_b),
        ),
        evaluations=(Evaluation(concept=Concept.LOCALISATION, value=Localisation.IN_BONE),),
        site=IN_SPINE,
    )


def _region(segmented: Segmented, *, method: str, images: MarrowImages) -> tuple[Measurement, ...]:
    """ADC and fat of the whole evaluated region, discs included."""
    volume = segmented.prepared.adc.volume
    return (
        Measurement(
            concept=Concept.ADC,
            value=statistics(volume.array, segmented.bone).mean,
            unit=Unit.ADC,
            method=method,
            derivation=Derivation.MEAN,
        ),
        *spread_measurements(volume.array, segmented.bone, concept=Concept.ADC, unit=Unit.ADC, method=method),
        *images.measure(segmented.bone),
    )


def _global_diffusion(detected: Detected, *, method: str) -> tuple[Measurement, ...]:
    """Total diffusion volume, and the ADC of all candidates together (Blackledge 2014); no ADC where there is none."""
    volume = detected.segmented.prepared.adc.volume
    total_ml = float(sum(volume_ml(mask, volume.geometry) for mask in detected.lesions))
    burden = Measurement(concept=Concept.DIFFUSION_VOLUME, value=total_ml, unit=Unit.ML, method=TDV_METHOD)
    if not detected.lesions:
        return (burden,)
    pooled = CroppedMask.from_array(united(detected.lesions, shape=volume.geometry.shape))
    mean = statistics(volume.array, pooled).mean
    return (
        burden,
        Measurement(concept=Concept.GLOBAL_ADC, value=mean, unit=Unit.ADC, method=method, derivation=Derivation.MEAN),
        *spread_measurements(volume.array, pooled, concept=Concept.GLOBAL_ADC, unit=Unit.ADC, method=method),
    )


def _quality(segmented: Segmented) -> tuple[QualityCheck, ...]:
    adc, limits = segmented.prepared.adc, profile().quality
    if adc.fitted:
        b_values = ", ".join(f"{b:g}" for b in adc.b_values)
        source = f"Fitted from b = {b_values} s/mm2; {adc.excluded_count} voxels excluded."
        plain = min(adc.b_values) >= profile().fit.minimum_b
    else:
        source = f"Scanner's map, stored values times {adc.scale:g} are taken as um2/s."
        plain = adc.scale == 1.0
    region, median = segmented.region, statistics(adc.volume.array, segmented.bone).median
    high_b = segmented.prepared.high_b
    return (
        QualityCheck(name="ADC", verdict=Verdict.PASS if plain else Verdict.WARN, explanation=source),
        QualityCheck(
            name="Spinal canal",
            verdict=Verdict.PASS,
            explanation=f"Followed over {region.length_mm:.0f} mm; fluid {region.fluid_um2_s:.0f} um2/s.",
        ),
        QualityCheck(
            name="ADC values in the region",
            verdict=Verdict.PASS if segmented.valid_share >= limits.minimum_valid_share else Verdict.WARN,
            explanation=f"{100.0 * segmented.valid_share:.0f} % of its voxels have one.",
        ),
        QualityCheck(
            name="Median ADC of the region",
            verdict=Verdict.PASS if median <= limits.abnormal_above_um2_s else Verdict.WARN,
            explanation=f"{median:.0f} um2/s, discs included; abnormal marrow lies above "
            f"{limits.abnormal_above_um2_s:g} um2/s (Messiou 2011).",
        ),
        QualityCheck(
            name="High b-value image",
            verdict=Verdict.NOT_EVALUABLE if high_b is None else Verdict.PASS,
            explanation="None on the grid of the ADC map."
            if high_b is None
            else f"b = {high_b.b_value:g} s/mm2 was used."
            if high_b.b_value is not None
            else "Used.",
        ),
        QualityCheck(
            name="Orientation of the MR images",
            verdict=Verdict.NOT_EVALUABLE,
            explanation="Directions and sides are not compared with anatomy; the header was believed.",
        ),
    )


def _limitations(detected: Detected) -> tuple[str, ...]:
    segmented = detected.segmented
    sentences = [
        NOT_A_DIAGNOSIS,
        "The evaluated region is an ellipse in front of the spinal canal, narrower than lumbar and lower thoracic "
        "vertebral bodies; no bone was segmented. Outside it (posterior elements, ribs, pelvis, limbs) nothing was "
        "evaluated.",
        "Candidates are named as of the spine; vertebral levels and sides are not named on MRI.",
        "Noise raises or lowers the ADC of marrow with little signal; fractures, oedema and haemangiomas look alike.",
    ]
    if segmented.prepared.high_b is None:
        sentences.append(
            "No high b-value image was used: restricted diffusion rests on the ADC alone, on which discs look like "
            "tumour. Candidates shorter than a vertebra along the spine are therefore not reported."
        )
    else:
        sentences.append(
            "Candidates must be brighter on the high b-value image than the region's median; disease that fills most "
            "of the region raises the median and hides itself."
        )
    if not detected.lesions:
        sentences.append(
            "Without a candidate there is no global ADC; the total diffusion volume is 0 of what was searched."
        )
    sentences.append(
        "Epidural compression (Bilsky) and MET-RADS categories were not evaluable: dural sac and cord are not "
        "segmented, and a category needs a prior study."
    )
    return tuple(sentences)


BRANCH = BranchDefinition(
    branch=Branch.MRI,
    steps=(
        Step(name="prepare", run=prepare),
        Step(name="segment_skeleton", run=segment_skeleton),
        Step(name="detect_lesions", run=detect_lesions),
        Step(name="quantify", run=quantify),
    ),
)
