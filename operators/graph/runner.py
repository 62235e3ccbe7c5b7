"""Builds a MONAI Deploy application, runs it once, and does not take silence for success."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bmnode.domain.results import ResultSet
from bmnode.errors import RunError
from operators.graph.base import IN, OUT, GraphRun
from operators.graph.runtime import Application, Operator


class GraphStalledError(RunError):
    """The graph ended without a result: an operator gave nothing on. A defect of bmnode: report it."""

    code = "graph_stalled"


class GraphApplication(Application):  # type: ignore[misc]  # monai.deploy is untyped
    """The application of one run."""

    def __init__(self, compose: Callable[[Application], None]) -> None:
        self._compose = compose
        # Without arguments of its own Holoscan would parse the process's, which are the worker's.
        super().__init__(argv=[sys.executable, "bmnode"])

    def compose(self) -> None:
        """Build the graph (called by MONAI Deploy)."""
        self._compose(self)


def chain(app: Application, operators: Sequence[Operator]) -> None:
    """Connect operators in a row."""
    for first, second in pairwise(operators):
        app.add_flow(first, second, {(OUT, IN)})


def route(app: Application, source: Operator, *, targets: Mapping[str, Operator], chosen: Callable[[], str]) -> None:
    """Let `source` choose its successor at run time (Holoscan's dynamic flows).

    Every target is declared; after `source` has computed, the message goes to `targets[chosen()]`
    alone and the others are never executed.
    """
    for target in targets.values():
        app.add_flow(source, target, {(OUT, IN)})

    def choose(operator: Any) -> None:
        operator.add_dynamic_flow(OUT, targets[chosen()], IN)

    app.set_dynamic_flows(source, choose)


def run_graph(compose: Callable[[Application], None], *, run: GraphRun) -> ResultSet:
    """Run the graph that `compose` builds and return what reached its end.

    Raises what an operator raised, with its own type, and GraphStalledError where the graph
    came to rest with no result.
    """
    GraphApplication(compose).run()
    if run.result is None:
        raise GraphStalledError("the operator graph came to rest without a result")
    return run.result
