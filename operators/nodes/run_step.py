"""Runs one step of a branch."""

from __future__ import annotations

from typing import Any

from bmnode.domain.pipelines import Progress
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch, Reason, Refusal
from bmnode.errors import InputError
from operators.graph.base import GraphRun, StageOperator
from operators.graph.contract import NotAssessableError, Step, refuse
from operators.graph.runtime import Application


class RunStep(StageOperator[Any, Any]):
    """The step's function as an operator: what it finds not assessable becomes a result."""

    def __init__(self, app: Application, *, run: GraphRun, at: Progress, branch: Branch, step: Step) -> None:
        self.branch = branch
        self.step = step
        super().__init__(app, run=run, at=at)

    def process(self, value: Any) -> Any:
        """Run the step."""
        try:
            return self.step.run(value)
        except NotAssessableError as error:
            return self._refuse(error.refusal)
        except InputError as error:
            return self._refuse(Refusal(reason=Reason.UNREADABLE_INPUT, explanation=str(error)))

    def _refuse(self, refusal: Refusal) -> ResultSet:
        return refuse(self.run.request.study_uid, refusal, headers=self.run.headers, branch=self.branch)
