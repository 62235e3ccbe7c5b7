"""Bone scan: views -> body and skeleton -> parts -> hot spots -> lesions of both views -> index -> result set."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np

from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, Step, StudyInput
from operators.kernels.planar_regions.atlas_regions import AtlasRegions
from operators.kernels.planar_regions.contract import PlanarRegions
from operators.kernels.scintigraphy import body_mask, normal_level, skeleton_mask, smooth
from operators.kernels.scintigraphy_body import body_frame
from operators.kernels.scintigraphy_superscan import body_share
from operators.readers.planar import PlanarView, ViewName, read_planar
from pipelines.bone_scan.detection import by_network, detect_view
from pipelines.bone_scan.index import burden_of, index_of
from pipelines.bone_scan.lesions import lesions_of
from pipelines.bone_scan.model import Asked, ScanModel, ask
from pipelines.bone_scan.profile import BoneScanProfile, load
from pipelines.bone_scan.quality import label_of, refuse_unusable
from pipelines.bone_scan.report import AssessedScan, report
from pipelines.bone_scan.views import (
    BothViews,
    DetectedView,
    LoadedScan,
    PreparedScan,
    PreparedView,
    both_views,
    uptake_seen_from,
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DetectedScan:
    """A study with the hot spots of every view; `asked` is None where no model is configured."""

    scan: LoadedScan
    views: tuple[DetectedView, ...]
    both: BothViews | None
    regions: PlanarRegions
    asked: Asked | None = None


def read_views(study: StudyInput) -> LoadedScan:
    """Read the planar series. Raises NotAssessableError where no view can be used."""
    profile = load()
    paths = [path for series in study.role(SeriesRole.PLANAR) for path in study.files.get(series, ())]
    planar = read_planar(paths)
    for view in planar.views:
        refuse_unusable(view, profile.quality)
    return LoadedScan(study=study, profile=profile, planar=planar)


def normalise(scan: LoadedScan) -> PreparedScan:
    """Find body and skeleton of every view, and the normal level. Raises NotAssessableError without a skeleton."""
    return PreparedScan(scan=scan, views=tuple(_prepare(view, scan.profile) for view in scan.planar.views))


def read_named(study: StudyInput) -> tuple[PreparedView, ...]:
    """The views of a study with their parts, without hot spots. Raises NotAssessableError."""
    prepared = normalise(read_views(study))
    profile = prepared.scan.profile
    regions: PlanarRegions = AtlasRegions.shipped(profile.regions)
    return tuple(_with_regions(view, regions, profile) for view in prepared.views)


def detect(prepared: PreparedScan, *, model: ScanModel | None = None) -> DetectedScan:
    """Name the parts of every view, find its hot spots and say what each is taken for; by a model where one fits."""
    scan, profile = prepared.scan, prepared.scan.profile
    regions: PlanarRegions = AtlasRegions.shipped(profile.regions)
    views = tuple(_with_regions(view, regions, profile) for view in prepared.views)
    both = both_views(views)
    asked: Asked | None = None
    if model is not None:
        asked, views = ask(model, scan.study, views=views, both=both)
    others = uptake_seen_from(views, both)
    detected = tuple(
        detect_view(view, other_uptake=other, profile=profile) for view, other in zip(views, others, strict=True)
    )
    if asked is not None and asked.is_used:
        detected = tuple(_modelled(view, number, asked, profile) for number, view in enumerate(detected))
    return DetectedScan(scan=scan, views=detected, both=both, regions=regions, asked=asked)


def _modelled(view: DetectedView, number: int, asked: Asked, profile: BoneScanProfile) -> DetectedView:
    """A view that the model saw with its candidates; another one, such as a spot image, as the rules have it."""
    maps = asked.maps.get(number)
    return view if maps is None else by_network(view, maps.lesion, level=asked.model.level, profile=profile)


def describe(detected: DetectedScan) -> ResultSet:
    """Pair the views, take the index, measure the hot spots and put the result together."""
    scan, views, both = detected.scan, detected.views, detected.both
    lesions = lesions_of(views, both, rule=scan.profile.pairing)
    shown = {both.anterior, both.posterior} if both is not None else set()
    counted = sum(bool(shown & {member.view for member in lesion.members}) for lesion in lesions)
    assessed = AssessedScan(
        views=views,
        both=both,
        lesions=lesions,
        index=index_of(views, both, profile=scan.profile),
        burden=burden_of(views, both, lesions=counted),
        regions=detected.regions,
        asked=detected.asked,
    )
    return report(scan.study, profile=scan.profile, assessed=assessed, dropped=scan.planar.dropped)


def _prepare(view: PlanarView, profile: BoneScanProfile) -> PreparedView:
    assumed = profile.quality.assumed_pixel_mm
    pixel_mm = view.spacing_mm or (assumed, assumed)
    counts = view.head_up
    body = body_mask(counts, pixel_mm=pixel_mm, rule=profile.body)
    frame = body_frame(body, field=counts > 0)
    if frame is None:
        raise NotAssessableError(Reason.BONE_NOT_FOUND, f"No body stands out from the background ({label_of(view)}).")
    if view.is_whole_body and frame.height * pixel_mm[0] < frame.width * pixel_mm[1]:
        raise NotAssessableError(
            Reason.UNEXPLAINED_ORIENTATION,
            f"The body lies across the image ({label_of(view)}); head up or down is expected.",
        )
    if frame.is_upside_down:
        raise NotAssessableError(
            Reason.UNEXPLAINED_ORIENTATION,
            f"The legs lie at the end where the header has the head ({label_of(view)}); no side could be trusted.",
        )
    skeleton = skeleton_mask(counts, body, pixel_mm=pixel_mm, rule=profile.skeleton)
    share = np.count_nonzero(skeleton) / np.count_nonzero(body)
    level = normal_level(counts[skeleton], rule=profile.normalisation)
    limits = profile.quality
    if level is None or not limits.skeleton_share_min <= share <= limits.skeleton_share_max:
        raise NotAssessableError(
            Reason.BONE_NOT_FOUND,
            f"Bone-like contrast covers {share:.0%} of the body ({label_of(view)}); "
            f"{limits.skeleton_share_min:.0%} to {limits.skeleton_share_max:.0%} is expected of a bone scan.",
        )
    rule = profile.whole_body
    is_whole = view.is_whole_body and frame.is_whole(
        pixel_mm=pixel_mm, minimum_height_mm=rule.minimum_height_mm, minimum_aspect=rule.minimum_aspect
    )
    return PreparedView(
        view=view,
        pixel_mm=pixel_mm,
        body=body,
        frame=frame,
        is_whole=is_whole,
        level=level,
        body_share=body_share(counts, body=body, level=level),
        uptake=smooth(counts, sigma_mm=profile.hot_spots.smoothing_mm, pixel_mm=pixel_mm) / level.counts_per_pixel,
    )


def _with_regions(view: PreparedView, regions: PlanarRegions, profile: BoneScanProfile) -> PreparedView:
    """The view with its parts, or with the reason why none is named."""
    if not view.is_whole:
        return dataclasses.replace(view, no_regions="the body is not whole in the field")
    if view.view.name is ViewName.UNSTATED:
        return dataclasses.replace(view, no_regions="anterior or posterior is not stated, so that no side is known")
    found = regions.find(view.image)
    limit = profile.regions.agreement_min
    if found.agreement < limit:
        return dataclasses.replace(
            view, no_regions=f"the atlas does not fit: correlation {found.agreement:.2f}, at least {limit:g} is needed"
        )
    return dataclasses.replace(view, regions=found)


def definition(model: ScanModel | None = None) -> BranchDefinition:
    """The branch, by thresholds alone or with a model beside them."""
    return BranchDefinition(
        branch=Branch.BONE_SCAN,
        steps=(
            Step(name="read_views", run=read_views),
            Step(name="normalise", run=normalise),
            Step(name="detect", run=partial(detect, model=model)),
            Step(name="describe", run=describe),
        ),
    )


BRANCH = definition()
"""Without a model."""
