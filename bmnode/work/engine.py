"""Durable work, as the rest of bmnode sees it: short flows with keys, never the engine beneath.

A flow lives for minutes at most. Waiting is a delayed request, long state is in our own
tables, and a flow that runs twice does its work once: handlers are idempotent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import sqlalchemy as sa

RETRY_MARK = "~"
"""Parts a flow's key from the number of its try; no key contains it."""


class FlowName(StrEnum):
    """The kinds of work."""

    STUDY = "study"
    RUN = "run"
    DELIVER = "deliver"
    COMMIT = "commit"
    PRIORS = "priors"


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowRequest:
    """One flow to run. Raises ValueError where a part is not usable."""

    flow: FlowName
    key: str
    """A second request with a key that is known, finished or not, is the first one."""
    subject: tuple[str, ...] = ()
    delay_s: float = 0.0
    priority: int = 10
    """1 is the most urgent, 10 the ordinary case; among flows of one kind that are due."""
    lane: str = ""
    """Flows of one lane run few at a time and never hold up another lane: a destination's name."""

    def __post_init__(self) -> None:
        if not self.key or RETRY_MARK in self.key:
            raise ValueError(f"not a flow key: {self.key!r}")
        if self.delay_s < 0 or not 1 <= self.priority <= 10:
            raise ValueError(f"flow {self.key}: a delay is not negative, a priority is 1 to 10")
        if (self.flow in LANED) != bool(self.lane):
            raise ValueError(f"flow {self.key}: {self.flow} {'needs a' if self.flow in LANED else 'has no'} lane")


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowPolicy:
    """How flows of one kind are run on a node.

    Raises ValueError where neither the flows nor those of a lane have a limit.
    """

    concurrency: int | None
    """So many at a time; None where each lane has its own limit: a sum over lanes would let some hold up the rest."""
    poll_s: float
    lane_concurrency: int | None = None
    tries: int | None
    """How often a handler may fail unexpectedly before the flow is given up; None: without limit."""
    outlasts_retryable: bool = False
    """Whether errors that say of themselves that a retry makes sense are waited out, however long."""
    first_retry_s: float = 1.0
    longest_retry_s: float = 300.0

    def __post_init__(self) -> None:
        if self.concurrency is None and self.lane_concurrency is None:
            raise ValueError("flows have a limit, or those of each lane do")

    def wait_s(self, failures: int) -> float:
        """How long to wait after so many unexpected failures, in seconds: doubled each time, bounded."""
        return float(min(self.first_retry_s * 2 ** min(failures - 1, 32), self.longest_retry_s))


FLOW_POLICIES: Mapping[FlowName, FlowPolicy] = {
    FlowName.STUDY: FlowPolicy(concurrency=2, poll_s=0.5, tries=5, outlasts_retryable=True),
    FlowName.RUN: FlowPolicy(concurrency=1, poll_s=0.25, tries=5),
    FlowName.PRIORS: FlowPolicy(concurrency=4, poll_s=0.25, tries=5, outlasts_retryable=True),
    FlowName.DELIVER: FlowPolicy(concurrency=None, lane_concurrency=2, poll_s=0.5, tries=None),
    FlowName.COMMIT: FlowPolicy(concurrency=None, lane_concurrency=1, poll_s=0.5, tries=None),
}
"""One run at a time: there is one child process. A child that cannot start gives no study up."""
LANED = frozenset({FlowName.DELIVER, FlowName.COMMIT})
LANE_THREADS = sum(FLOW_POLICIES[name].lane_concurrency or 0 for name in LANED)
"""So many flows of one destination run at a time, of all kinds together."""


class FlowHandler(Protocol):
    """What a kind of flow does. It may be run again at any point after a kill."""

    async def handle(self, subject: tuple[str, ...]) -> None:
        """Do the work. Expected failures are its own affair; what it raises is tried again later."""
        ...

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        """Write down that the work failed for good after the last try; `error` names no patient."""
        ...


Handlers = Mapping[FlowName, FlowHandler]


class Engine(Protocol):
    """Keeps flows on disk until they are done."""

    def enqueue(self, request: FlowRequest, *, connection: sa.Connection | None = None) -> None:
        """Have a flow run, once per key.

        With the caller's open transaction on our database as `connection`, the flow exists if
        and only if that transaction commits.
        """
        ...

    def start(self, handlers: Handlers) -> None:
        """Run flows from now on, first those that an earlier process of this node left. Needs every handler."""
        ...

    def stop(self, *, grace_s: float) -> None:
        """Take no new flows, wait for the running ones, interrupt the rest: they run again at the next start."""
        ...

    def cancel(self, key: str) -> None:
        """End a flow: one that waits never starts, one that runs has its handler cancelled. Unknown keys are let be."""
        ...

    def unfinished(self) -> frozenset[str]:
        """Keys of the flows that wait or run."""
        ...

    def forget(self, *, older_than_s: float) -> int:
        """Delete the traces of flows that ended so long ago; their keys can be used again. Returns how many."""
        ...
