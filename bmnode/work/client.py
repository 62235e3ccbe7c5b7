"""What the command line asks of the engine, each inside the transaction that changes the rows."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from bmnode.clock import Clock
from bmnode.domain.records import JobRecord
from bmnode.domain.states import StudyState
from bmnode.errors import TransitionError
from bmnode.storage import Studies
from bmnode.work.engine import Engine
from bmnode.work.requests import When, delivery_request, priors_request, run_prefix, selection_request
from bmnode.work.requeue import requeue_job


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineClient:
    """Asks for work; runs none. A worker picks it up, now or when it starts."""

    engine: Engine
    clock: Clock

    def enqueue_job(self, job: JobRecord, *, connection: sa.Connection) -> None:
        """Run a queued job, once more where it ran before; a run that it waits for already is let be."""
        requeue_job(job, engine=self.engine, connection=connection, live=self.engine.unfinished(), at=self.clock.now())

    def enqueue_delivery(self, job_id: str, destination: str, *, connection: sa.Connection) -> None:
        """Send what a job still owes to a destination, now."""
        request = delivery_request(job_id, destination, at=self.clock.now(), when=When.NOW)
        self.engine.enqueue(request, connection=connection)

    def select_study(self, study_uid: str, *, connection: sa.Connection) -> None:
        """Classify a complete study again and create its jobs by the routes of today.

        Raises NotFoundError, TransitionError where the study is not complete.
        """
        study = Studies(connection).get(study_uid)
        if study.state is not StudyState.COMPLETE:
            raise TransitionError(f"the study is {study.state}; it can be selected again when it is complete")
        self.engine.enqueue(selection_request(study, at=self.clock.now()), connection=connection)

    def seek_prior(self, job: JobRecord, *, connection: sa.Connection) -> None:
        """Look for what a job is compared with, now."""
        request = priors_request(job.job_id, at=self.clock.now(), priority=job.priority)
        self.engine.enqueue(request, connection=connection)

    def cancel_job(self, job_id: str) -> None:
        """Stop the run of a job whose row says cancelled. Not in an open transaction."""
        for key in self.engine.unfinished():
            if key.startswith(run_prefix(job_id)):
                self.engine.cancel(key)
