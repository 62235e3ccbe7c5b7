"""Which studies' images nobody needs any more, and when that came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bmnode.domain.states import DeliveryState, JobState, StudyState
from bmnode.domain.study import Reason
from bmnode.storage.jobs import UNFINISHED
from bmnode.storage.studies import Studies
from bmnode.storage.tables import (
    deliveries,
    examinations,
    fetched_priors,
    instances,
    jobs,
    prior_searches,
    revision_instances,
    revisions,
    studies,
)

_OPEN = ("undecided", Reason.PROCESSING_FAILED.value)
"""Decisions after which selection is tried again, or should be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Disposable:
    """A study whose images nobody needs."""

    study_uid: str
    images: int
    size_bytes: int
    is_assessed: bool
    """Whether results were made of it; else no job was."""
    since: datetime
    """When its destinations had everything, or when it was decided that there is no job."""


def disposable(connection: sa.Connection, *, at: datetime, only: str | None = None) -> Sequence[Disposable]:
    """Studies whose images may be deleted, those first that have been so for longest; with `only` that one or none.

    Kept are the images of a study that is still receiving or undecided; whose last jobs did not all succeed, or left an
    object that some destination does not have; and of every patient for whom a job is unfinished or an earlier
    examination still looked for, since what is compared lies there.
    """
    query = _candidates(at)
    if only is not None:
        query = query.where(studies.c.study_uid == only)
    found = [_judge(connection, row) for row in connection.execute(query).all()]
    return sorted((item for item in found if item is not None), key=lambda item: (item.since, item.study_uid))


def _candidates(at: datetime) -> sa.Select[Any]:
    """Complete studies with images, decided on, of patients for whom nothing goes on: (study, images, bytes, since)."""
    busy = (
        sa.select(jobs.c.study_uid)
        .outerjoin(prior_searches, prior_searches.c.job_id == jobs.c.job_id)
        .where(sa.or_(jobs.c.state.in_(UNFINISHED), prior_searches.c.search_until > at))
    )
    busy_patients = sa.select(examinations.c.patient_digest).where(examinations.c.study_uid.in_(busy))
    of_busy_patients = sa.select(examinations.c.study_uid).where(examinations.c.patient_digest.in_(busy_patients))
    arriving = sa.select(fetched_priors.c.study_uid).where(fetched_priors.c.ended_at.is_(None))
    last = sa.and_(revisions.c.study_uid == studies.c.study_uid, revisions.c.revision == studies.c.revision)
    return (
        sa.select(
            studies.c.study_uid,
            sa.func.count().label("images"),
            sa.func.sum(instances.c.size_bytes).label("size_bytes"),
            revisions.c.created_at,
        )
        .join(instances, instances.c.study_uid == studies.c.study_uid)
        .join(revisions, last)
        .where(
            studies.c.state == StudyState.COMPLETE,
            revisions.c.decision.not_in(_OPEN),
            instances.c.deleted_at.is_(None),
            *(studies.c.study_uid.not_in(kept) for kept in (busy, of_busy_patients, arriving)),
        )
        .group_by(studies.c.study_uid, revisions.c.created_at)
    )


def _judge(connection: sa.Connection, row: Sequence[Any]) -> Disposable | None:
    """What its jobs and deliveries say; None where its images are needed."""
    study_uid, images, size_bytes, since = row
    last = _last_jobs(connection, study_uid)
    if last:
        query = sa.select(deliveries.c.state, deliveries.c.delivered_at)
        owed = connection.execute(query.where(deliveries.c.job_id.in_(last))).all()
        is_delivered = all(item.state == DeliveryState.DELIVERED for item in owed)
        if set(last.values()) != {JobState.SUCCEEDED.value} or not owed or not is_delivered:
            return None
        since = max(since, *(item.delivered_at for item in owed if item.delivered_at is not None))
    return Disposable(
        study_uid=study_uid, images=images, size_bytes=int(size_bytes), is_assessed=bool(last), since=since
    )


def _last_jobs(connection: sa.Connection, study_uid: str) -> dict[str, str]:
    """The states of the jobs of the last revision that has any and was not rejected since."""
    has_images = sa.exists().where(
        revision_instances.c.study_uid == jobs.c.study_uid, revision_instances.c.revision == jobs.c.revision
    )
    query = sa.select(jobs.c.job_id, jobs.c.revision, jobs.c.state).where(jobs.c.study_uid == study_uid, has_images)
    rows = connection.execute(query).all()
    last = max((row.revision for row in rows), default=0)
    return {row.job_id: row.state for row in rows if row.revision == last}


def dispose(connection: sa.Connection, study_uid: str, *, at: datetime) -> bool:
    """Say of a study's images that their files are deleted; False where they are needed again by now."""
    if Studies(connection).find(study_uid, lock=True) is None or not disposable(connection, at=at, only=study_uid):
        return False
    of_study = sa.and_(instances.c.study_uid == study_uid, instances.c.deleted_at.is_(None))
    connection.execute(instances.update().where(of_study).values(deleted_at=at))
    return True
