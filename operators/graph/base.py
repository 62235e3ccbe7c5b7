"""Operators with one typed way in and one typed way out.

What travels is a `Message`. A `ResultSet` on the way is the study's answer already (a refusal,
as a rule): every stage lets it pass, so that it reaches the end unchanged. An exception keeps
its type and comes out of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bmnode.domain.pipelines import PipelineRequest, Progress, ReportProgress
from bmnode.domain.results import ResultSet
from bmnode.domain.study import StudyHeaders
from operators.graph.contract import StudyInput
from operators.graph.runtime import Application, CountCondition, Operator, OperatorSpec

IN = "in"
OUT = "out"

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, kw_only=True, slots=True)
class Message(Generic[_Out]):
    """What one operator hands to the next.

    The wrapper keeps Holoscan's hands off the content: it would turn arrays and dictionaries
    of arrays into tensors of its own on the way.
    """

    value: _Out


@dataclass(kw_only=True, slots=True)
class GraphRun:
    """One run of the graph: what goes in, what is known on the way, what comes out."""

    request: PipelineRequest
    report: ReportProgress
    headers: StudyHeaders | None = None
    study: StudyInput | None = None
    """Once it is routed to a branch."""
    result: ResultSet | None = None


class _GraphOperator(Operator):  # type: ignore[misc]  # monai.deploy is untyped
    """What the three kinds of operator share: the run they belong to and how far they are in it."""

    def __init__(self, app: Application, *conditions: Any, run: GraphRun, at: Progress) -> None:
        self.run = run
        self.at = at
        super().__init__(app, *conditions, name=at.step)


class SourceOperator(_GraphOperator, Generic[_Out]):
    """The start: produces one message, once."""

    def __init__(self, app: Application, *, run: GraphRun, at: Progress) -> None:
        super().__init__(app, CountCondition(app, 1), run=run, at=at)

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.output(OUT)

    def compute(self, _op_input: Any, op_output: Any, _context: Any) -> None:
        """Report, produce, emit."""
        self.run.report(self.at)
        op_output.emit(Message(value=self.produce()), OUT)

    def produce(self) -> _Out | ResultSet:
        """What the graph starts from."""
        raise NotImplementedError


class StageOperator(_GraphOperator, Generic[_In, _Out]):
    """One step: takes a message, gives a message; lets an answer pass."""

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input(IN)
        spec.output(OUT)

    def compute(self, op_input: Any, op_output: Any, _context: Any) -> None:
        """Receive, process unless the answer is known, emit."""
        message: Message[_In | ResultSet] = op_input.receive(IN)
        value = message.value
        if isinstance(value, ResultSet):
            op_output.emit(message, OUT)
            return
        self.run.report(self.at)
        op_output.emit(Message(value=self.process(value)), OUT)

    def process(self, value: _In) -> _Out | ResultSet:
        """The step's own work."""
        raise NotImplementedError


class SinkOperator(_GraphOperator, Generic[_In]):
    """The end: takes one message and every answer."""

    def setup(self, spec: OperatorSpec) -> None:
        """Declare the ports."""
        spec.input(IN)

    def compute(self, op_input: Any, _op_output: Any, _context: Any) -> None:
        """Receive, finish, report."""
        message: Message[_In | ResultSet] = op_input.receive(IN)
        self.finish(message.value)
        self.run.report(self.at)

    def finish(self, value: _In | ResultSet) -> None:
        """What the graph ends with."""
        raise NotImplementedError
