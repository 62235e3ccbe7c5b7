"""Candidates of both views as lesions: one that both views show is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from operators.kernels.planar_pairing import PairRule, ViewSpots, laid_on, pair
from operators.kernels.planar_regions.parts import PlanarPart
from pipelines.bone_scan.views import BothViews, DetectedView


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A hot spot: the view's index among the scan's, the spot's index among the view's."""

    view: int
    spot: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesion:
    """One candidate for a lesion, seen in one view or two; the view that shows it brighter comes first."""

    members: tuple[Member, ...]
    part: PlanarPart | None
    """By the first member: a lesion is brighter in the view that it lies nearer to."""

    def __post_init__(self) -> None:
        views = [member.view for member in self.members]
        if not views or len(set(views)) != len(views):
            raise ValueError("a lesion is seen in one view or more, once in each")


def lesions_of(views: Sequence[DetectedView], both: BothViews | None, *, rule: PairRule) -> tuple[Lesion, ...]:
    """All candidates, those of both views paired, in the order of views and spots."""
    partner: dict[Member, Member] = {}
    if both is not None:
        front, back = views[both.anterior], views[both.posterior]
        laid = _spots(back, move=both.move)
        for i, j in pair(_spots(front), laid, pixel_mm=front.prepared.pixel_mm, rule=rule):
            one = Member(view=both.anterior, spot=front.candidates[i])
            other = Member(view=both.posterior, spot=back.candidates[j])
            partner[one], partner[other] = other, one
    found: list[Lesion] = []
    taken: set[Member] = set()
    for number, view in enumerate(views):
        for spot in view.candidates:
            member = Member(view=number, spot=spot)
            if member in taken:
                continue
            members = [member, partner[member]] if member in partner else [member]
            taken.update(members)
            members.sort(key=lambda item: (-_peak(views, item), item.view))
            found.append(Lesion(members=tuple(members), part=views[members[0].view].parts[members[0].spot]))
    return tuple(found)


def _peak(views: Sequence[DetectedView], member: Member) -> float:
    """Highest uptake by the normal skeleton's, of smoothed counts."""
    view = views[member.view]
    return float(view.spots[member.spot].values(view.prepared.uptake).max())


def _spots(view: DetectedView, *, move: tuple[int, int] | None = None) -> ViewSpots:
    """The candidates; those of the posterior view moved onto the anterior one."""
    spots = [view.spots[index] for index in view.candidates]
    if move is not None:
        spots = [laid_on(spot, columns=view.prepared.body.shape[1], move=move) for spot in spots]
    return ViewSpots(spots=tuple(spots), parts=tuple(view.parts[index] for index in view.candidates))
