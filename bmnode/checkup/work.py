"""Studies and jobs that wait longer than they should, and jobs that failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from bmnode.checkup.words import LONG_PAST, counted, span
from bmnode.config import Settings
from bmnode.config.finding import Finding
from bmnode.domain.records import JobRecord
from bmnode.domain.states import JobState
from bmnode.storage import Jobs, Overview, Studies

JUDGED_WITHIN = timedelta(minutes=5)
"""[P] A study is judged seconds after its time has come."""
QUEUED_FOR = timedelta(hours=1)
"""[P] A queue that is longer than an hour is not keeping up, or nobody works on it."""
GRACE = timedelta(minutes=15)
"""[P] Beyond a limit that the configuration sets itself."""


def check_work(connection: sa.Connection, settings: Settings, *, now: datetime) -> Iterator[Finding]:
    """Look at what is to be done."""
    late = Studies(connection).due(now - JUDGED_WITHIN)
    if late:
        yield Finding.error(
            "studies",
            f"{counted(len(late), 'study', 'studies')} should have been judged complete by now, "
            f"e.g. {late[0].study_uid}: see in the log what the working process does",
        )
    else:
        yield Finding.ok("studies", "no study waits beyond its time")
    yield _waiting(Jobs(connection).unfinished(), settings, now)
    yield from _failed(Overview(connection), now)


def _limits(settings: Settings) -> Mapping[JobState, timedelta]:
    """How long a job may be in a state."""
    return {
        JobState.AWAITING_PRIOR: timedelta(seconds=settings.priors.wait_s) + GRACE,
        JobState.QUEUED: QUEUED_FOR,
        JobState.RUNNING: timedelta(seconds=settings.run.timeout_s) + GRACE,
    }


def _waiting(unfinished: Sequence[JobRecord], settings: Settings, now: datetime) -> Finding:
    limits = _limits(settings)
    late = [job for job in unfinished if now - (job.started_at or job.created_at) > limits[job.state]]
    if not late:
        return Finding.ok("jobs", f"{counted(len(unfinished), 'job')} in work or waiting, none for too long")
    first = late[0]
    return Finding.error(
        "jobs",
        f"{counted(len(late), 'job')} waiting for too long; {first.job_id} has been {first.state} for "
        f"{span(now - (first.started_at or first.created_at))}: see `bmnode job show {first.job_id}`; "
        "`bmnode job requeue --all-unfinished` hands all to the engine again",
    )


def _failed(overview: Overview, now: datetime) -> Iterator[Finding]:
    failed = overview.failed_jobs()
    if not failed:
        return
    last = failed[0]
    when = "" if last.ended_at is None else f" {span(now - last.ended_at)} ago"
    tell = Finding.warning if last.ended_at is not None and now - last.ended_at > LONG_PAST else Finding.error
    yield tell(
        "jobs.failed",
        f"{counted(len(failed), 'job')} failed, the last{when}: {last.job_id}, {last.reason or 'without a reason'}; "
        f"`bmnode job retry {last.job_id}` once the cause is gone; `bmnode study reject` deletes a study that is not "
        "wanted",
    )
