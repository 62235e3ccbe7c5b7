"""Hot spots to findings, measurements and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bmnode.domain.codes import Concept, Derivation, Finding, Unit, UptakeKind, project_code
from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import Evaluation, FindingResult, Measurement, Outcome, ResultSet
from bmnode.domain.study import Branch, SeriesRole
from operators.graph.contract import StudyInput
from operators.kernels.scintigraphy import HotSpot, NormalLevel
from operators.kernels.scintigraphy_body import BodyFrame, Uptake
from operators.kernels.scintigraphy_outline import outline
from operators.readers.planar import PlanarView, ViewName
from pipelines.bone_scan.profile import BoneScanProfile
from pipelines.bone_scan.quality import check_view
from pipelines.bone_scan.segments import planar_segmentations
from pipelines.volumetric import HISTOGRAM, MORPHOLOGY, NEIGHBORHOOD, algorithm

METHOD = "HOTSPOT_ZONE_V1"
NORMALISATION = "NORM_TRIM2 on SKELETON_CONTRAST_V1"
PLACE = "UPTAKE_PLACE_V1"

_KINDS = {
    Uptake.CANDIDATE: UptakeKind.CANDIDATE,
    Uptake.BLADDER: UptakeKind.BLADDER,
    Uptake.KIDNEY: UptakeKind.KIDNEY,
    Uptake.INJECTION_SITE: UptakeKind.INJECTION_SITE,
    Uptake.OUTSIDE_BODY: UptakeKind.OUTSIDE_BODY,
}
_NORMAL_LEVEL = {
    ViewName.ANTERIOR: project_code("NORMAL-ANT", "Normal skeleton, anterior view"),
    ViewName.POSTERIOR: project_code("NORMAL-POST", "Normal skeleton, posterior view"),
    ViewName.UNSTATED: project_code("NORMAL-VIEW", "Normal skeleton, view not stated"),
}
_LESION_COUNT = {
    ViewName.ANTERIOR: project_code("LESIONS-ANT", "Candidate hot spots, anterior view"),
    ViewName.POSTERIOR: project_code("LESIONS-POST", "Candidate hot spots, posterior view"),
    ViewName.UNSTATED: project_code("LESIONS-VIEW", "Candidate hot spots, view not stated"),
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AssessedView:
    """A view with its hot spots on the image as it is stored, each with what it is taken for."""

    view: PlanarView
    frame: BodyFrame
    is_whole: bool
    level: NormalLevel
    spots: tuple[tuple[HotSpot, Uptake], ...]


def report(
    study: StudyInput, *, profile: BoneScanProfile, views: Sequence[AssessedView], dropped: Sequence[str]
) -> ResultSet:
    """The result set of an assessed scan."""
    tags = _tags(views)
    findings = [
        _finding(study, assessed, tag=f"{tag}-{number}", spot=spot, uptake=uptake)
        for assessed, tag in zip(views, tags, strict=True)
        for number, (spot, uptake) in enumerate(assessed.spots, start=1)
    ]
    limits = profile.quality
    return ResultSet(
        study_uid=study.request.study_uid,
        outcome=Outcome.ASSESSED,
        branch=Branch.BONE_SCAN,
        input_series_uids=study.role(SeriesRole.PLANAR),
        findings=tuple(findings),
        measurements=tuple(item for assessed in views for item in _of_view(assessed)),
        planar_segmentations=planar_segmentations(
            findings, [(assessed.view, assessed.frame.is_upside_down) for assessed in views]
        ),
        quality=tuple(
            check
            for assessed in views
            for check in check_view(assessed.view, frame=assessed.frame, limits=limits, is_whole=assessed.is_whole)
        ),
        algorithms=(
            algorithm("BODY_OTSU_V1", family=HISTOGRAM, profile=profile.body),
            algorithm("SKELETON_CONTRAST_V1", family=MORPHOLOGY, profile=profile.skeleton),
            algorithm("NORM_TRIM2", family=HISTOGRAM, profile=profile.normalisation),
            algorithm(METHOD, family=NEIGHBORHOOD, profile=profile.hot_spots),
            algorithm(PLACE, family=NEIGHBORHOOD, profile=profile.exclusions),
        ),
        limitations=_limitations(study, views, dropped),
        synthetic=study.synthetic,
    )


def _tags(views: Sequence[AssessedView]) -> tuple[str, ...]:
    """A short name for each view: ANT, POST, and a number where a study has several of one name."""
    names = [assessed.view.name for assessed in views]
    return tuple(
        str(name) if names.count(name) == 1 else f"{name}{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    )


def _finding(study: StudyInput, assessed: AssessedView, *, tag: str, spot: HotSpot, uptake: Uptake) -> FindingResult:
    view = assessed.view
    polygon = ImagePolygon(
        sop_instance_uid=view.sop_instance_uid,
        frame_number=view.frame_number,
        points=outline(spot.mask, origin=spot.origin),
    )
    return FindingResult(
        tracking_id=tag,
        tracking_uid=derive_uid(study.request.seed, Branch.BONE_SCAN, view.sop_instance_uid, tag),
        finding_type=Finding.LESION if uptake is Uptake.CANDIDATE else Finding.ABNORMAL_STRUCTURE,
        polygons=(polygon,),
        measurements=_of_spot(assessed, spot),
        evaluations=(Evaluation(concept=Concept.UPTAKE_KIND, value=_KINDS[uptake]),),
    )


def _of_spot(assessed: AssessedView, spot: HotSpot) -> tuple[Measurement, ...]:
    """Ratios are to the view's normal level; all from the counts as stored, under the polygon."""
    values = spot.values(assessed.view.counts)
    level = assessed.level.counts_per_pixel
    spacing = assessed.view.spacing_mm
    area = (
        Measurement(concept=Concept.AREA, value=float(spot.pixel_count), unit=Unit.PIXELS, method=METHOD)
        if spacing is None
        else Measurement(
            concept=Concept.AREA,
            value=spot.pixel_count * spacing[0] * spacing[1] / 100.0,
            unit=Unit.CM2,
            method=METHOD,
        )
    )
    return (
        Measurement(
            concept=Concept.UPTAKE_RATIO,
            value=float(values.max()) / level,
            unit=Unit.RATIO,
            method=NORMALISATION,
            derivation=Derivation.MAXIMUM,
        ),
        Measurement(
            concept=Concept.UPTAKE_RATIO,
            value=float(values.mean()) / level,
            unit=Unit.RATIO,
            method=NORMALISATION,
            derivation=Derivation.MEAN,
        ),
        area,
        Measurement(
            concept=Concept.PROJECTION_ACTIVITY,
            value=float(values.sum()),
            unit=Unit.COUNTS,
            method=METHOD,
            derivation=Derivation.TOTAL,
        ),
    )


def _of_view(assessed: AssessedView) -> tuple[Measurement, ...]:
    candidates = sum(uptake is Uptake.CANDIDATE for _, uptake in assessed.spots)
    return (
        Measurement(
            concept=_NORMAL_LEVEL[assessed.view.name],
            value=assessed.level.counts_per_pixel,
            unit=Unit.COUNTS,
            method=NORMALISATION,
            derivation=Derivation.MEAN,
        ),
        Measurement(concept=_LESION_COUNT[assessed.view.name], value=float(candidates), unit=Unit.COUNT, method=METHOD),
    )


def _limitations(study: StudyInput, views: Sequence[AssessedView], dropped: Sequence[str]) -> tuple[str, ...]:
    sentences = [
        "Hot spots are regions above a threshold: metastases, degenerative, traumatic and normal uptake alike.",
        "The skeleton was found by contrast, without a model: no bone is named and no Bone Scan Index is given.",
        "Foci fainter than the threshold of their zone, and cold lesions, are not found.",
    ]
    names = {assessed.view.name for assessed in views if assessed.view.is_whole_body} or {
        assessed.view.name for assessed in views
    }
    if names == {ViewName.ANTERIOR, ViewName.POSTERIOR}:
        sentences.append("A lesion seen in both views is counted in each.")
    else:
        sentences.append(
            "Anterior and posterior views are not both available, or are not stated: one side may be missed."
        )
    kinds = {uptake for assessed in views for _, uptake in assessed.spots}
    if kinds - {Uptake.CANDIDATE}:
        sentences.append(
            "Bladder, kidneys, injection site and contamination are labelled by place alone and not counted; "
            "a lesion under them is obscured."
        )
    if not all(assessed.is_whole for assessed in views):
        sentences.append(
            "Where the body is not whole in the field, bladder, kidneys and injection site were not labelled."
        )
    if dropped:
        sentences.append(f"Left out: {'; '.join(sorted(set(dropped)))}.")
    if any(series.modality == "NM" and "RECON TOMO" in series.image_type for series in study.headers.series):
        sentences.append("The study also holds SPECT, which was not evaluated with the planar images.")
    return tuple(sentences)
