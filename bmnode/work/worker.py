"""The working process of a node: holds the lock, runs the engine, asks for what is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.schedulers.background import BackgroundScheduler

from bmnode.clock import Clock
from bmnode.domain.records import StudyRecord
from bmnode.run.runner import Runner
from bmnode.storage import Database
from bmnode.work.commitments import ask_for_settlements
from bmnode.work.engine import Engine, Handlers
from bmnode.work.finding import settle_overdue
from bmnode.work.leftovers import remove_leftovers
from bmnode.work.nodes import NodeLock
from bmnode.work.requests import study_request
from bmnode.work.requeue import requeue_unfinished

ASSEMBLY_EVERY_S = 1.0
REQUEUE_EVERY_S = 300.0
"""How often rows are compared with flows: a database that failed at a bad moment can part them."""
RETENTION_EVERY_S = 3600.0
KEEP_FLOWS_S = 7 * 24 * 3600.0
"""How long the engine remembers a flow that ended; our own tables remember what it did."""

_log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Worker:
    """Starts and stops the parts in their order. The ticks only ask for work, they do none.

    Args:
        data_dir: the node's; one worker at a time may have it.
        results_dir: where its jobs write.
        complete_studies: the studies that are complete now. One that stays so is asked for again,
            under the same key.
    """

    data_dir: Path
    results_dir: Path
    database: Database
    engine: Engine
    handlers: Handlers
    runner: Runner
    complete_studies: Callable[[], Sequence[StudyRecord]]
    clock: Clock
    settle_rejections: Callable[[], None]
    """Finishes or undoes rejections in which a process was killed."""
    delete_images: Callable[[], object]
    """Deletes the images that were kept for long enough."""
    assembly_every_s: float = ASSEMBLY_EVERY_S
    _lock: NodeLock = field(init=False)
    _ticks: BackgroundScheduler | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._lock = NodeLock(self.data_dir)

    def start(self) -> None:
        """Take up the work, first what an earlier process left. Raises NodeLockedError."""
        self._lock.acquire()
        self.runner.warm_up()
        self.settle_rejections()
        self._tidy()
        self._requeue()
        self.engine.start(self.handlers)
        self._ticks = self._schedule()
        self._ticks.start()
        _log.info("worker_started")

    def stop(self, *, grace_s: float) -> None:
        """Finish what ends within the grace, interrupt the rest, and end the child."""
        if self._ticks is not None:
            self._ticks.shutdown()
            self._ticks = None
        self.engine.stop(grace_s=grace_s)
        self.runner.close()
        self._lock.release()
        _log.info("worker_stopped")

    def ask_for_complete_studies(self) -> None:
        """Ask for the study flow of every study that is complete."""
        for study in self.complete_studies():
            self.engine.enqueue(study_request(study))

    def _schedule(self) -> BackgroundScheduler:
        ticks = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        ticks.add_job(self.ask_for_complete_studies, "interval", seconds=self.assembly_every_s, id="assembly")
        ticks.add_job(self._settle_commitments, "interval", seconds=self.assembly_every_s, id="commitments")
        ticks.add_job(self._settle_priors, "interval", seconds=self.assembly_every_s, id="priors")
        ticks.add_job(self._requeue, "interval", seconds=REQUEUE_EVERY_S, id="requeue")
        ticks.add_job(self.settle_rejections, "interval", seconds=REQUEUE_EVERY_S, id="rejections")
        ticks.add_job(self.delete_images, "interval", seconds=REQUEUE_EVERY_S, id="images")
        ticks.add_job(self._forget, "interval", seconds=RETENTION_EVERY_S, id="retention")
        ticks.add_listener(_tick_failed, EVENT_JOB_ERROR)
        return ticks

    def _requeue(self) -> None:
        requeued = requeue_unfinished(self.database, engine=self.engine, at=self.clock.now())
        if requeued.jobs or requeued.deliveries:
            _log.warning("work_requeued", jobs=len(requeued.jobs), deliveries=len(requeued.deliveries))

    def _settle_priors(self) -> None:
        settled = settle_overdue(self.database, engine=self.engine, at=self.clock.now())
        if settled:
            _log.warning("priors_not_waited_for", jobs=list(settled))

    def _settle_commitments(self) -> None:
        ask_for_settlements(self.database, engine=self.engine)

    def _tidy(self) -> None:
        if tidied := remove_leftovers(self.database, self.results_dir):
            _log.info("leftovers_removed", jobs=tidied)

    def _forget(self) -> None:
        _log.info("flows_forgotten", count=self.engine.forget(older_than_s=KEEP_FLOWS_S))


def _tick_failed(event: JobExecutionEvent) -> None:
    """A tick that failed comes again; what it would have asked for is still due."""
    _log.error("tick_failed", tick=event.job_id, exc_info=event.exception)
