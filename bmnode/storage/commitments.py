"""Requests for storage commitment and their answers: what must outlive every process that asks or listens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.commitment import CommitmentObject, CommitmentReport, CommitmentRequest, Reference
from bmnode.storage.tables import commitment_objects, commitment_requests

_R, _O = commitment_requests.c, commitment_objects.c


def _request(row: sa.RowMapping) -> CommitmentRequest:
    return CommitmentRequest(**{name: value for name, value in row.items() if name != "number"})


class Commitments:
    """The commitment tables on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, request: CommitmentRequest, objects: Sequence[CommitmentObject]) -> None:
        """Write down a request before it is made: the answer may be faster than the next commit."""
        names = ("transaction_uid", "job_id", "destination", "asked_ae", "ask", "created_at")
        row = {name: getattr(request, name) for name in names}
        (number,) = self._connection.execute(commitment_requests.insert().values(row)).inserted_primary_key or (None,)
        rows = [
            {
                "number": number,
                "owed_uid": item.owed_uid,
                "sop_instance_uid": item.reference.sop_instance_uid,
                "sop_class_uid": item.reference.sop_class_uid,
            }
            for item in objects
        ]
        self._connection.execute(commitment_objects.insert(), rows)

    def find(self, transaction_uid: str) -> CommitmentRequest | None:
        """The request, or None."""
        query = sa.select(commitment_requests).where(_R.transaction_uid == transaction_uid)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _request(row)

    def count(self, job_id: str, destination: str) -> int:
        """How many requests were made for a job at a destination."""
        query = sa.select(sa.func.count()).where(_R.job_id == job_id, _R.destination == destination)
        return int(self._connection.execute(query).scalar_one())

    def objects(self, transaction_uid: str) -> Sequence[CommitmentObject]:
        """What a request is about."""
        query = (
            sa.select(commitment_objects)
            .join(commitment_requests, _R.number == _O.number)
            .where(_R.transaction_uid == transaction_uid)
            .order_by(_O.owed_uid, _O.sop_instance_uid)
        )
        return [
            CommitmentObject(
                owed_uid=row["owed_uid"],
                reference=Reference(row["sop_class_uid"], row["sop_instance_uid"]),
                committed=row["committed"],
                failure_reason=row["failure_reason"],
            )
            for row in self._connection.execute(query).mappings()
        ]

    def is_last(self, transaction_uid: str, *, owed_uid: str) -> bool:
        """Whether no later request of its destination is about this object."""
        this = sa.select(commitment_requests).where(_R.transaction_uid == transaction_uid).subquery()
        query = (
            sa.select(sa.func.count())
            .select_from(commitment_objects)
            .join(commitment_requests, _R.number == _O.number)
            .join(this, sa.and_(this.c.destination == _R.destination, this.c.number < _R.number))
            .where(_O.owed_uid == owed_uid)
        )
        return int(self._connection.execute(query).scalar_one()) == 0

    def asked(self, transaction_uid: str, *, at: datetime) -> None:
        """The peer took the request."""
        self._update(transaction_uid, asked_at=at)

    def settle(self, transaction_uid: str, *, at: datetime) -> None:
        """The answer was acted on, or is waited for no more."""
        self._update(transaction_uid, settled_at=at)

    def answer(self, report: CommitmentReport, *, from_ae: str, at: datetime) -> bool:
        """Write a report down; False where no such request was made to this AE title.

        A second report of one transaction says nothing new, and is not looked at.
        """
        found = self.find(report.transaction_uid)
        if found is None or found.asked_ae != from_ae:
            return False
        if found.answered_at is not None:
            return True
        for item in self.objects(report.transaction_uid):
            reason = report.failed.get(item.reference)
            if reason is not None:
                self._say(report.transaction_uid, item, committed=False, failure_reason=reason)
            elif item.reference in report.committed:
                self._say(report.transaction_uid, item, committed=True, failure_reason=None)
        # A request that the next one took the place of is open again: its answer still counts.
        self._update(report.transaction_uid, answered_at=at, settled_at=None)
        return True

    def unread(self) -> Sequence[CommitmentRequest]:
        """Requests with an answer that nobody acted on."""
        query = (
            sa.select(commitment_requests)
            .where(_R.answered_at.is_not(None), _R.settled_at.is_(None))
            .order_by(_R.number)
        )
        return [_request(row) for row in self._connection.execute(query).mappings()]

    def open(self) -> Sequence[CommitmentRequest]:
        """Requests that are to be made, wait for their answer or were answered."""
        query = sa.select(commitment_requests).where(_R.settled_at.is_(None)).order_by(_R.number)
        return [_request(row) for row in self._connection.execute(query).mappings()]

    def _say(
        self, transaction_uid: str, item: CommitmentObject, *, committed: bool, failure_reason: int | None
    ) -> None:
        number = sa.select(_R.number).where(_R.transaction_uid == transaction_uid).scalar_subquery()
        self._connection.execute(
            commitment_objects.update()
            .where(
                _O.number == number,
                _O.owed_uid == item.owed_uid,
                _O.sop_instance_uid == item.reference.sop_instance_uid,
            )
            .values(committed=committed, failure_reason=failure_reason)
        )

    def _update(self, transaction_uid: str, **values: object) -> None:
        self._connection.execute(
            commitment_requests.update().where(_R.transaction_uid == transaction_uid).values(**values)
        )
