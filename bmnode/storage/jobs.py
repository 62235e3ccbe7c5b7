"""Jobs and their history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.records import JobEventRecord, JobRecord
from bmnode.domain.states import JOB_TRANSITIONS, JobEvent, JobState, advance
from bmnode.errors import NotFoundError
from bmnode.storage.tables import instances, job_events, jobs, revision_instances, studies

UNFINISHED = (JobState.AWAITING_PRIOR, JobState.QUEUED, JobState.RUNNING)
STARTABLE = (JobState.QUEUED, JobState.RUNNING)
"""States in which a run may begin; one that is running was left by a kill."""
_BEGINS_ANEW = (JobEvent.RETRIED, JobEvent.PRIOR_ARRIVED)

_LISTS = ("destinations", "label_in")
"""Columns that the database keeps as JSON."""


def _job(row: sa.RowMapping) -> JobRecord:
    lists = {name: tuple(row[name]) for name in _LISTS}
    return JobRecord(**{**row, "state": JobState(row["state"]), **lists})


class Jobs:
    """The jobs and job_events tables on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, job: JobRecord) -> bool:
        """Record a queued job. False where the same work (study, pipeline, version, input) is already known."""
        same_work = sa.select(jobs.c.job_id).where(
            jobs.c.study_uid == job.study_uid,
            jobs.c.pipeline == job.pipeline,
            jobs.c.pipeline_version == job.pipeline_version,
            jobs.c.input_digest == job.input_digest,
        )
        if self._connection.execute(same_work).first() is not None:
            return False
        row = {column.name: getattr(job, column.name) for column in jobs.columns}
        self._connection.execute(jobs.insert().values({**row, **{name: list(row[name]) for name in _LISTS}}))
        self._record(job.job_id, event="created", state=job.state, at=job.created_at, detail="")
        return True

    def find(self, job_id: str) -> JobRecord | None:
        """The job, or None."""
        row = self._connection.execute(sa.select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
        return None if row is None else _job(row)

    def get(self, job_id: str) -> JobRecord:
        """The job. Raises NotFoundError."""
        found = self.find(job_id)
        if found is None:
            raise NotFoundError(f"there is no job {job_id}; `bmnode job list` shows those there are")
        return found

    def list(self, *, state: JobState | None = None, limit: int = 100) -> Sequence[JobRecord]:
        """The latest jobs, newest first."""
        query = sa.select(jobs).order_by(jobs.c.created_at.desc()).limit(limit)
        if state is not None:
            query = query.where(jobs.c.state == state)
        return [_job(row) for row in self._connection.execute(query).mappings()]

    def of_study(self, study_uid: str) -> Sequence[JobRecord]:
        """A study's jobs, the first first."""
        query = sa.select(jobs).where(jobs.c.study_uid == study_uid).order_by(jobs.c.created_at)
        return [_job(row) for row in self._connection.execute(query).mappings()]

    def unfinished(self) -> Sequence[JobRecord]:
        """Jobs that have not ended, oldest first."""
        query = sa.select(jobs).where(jobs.c.state.in_(UNFINISHED)).order_by(jobs.c.created_at)
        return [_job(row) for row in self._connection.execute(query).mappings()]

    def apply(self, job_id: str, event: JobEvent, *, at: datetime, detail: str = "") -> JobRecord:
        """Move a job by its table and write its history.

        Raises TransitionError for an illegal pair, NotFoundError where it shall begin anew and its images were deleted.
        """
        job = self.get(job_id)
        state = advance(JOB_TRANSITIONS, job.state, event)
        if event in _BEGINS_ANEW:
            self.need_images(job)
        values: dict[str, object] = {"state": state}
        if event is JobEvent.STARTED:
            values |= {"attempt": job.attempt + 1, "started_at": at, "progress": 0.0, "step": "", "ended_at": None}
        elif event in _BEGINS_ANEW:
            values |= {"attempt": 0, "ended_at": None, "outcome": None, "reason": None, "progress": 0.0, "step": ""}
        elif state not in UNFINISHED:
            values |= {"ended_at": at, "reason": detail or None}
        self._connection.execute(jobs.update().where(jobs.c.job_id == job_id).values(**values))
        self._record(job_id, event=event.value, state=state, at=at, detail=detail)
        return self.get(job_id)

    def need_images(self, job: JobRecord) -> None:
        """Raises NotFoundError where images of the job's revision were deleted, by themselves or with their study."""
        of_revision = sa.and_(
            revision_instances.c.study_uid == job.study_uid, revision_instances.c.revision == job.revision
        )
        query = sa.select(sa.func.count(), sa.func.count(instances.c.deleted_at)).select_from(
            revision_instances.join(instances, instances.c.sop_instance_uid == revision_instances.c.sop_instance_uid)
        )
        images, deleted = self._connection.execute(query.where(of_revision)).one()
        rejections = sa.select(studies.c.rejections).where(studies.c.study_uid == job.study_uid)
        was_rejected = not images and bool(self._connection.execute(rejections).scalar())
        if deleted or was_rejected:
            raise NotFoundError(f"images of job {job.job_id} were deleted; have the whole study sent again")

    def report_progress(self, job_id: str, *, progress: float, step: str) -> None:
        """What `job show` and the status page read while a job runs."""
        self._connection.execute(jobs.update().where(jobs.c.job_id == job_id).values(progress=progress, step=step))

    def set_outcome(self, job_id: str, outcome: str) -> None:
        """What the result set said: assessed or not assessable."""
        self._connection.execute(jobs.update().where(jobs.c.job_id == job_id).values(outcome=outcome))

    def events(self, job_id: str) -> Sequence[JobEventRecord]:
        """A job's history, the first first."""
        query = sa.select(job_events).where(job_events.c.job_id == job_id).order_by(job_events.c.id)
        return [
            JobEventRecord(
                job_id=row["job_id"],
                at=row["at"],
                event=row["event"],
                state=JobState(row["state"]),
                detail=row["detail"],
            )
            for row in self._connection.execute(query).mappings()
        ]

    def _record(self, job_id: str, *, event: str, state: JobState, at: datetime, detail: str) -> None:
        self._connection.execute(
            job_events.insert().values(job_id=job_id, at=at, event=event, state=state, detail=detail)
        )
