"""Every number of a volumetric SR, computed anew from the SEG and the source images, with code of the test's own.

A measurement that is not in the tables below fails: no number goes unwitnessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom import Dataset

from bmnode.domain.codes import Code, Concept, Derivation, Finding, Genant, LesionType
from bmnode.domain.results import Measurement
from bmnode.results.reading import Report, ReportedFinding
from tests.support.measured_region import BoolArray, FloatArray, Region

Figures = Mapping[tuple[Code, Code | None], float]
"""What reference regions and header give, by concept and derivation."""
Others = Mapping[Code, Callable[[Region], float]]
"""Witnesses by concept, for what is measured on other series than the segmented one."""

OF_A_REGION: Mapping[tuple[Code, Code | None], Callable[[Region], float]] = {
    (Concept.VOLUME, None): lambda region: region.volume_ml,
    (Concept.METABOLIC_VOLUME, None): lambda region: region.volume_ml,
    (Concept.LONG_AXIS, None): lambda region: region.long_axis_mm(),
    (Concept.AXIAL_LONG, None): lambda region: region.axial_axes_mm()[0],
    (Concept.AXIAL_SHORT, None): lambda region: region.axial_axes_mm()[1],
    (Concept.TOTAL_LESION_GLYCOLYSIS, None): lambda region: float(region.inside.mean()) * region.volume_ml,
}
OF_VALUES: Mapping[Code, Callable[[FloatArray], float]] = {
    Derivation.MEAN: lambda values: float(values.mean()),
    Derivation.MAXIMUM: lambda values: float(values.max()),
    Derivation.MINIMUM: lambda values: float(values.min()),
    Derivation.MEDIAN: lambda values: float(np.median(values)),
    Derivation.STANDARD_DEVIATION: lambda values: float(values.std()),
    Derivation.PERCENTILE_10: lambda values: float(np.quantile(values, 0.1)),
    Derivation.PERCENTILE_90: lambda values: float(np.quantile(values, 0.9)),
}
TYPE_LIMITS: Mapping[Code, Callable[[float, float], float]] = {
    Concept.LYTIC_LIMIT: lambda mean, sd: min(mean - 2.0 * sd, 100.0),
    Concept.SCLEROTIC_LIMIT: lambda mean, sd: max(mean + 2.0 * sd, 300.0),
}
"""The limits from the reference's mean and SD: soft tissue at most, 300 HU at least."""
SINS_TYPE_POINTS: Mapping[Code, tuple[int, int]] = {
    LesionType.LYTIC: (2, 2),
    LesionType.MIXED: (1, 1),
    LesionType.SCLEROTIC: (0, 0),
    LesionType.INDETERMINATE: (0, 2),
}
"""Fisher 2010, lowest and highest points of the lesion's type."""
SINS_UNKNOWN = 4 + 3
"""All points of alignment and posterolateral involvement, which are not known."""
GENANT_PERCENT: Mapping[Code, tuple[float, float]] = {
    Genant.NONE: (-100.0, 20.0),
    Genant.MILD: (20.0, 25.0),
    Genant.MODERATE: (25.0, 40.0),
    Genant.SEVERE: (40.0, 100.0),
}
"""Genant 1993: the height that is lost, %. The neighbours' outlines are no part of a report, the grade must fit."""
SINS_LOCATION_POINTS: Mapping[str, tuple[int, int]] = {
    "Cervical spine": (2, 3),
    "Thoracic spine": (1, 3),
    "Lumbar spine": (2, 3),
    **{f"{level} vertebra": (3, 3) for level in ("C1", "C2", "C7", "T1", "T2", "T11", "T12", "L1", "L5")},
    **{f"{level} vertebra": (2, 2) for level in ("C3", "C4", "C5", "C6", "L2", "L3", "L4")},
    **{f"T{number} vertebra": (1, 1) for number in range(3, 11)},
}
"""Fisher 2010, of the finding site: junctional 3, mobile 2, semirigid 1, rigid 0; of another site all are possible."""
MIRELS_SITE_POINTS: Mapping[str, tuple[int, int]] = {"Humerus": (1, 1), "Femur": (2, 3)}
MIRELS_TYPE_POINTS: Mapping[Code, tuple[int, int]] = {
    LesionType.LYTIC: (3, 3),
    LesionType.MIXED: (2, 2),
    LesionType.SCLEROTIC: (1, 1),
    LesionType.INDETERMINATE: (1, 3),
}
"""Mirels 1989: upper limb 1, lower 2, peritrochanteric 3; blastic 1, mixed 2, lytic 3."""
TYPE_SHARES: Mapping[Code, tuple[Code, Callable[[FloatArray, float], BoolArray]]] = {
    Concept.LYTIC_FRACTION: (Concept.LYTIC_LIMIT, np.less),
    Concept.SCLEROTIC_FRACTION: (Concept.SCLEROTIC_LIMIT, np.greater),
}
VALUE_CONCEPTS = frozenset({Concept.ATTENUATION, Concept.SUV_BW, Concept.ADC})


def expected_of_finding(
    item: Measurement,
    region: Region,
    finding: ReportedFinding,
    *,
    bone: Region | None = None,
    others: Others | None = None,
    figures: Figures | None = None,
) -> float:
    """What a measurement of a finding must be. Raises KeyError for one that has no witness here.

    `others` are witnesses for what was measured on other series than the segmented one, `figures` those of
    `reference_figures`.
    """
    if (normal := _against_normal(item, region, figures or {})) is not None:
        return normal
    found = OF_A_REGION.get((item.concept, item.derivation)) or (others or {}).get(item.concept)
    if found is not None:
        return found(region)
    if item.concept == Concept.OPEN_CORTEX and bone is not None:
        return 100.0 * region.open_cortex(bone)
    if item.concept in VALUE_CONCEPTS and item.derivation == Derivation.PEAK_IN_ROI:
        return region.peak_local() if "LOCAL" in item.method else float(region.peaks().max())
    if item.concept in VALUE_CONCEPTS and item.derivation is not None:
        return OF_VALUES[item.derivation](region.inside)
    return _expected_of_type(item, region, finding)


def _expected_of_type(item: Measurement, region: Region, finding: ReportedFinding) -> float:
    """Of a lesion's type and what follows from it. The reference is an input: the report states it, and limits and
    shares follow. It must be trabecular bone."""
    if item.concept == Concept.REFERENCE_HU:
        lowest, highest = (-50.0, 350.0) if item.derivation == Derivation.MEAN else (0.0, 250.0)
        return float(np.clip(item.value, lowest, highest))
    if item.concept in TYPE_LIMITS:
        mean = _stated(finding, Concept.REFERENCE_HU, Derivation.MEAN)
        sd = _stated(finding, Concept.REFERENCE_HU, Derivation.STANDARD_DEVIATION)
        return TYPE_LIMITS[item.concept](mean, sd)
    if item.concept in TYPE_SHARES:
        limit_of, beyond = TYPE_SHARES[item.concept]
        return 100.0 * float(beyond(region.inside, _stated(finding, limit_of, None)).mean())
    if item.concept == Concept.COLLAPSE:
        (grade,) = (answer.value for answer in finding.evaluations if answer.concept == Concept.GENANT_GRADE)
        lowest, highest = GENANT_PERCENT[grade]
        return float(np.clip(item.value, lowest, highest))
    if item.concept in {Concept.SINS_LOWEST, Concept.SINS_HIGHEST}:
        return _expected_sins(item, finding)
    if item.concept in {Concept.SHAFT_DIAMETER, Concept.SHAFT_SHARE, Concept.MIRELS_LOWEST, Concept.MIRELS_HIGHEST}:
        return _expected_of_long_bone(item, region, finding)
    raise KeyError(f"{item.concept.meaning} ({item.method}) has no witness")


def _stated(finding: ReportedFinding, concept: Code, derivation: Code | None) -> float:
    wanted = (concept, derivation)
    (value,) = (item.value for item in finding.measurements if (item.concept, item.derivation) == wanted)
    return value


def _expected_sins(item: Measurement, finding: ReportedFinding) -> float:
    """The highest follows from type and site; the lowest also from what lies beside the canal, 0, 1 or 3 points."""
    (kind,) = (answer.value for answer in finding.evaluations if answer.concept == Concept.LESION_TYPE)
    low, high = SINS_TYPE_POINTS[kind]
    lowest, highest = SINS_LOCATION_POINTS.get(finding.site.meaning if finding.site else "", (0, 3))
    if item.concept == Concept.SINS_HIGHEST:
        return min(
            (float(high + highest + SINS_UNKNOWN + points) for points in _body_points(finding)[1]),
            key=lambda points: abs(points - item.value),
        )
    return min(
        (float(low + lowest + points + body) for points in (0, 1, 3) for body in _body_points(finding)[0]),
        key=lambda points: abs(points - item.value),
    )


def _body_points(finding: ReportedFinding) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lowest and highest points that the vertebral body may have by the report's own collapse; all where it has none.

    A loss that may be noise leaves both readings, and how much of a standing body is involved is not reported.
    """
    lost = [found.value for found in finding.measurements if found.concept == Concept.COLLAPSE]
    if not lost:
        return (0,), (3,)
    if lost[0] > 50.0:
        return (3,), (3,)
    return ((2,), (2,)) if lost[0] > 20.0 else ((0, 1, 2), (0, 1, 2))


def _expected_of_long_bone(item: Measurement, region: Region, finding: ReportedFinding) -> float:
    """Mirels' points. The shaft's diameter is an input: the report states it, and it must be that of a shaft."""
    if item.concept == Concept.SHAFT_DIAMETER:
        return float(np.clip(item.value, 15.0, 45.0))
    shafts = [found.value for found in finding.measurements if found.concept == Concept.SHAFT_DIAMETER]
    share = region.axial_axes_mm()[0] / shafts[0] if shafts else None
    if item.concept == Concept.SHAFT_SHARE:
        if share is None:
            raise KeyError("a share of a shaft without the shaft's diameter")
        return share
    (kind,) = (answer.value for answer in finding.evaluations if answer.concept == Concept.LESION_TYPE)
    sizes = (1, 3) if share is None else (points := 1 + (share >= 1 / 3) + (share > 2 / 3), points)
    places = MIRELS_SITE_POINTS[finding.site.meaning if finding.site else ""]
    end = 0 if item.concept == Concept.MIRELS_LOWEST else 1
    return float(places[end] + MIRELS_TYPE_POINTS[kind][end] + sizes[end])


def _against_normal(item: Measurement, region: Region, figures: Figures) -> float | None:
    """What a lesion has in proportion to a reference region, or to lean mass; None for any other measurement."""
    if item.concept == Concept.LESION_TO_BACKGROUND:
        reference = Concept.LIVER_REFERENCE if "LIVER" in item.method else Concept.BLOOD_REFERENCE
        return float(region.inside.max()) / figures[reference, Derivation.MEAN]
    if item.concept == Concept.SUV_LBM_JANMA and item.derivation == Derivation.PEAK_IN_ROI:
        return float(region.peaks().max()) * figures[Concept.LEAN_SHARE, None]
    return None


def expected_of_study(
    item: Measurement,
    report: Report,
    regions: Mapping[int, Region],
    bone: Region | None,
    *,
    others: Others | None = None,
    figures: Figures | None = None,
) -> float:
    """What a measurement of the study must be; `others` are witnesses for what was measured on other series than the
    segmented one, `figures` those of `reference_figures` and of the caller's own reckoning (the SUVbw of 1 Bq/ml).

    Raises KeyError for a measurement that has no witness here.
    """
    lesions = [regions[finding.segment.segment_number] for finding in report.findings if finding.segment]
    total_ml = sum(region.volume_ml for region in lesions)
    plain: dict[tuple[Code, Code | None], float] = {
        **(figures or {}),
        (Concept.LESION_COUNT, None): float(len(report.findings)),
    }
    if (known := plain.get((item.concept, item.derivation))) is not None:
        return known
    summed = {Concept.VOLUME, Concept.METABOLIC_VOLUME} if item.derivation == Derivation.TOTAL else set()
    if item.concept in summed | {Concept.DIFFUSION_VOLUME, Concept.PSMA_VOLUME}:
        return total_ml
    if item.concept == Concept.PERCIST_COUNT and figures is not None:
        share, limit = figures[Concept.LEAN_SHARE, None], figures[Concept.PERCIST_LIMIT, None]
        return float(sum(float(region.peaks().max()) * share >= limit for region in lesions))
    if item.concept in {Concept.TOTAL_LESION_GLYCOLYSIS, Concept.PSMA_TOTAL}:
        return sum(float(region.inside.mean()) * region.volume_ml for region in lesions)
    if item.concept == Concept.GLOBAL_ADC and item.derivation is not None:
        return OF_VALUES[item.derivation](np.concatenate([region.inside for region in lesions]))
    if bone is None:
        raise KeyError(f"{item.concept.meaning} ({item.method}) has no witness")
    return _expected_of_bone(item, bone, total_ml=total_ml, others=others or {})


def _expected_of_bone(item: Measurement, bone: Region, *, total_ml: float, others: Others) -> float:
    if item.concept == Concept.BONE_EVALUATED:
        return bone.volume_ml
    if item.concept == Concept.LESION_FRACTION:
        return 100.0 * total_ml / bone.volume_ml
    if item.concept in VALUE_CONCEPTS and item.derivation is not None:
        return OF_VALUES[item.derivation](bone.inside)
    if item.concept in others:
        return others[item.concept](bone)
    raise KeyError(f"{item.concept.meaning} ({item.method}) has no witness")


def reference_figures(segmentation: Path, regions: Mapping[int, Region], image: Dataset) -> Figures:
    """Mean and SD in the reference segments, lean mass over weight from the header, PERCIST's limit from both."""
    figures: dict[tuple[Code, Code | None], float] = {}
    concepts = {
        Finding.LIVER.value: Concept.LIVER_REFERENCE,
        Finding.DESCENDING_AORTA.value: Concept.BLOOD_REFERENCE,
        Finding.SPLEEN.value: Concept.SPLEEN_REFERENCE,
        Finding.PAROTID.value: Concept.PAROTID_REFERENCE,
    }
    for item in hd.seg.segread(segmentation).SegmentSequence:
        concept = concepts.get(item.SegmentedPropertyTypeCodeSequence[0].CodeValue)
        if concept is not None:
            inside = regions[int(item.SegmentNumber)].inside
            figures[concept, Derivation.MEAN] = float(inside.mean())
            figures[concept, Derivation.STANDARD_DEVIATION] = float(inside.std())
    if image.get("PatientSize") and image.get("PatientSex") in {"M", "F"}:
        weight = float(image.PatientWeight)
        per_height = weight / float(image.PatientSize) ** 2
        low, high = (6680.0, 216.0) if image.PatientSex == "M" else (8780.0, 244.0)
        share = 9270.0 / (low + high * per_height)
        figures[Concept.LEAN_SHARE, None] = share
        if (Concept.LIVER_REFERENCE, Derivation.MEAN) in figures:
            mean, spread = (
                figures[Concept.LIVER_REFERENCE, kind] for kind in (Derivation.MEAN, Derivation.STANDARD_DEVIATION)
            )
            figures[Concept.PERCIST_LIMIT, None] = share * (1.5 * mean + 2.0 * spread)
    return figures


def bone_region(segmentation: Path, regions: Mapping[int, Region]) -> Region | None:
    """The evaluated bone, where the SEG has it."""
    seg = hd.seg.segread(segmentation)
    for item in seg.SegmentSequence:
        if item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == Finding.ANATOMICAL_STRUCTURE.value:
            return regions[int(item.SegmentNumber)]
    return None
