"""Earlier examinations: which studies are of one patient, what is looked for, what was fetched."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.records import FetchedPriorRecord, PriorSearchRecord
from bmnode.errors import NotFoundError
from bmnode.storage.tables import examinations, fetched_priors, prior_searches


class Examinations:
    """The examinations table on one connection: studies by a digest of their patient."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def put(self, study_uid: str, *, patient_digest: str) -> None:
        """Say whose a study is; the last word counts."""
        known = sa.select(examinations.c.study_uid).where(examinations.c.study_uid == study_uid)
        if self._connection.execute(known).first() is None:
            row = {"study_uid": study_uid, "patient_digest": patient_digest}
            self._connection.execute(examinations.insert().values(row))
        else:
            statement = examinations.update().where(examinations.c.study_uid == study_uid)
            self._connection.execute(statement.values(patient_digest=patient_digest))

    def of_patient(self, patient_digest: str) -> Sequence[str]:
        """Study Instance UIDs, in their order as texts."""
        query = sa.select(examinations.c.study_uid).where(examinations.c.patient_digest == patient_digest)
        return [row.study_uid for row in self._connection.execute(query.order_by(examinations.c.study_uid))]


class PriorSearches:
    """The prior_searches table on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begin(
        self, job_id: str, *, run_by: datetime, search_until: datetime, wanted_study_uid: str | None = None
    ) -> None:
        """Look for a job's priors, or look anew; what the job was run with stays known."""
        values = {"run_by": run_by, "search_until": search_until, "wanted_study_uid": wanted_study_uid}
        if self.find(job_id) is None:
            self._connection.execute(prior_searches.insert().values(job_id=job_id, **values))
        else:
            self._update(job_id, outcome=None, attempts=0, **values)

    def find(self, job_id: str) -> PriorSearchRecord | None:
        """The search for a job, or None."""
        query = sa.select(prior_searches).where(prior_searches.c.job_id == job_id)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else PriorSearchRecord(**row)

    def get(self, job_id: str) -> PriorSearchRecord:
        """The search for a job. Raises NotFoundError."""
        found = self.find(job_id)
        if found is None:
            raise NotFoundError(f"no earlier examination was looked for on behalf of job {job_id}")
        return found

    def tried(self, job_id: str) -> None:
        """Count an attempt that is over."""
        self._update(job_id, attempts=prior_searches.c.attempts + 1)

    def settle(self, job_id: str, *, outcome: str, folder: str, compared: str) -> None:
        """Write down what came of a search."""
        self._update(job_id, outcome=outcome, folder=folder, compared=compared)

    def use(self, job_id: str) -> PriorSearchRecord | None:
        """What a run that begins now is told; None where nobody looked."""
        found = self.find(job_id)
        if found is not None:
            self._update(job_id, used=found.compared)
        return found

    def unfinished(self, *, at: datetime, outcomes: Sequence[str]) -> Sequence[PriorSearchRecord]:
        """Searches that go on at a time: without an outcome, or with one of these."""
        open_ended = sa.or_(prior_searches.c.outcome.is_(None), prior_searches.c.outcome.in_(outcomes))
        query = sa.select(prior_searches).where(open_ended, prior_searches.c.search_until > at)
        rows = self._connection.execute(query.order_by(prior_searches.c.job_id)).mappings()
        return [PriorSearchRecord(**row) for row in rows]

    def overdue(self, at: datetime) -> Sequence[str]:
        """Jobs whose wait is over, whether they still wait or not."""
        query = sa.select(prior_searches.c.job_id).where(prior_searches.c.run_by <= at)
        return [row.job_id for row in self._connection.execute(query.order_by(prior_searches.c.job_id))]

    def _update(self, job_id: str, **values: object) -> None:
        self._connection.execute(prior_searches.update().where(prior_searches.c.job_id == job_id).values(**values))


class FetchedPriors:
    """The fetched_priors table on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def begin(self, study_uid: str, *, archive: str, at: datetime) -> None:
        """An archive is asked to send a study; the first time counts as the beginning."""
        if self.find(study_uid) is None:
            self._connection.execute(fetched_priors.insert().values(study_uid=study_uid, archive=archive, began_at=at))
        else:
            self._update(study_uid, ended_at=None, is_whole=False)

    def end(self, study_uid: str, *, at: datetime, is_whole: bool) -> None:
        """The archive sends no more of it."""
        self._update(study_uid, ended_at=at, is_whole=is_whole)

    def find(self, study_uid: str) -> FetchedPriorRecord | None:
        """The record, or None for a study that was sent by itself."""
        query = sa.select(fetched_priors).where(fetched_priors.c.study_uid == study_uid)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else FetchedPriorRecord(**row)

    def _update(self, study_uid: str, **values: object) -> None:
        self._connection.execute(
            fetched_priors.update().where(fetched_priors.c.study_uid == study_uid).values(**values)
        )
