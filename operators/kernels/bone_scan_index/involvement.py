"""Which fraction of each region is involved, from the pixel counts of two views (clinical reference 1.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from operators.kernels.bone_scan_index.regions import (
    VIEW_PREFERENCE,
    BoneLabel,
    BoneRegion,
    LabelSet,
    ViewPreference,
)

OBSCURED_SHARE = 0.30
"""From this share of a region's mask under an excluded area the region is flagged: a convention of this project."""


class ViewMode(StrEnum):
    """How two views become one fraction."""

    POOLED = "pooled"
    """(hot anterior + hot posterior) / (pixels anterior + pixels posterior)."""
    MAX = "max"
    """The higher of both views' fractions: a lesion seen in one view only is not diluted."""
    MEAN = "mean"
    """The average of both views' fractions."""


DEFAULT_MODE = ViewMode.MAX
"""A convention of this project: publications name no mode."""


class RegionFlag(StrEnum):
    """What a reader must know about a region's fraction."""

    OBSCURED = "obscured"
    """`OBSCURED_SHARE` or more of the mask lies under an excluded area in a view that was read."""
    CLIPPED = "clipped"
    """Hot pixels on the rim brought the fraction above 1; it was set to 1."""
    ONE_VIEW = "one_view"
    """A label that is read from both views was visible in one only."""
    PART_MISSING = "part_missing"
    """A label that belongs to this pooled region was not visible: the fraction is that of the rest."""
    CUT_BY_EDGE = "cut_by_edge"
    """The region touches the edge of the image: the fraction is that of the visible part."""


class NotEvaluable(StrEnum):
    """Why a region has no fraction. Not evaluable is never 0."""

    OUTSIDE_FIELD = "outside_field"
    OBSCURED = "obscured"
    """Every pixel lies under an excluded area."""
    NOT_IN_LABEL_SET = "not_in_label_set"
    NOT_ASSESSED = "not_assessed"


@dataclass(frozen=True, kw_only=True, slots=True)
class PixelCounts:
    """One label in one view: hot pixels, all pixels, those under an excluded area, and whether the edge cuts it.

    Hot pixels may outnumber the region's: those on its rim count too. Raises ValueError on
    negative counts and where more is obscured than there is.
    """

    hot: int
    region: int
    obscured: int = 0
    cut: bool = False

    def __post_init__(self) -> None:
        if min(self.hot, self.region, self.obscured) < 0 or self.obscured > self.region:
            raise ValueError("pixel counts are not negative, and no more is obscured than the region has")

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(
            hot=self.hot + other.hot,
            region=self.region + other.region,
            obscured=self.obscured + other.obscured,
            cut=self.cut or other.cut,
        )

    @property
    def visible(self) -> bool:
        """Whether a pixel of the region can be read."""
        return self.region > self.obscured


NOTHING = PixelCounts(hot=0, region=0)
ViewCounts = Mapping[BoneLabel, PixelCounts]
"""One view's counts by label; a label that the view does not show may be left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionInvolvement:
    """One region's fraction, 0 to 1, or the reason why there is none.

    `unclipped` is the fraction before clipping, `missing` are the pooled labels that were not visible.
    Raises ValueError unless there is either a fraction or a reason.
    """

    region: BoneRegion
    fraction: float | None
    unclipped: float | None = None
    reason: NotEvaluable | None = None
    missing: tuple[BoneLabel, ...] = ()
    flags: tuple[RegionFlag, ...] = ()

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.reason is None):
            raise ValueError("a region has a fraction or a reason why it has none")
        if self.fraction is not None and not 0.0 <= self.fraction <= 1.0:
            raise ValueError("a fraction lies between 0 and 1")


def view_fraction(anterior: PixelCounts, posterior: PixelCounts, *, mode: ViewMode) -> float | None:
    """f of one region before clipping; None where neither view has a pixel of it.

    A view without a pixel of the region takes no part: its fraction is unknown, not 0.
    """
    views = [view for view in (anterior, posterior) if view.region > 0]
    if not views:
        return None
    if mode is ViewMode.POOLED:
        return sum(view.hot for view in views) / sum(view.region for view in views)
    fractions = [view.hot / view.region for view in views]
    return max(fractions) if mode is ViewMode.MAX else sum(fractions) / len(fractions)


def involvement(
    anterior: ViewCounts, posterior: ViewCounts, *, labels: LabelSet, mode: ViewMode = DEFAULT_MODE
) -> tuple[RegionInvolvement, ...]:
    """Every region of the table in its order, with its fraction or the reason why there is none.

    Labels of one region are pooled view by view. A label that is read from one view only stands
    in the sums of both, so that no view's sum lacks it: for a region of one label this is the
    fraction in that view, under every mode.
    """
    known = labels.regions
    return tuple(
        _involved(region, anterior, posterior, labels=labels, mode=mode)
        if region in known
        else RegionInvolvement(region=region, fraction=None, reason=NotEvaluable.NOT_IN_LABEL_SET)
        for region in BoneRegion
    )


def _involved(
    region: BoneRegion, anterior: ViewCounts, posterior: ViewCounts, *, labels: LabelSet, mode: ViewMode
) -> RegionInvolvement:
    members = labels.labels_of(region)
    read = {label: _views(label, anterior, posterior) for label in members}
    missing = tuple(label for label in members if not read[label])
    if len(missing) == len(members):
        seen = any(_allowed(label, anterior, posterior) for label in members)
        reason = NotEvaluable.OBSCURED if seen else NotEvaluable.OUTSIDE_FIELD
        return RegionInvolvement(region=region, fraction=None, reason=reason, missing=missing)
    shown = [views for views in read.values() if views]
    front = sum((views[0] for views in shown), start=NOTHING)  # where one view is read, it stands in both sums
    back = sum((views[-1] for views in shown), start=NOTHING)
    unclipped = view_fraction(front, back, mode=mode)
    assert unclipped is not None  # every label that is shown has a visible pixel
    one_view = any(
        len(views) == 1 and VIEW_PREFERENCE.get(label, ViewPreference.BOTH) is ViewPreference.BOTH
        for label, views in read.items()
    )
    conditions = {
        RegionFlag.OBSCURED: any(view.obscured / view.region >= OBSCURED_SHARE for view in (front, back)),
        RegionFlag.CLIPPED: unclipped > 1.0,
        RegionFlag.ONE_VIEW: one_view,
        RegionFlag.PART_MISSING: bool(missing),
        RegionFlag.CUT_BY_EDGE: front.cut or back.cut,
    }
    return RegionInvolvement(
        region=region,
        fraction=min(1.0, unclipped),
        unclipped=unclipped,
        missing=missing,
        flags=tuple(flag for flag, holds in conditions.items() if holds),
    )


def _allowed(label: BoneLabel, anterior: ViewCounts, posterior: ViewCounts) -> bool:
    """Whether the field holds the label in a view it may be read from."""
    front = anterior.get(label, NOTHING).region > 0
    back = posterior.get(label, NOTHING).region > 0
    return front if VIEW_PREFERENCE.get(label) is ViewPreference.ANTERIOR_ONLY else front or back


def _views(label: BoneLabel, anterior: ViewCounts, posterior: ViewCounts) -> tuple[PixelCounts, ...]:
    """The views that this label is read from, the anterior first; empty where none shows it."""
    front, back = anterior.get(label, NOTHING), posterior.get(label, NOTHING)
    preference = VIEW_PREFERENCE.get(label, ViewPreference.BOTH)
    candidates: tuple[PixelCounts, ...]
    if preference is ViewPreference.ANTERIOR_ONLY:
        candidates = (front,)
    elif preference is ViewPreference.POSTERIOR_PREFERRED:
        candidates = (back,) if back.visible else (front,)
    else:
        candidates = (front, back)
    return tuple(view for view in candidates if view.visible)
