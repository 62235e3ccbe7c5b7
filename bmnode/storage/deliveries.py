"""The outbox: one row an object and destination."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.records import DeliveryRecord
from bmnode.domain.states import DELIVERY_TRANSITIONS, DeliveryEvent, DeliveryState, advance
from bmnode.errors import NotFoundError
from bmnode.storage.tables import deliveries


def _delivery(row: sa.RowMapping) -> DeliveryRecord:
    return DeliveryRecord(**{**row, "state": DeliveryState(row["state"])})


class Deliveries:
    """The deliveries table on one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def add(self, sop_instance_uid: str, *, destination: str, job_id: str, at: datetime) -> None:
        """Owe an object to a destination; a debt that exists already is left as it is."""
        if self.find(sop_instance_uid, destination) is None:
            self._connection.execute(
                deliveries.insert().values(
                    sop_instance_uid=sop_instance_uid,
                    destination=destination,
                    job_id=job_id,
                    state=DeliveryState.PENDING,
                    next_attempt_at=at,
                )
            )

    def find(self, sop_instance_uid: str, destination: str) -> DeliveryRecord | None:
        """The delivery, or None."""
        query = sa.select(deliveries).where(
            deliveries.c.sop_instance_uid == sop_instance_uid, deliveries.c.destination == destination
        )
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _delivery(row)

    def of_job(self, job_id: str, *, destination: str | None = None) -> Sequence[DeliveryRecord]:
        """A job's deliveries."""
        query = sa.select(deliveries).where(deliveries.c.job_id == job_id)
        if destination is not None:
            query = query.where(deliveries.c.destination == destination)
        query = query.order_by(deliveries.c.destination, deliveries.c.sop_instance_uid)
        return [_delivery(row) for row in self._connection.execute(query).mappings()]

    def list(self, *, state: DeliveryState | None = None, limit: int = 1000) -> Sequence[DeliveryRecord]:
        """Deliveries, those due first."""
        query = sa.select(deliveries).order_by(deliveries.c.next_attempt_at).limit(limit)
        if state is not None:
            query = query.where(deliveries.c.state == state)
        return [_delivery(row) for row in self._connection.execute(query).mappings()]

    def note(
        self, destination: str, sop_instance_uids: Collection[str], *, error: str | None, next_attempt_at: datetime
    ) -> None:
        """Say what is waited for, and what went wrong meanwhile; no state changes."""
        self._connection.execute(
            deliveries.update()
            .where(deliveries.c.destination == destination, deliveries.c.sop_instance_uid.in_(sop_instance_uids))
            .values(last_error=error, next_attempt_at=next_attempt_at)
        )

    def apply(
        self,
        delivery: DeliveryRecord,
        event: DeliveryEvent,
        *,
        at: datetime,
        status: int | None = None,
        error: str | None = None,
        next_attempt_at: datetime | None = None,
    ) -> DeliveryRecord:
        """Move a delivery by its table. Raises TransitionError for an illegal pair.

        What is said of an object that is there already is part of the attempt by which it came, and leaves its status.
        """
        state = advance(DELIVERY_TRANSITIONS, delivery.state, event)
        retried = event is DeliveryEvent.RETRIED
        sent = delivery.state is DeliveryState.PENDING and not retried
        self._connection.execute(
            deliveries.update()
            .where(
                deliveries.c.sop_instance_uid == delivery.sop_instance_uid,
                deliveries.c.destination == delivery.destination,
            )
            .values(
                state=state,
                attempts=0 if retried else delivery.attempts + sent,
                last_status=status if sent or retried else delivery.last_status,
                last_error=error,
                next_attempt_at=at if retried else next_attempt_at,
                delivered_at=at if state is DeliveryState.DELIVERED else None,
            )
        )
        moved = self.find(delivery.sop_instance_uid, delivery.destination)
        if moved is None:
            raise NotFoundError(f"no delivery of {delivery.sop_instance_uid} to {delivery.destination}")
        return moved
