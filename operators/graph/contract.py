"""What a branch is to the graph. Imports no monai: branches and their tests stay light.

A branch is a row of steps. The first takes a `StudyInput`, each takes what the one before
returned, the last returns a `ResultSet`. A step that finds the study not assessable raises
`NotAssessableError`; the graph turns it into a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import Outcome, ResultSet
from bmnode.domain.study import Branch, Classification, Reason, Refusal, SeriesRole, StudyHeaders


class NotAssessableError(Exception):
    """The study cannot be assessed, with the reason for the reader."""

    def __init__(self, reason: Reason, explanation: str) -> None:
        super().__init__(explanation)
        self.refusal = Refusal(reason=reason, explanation=explanation)


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyInput:
    """A study that was routed to a branch."""

    request: PipelineRequest
    headers: StudyHeaders
    classification: Classification
    files: Mapping[str, tuple[Path, ...]]
    """Files by Series Instance UID, in no particular order."""

    def role(self, role: SeriesRole) -> tuple[str, ...]:
        """Series Instance UIDs used in this role, the preferred first; empty where there is none."""
        return self.classification.roles.get(role, ())

    @property
    def synthetic(self) -> bool:
        """Whether any series says that it was simulated."""
        return any(series.synthetic for series in self.headers.series)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a branch."""

    name: str
    run: Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchDefinition:
    """A branch and its steps in order."""

    branch: Branch
    steps: tuple[Step, ...]


Compare = Callable[..., Any]
"""One step of a comparison."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonDefinition:
    """What the operators `register`, `match` and `assess` run, one after the other.

    Args:
        register: (result, study=) to whatever `match` takes, or to a result where nothing is compared.
        match: to whatever `assess` takes.
        assess: to the result.
    """

    register: Compare
    match: Compare
    assess: Compare


def refuse(
    study_uid: str, refusal: Refusal, *, headers: StudyHeaders | None, branch: Branch | None = None
) -> ResultSet:
    """The result of a study that cannot be assessed."""
    series = headers.series if headers else ()
    return ResultSet(
        study_uid=study_uid,
        outcome=Outcome.NOT_ASSESSABLE,
        branch=branch,
        input_series_uids=tuple(item.series_uid for item in series),
        refusal=refusal,
        synthetic=any(item.synthetic for item in series),
    )
