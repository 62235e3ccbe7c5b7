"""What a study is to go through, as the study flow is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bmnode.domain.records import StudyRecord
from bmnode.priors.reading import digest_of_patient
from bmnode.selection.classify import classify
from bmnode.selection.headers import read_study
from bmnode.selection.rules import RouteRule, explain_no_match, match

SELECTED = "selected"
NOT_FOR_US = "not_for_us"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedJob:
    """One pipeline for a study, and who gets its results."""

    route: str
    pipeline: str
    destinations: tuple[str, ...]
    label_in: tuple[str, ...] = ()
    priority: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What selection said of a study."""

    branch: str | None
    decision: str
    """`selected`, `not_for_us` or the refusal's reason."""
    explanation: str
    jobs: tuple[PlannedJob, ...]
    inputs: frozenset[Path] | None = None
    """The files that count as input; None: all. bmnode's own results never do, or a result that
    comes back by the PACS' routing would start the job that made it again."""
    patient_digest: str | None = None
    """What stands for the patient (`bmnode.priors.identity`); None where the study names none, or several."""


Selector = Callable[[StudyRecord, Sequence[Path]], Decision]
"""Decides by a study's files. Free of side effects; may take seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSelector:
    """The `Selector` of the configuration's routes."""

    rules: tuple[RouteRule, ...]

    def __call__(self, study: StudyRecord, files: Sequence[Path]) -> Decision:
        """Read the headers, classify, match the routes."""
        reading = read_study(files, study_uid=study.study_uid)
        classification = classify(reading.headers)
        matches = match(self.rules, headers=reading.headers, classification=classification, source_ae=study.source_ae)
        refusal = classification.refusal
        decision, explanation = SELECTED, ""
        if refusal is not None:
            decision, explanation = refusal.reason.value, refusal.explanation
        elif not matches:
            decision = NOT_FOR_US
            explanation = explain_no_match(
                self.rules, headers=reading.headers, classification=classification, source_ae=study.source_ae
            )
        return Decision(
            branch=None if classification.branch is None else classification.branch.value,
            decision=decision,
            explanation=explanation,
            jobs=tuple(
                PlannedJob(
                    route=item.rules[0],
                    pipeline=item.pipeline,
                    destinations=item.destinations,
                    label_in=item.labels,
                    priority=item.priority,
                )
                for item in matches
            ),
            patient_digest=digest_of_patient(files, study_uid=study.study_uid)
            if reading.headers.patient_count == 1
            else None,
            inputs=frozenset(reading.unreadable).union(*reading.files.values()),
        )
