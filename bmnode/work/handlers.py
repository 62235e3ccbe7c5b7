"""The kinds of flow, put together from what a node has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from bmnode.clock import Clock
from bmnode.delivery.policy import RetryPolicy
from bmnode.delivery.sender import Sender
from bmnode.domain.peers import Peer
from bmnode.domain.records import JobRecord, StoredInstance
from bmnode.priors.reading import Site
from bmnode.run.runner import Runner
from bmnode.storage import Database
from bmnode.work.committing import Asks, CommitFlow
from bmnode.work.delivering import DeliverFlow
from bmnode.work.engine import LANE_THREADS, Engine, FlowName, Handlers
from bmnode.work.finding import PriorOptions, PriorsFlow
from bmnode.work.lanes import LaneThreads
from bmnode.work.running import ReadEntry, RunFlow, RunOptions
from bmnode.work.selecting import Selector
from bmnode.work.studying import StudyFlow


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkParts:
    """What the flows need of the node."""

    database: Database
    engine: Engine
    runner: Runner
    sender: Sender
    select: Selector
    locate: Callable[[StoredInstance], Path]
    """Where an instance's file lies."""
    peers: Callable[[str], Peer]
    """A destination by name. Raises NotFoundError."""
    clock: Clock
    run_options: RunOptions
    retry_policy: RetryPolicy
    commitment: Asks
    """How destinations are asked to commit themselves."""
    commitment_wait_s: float = 3600.0
    """See `CommitFlow`."""
    delivered: Callable[[JobRecord, str], None] | None = None
    """See `DeliverFlow`."""
    priors: PriorOptions | None = None
    """See `StudyFlow`."""
    read_entry: ReadEntry | None = None
    """See `RunFlow`."""

    def handlers(self) -> Handlers:
        """A handler for every kind of flow."""
        threads = LaneThreads(each=LANE_THREADS)
        return {
            FlowName.STUDY: StudyFlow(
                database=self.database,
                engine=self.engine,
                runner=self.runner,
                select=self.select,
                locate=self.locate,
                clock=self.clock,
                priors=self.priors,
            ),
            FlowName.PRIORS: PriorsFlow(
                database=self.database,
                engine=self.engine,
                locate=self.locate,
                clock=self.clock,
                results_dir=self.run_options.results_dir,
                # Searches that were begun while priors were looked for end, whatever is set now.
                options=self.priors or PriorOptions(site=Site(zone=UTC)),
            ),
            FlowName.RUN: RunFlow(
                database=self.database,
                engine=self.engine,
                runner=self.runner,
                locate=self.locate,
                peers=self.peers,
                clock=self.clock,
                options=self.run_options,
                read_entry=self.read_entry,
            ),
            FlowName.DELIVER: DeliverFlow(
                database=self.database,
                engine=self.engine,
                sender=self.sender,
                peers=self.peers,
                clock=self.clock,
                results_dir=self.run_options.results_dir,
                policy=self.retry_policy,
                threads=threads,
                delivered=self.delivered,
            ),
            FlowName.COMMIT: CommitFlow(
                database=self.database,
                engine=self.engine,
                asks=self.commitment,
                peers=self.peers,
                clock=self.clock,
                policy=self.retry_policy,
                threads=threads,
                answer_wait_s=self.commitment_wait_s,
                delivered=self.delivered,
            ),
        }
