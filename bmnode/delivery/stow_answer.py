"""What a STOW-RS origin server said of each object (PS3.18 10.5.3), and which HTTP statuses pass with time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from bmnode.delivery.sender import SUCCESS, SendOutcome

ANSWERED = frozenset({200, 202, 409})
"""Statuses whose payload tells the objects apart: all stored, some with warning or failure, none stored (PS3.18
Table 10.5.3-1)."""
TOO_LARGE = 413
_PASSING = frozenset({401, 403, 404, 407, 408, 421, 423, 425, 429})
"""[P] Refusals that the peer's administrator or time mends: credentials, an address that is not served now, load."""
_NEVER = frozenset({501, 505})
"""Errors of the server that time does not mend."""
_NO_SUCH_CLASS = 0x0122  # PS3.18 Table 10.5.3-2, as PS3.7 C.5.15
_NO_SUCH_SYNTAX = 0xC122  # PS3.18 Table 10.5.3-2


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """What became of one object."""

    outcome: SendOutcome
    detail: str
    status: int | None = None
    """Failure Reason (0008,1197) or Warning Reason (0008,1196); success is 0x0000."""


class UnreadableAnswerError(Exception):
    """The payload is not the data set that PS3.18 10.5.3.2 asks for: it vouches for nothing."""


def is_passing(http_status: int) -> bool:
    """Whether the same request may succeed later."""
    return http_status in _PASSING or (http_status >= 500 and http_status not in _NEVER)


def read_answer(payload: bytes, *, content_type: str) -> Mapping[str, Judgement]:
    """By SOP Instance UID what became of the objects that the payload names.

    An object that it does not name is one of which nothing is known. Raises UnreadableAnswerError.
    """
    if content_type.partition(";")[0].strip().lower() not in {"application/dicom+json", "application/json"}:
        raise UnreadableAnswerError
    try:
        content = json.loads(payload)
        answer = Dataset.from_json(content[0] if isinstance(content, list) and content else content)
        stored = {str(item.ReferencedSOPInstanceUID): _stored(item) for item in _items(answer, "ReferencedSOPSequence")}
        failed = {str(item.ReferencedSOPInstanceUID): _failed(item) for item in _items(answer, "FailedSOPSequence")}
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise UnreadableAnswerError from error
    return {**stored, **failed}


def _items(answer: Dataset, keyword: str) -> list[Dataset]:
    return list(answer.get(keyword) or ())


def _stored(item: Dataset) -> Judgement:
    reason = item.get("WarningReason")
    if reason is None:
        return Judgement(outcome=SendOutcome.ACCEPTED, detail="stored", status=SUCCESS)
    status = int(reason)  # any: the item stands among those that were stored
    detail = f"stored with warning 0x{status:04X}"
    return Judgement(outcome=SendOutcome.ACCEPTED_WITH_WARNING, detail=detail, status=status)


def _failed(item: Dataset) -> Judgement:
    status = int(item.FailureReason)
    outcome = {
        _NO_SUCH_CLASS: SendOutcome.REFUSED_SOP_CLASS,
        _NO_SUCH_SYNTAX: SendOutcome.REFUSED_TRANSFER_SYNTAX,
    }.get(status, SendOutcome.REFUSED_STATUS)
    return Judgement(outcome=outcome, detail=f"refused with reason 0x{status:04X}", status=status)
