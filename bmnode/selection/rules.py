"""Routing rules: which studies go to which pipeline, and where the results are sent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bmnode.domain.study import Branch, Classification, StudyHeaders

if TYPE_CHECKING:  # the settings pull in pydantic, which selection does not need at run time
    from bmnode.config.settings import RouteSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteRule:
    """One rule of the configuration (`[[routes]]`). An empty condition matches everything; all must hold.

    Raises ValueError where a name is empty or the description is no regular expression.
    """

    name: str
    pipeline: str
    destinations: tuple[str, ...] = ()
    enabled: bool = True
    priority: int = 10
    """1 is the most urgent, 10 the ordinary case."""
    modalities: tuple[str, ...] = ()
    """At least one series has one of these."""
    source_ae: tuple[str, ...] = ()
    """AE titles of the sender."""
    body_part: tuple[str, ...] = ()
    """Body Part Examined (0018,0015) of at least one series."""
    description: str | None = None
    """A regular expression, searched without regard to case in study, series and protocol descriptions."""
    branches: tuple[Branch, ...] = ()
    """Branches that the rule is for. A study that cannot be classified is for no branch, so such a
    rule never reports a refusal."""
    report_refusals: bool = True
    """Whether a matching study that cannot be assessed gets a "not assessable" SR."""
    label_in: str | None = None
    """Peer in which a study with results gets a label."""

    def __post_init__(self) -> None:
        if not self.name or not self.pipeline:
            raise ValueError("a rule has a name and a pipeline")
        if self.description is not None:
            try:
                re.compile(self.description)
            except re.error as error:
                raise ValueError(f"rule {self.name!r}: description is no regular expression: {error}") from error

    @classmethod
    def from_settings(cls, route: RouteSettings) -> RouteRule:
        """The rule of one `[[routes]]` table."""
        return cls(
            name=route.name,
            pipeline=route.pipeline,
            destinations=tuple(route.destinations),
            enabled=route.enabled,
            priority=route.priority,
            modalities=tuple(route.modalities),
            source_ae=tuple(route.source_ae),
            body_part=tuple(route.body_part),
            description=route.description,
            branches=tuple(route.branches),
            report_refusals=route.report_refusals,
            label_in=route.label_in,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleMatch:
    """One pipeline that a study goes to: the rules that said so, merged."""

    pipeline: str
    rules: tuple[str, ...]
    """Names of the matching rules, in the order of their priority."""
    destinations: tuple[str, ...]
    priority: int
    """The most urgent of the rules': 1 before 10."""
    labels: tuple[str, ...] = ()
    """Peers in which a study with results gets a label."""


def match(
    rules: Iterable[RouteRule], *, headers: StudyHeaders, classification: Classification, source_ae: str
) -> tuple[RuleMatch, ...]:
    """The pipelines that a study goes to, one entry each, the most urgent first.

    Nothing is returned where no rule applies: the study is not for us, and `explain_no_match`
    says why. Destinations of rules for one pipeline are joined without repeats.
    """
    applying = [
        rule
        for rule in rules
        if _objection(rule, headers=headers, classification=classification, source_ae=source_ae) is None
    ]
    applying.sort(key=lambda rule: (rule.priority, rule.name))
    grouped: dict[str, list[RouteRule]] = {}
    for rule in applying:
        grouped.setdefault(rule.pipeline, []).append(rule)
    return tuple(
        RuleMatch(
            pipeline=pipeline,
            rules=tuple(rule.name for rule in group),
            destinations=tuple(dict.fromkeys(name for rule in group for name in rule.destinations)),
            priority=group[0].priority,
            labels=tuple(dict.fromkeys(rule.label_in for rule in group if rule.label_in)),
        )
        for pipeline, group in grouped.items()
    )


def explain_no_match(
    rules: Iterable[RouteRule], *, headers: StudyHeaders, classification: Classification, source_ae: str
) -> str:
    """Why a study is not for us: each rule with the condition that does not hold. Free of patient identity."""
    objections = [
        (rule, _objection(rule, headers=headers, classification=classification, source_ae=source_ae)) for rule in rules
    ]
    if not objections:
        return "no routing rule is configured"
    return "; ".join(f"{rule.name}: {objection}" for rule, objection in objections if objection is not None)


def _objection(rule: RouteRule, *, headers: StudyHeaders, classification: Classification, source_ae: str) -> str | None:
    """The first condition of the rule that does not hold, or None where all do."""
    if not rule.enabled:
        return "disabled"
    if not headers.series and not headers.unreadable_files:
        return "the study holds nothing but bmnode's own results"
    if rule.source_ae and source_ae.strip() not in rule.source_ae:
        return f"calling AE title {source_ae.strip()!r} is not listed"
    for label, wanted, found in (
        ("modality", rule.modalities, {series.modality for series in headers.series}),
        ("body part", rule.body_part, {series.body_part or "" for series in headers.series}),
    ):
        if wanted and not {item.upper() for item in wanted} & found:
            return f"no series has {label} {', '.join(wanted)}"
    if rule.description is not None and not any(
        re.search(rule.description, series.protocol_text, re.IGNORECASE) for series in headers.series
    ):
        return "no description matches"
    return _branch_objection(rule, classification)


def _branch_objection(rule: RouteRule, classification: Classification) -> str | None:
    if classification.branch is not None:
        wanted = not rule.branches or classification.branch in rule.branches
        return None if wanted else f"branch {classification.branch} is not listed"
    refusal = classification.refusal
    reason = refusal.reason if refusal else ""
    if rule.branches:
        return f"the study is for no branch ({reason})"
    return None if rule.report_refusals else f"not assessable ({reason}) and refusals are not reported"
