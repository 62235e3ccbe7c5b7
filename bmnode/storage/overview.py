"""What an administrator asks of all rows together: what waits, for how long, and what nobody will do by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bmnode.domain.states import DeliveryState, JobState, StudyState
from bmnode.storage.tables import audit, deliveries, instances, jobs, results, studies

_WAITING = (DeliveryState.PENDING, DeliveryState.STORED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outbox:
    """What one destination was given and is still owed, counted in objects."""

    destination: str
    waiting: int
    """Objects that are tried again, or whose commitment is waited for."""
    oldest: datetime | None
    """When the first of them was made."""
    next_attempt_at: datetime | None
    last_error: str | None
    """What was said to the one that was tried most often."""
    dead: int
    """Objects that were given up, of studies that nobody rejected since."""
    newest_dead: datetime | None
    """When the last of them was made."""
    last_success: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedJob:
    """A job that failed, with no later one of its study and pipeline, of a study that nobody rejected."""

    job_id: str
    ended_at: datetime | None
    reason: str | None


class Overview:
    """Questions over all tables, on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def newest_record(self) -> datetime | None:
        """The latest time that a row carries: of an image, or of the trail's last line. None: there is none."""
        last_line = sa.select(audit.c.at).order_by(audit.c.sequence.desc()).limit(1)
        newest = (
            self._connection.execute(sa.select(sa.func.max(instances.c.received_at))).scalar(),
            self._connection.execute(last_line).scalar(),
        )
        return max((at for at in newest if at is not None), default=None)

    def outboxes(self) -> Mapping[str, Outbox]:
        """By destination, every one that was ever owed something."""
        is_waiting = deliveries.c.state.in_(_WAITING)
        is_dead = sa.and_(
            deliveries.c.state == DeliveryState.DEAD,
            sa.func.coalesce(studies.c.state, "") != StudyState.REJECTED,
        )
        query = (
            sa.select(
                deliveries.c.destination,
                _count(is_waiting).label("waiting"),
                sa.func.min(sa.case((is_waiting, results.c.created_at))).label("oldest"),
                sa.func.min(sa.case((is_waiting, deliveries.c.next_attempt_at))).label("next_attempt_at"),
                _count(is_dead).label("dead"),
                sa.func.max(sa.case((is_dead, results.c.created_at))).label("newest_dead"),
                sa.func.max(deliveries.c.delivered_at).label("last_success"),
            )
            .select_from(
                deliveries.outerjoin(results, results.c.sop_instance_uid == deliveries.c.sop_instance_uid)
                .outerjoin(jobs, jobs.c.job_id == deliveries.c.job_id)
                .outerjoin(studies, studies.c.study_uid == jobs.c.study_uid)
            )
            .group_by(deliveries.c.destination)
        )
        rows = self._connection.execute(query).mappings()
        return {
            row["destination"]: Outbox(**row, last_error=self._last_error(row["destination"])) for row in rows.all()
        }

    def failed_jobs(self) -> Sequence[FailedJob]:
        """Those that nothing but a person gets a result out of, the latest first."""
        later = jobs.alias()
        query = (
            sa.select(jobs.c.job_id, jobs.c.ended_at, jobs.c.reason)
            .select_from(jobs.outerjoin(studies, studies.c.study_uid == jobs.c.study_uid))
            .where(
                jobs.c.state == JobState.FAILED,
                sa.func.coalesce(studies.c.state, "") != StudyState.REJECTED,
                ~sa.exists().where(
                    later.c.study_uid == jobs.c.study_uid,
                    later.c.pipeline == jobs.c.pipeline,
                    later.c.revision > jobs.c.revision,
                ),
            )
            .order_by(jobs.c.ended_at.desc())
        )
        return [FailedJob(**row) for row in self._connection.execute(query).mappings()]

    def _last_error(self, destination: str) -> str | None:
        query = (
            sa.select(deliveries.c.last_error)
            .where(deliveries.c.destination == destination, deliveries.c.state.in_(_WAITING))
            .order_by(deliveries.c.attempts.desc())
            .limit(1)
        )
        return self._connection.execute(query).scalar()


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)
