"""Storage commitment (PS3.4 annex J): what a destination is asked to vouch for, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from bmnode.domain.ids import is_safe_uid

PASSING_REASONS = frozenset({0x0110, 0x0112, 0x0131, 0x0213})
"""Failure Reasons (PS3.3 C.14.1.1) that sending again may mend: processing failure, no such object, a Transaction UID
that was used before, resource limitation."""
_WORDS = {
    0x0110: "processing failure",
    0x0112: "no such object",
    0x0119: "class and instance conflict",
    0x0122: "SOP class not supported",
    0x0131: "duplicate transaction UID",
    0x0213: "resource limitation",
}


class Reference(NamedTuple):
    """An instance, as an item of the Referenced SOP Sequence names it."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentReport:
    """What an N-EVENT-REPORT says (PS3.4 Table J.3-2). Raises ValueError where the Transaction UID is none."""

    transaction_uid: str
    committed: frozenset[Reference] = frozenset()
    failed: Mapping[Reference, int] = field(default_factory=dict)
    """Failure Reasons."""

    def __post_init__(self) -> None:
        if not is_safe_uid(self.transaction_uid):
            raise ValueError("the Transaction UID is no UID")


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentObject:
    """One instance of a request."""

    owed_uid: str
    """SOP Instance UID of the result object that is owed."""
    reference: Reference
    """What was sent for it: itself, or an object of another encoding. One object may stand for several."""
    committed: bool | None = None
    """None: nothing was said of it."""
    failure_reason: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentRequest:
    """One request for commitment, under its own Transaction UID."""

    transaction_uid: str
    job_id: str
    destination: str
    asked_ae: str
    """AE title of who is asked: nobody else can answer."""
    ask: int
    """1 for the first request after the objects were sent; one more each time that there was no answer."""
    created_at: datetime
    asked_at: datetime | None = None
    """When the peer took the request."""
    answered_at: datetime | None = None
    settled_at: datetime | None = None
    """When the answer was acted on, or the next request took its place."""


def describe_failure(reason: int | None) -> str:
    """A Failure Reason for people."""
    if reason is None:
        return "not committed, without a reason"
    words = _WORDS.get(reason)
    return f"not committed: 0x{reason:04X}" + (f", {words}" if words else "")
