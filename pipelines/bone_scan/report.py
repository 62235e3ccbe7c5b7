"""Lesions and what was set aside to findings, measurements and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bmnode.domain.codes import Code, Concept, Derivation, Finding, Unit, project_code
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import Algorithm, Evaluation, FindingResult, Measurement, Outcome, ResultSet
from bmnode.domain.study import Branch, SeriesRole
from operators.graph.contract import StudyInput
from operators.kernels import planar_pairing, scintigraphy_superscan
from operators.kernels.bone_scan_index.burden import LesionBurden
from operators.kernels.planar_network import METHOD as NETWORK
from operators.kernels.planar_regions import exclusions
from operators.kernels.planar_regions.contract import PlanarRegions
from operators.kernels.planar_regions.parts import PlanarPart
from operators.kernels.scintigraphy_body import Uptake
from operators.readers.planar import ViewName
from pipelines.bone_scan.index import IndexOutcome
from pipelines.bone_scan.index_report import index_algorithms, index_checks, index_measurements, index_sentences
from pipelines.bone_scan.lesions import Lesion, Member
from pipelines.bone_scan.model import Asked
from pipelines.bone_scan.profile import BoneScanProfile
from pipelines.bone_scan.quality import check_view
from pipelines.bone_scan.segments import planar_segmentations
from pipelines.bone_scan.sentences import limitations, notices
from pipelines.bone_scan.sites import laterality_of, site_of
from pipelines.bone_scan.spots import KINDS, NORMALISATION, of_both, of_spot, outlined
from pipelines.bone_scan.views import BothViews, DetectedView
from pipelines.volumetric import HISTOGRAM, MORPHOLOGY, NEIGHBORHOOD, algorithm

METHOD = "HOTSPOT_ZONE_V1"
METHOD_NORMAL = "HOTSPOT_NORMAL_V1"
PLACE = "UPTAKE_PLACE_V1"

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
class AssessedScan:
    """Everything that was found on a scan."""

    views: tuple[DetectedView, ...]
    both: BothViews | None
    lesions: tuple[Lesion, ...]
    index: IndexOutcome
    burden: LesionBurden | None
    regions: PlanarRegions
    asked: Asked | None = None


def report(study: StudyInput, *, profile: BoneScanProfile, assessed: AssessedScan, dropped: Sequence[str]) -> ResultSet:
    """The result set of an assessed scan."""
    views = assessed.views
    findings = _findings(study, assessed)
    return ResultSet(
        study_uid=study.request.study_uid,
        outcome=Outcome.ASSESSED,
        branch=Branch.BONE_SCAN,
        input_series_uids=study.role(SeriesRole.PLANAR),
        findings=findings,
        planar_segmentations=planar_segmentations(findings, [view.prepared.view for view in views]),
        measurements=(
            *(item for number in range(len(views)) for item in _of_view(views[number])),
            *_of_scan(assessed),
            *index_measurements(assessed.index, assessed.burden),
        ),
        quality=(
            *(check for view in views for check in check_view(view.prepared, profile=profile)),
            *index_checks(assessed.index),
            *(() if assessed.asked is None else (assessed.asked.check,)),
        ),
        algorithms=_algorithms(profile, assessed),
        limitations=(
            *limitations(study, views=views, both=assessed.both, dropped=dropped, asked=assessed.asked),
            *index_sentences(assessed.index, lesions_outside=_beyond_index(assessed.lesions)),
        ),
        notices=notices([view.prepared for view in views], superscan_limit=profile.superscan.limit),
        synthetic=study.synthetic,
    )


def _algorithms(profile: BoneScanProfile, assessed: AssessedScan) -> tuple[Algorithm, ...]:
    """What was in force, a model that was used first; atlas, pairing and index only where they took part."""
    views = assessed.views
    named = any(view.prepared.regions is not None for view in views)
    unnamed = any(view.prepared.regions is None for view in views)
    hot = profile.hot_spots
    found = [
        algorithm("BODY_OTSU_V1", family=HISTOGRAM, profile=profile.body),
        algorithm("SKELETON_CONTRAST_V1", family=MORPHOLOGY, profile=profile.skeleton),
        algorithm("NORM_TRIM2", family=HISTOGRAM, profile=profile.normalisation),
        algorithm(scintigraphy_superscan.METHOD, family=HISTOGRAM, profile=profile.superscan),
    ]
    if unnamed:
        found.append(algorithm(METHOD, family=NEIGHBORHOOD, profile=hot))
        found.append(algorithm(PLACE, family=NEIGHBORHOOD, profile=profile.exclusions))
    if named:
        regions = assessed.regions
        atlas = algorithm(regions.method, family=NEIGHBORHOOD, profile=profile.regions)
        found.append(
            Algorithm(
                name=atlas.name,
                version=atlas.version,
                family=atlas.family,
                parameters=(*regions.parameters, *atlas.parameters),
            )
        )
        found.append(algorithm(METHOD_NORMAL, family=NEIGHBORHOOD, profile=hot))
        found.append(algorithm(exclusions.METHOD, family=NEIGHBORHOOD, profile=profile.region_exclusions))
    if assessed.both is not None:
        found.append(algorithm(planar_pairing.METHOD, family=NEIGHBORHOOD, profile=profile.pairing))
    learned = (assessed.asked.algorithm,) if assessed.asked is not None and assessed.asked.is_used else ()
    return (*learned, *found, *index_algorithms(assessed.index))


def _tags(views: Sequence[DetectedView]) -> tuple[str, ...]:
    """A short name for each view: ANT, POST, and a number where a study has several of one name."""
    names = [view.prepared.view.name for view in views]
    return tuple(
        str(name) if names.count(name) == 1 else f"{name}{names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    )


def _findings(study: StudyInput, assessed: AssessedScan) -> tuple[FindingResult, ...]:
    """Each lesion once, with an outline a view; then what was set aside. All in the order of views and hot spots."""
    views, tags = assessed.views, _tags(assessed.views)
    members: dict[tuple[Member, ...], PlanarPart | None] = {lesion.members: lesion.part for lesion in assessed.lesions}
    set_aside: dict[tuple[Member, ...], PlanarPart | None] = {
        (Member(view=number, spot=index),): None
        for number, view in enumerate(views)
        for index in range(len(view.spots))
        if view.uptakes[index] is not Uptake.CANDIDATE
    }
    ordered = sorted({**members, **set_aside}, key=lambda found: min((item.view, item.spot) for item in found))
    return tuple(_finding(study, views, tags=tags, members=found, part=members.get(found)) for found in ordered)


def _finding(
    study: StudyInput,
    views: Sequence[DetectedView],
    *,
    tags: Sequence[str],
    members: tuple[Member, ...],
    part: PlanarPart | None,
) -> FindingResult:
    """One lesion, or one thing set aside: the first outline's measurements, the second one's, then of both."""
    named = sorted(members, key=lambda item: item.view)
    tracking_id = "+".join(f"{tags[item.view]}-{item.spot + 1}" for item in named)
    uptake = views[members[0].view].uptakes[members[0].spot]
    first = views[members[0].view].prepared.view
    return FindingResult(
        tracking_id=tracking_id,
        tracking_uid=derive_uid(study.request.seed, Branch.BONE_SCAN, first.sop_instance_uid, tracking_id),
        finding_type=Finding.LESION if uptake is Uptake.CANDIDATE else Finding.ABNORMAL_STRUCTURE,
        site=None if part is None else site_of(part),
        laterality=None if part is None else laterality_of(part),
        polygons=tuple(outlined(views[item.view], item.spot) for item in members),
        measurements=(
            *(
                measured
                for place, item in enumerate(members)
                for measured in of_spot(views[item.view], item.spot, second=place == 1)
            ),
            *_of_pair(views, named),
        ),
        evaluations=(Evaluation(concept=Concept.UPTAKE_KIND, value=KINDS[uptake]),),
    )


def _of_pair(views: Sequence[DetectedView], members: Sequence[Member]) -> tuple[Measurement, ...]:
    if len(members) != 2:
        return ()
    one, other = ((views[item.view], item.spot) for item in members)
    return (of_both(one, other),)


def _of_view(view: DetectedView) -> tuple[Measurement, ...]:
    name = view.prepared.view.name
    return (
        Measurement(
            concept=_NORMAL_LEVEL[name],
            value=view.prepared.level.counts_per_pixel,
            unit=Unit.COUNTS,
            method=NORMALISATION,
            derivation=Derivation.MEAN,
        ),
        _count(_LESION_COUNT[name], len(view.candidates), _method(view)),
    )


def _method(view: DetectedView) -> str:
    if view.outputs is not None:
        return NETWORK
    return METHOD if view.prepared.regions is None else METHOD_NORMAL


def _of_scan(assessed: AssessedScan) -> tuple[Measurement, ...]:
    """The number of lesions, where the views could be paired."""
    if assessed.both is None:
        return ()
    return (_count(Concept.LESION_COUNT, len(assessed.lesions), planar_pairing.METHOD),)


def _beyond_index(lesions: Sequence[Lesion]) -> int:
    return sum(lesion.part is not None and lesion.part.label is None for lesion in lesions)


def _count(concept: Code, number: int, method: str) -> Measurement:
    return Measurement(concept=concept, value=float(number), unit=Unit.COUNT, method=method)
