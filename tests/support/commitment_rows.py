"""The rows that a request for commitment refers to."""

from __future__ import annotations

from datetime import datetime

from bmnode.storage import Database
from bmnode.storage.tables import jobs, revisions, studies


def add_job(database: Database, job_id: str, *, at: datetime) -> None:
    """A study with a revision and a job that succeeded."""
    with database.write() as connection:
        connection.execute(
            studies.insert().values(
                study_uid="1.2",
                state="complete",
                version=1,
                revision=1,
                instance_count=1,
                source_ae="SCANNER",
                first_received_at=at,
                opened_at=at,
                last_received_at=at,
            )
        )
        connection.execute(
            revisions.insert().values(
                study_uid="1.2",
                revision=1,
                input_digest="d",
                instance_count=1,
                created_at=at,
                decision="selected",
                explanation="",
            )
        )
        connection.execute(
            jobs.insert().values(
                job_id=job_id,
                study_uid="1.2",
                revision=1,
                pipeline="p",
                pipeline_version="1",
                input_digest="d",
                route="r",
                destinations=["archive"],
                label_in=[],
                priority=10,
                state="succeeded",
                created_at=at,
            )
        )
