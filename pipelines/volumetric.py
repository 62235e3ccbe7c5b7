"""What the tomographic branches share: choosing a readable series, and saying what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bmnode import __version__
from bmnode.domain.bones import Bone
from bmnode.domain.codes import Code, Concept, Derivation, Finding, PartialVolume, SiteCertainty, Unit
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import (
    Algorithm,
    Evaluation,
    FindingResult,
    Measurement,
    Outcome,
    QualityCheck,
    ResultSet,
    Segment,
    Segmentation,
    SegmentReference,
    Verdict,
)
from bmnode.domain.study import Branch, Reason
from operators.graph.contract import NotAssessableError, StudyInput
from operators.kernels import axial_size
from operators.kernels.measurement import Statistics, long_axis_mm, percentiles, volume_ml
from operators.kernels.skeleton_sites.atlas_namer import AtlasLimits
from operators.kernels.skeleton_sites.sites import NOT_NAMED, NamedSite, SiteLimits, SkeletonMap
from operators.readers.volume import ImageVolume
from pipelines.config import parameters_of

VOLUME_METHOD = "VOXEL_COUNT_V1"
LONG_AXIS_METHOD = "LONG_AXIS_3D_V1"
MORPHOLOGY = Code("123104", "DCM", "Morphological Operations")
NEIGHBORHOOD = Code("123101", "DCM", "Neighborhood Analysis")
HISTOGRAM = Code("123105", "DCM", "Histogram Analysis")

NOT_A_DIAGNOSIS = (
    "Candidates come from published thresholds and project rules, without training; they are not diagnoses, and "
    "benign changes may be among them."
)
COVERAGE = "Coverage"
SITES_NOT_NAMED = "The bones in which candidates lie are not named."
SITES_BY_ATLAS = "No person read the finding sites; a missing or further vertebra or rib shifts the numbers beyond it."

_Read = TypeVar("_Read")


@dataclass(frozen=True, kw_only=True, slots=True)
class NamingLimits:
    """How bones are named, and when a lesion takes a name."""

    atlas: AtlasLimits
    lesion: SiteLimits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LesionReport:
    """One candidate with what was measured on it."""

    mask: CroppedMask
    measurements: tuple[Measurement, ...]
    evaluations: tuple[Evaluation, ...] = ()
    site: NamedSite | None = None
    """Where the branch itself knows it; otherwise it is read from the report's map."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ReferenceRegion:
    """A region of normal tissue that lesions are compared with: a segment of its own."""

    label: str
    type: Code
    mask: CroppedMask


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VolumetricReport:
    """Everything a tomographic branch found, before it becomes a result set.

    `bone` is the evaluated region on the grid of `volume`, or None where there is none. `skeleton` names the bones
    in the frame of reference of `volume`, under `naming`; None where nothing does.
    """

    study: StudyInput
    branch: Branch
    series_uid: str
    input_series_uids: tuple[str, ...]
    volume: ImageVolume
    bone: CroppedMask | None
    bone_label: str = "Evaluated bone"
    lesions: tuple[LesionReport, ...] = ()
    references: tuple[ReferenceRegion, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    quality: tuple[QualityCheck, ...] = ()
    algorithms: tuple[Algorithm, ...] = ()
    limitations: tuple[str, ...] = field(default=())
    notices: tuple[str, ...] = ()
    skeleton: SkeletonMap | None = None
    naming: NamingLimits | None = None


def first_readable(
    study: StudyInput, series: Sequence[str], *, read: Callable[[Sequence[Path]], _Read]
) -> tuple[str, _Read]:
    """The first series that can be read, with what the reader gave.

    Raises the first series' NotAssessableError where none can, and no_images where there is no series.
    """
    first_error: NotAssessableError | None = None
    for uid in series:
        try:
            return uid, read(study.files.get(uid, ()))
        except NotAssessableError as error:
            first_error = first_error or error
    raise first_error or NotAssessableError(Reason.NO_IMAGES, "The study has no series that this branch uses.")


def largest_first(masks: Iterable[CroppedMask]) -> tuple[CroppedMask, ...]:
    """Masks by size, then by place: an order that does not depend on how they were found."""
    return tuple(sorted(masks, key=lambda mask: (-mask.voxel_count, mask.origin)))


def size_measurements(mask: CroppedMask, geometry: VolumeGeometry) -> tuple[Measurement, ...]:
    """Volume and three-dimensional long axis of one lesion."""
    return (
        Measurement(concept=Concept.VOLUME, value=volume_ml(mask, geometry), unit=Unit.ML, method=VOLUME_METHOD),
        Measurement(
            concept=Concept.LONG_AXIS, value=long_axis_mm(mask, geometry), unit=Unit.MM, method=LONG_AXIS_METHOD
        ),
    )


def value_measurements(values: Statistics, *, concept: Code, unit: Code, method: str) -> tuple[Measurement, ...]:
    """Mean, maximum, minimum and population standard deviation of one lesion."""
    pairs = (
        (Derivation.MEAN, values.mean),
        (Derivation.MAXIMUM, values.maximum),
        (Derivation.MINIMUM, values.minimum),
        (Derivation.STANDARD_DEVIATION, values.standard_deviation),
    )
    return tuple(
        Measurement(concept=concept, value=value, unit=unit, method=method, derivation=derivation)
        for derivation, value in pairs
    )


def axial_measurements(mask: CroppedMask, geometry: VolumeGeometry) -> tuple[Measurement, ...]:
    """Long and short axis of one lesion in the axial plane."""
    size = axial_size.axial_size(mask, geometry)
    return tuple(
        Measurement(concept=concept, value=value, unit=Unit.MM, method=axial_size.METHOD)
        for concept, value in ((Concept.AXIAL_LONG, size.long_mm), (Concept.AXIAL_SHORT, size.short_mm))
    )


def spread_measurements(
    array: npt.NDArray[np.floating], mask: CroppedMask, *, concept: Code, unit: Code, method: str
) -> tuple[Measurement, ...]:
    """Median, 10th and 90th percentile of a region: how far its values lie apart."""
    wanted = ((Derivation.MEDIAN, 50.0), (Derivation.PERCENTILE_10, 10.0), (Derivation.PERCENTILE_90, 90.0))
    values = percentiles(array, mask, percents=[percent for _, percent in wanted])
    return tuple(
        Measurement(concept=concept, value=value, unit=unit, method=method, derivation=derivation)
        for (derivation, _), value in zip(wanted, values, strict=True)
    )


def burden_measurements(
    lesions: Sequence[CroppedMask], *, bone: CroppedMask | None, geometry: VolumeGeometry
) -> tuple[Measurement, ...]:
    """Of the study: number of lesions, their volume, the evaluated bone and the lesions' share of it.

    Lesions never overlap each other; `bone` holds those inside bone.
    """
    total = float(sum(volume_ml(mask, geometry) for mask in lesions))
    count = Measurement(
        concept=Concept.LESION_COUNT, value=float(len(lesions)), unit=Unit.COUNT, method="CONNECTED_18_V1"
    )
    volume = Measurement(
        concept=Concept.VOLUME, value=total, unit=Unit.ML, method=VOLUME_METHOD, derivation=Derivation.TOTAL
    )
    if bone is None:
        return count, volume
    evaluated = volume_ml(bone, geometry)
    return (
        count,
        volume,
        Measurement(concept=Concept.BONE_EVALUATED, value=evaluated, unit=Unit.ML, method=VOLUME_METHOD),
        Measurement(
            concept=Concept.LESION_FRACTION, value=100.0 * total / evaluated, unit=Unit.PERCENT, method=VOLUME_METHOD
        ),
    )


def partial_volume(mask: CroppedMask, geometry: VolumeGeometry, *, limit_mm: float) -> tuple[Evaluation, ...]:
    """The flag of a lesion whose long axis is shorter than `limit_mm`, about twice the resolution; else nothing."""
    if long_axis_mm(mask, geometry) >= limit_mm:
        return ()
    return (Evaluation(concept=Concept.PARTIAL_VOLUME, value=PartialVolume.TOO_SMALL),)


def algorithm(name: str, *, family: Code, profile: object) -> Algorithm:
    """TID 4019 with the version of bmnode and the thresholds in force."""
    return Algorithm(name=name, version=__version__, family=family, parameters=parameters_of(profile))


def result_of(report: VolumetricReport) -> ResultSet:
    """The result set: bone, one segment a lesion with its finding and site, then the reference regions."""
    segments = [] if report.bone is None else [_bone_segment(report)]
    findings = []
    sites = tuple(_site(report, lesion) for lesion in report.lesions)
    for index, (lesion, site) in enumerate(zip(report.lesions, sites, strict=True), start=1):
        tracking_id = f"bmnode lesion {index}"
        tracking_uid = derive_uid(report.study.request.seed, "lesion", str(index))
        segments.append(
            Segment(
                label=f"Lesion {index}",
                category=Finding.ABNORMAL_STRUCTURE,
                type=Finding.LESION,
                mask=lesion.mask,
                site=site.site,
                laterality=site.laterality,
                tracking_id=tracking_id,
                tracking_uid=tracking_uid,
            )
        )
        findings.append(
            FindingResult(
                tracking_id=tracking_id,
                tracking_uid=tracking_uid,
                finding_type=Finding.LESION,
                site=site.site,
                laterality=site.laterality,
                segment=SegmentReference(segmentation_index=0, segment_number=len(segments)),
                measurements=lesion.measurements,
                evaluations=(*lesion.evaluations, Evaluation(concept=Concept.SITE_CERTAINTY, value=site.certainty)),
            )
        )
    segments += [
        Segment(label=region.label, category=Finding.ANATOMICAL_STRUCTURE, type=region.type, mask=region.mask)
        for region in report.references
    ]
    segmentation = Segmentation(
        source_series_uid=report.series_uid,
        source_instance_uids=report.volume.source_instance_uids,
        geometry=report.volume.geometry,
        segments=tuple(segments),
    )
    return ResultSet(
        study_uid=report.study.request.study_uid,
        outcome=Outcome.ASSESSED,
        branch=report.branch,
        input_series_uids=report.input_series_uids,
        findings=tuple(findings),
        measurements=report.measurements,
        evaluations=report.evaluations,
        segmentations=(segmentation,) if segments else (),
        quality=_quality(report, sites),
        algorithms=(*report.algorithms, *_naming_algorithm(report)),
        limitations=(*report.limitations, *_naming_limitations(report)),
        notices=report.notices,
        synthetic=report.study.synthetic,
    )


def _site(report: VolumetricReport, lesion: LesionReport) -> NamedSite:
    if lesion.site is not None:
        return lesion.site
    if report.skeleton is None or report.naming is None:
        return NOT_NAMED
    return report.skeleton.site_of(lesion.mask, report.volume.geometry, limits=report.naming.lesion)


def _quality(report: VolumetricReport, sites: Sequence[NamedSite]) -> tuple[QualityCheck, ...]:
    coverage = coverage_check(report.volume.geometry, report.skeleton)
    return (*report.quality, coverage, *_naming_check(report, sites))


def coverage_check(geometry: VolumeGeometry, skeleton: SkeletonMap | None) -> QualityCheck:
    """What the images show of the body, without which no total can be read: its length, and whose bones are named."""
    corners = np.array(list(product(*((-0.5, size - 0.5) for size in geometry.shape))))
    heights = corners @ geometry.matrix[2, :3]
    length = f"The images reach over {np.ptp(heights):.0f} mm from head to feet."
    if skeleton is None or not skeleton.bones.any():
        said = f"{length} Which bones they show is not known. Totals are of what they show."
        return QualityCheck(name=COVERAGE, verdict=Verdict.NOT_EVALUABLE, explanation=said)
    present = {int(number) for number in np.unique(skeleton.bones)}
    parts = list(dict.fromkeys(bone.part for bone in Bone))
    shown = [part for part in parts if any(bone in present for bone in Bone if bone.part == part)]
    missing = [part.meaning for part in parts if part not in shown]
    said = (
        f"{length} Named in them: {', '.join(part.meaning for part in shown)}. "
        f"Not named, and not evaluable: {', '.join(missing) or 'nothing'}. Totals are of what they show."
    )
    return QualityCheck(name=COVERAGE, verdict=Verdict.PASS, explanation=said)


def _naming_check(report: VolumetricReport, sites: Sequence[NamedSite]) -> tuple[QualityCheck, ...]:
    """How many lesions have a name, and how exact: nothing where no bones are named at all."""
    if report.skeleton is None:
        return ()
    counts = [
        f"{sum(site.certainty == certainty for site in sites)} {text}"
        for certainty, text in (
            (SiteCertainty.BONE, "by bone"),
            (SiteCertainty.PART, "without a number"),
            (SiteCertainty.REGION, "by region"),
            (SiteCertainty.NONE, "not at all"),
        )
    ]
    named = any(report.skeleton.bones.flat) and all(site.certainty != SiteCertainty.NONE for site in sites)
    return (
        QualityCheck(
            name="Finding sites",
            verdict=Verdict.PASS if named else Verdict.WARN,
            explanation=f"Of {len(sites)} lesions are named: {', '.join(counts)}.",
        ),
    )


def _naming_algorithm(report: VolumetricReport) -> tuple[Algorithm, ...]:
    if report.skeleton is None or report.naming is None:
        return ()
    return (algorithm(report.skeleton.method, family=MORPHOLOGY, profile=report.naming),)


def _naming_limitations(report: VolumetricReport) -> tuple[str, ...]:
    if report.skeleton is not None:
        return (*report.skeleton.basis, SITES_BY_ATLAS)
    return () if all(lesion.site for lesion in report.lesions) else (SITES_NOT_NAMED,)


def _bone_segment(report: VolumetricReport) -> Segment:
    if report.bone is None:
        raise ValueError("no bone to make a segment of")
    return Segment(label=report.bone_label, category=Finding.ANATOMICAL_STRUCTURE, type=Finding.BONE, mask=report.bone)
