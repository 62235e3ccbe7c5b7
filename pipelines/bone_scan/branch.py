"""Bone scan: views -> body and skeleton -> hot spots -> result set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import BoolArray
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch, Reason, SeriesRole
from operators.graph.contract import BranchDefinition, NotAssessableError, Step, StudyInput
from operators.kernels.scintigraphy import (
    HotSpot,
    NormalLevel,
    PixelSize,
    body_mask,
    hot_spots,
    minimum_pixels,
    normal_level,
    skeleton_mask,
    smooth,
)
from operators.kernels.scintigraphy_body import BodyFrame, body_frame, label_uptake
from operators.readers.planar import PlanarStudy, PlanarView, ViewName, read_planar
from pipelines.bone_scan.profile import BoneScanProfile, load
from pipelines.bone_scan.quality import label_of, refuse_unusable
from pipelines.bone_scan.report import AssessedView, report


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadedScan:
    """A study with its planar views."""

    study: StudyInput
    profile: BoneScanProfile
    planar: PlanarStudy


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PreparedView:
    """A view, head up, with its body, skeleton and normal level."""

    view: PlanarView
    pixel_mm: PixelSize
    body: BoolArray
    frame: BodyFrame
    is_whole: bool
    skeleton: BoolArray
    level: NormalLevel


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PreparedScan:
    """A study with every view normalised."""

    scan: LoadedScan
    views: tuple[PreparedView, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DetectedScan:
    """A study with the hot spots of every view."""

    scan: LoadedScan
    views: tuple[AssessedView, ...]


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


def detect(prepared: PreparedScan) -> DetectedScan:
    """Find the hot spots of every view and say what each is taken for."""
    profile = prepared.scan.profile
    return DetectedScan(scan=prepared.scan, views=tuple(_detect(view, profile) for view in prepared.views))


def describe(detected: DetectedScan) -> ResultSet:
    """Measure the hot spots and put the result together."""
    scan = detected.scan
    return report(scan.study, profile=scan.profile, views=detected.views, dropped=scan.planar.dropped)


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
        view=view, pixel_mm=pixel_mm, body=body, frame=frame, is_whole=is_whole, skeleton=skeleton, level=level
    )


def _detect(prepared: PreparedView, profile: BoneScanProfile) -> AssessedView:
    view, rule = prepared.view, profile.hot_spots
    counts = view.head_up
    smoothed = smooth(counts, sigma_mm=rule.smoothing_mm, pixel_mm=prepared.pixel_mm)
    frame = prepared.frame if prepared.is_whole else None
    spots = hot_spots(
        smoothed * prepared.level.scale,
        thresholds=rule.thresholds.over((counts.shape[0], counts.shape[1]), frame=frame, rule=profile.exclusions),
        peak_factor=rule.peak_factor,
        minimum_size=minimum_pixels(rule.minimum_area_mm2, pixel_mm=prepared.pixel_mm),
    )
    labels = label_uptake(
        spots,
        body=prepared.body,
        frame=frame,
        is_posterior=view.name is ViewName.POSTERIOR,
        rule=profile.exclusions,
    )
    as_stored = tuple(_turned_back(spot, counts.shape) if view.is_head_down else spot for spot in spots)
    return AssessedView(
        view=view,
        frame=prepared.frame,
        is_whole=prepared.is_whole,
        level=prepared.level,
        spots=tuple(zip(as_stored, labels, strict=True)),
    )


def _turned_back(spot: HotSpot, shape: tuple[int, ...]) -> HotSpot:
    """A hot spot of the head-up view on the image as it is stored: the half turn undone."""
    row, column = spot.origin
    rows, columns = spot.mask.shape
    origin = (shape[0] - row - rows, shape[1] - column - columns)
    return HotSpot(origin=origin, mask=np.ascontiguousarray(spot.mask[::-1, ::-1]))


BRANCH = BranchDefinition(
    branch=Branch.BONE_SCAN,
    steps=(
        Step(name="read_views", run=read_views),
        Step(name="normalise", run=normalise),
        Step(name="detect", run=detect),
        Step(name="describe", run=describe),
    ),
)
