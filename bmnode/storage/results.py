"""Result objects on disk."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from bmnode.domain.records import ResultRecord
from bmnode.storage.tables import jobs, results


class Results:
    """The results table on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def replace(self, job_id: str, objects: Sequence[ResultRecord]) -> None:
        """Record a job's objects. Their UIDs follow from the job, so a retry writes the same rows again."""
        known = {row.sop_instance_uid for row in self.of_job(job_id)}
        for item in objects:
            row = {column.name: getattr(item, column.name) for column in results.columns}
            if item.sop_instance_uid in known:
                self._connection.execute(
                    results.update().where(results.c.sop_instance_uid == item.sop_instance_uid).values(row)
                )
            else:
                self._connection.execute(results.insert().values(row))

    def of_kind(self, kind: str) -> Sequence[tuple[str, ResultRecord]]:
        """Every object of a kind with its Study Instance UID, study by study."""
        query = sa.select(jobs.c.study_uid, results).join(jobs, jobs.c.job_id == results.c.job_id)
        query = query.where(results.c.kind == kind).order_by(jobs.c.study_uid, results.c.sop_instance_uid)
        rows = self._connection.execute(query).mappings().all()
        return [
            (row["study_uid"], ResultRecord(**{column.name: row[column.name] for column in results.columns}))
            for row in rows
        ]

    def of_job(self, job_id: str) -> Sequence[ResultRecord]:
        """A job's objects, by kind."""
        query = sa.select(results).where(results.c.job_id == job_id).order_by(results.c.kind, results.c.path)
        return [ResultRecord(**row) for row in self._connection.execute(query).mappings()]
