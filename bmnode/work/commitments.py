"""Rows of requests for storage commitment, as the flows make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from bmnode.domain.commitment import CommitmentObject, CommitmentRequest
from bmnode.domain.ids import derive_uid
from bmnode.storage import Commitments, Database
from bmnode.work.engine import Engine
from bmnode.work.requests import CommitStep, commit_request


def new_commitment(
    connection: sa.Connection,
    job_id: str,
    destination: str,
    *,
    asked_ae: str,
    objects: Sequence[CommitmentObject],
    at: datetime,
) -> CommitmentRequest:
    """Write a first request down under a Transaction UID that no other has; nobody is asked yet."""
    first = CommitmentRequest(
        transaction_uid=_new_uid(connection, job_id, destination, at=at),
        job_id=job_id,
        destination=destination,
        asked_ae=asked_ae,
        ask=1,
        created_at=at,
    )
    Commitments(connection).add(first, objects)
    return first


def following_commitment(
    connection: sa.Connection, before: CommitmentRequest, *, objects: Sequence[CommitmentObject], at: datetime
) -> CommitmentRequest:
    """Write the next request down, for what the one before brought no answer to."""
    uid = _new_uid(connection, before.job_id, before.destination, at=at)
    following = replace(
        before, transaction_uid=uid, ask=before.ask + 1, created_at=at, asked_at=None, answered_at=None, settled_at=None
    )
    Commitments(connection).add(following, objects)
    return following


def _new_uid(connection: sa.Connection, job_id: str, destination: str, *, at: datetime) -> str:
    number = Commitments(connection).count(job_id, destination)
    return derive_uid("commitment", job_id, destination, at.isoformat(), str(number))


def ask_for_settlements(database: Database, *, engine: Engine) -> int:
    """Have every answer acted on that is written down and was not; returns how many."""
    with database.read() as connection:
        unread = Commitments(connection).unread()
    for request in unread:
        assert request.answered_at is not None
        engine.enqueue(commit_request(request, CommitStep.SETTLE, at=request.answered_at))
    return len(unread)
