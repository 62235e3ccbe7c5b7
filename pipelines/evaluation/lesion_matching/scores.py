"""A match against the truth: links that are right, and every lesion's event as it was and as it was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from operators.kernels.lesion_matching.contract import LesionGroup
from pipelines.evaluation.lesion_matching.truth import Story

NO_THING = "links between candidates that show no lesion and no benign change"
NO_EVENT = "lesions whose event is not known: alone, in a bone whose motion is not known"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Of one pair of scans; as in `MatchingRow`."""

    true: int = 0
    proposed: int = 0
    right: int = 0
    events: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


def links_of(groups: Sequence[LesionGroup]) -> frozenset[tuple[int, int]]:
    """Every prior with every current lesion of its group."""
    return frozenset((before, now) for group in groups for before in group.prior for now in group.current)


def tally(said: Sequence[LesionGroup], story: Story) -> Tally:
    """The match `said` against what is true of the same masks."""
    true = links_of(story.groups)
    proposed = links_of(said)
    nothing = {pair for pair in proposed if pair[0] in story.nothing_prior and pair[1] in story.nothing_current}
    events: dict[str, Counter[str]] = {}
    unknown = 0
    sides = (
        (_events(story.groups, prior=True), _events(said, prior=True), story.open_prior, story.nothing_prior),
        (_events(story.groups, prior=False), _events(said, prior=False), story.open_current, story.nothing_current),
    )
    for was, told, left_open, without in sides:
        unknown += len(left_open - without)
        for number in sorted(set(was) - left_open):
            events.setdefault(was[number], Counter())[told[number]] += 1
    counts = {NO_THING: len(nothing), NO_EVENT: unknown}
    return Tally(
        true=len(true),
        proposed=len(proposed - nothing),
        right=len(true & proposed),
        events={event: dict(found) for event, found in events.items()},
        left_out={reason: count for reason, count in counts.items() if count},
    )


def _events(groups: Sequence[LesionGroup], *, prior: bool) -> dict[int, str]:
    return {number: group.event.value for group in groups for number in (group.prior if prior else group.current)}


def together(tallies: Sequence[Tally]) -> Tally:
    """The sum over pairs of scans."""
    events: dict[str, Counter[str]] = {}
    left_out: Counter[str] = Counter()
    for item in tallies:
        left_out.update(item.left_out)
        for event, found in item.events.items():
            events.setdefault(event, Counter()).update(found)
    return Tally(
        true=sum(item.true for item in tallies),
        proposed=sum(item.proposed for item in tallies),
        right=sum(item.right for item in tallies),
        events={event: dict(events[event]) for event in sorted(events)},
        left_out=dict(left_out),
    )
