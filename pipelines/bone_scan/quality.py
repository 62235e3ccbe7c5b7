"""Checks of a bone scan's input: what the reader must know before the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from bmnode.domain.results import QualityCheck, Verdict
from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.kernels.scintigraphy_body import BodyFrame
from operators.kernels.scintigraphy_motion import row_jump
from operators.readers.planar import PlanarView, ViewName
from pipelines.bone_scan.profile import BoneScanProfile, QualityLimits
from pipelines.bone_scan.views import PreparedView

_LABELS = {
    ViewName.ANTERIOR: "anterior view",
    ViewName.POSTERIOR: "posterior view",
    ViewName.UNSTATED: "view not stated",
}


def label_of(view: PlanarView) -> str:
    """The view as the reader reads it."""
    return _LABELS[view.name] + ("" if view.is_whole_body else ", spot image")


def refuse_unusable(view: PlanarView, limits: QualityLimits) -> None:
    """Raise NotAssessableError where the pixel values cannot be taken for counts, or are too few."""
    label = label_of(view)
    if view.lossy_ratio is not None and not 0 < view.lossy_ratio <= limits.lossy_ratio_limit:
        ratio = f"{view.lossy_ratio:g}:1" if view.lossy_ratio else "unknown ratio"
        raise NotAssessableError(
            Reason.UNREADABLE_INPUT,
            f"The image ({label}) was compressed with loss ({ratio}): its pixels are no longer counts.",
        )
    if view.saturated_share >= limits.saturation_share:
        raise NotAssessableError(
            Reason.UNREADABLE_INPUT,
            f"{view.saturated_share:.1%} of the pixels ({label}) are saturated; the limit is "
            f"{limits.saturation_share:.0%}.",
        )
    total = float(view.counts.sum())
    if view.is_whole_body and total < limits.counts_refused:
        raise NotAssessableError(
            Reason.INSUFFICIENT_COUNTS,
            f"{total:,.0f} counts ({label}); at least {limits.counts_refused:,.0f} are needed.",
        )


def check_view(prepared: PreparedView, *, profile: BoneScanProfile) -> tuple[QualityCheck, ...]:
    """The checks of one view that could be assessed."""
    view, frame, limits = prepared.view, prepared.frame, profile.quality
    return tuple(
        QualityCheck(name=f"{name} ({label_of(view)})", verdict=verdict, explanation=explanation)
        for name, verdict, explanation in (
            ("Counts", *_counts(view, limits)),
            ("View", *_view(view)),
            ("Coverage", *_coverage(frame, is_whole=prepared.is_whole)),
            ("Motion", *_motion(prepared, profile)),
            ("Regions", *_regions(prepared, profile)),
            ("Superscan", *_superscan(prepared, profile)),
            ("Compression", *_compression(view)),
            ("Counts in header", *_header_counts(view, limits)),
            (
                "Saturation",
                Verdict.PASS,
                f"{view.saturated_share:.2%} of the pixels; limit {limits.saturation_share:.0%}.",
            ),
            ("Uptake time", *_uptake_time(view, limits)),
            ("Pixel spacing", *_spacing(view)),
        )
    )


def _counts(view: PlanarView, limits: QualityLimits) -> tuple[Verdict, str]:
    total = float(view.counts.sum())
    text = f"{total:,.0f} counts; {limits.counts_good:,.0f} expected of a whole-body view"
    if not view.is_whole_body:
        return Verdict.NOT_EVALUABLE, f"{total:,.0f} counts; no limit is published for spot images."
    if total >= limits.counts_good:
        return Verdict.PASS, f"{text}."
    if total >= limits.counts_low:
        return Verdict.WARN, f"{text}."
    if total >= limits.counts_poor:
        return Verdict.WARN, f"{text}; below {limits.counts_low:,.0f} small hot spots are unreliable."
    return Verdict.FAIL, f"{text}; below {limits.counts_poor:,.0f} the hot spots are unreliable."


def _view(view: PlanarView) -> tuple[Verdict, str]:
    if view.name is ViewName.UNSTATED:
        return Verdict.WARN, f"Anterior or posterior is not stated ({view.stated_by}); it was not guessed."
    return Verdict.PASS, f"Stated by the {view.stated_by}."


def _coverage(frame: BodyFrame, *, is_whole: bool) -> tuple[Verdict, str]:
    if not is_whole:
        return Verdict.WARN, "The body is not whole in the field; zones of the body were not used."
    if frame.touches_side:
        return Verdict.WARN, "The body reaches the edge of the field at the side; arms or hands may be cut off."
    return Verdict.PASS, "The whole body lies in the field."


def _motion(prepared: PreparedView, profile: BoneScanProfile) -> tuple[Verdict, str]:
    if not prepared.view.is_whole_body:
        return Verdict.NOT_EVALUABLE, "The test is for whole-body sweeps."
    rule = profile.motion
    jump = row_jump(prepared.view.head_up, prepared.frame, pixel_mm=prepared.pixel_mm, rule=rule)
    share = prepared.frame.share(jump.row)
    text = f"Largest sideways jump between rows {abs(jump.shift_mm):.0f} mm; limit {rule.limit_mm:g} mm"
    if abs(jump.shift_mm) < rule.limit_mm:
        return Verdict.PASS, f"{text}. Movement along the sweep is not tested."
    return Verdict.WARN, f"{text}; at {share:.0%} of the height from the vertex. The patient may have moved."


def _regions(prepared: PreparedView, profile: BoneScanProfile) -> tuple[Verdict, str]:
    if prepared.regions is None:
        return Verdict.NOT_EVALUABLE, f"No bone is named: {prepared.no_regions}."
    limit = profile.regions.agreement_min
    return (
        Verdict.PASS,
        f"The fitted atlas correlates with the view by {prepared.regions.agreement:.3f}; limit {limit:g}.",
    )


def _superscan(prepared: PreparedView, profile: BoneScanProfile) -> tuple[Verdict, str]:
    if not prepared.is_whole:
        return Verdict.NOT_EVALUABLE, "The test is for views that show the whole body."
    share, limit = prepared.body_share, profile.superscan.limit
    text = f"The body's median has {share:.2f} of the skeleton's normal level; limit {limit:g}"
    if share >= limit:
        return Verdict.PASS, f"{text}."
    return Verdict.WARN, f"{text}; the skeleton may take nearly all of the tracer."


def possible_superscan(views: Sequence[PreparedView], *, limit: float) -> bool:
    """Whether the body's median is below the limit, on the mean of the views that show the whole body."""
    shares = [view.body_share for view in views if view.is_whole]
    return bool(shares) and sum(shares) / len(shares) < limit


def _compression(view: PlanarView) -> tuple[Verdict, str]:
    if view.lossy_ratio is None:
        return Verdict.PASS, "Lossless."
    return Verdict.WARN, f"Compressed with loss, {view.lossy_ratio:g}:1; counts are altered."


def _header_counts(view: PlanarView, limits: QualityLimits) -> tuple[Verdict, str]:
    stated, found = view.stated_counts, float(view.counts.sum())
    if not stated:
        return Verdict.NOT_EVALUABLE, "The header states no total for this view."
    text = f"{found:,.0f} in the pixels, {stated:,.0f} in the header."
    agrees = abs(found - stated) <= limits.header_count_tolerance * stated
    return (Verdict.PASS if agrees else Verdict.WARN), text


def _uptake_time(view: PlanarView, limits: QualityLimits) -> tuple[Verdict, str]:
    hours = view.uptake_time_h
    if hours is None:
        return Verdict.NOT_EVALUABLE, "The header does not state both injection and acquisition time."
    inside = limits.uptake_time_min_h <= hours <= limits.uptake_time_max_h
    span = f"{limits.uptake_time_min_h:g} to {limits.uptake_time_max_h:g} h expected"
    return (Verdict.PASS if inside else Verdict.WARN), f"{hours:.1f} h after injection; {span}."


def _spacing(view: PlanarView) -> tuple[Verdict, str]:
    if view.spacing_mm is None:
        return Verdict.WARN, "Not stated: areas are given in pixels."
    return Verdict.PASS, f"{view.spacing_mm[0]:g} by {view.spacing_mm[1]:g} mm."
