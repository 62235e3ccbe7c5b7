"""The rows of a study that is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from bmnode.storage.tables import (
    commitment_requests,
    deliveries,
    examinations,
    fetched_priors,
    instances,
    jobs,
    ledger_reports,
    prior_searches,
    results,
    revision_instances,
    studies,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeletedRows:
    """How many rows there were."""

    images: int
    results: int
    deliveries: int


def delete_content(connection: sa.Connection, study_uid: str) -> DeletedRows:
    """Delete what the database knows of a study's images and results, its lesions' observations in the ledger included.

    Kept is what was done: the study, its revisions with digest and decision, its jobs with their history.
    """
    of_study = sa.select(jobs.c.job_id).where(jobs.c.study_uid == study_uid)

    def delete(table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
        return connection.execute(table.delete().where(condition)).rowcount

    delete(commitment_requests, commitment_requests.c.job_id.in_(of_study))  # what they are about goes with them
    owed = delete(deliveries, deliveries.c.job_id.in_(of_study))
    written = delete(results, results.c.job_id.in_(of_study))
    delete(prior_searches, prior_searches.c.job_id.in_(of_study))
    delete(revision_instances, revision_instances.c.study_uid == study_uid)
    received = delete(instances, instances.c.study_uid == study_uid)
    delete(examinations, examinations.c.study_uid == study_uid)
    delete(fetched_priors, fetched_priors.c.study_uid == study_uid)
    delete(ledger_reports, ledger_reports.c.study_uid == study_uid)  # the rest of the ledger goes with it
    return DeletedRows(images=received, results=written, deliveries=owed)


def emptied_jobs(connection: sa.Connection) -> Sequence[str]:
    """Jobs whose images were deleted with their study: of a study that was rejected, and a revision without images."""
    has_images = sa.exists().where(
        revision_instances.c.study_uid == jobs.c.study_uid, revision_instances.c.revision == jobs.c.revision
    )
    query = (
        sa.select(jobs.c.job_id)
        .join(studies, studies.c.study_uid == jobs.c.study_uid)
        .where(studies.c.rejections > 0, ~has_images)
        .order_by(jobs.c.job_id)
    )
    return [row.job_id for row in connection.execute(query)]
