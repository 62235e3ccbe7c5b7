"""The state machines, as tables. One function applies them; an illegal pair raises."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from bmnode.errors import TransitionError


class StudyState(StrEnum):
    """A study between its first image and its decision."""

    RECEIVING = "receiving"
    COMPLETE = "complete"
    REJECTED = "rejected"


class StudyEvent(StrEnum):
    """What happens to a study."""

    IMAGE_ARRIVED = "image_arrived"
    QUIET = "quiet"
    REJECTED = "rejected"


STUDY_TRANSITIONS: Mapping[tuple[StudyState, StudyEvent], StudyState] = {
    (StudyState.RECEIVING, StudyEvent.IMAGE_ARRIVED): StudyState.RECEIVING,
    (StudyState.RECEIVING, StudyEvent.QUIET): StudyState.COMPLETE,
    (StudyState.RECEIVING, StudyEvent.REJECTED): StudyState.REJECTED,
    (StudyState.COMPLETE, StudyEvent.IMAGE_ARRIVED): StudyState.RECEIVING,
    (StudyState.COMPLETE, StudyEvent.REJECTED): StudyState.REJECTED,
    (StudyState.REJECTED, StudyEvent.IMAGE_ARRIVED): StudyState.RECEIVING,
    (StudyState.REJECTED, StudyEvent.REJECTED): StudyState.REJECTED,
}


class JobState(StrEnum):
    """A job: one pipeline on one revision of one study."""

    AWAITING_PRIOR = "awaiting_prior"
    """An earlier examination is looked for and fetched; not for longer than the limit."""
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobEvent(StrEnum):
    """What happens to a job."""

    PRIOR_SOUGHT = "prior_sought"
    PRIOR_SETTLED = "prior_settled"
    """Found, none there, or the limit is over."""
    PRIOR_ARRIVED = "prior_arrived"
    """An earlier examination came after the job had ended: the comparison is made again."""
    STARTED = "started"
    ATTEMPT_LOST = "attempt_lost"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETRIED = "retried"


JOB_TRANSITIONS: Mapping[tuple[JobState, JobEvent], JobState] = {
    (JobState.QUEUED, JobEvent.PRIOR_SOUGHT): JobState.AWAITING_PRIOR,
    (JobState.AWAITING_PRIOR, JobEvent.PRIOR_SETTLED): JobState.QUEUED,
    (JobState.AWAITING_PRIOR, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.AWAITING_PRIOR, JobEvent.FAILED): JobState.FAILED,
    (JobState.SUCCEEDED, JobEvent.PRIOR_ARRIVED): JobState.QUEUED,
    (JobState.QUEUED, JobEvent.STARTED): JobState.RUNNING,
    (JobState.QUEUED, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.RUNNING, JobEvent.STARTED): JobState.RUNNING,  # recovery after a kill starts it again
    (JobState.RUNNING, JobEvent.ATTEMPT_LOST): JobState.QUEUED,
    (JobState.RUNNING, JobEvent.SUCCEEDED): JobState.SUCCEEDED,
    (JobState.RUNNING, JobEvent.FAILED): JobState.FAILED,
    (JobState.RUNNING, JobEvent.CANCELLED): JobState.CANCELLED,
    (JobState.QUEUED, JobEvent.FAILED): JobState.FAILED,
    (JobState.SUCCEEDED, JobEvent.RETRIED): JobState.QUEUED,
    (JobState.FAILED, JobEvent.RETRIED): JobState.QUEUED,
    (JobState.CANCELLED, JobEvent.RETRIED): JobState.QUEUED,
}


class DeliveryState(StrEnum):
    """One object on its way to one destination."""

    PENDING = "pending"
    STORED = "stored"
    """The destination took it, and is asked to commit itself to keep it (PS3.4 annex J)."""
    DELIVERED = "delivered"
    """Taken; where commitment is asked for, committed."""
    DEAD = "dead"


class DeliveryEvent(StrEnum):
    """What happens to a delivery."""

    ACCEPTED = "accepted"
    """Taken, and that is all that is asked."""
    STORED = "stored"
    """Taken, and commitment is asked for."""
    COMMITTED = "committed"
    NOT_COMMITTED = "not_committed"
    """The destination does not vouch for it: it is sent again."""
    DEFERRED = "deferred"
    GIVEN_UP = "given_up"
    RETRIED = "retried"


DELIVERY_TRANSITIONS: Mapping[tuple[DeliveryState, DeliveryEvent], DeliveryState] = {
    (DeliveryState.PENDING, DeliveryEvent.ACCEPTED): DeliveryState.DELIVERED,
    (DeliveryState.PENDING, DeliveryEvent.DEFERRED): DeliveryState.PENDING,
    (DeliveryState.PENDING, DeliveryEvent.GIVEN_UP): DeliveryState.DEAD,
    (DeliveryState.PENDING, DeliveryEvent.STORED): DeliveryState.STORED,
    (DeliveryState.STORED, DeliveryEvent.ACCEPTED): DeliveryState.DELIVERED,  # commitment is asked for no more
    (DeliveryState.STORED, DeliveryEvent.COMMITTED): DeliveryState.DELIVERED,
    (DeliveryState.STORED, DeliveryEvent.NOT_COMMITTED): DeliveryState.PENDING,
    (DeliveryState.STORED, DeliveryEvent.GIVEN_UP): DeliveryState.DEAD,
    (DeliveryState.STORED, DeliveryEvent.RETRIED): DeliveryState.PENDING,
    (DeliveryState.DELIVERED, DeliveryEvent.RETRIED): DeliveryState.PENDING,
    (DeliveryState.DEAD, DeliveryEvent.RETRIED): DeliveryState.PENDING,
}

_State = TypeVar("_State", bound=StrEnum)
_Event = TypeVar("_Event", bound=StrEnum)


def advance(table: Mapping[tuple[_State, _Event], _State], state: _State, event: _Event) -> _State:
    """The state after the event. Raises TransitionError where the table has no such pair."""
    try:
        return table[state, event]
    except KeyError:
        raise TransitionError(f"{event} is not possible in state {state}") from None
