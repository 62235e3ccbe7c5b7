"""The three operators behind every branch that compare with an earlier scan: `register`, `match`, `assess`.

A result for which nobody looked for an earlier scan passes all three unchanged; so does one that is no assessment.
"""

from __future__ import annotations

from typing import Any

from bmnode.domain.pipelines import Progress
from bmnode.domain.results import Outcome, ResultSet
from operators.graph.base import IN, OUT, GraphRun, Message, StageOperator
from operators.graph.contract import Compare
from operators.graph.runtime import Application


class Register(StageOperator[ResultSet, Any]):
    """Takes the branch's result; gives the pair with its registration, or the result where nothing is compared."""

    def __init__(self, app: Application, *, run: GraphRun, at: Progress, register: Compare) -> None:
        self.register = register
        super().__init__(app, run=run, at=at)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        """Receive, register where there is something to compare with, emit.

        Raises TypeError where a branch's last step returned no result.
        """
        message: Message[ResultSet] = op_input.receive(IN)
        study, value = self.run.study, message.value
        if not isinstance(value, ResultSet):
            raise TypeError(f"a branch ends with a ResultSet, not with a {type(value).__name__}")
        was_looked_for = study is not None and study.request.priors_dir is not None
        if not was_looked_for or value.outcome is not Outcome.ASSESSED:
            op_output.emit(message, OUT)
            return
        self.run.report(self.at)
        op_output.emit(Message(value=self.register(value, study=study)), OUT)


class Match(StageOperator[Any, Any]):
    """Takes the registered pair; gives it with its lesions in groups."""

    def __init__(self, app: Application, *, run: GraphRun, at: Progress, match: Compare) -> None:
        self.match = match
        super().__init__(app, run=run, at=at)

    def process(self, value: Any) -> Any:
        """Match the lesions."""
        return self.match(value)


class Assess(StageOperator[Any, ResultSet]):
    """Takes the matched pair; gives the result with all that the comparison comes to."""

    def __init__(self, app: Application, *, run: GraphRun, at: Progress, assess: Compare) -> None:
        self.assess = assess
        super().__init__(app, run=run, at=at)

    def process(self, value: Any) -> ResultSet:
        """Assess the change."""
        result: ResultSet = self.assess(value)
        return result
