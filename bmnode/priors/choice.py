"""Which of a patient's earlier examinations the current one is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bmnode.priors.comparable import Judged, PriorRule, judge
from bmnode.priors.examination import Examination


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorChoice:
    """What is compared, and what was said of every candidate.

    Args:
        latest: the most recent comparable examination; None where there is none.
        baseline: the last comparable one before the present treatment line began, else the first
            one of it; None where the line's start is not known.
        nadir: the one with the least burden of the comparable ones whose burden is known.
        judged: every candidate, the most recent first; those without a date last.
    """

    latest: Examination | None
    baseline: Examination | None
    nadir: Examination | None
    judged: tuple[Judged, ...]

    def explanation(self) -> str:
        """One sentence for the SR, free of patient identity."""
        comparable = sum(item.comparable for item in self.judged)
        if not self.judged:
            return "No earlier examination of the patient was found."
        reasons: dict[str, int] = {}
        for item in self.judged:
            if item.objection is not None:
                reasons[item.objection] = reasons.get(item.objection, 0) + 1
        against = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        counted = f"{len(self.judged)} examinations were considered, {comparable} comparable"
        return f"{counted}; not comparable: {against}." if against else f"{counted}."


def choose(
    candidates: Iterable[Examination],
    *,
    current: Examination,
    rule: PriorRule,
    line_started_at: datetime | None = None,
    burdens: Mapping[str, float] | None = None,
) -> PriorChoice:
    """Choose among candidates, each given once.

    `line_started_at` is when the present treatment began; `burdens` is the burden by Study Instance
    UID, in one unit, of those for which it is known. The order of the candidates does not matter:
    of two at the same time the lesser Study Instance UID is taken.
    """
    judged = sorted((judge(item, current=current, rule=rule) for item in candidates), key=_recent_first)
    comparable = [item.candidate for item in judged if item.comparable]
    return PriorChoice(
        latest=comparable[0] if comparable else None,
        baseline=_baseline(comparable, started_at=line_started_at),
        nadir=_nadir(comparable, burdens=burdens or {}),
        judged=tuple(judged),
    )


def _recent_first(item: Judged) -> tuple[float, str]:
    at = item.candidate.performed_at
    since = float("inf") if at is None else -at.timestamp()
    return since, item.candidate.study_uid


def _baseline(comparable: list[Examination], *, started_at: datetime | None) -> Examination | None:
    """`comparable` is ordered, the most recent first."""
    if started_at is None or not comparable:
        return None
    before = [item for item in comparable if item.performed_at is not None and item.performed_at <= started_at]
    return before[0] if before else comparable[-1]


def _nadir(comparable: list[Examination], *, burdens: Mapping[str, float]) -> Examination | None:
    known = [item for item in comparable if item.study_uid in burdens]
    return min(known, key=lambda item: burdens[item.study_uid]) if known else None
