"""Results of an earlier run, read back from their objects, and what a reader made of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bmnode.domain.results import ResultSet


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EarlierResult:
    """A result set as its objects hold it.

    Args:
        result_set: what they say, in the writer's own types.
        report_uid: SOP Instance UID of the root report.
        object_uids: of the root report and of every report and segmentation that it refers to.
        predecessor_uids: of the reports that the root report takes the place of.
        pipeline: name and version of the pipeline that made it; empty where the report does not say.
        studied_on: Study Date; None where it is not stated.
    """

    result_set: ResultSet
    report_uid: str
    object_uids: frozenset[str]
    predecessor_uids: tuple[str, ...] = ()
    pipeline: str = ""
    studied_on: date | None = None


class Decision(StrEnum):
    """What a reader made of one lesion."""

    ACCEPTED = "accepted"
    """Unchanged, in a set for which a person stands."""
    CHANGED = "changed"
    REJECTED = "rejected"
    """Missing in a set that takes the place of the earlier report."""
    ADDED = "added"
    """Not among the earlier lesions."""
    UNREVIEWED = "unreviewed"
    """Unchanged or missing, and nobody said that it was looked at."""


class Change(StrEnum):
    """In what a lesion differs from the earlier one."""

    NAME = "name"
    TYPE = "type"
    SITE = "site"
    REGION = "region"
    """The voxels or outlines. What was measured on the old ones is not that of the lesion any more."""
    MEASUREMENTS = "measurements"
    EVALUATIONS = "evaluations"


class KnownBy(StrEnum):
    """How a lesion of the edited set was recognised."""

    TRACKING_UID = "tracking_uid"
    VOXELS = "voxels"
    """The viewer kept no Tracking UID; it has the very voxels of the earlier lesion."""
    LABEL = "label"
    """The viewer kept no Tracking UID; label and a part of the voxels are the earlier lesion's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionReview:
    """One lesion of the earlier or the edited set, and what became of it."""

    tracking_id: str
    tracking_uid: str
    decision: Decision
    changes: tuple[Change, ...] = ()
    known_by: KnownBy | None = None
    """None for a lesion that one of the sets does not have."""
    left_out: tuple[str, ...] = ()
    """Measurements and evaluations of the earlier lesion that do not hold for the changed one."""

    def __post_init__(self) -> None:
        if (self.decision is Decision.CHANGED) != bool(self.changes):
            raise ValueError("a lesion is changed if and only if something of it is")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Review:
    """What a reader made of an earlier result.

    Args:
        result_set: the lesions that stand: all but the rejected ones, with what holds of them.
        lesions: every lesion of both sets, the earlier ones first, in their order.
        is_verified: a person stands for the edited report (Verification Flag VERIFIED, or a person observed).
        takes_place: the edited report names the earlier one as its predecessor.
    """

    result_set: ResultSet
    lesions: tuple[LesionReview, ...]
    is_verified: bool
    takes_place: bool

    def of(self, decision: Decision) -> tuple[LesionReview, ...]:
        """The lesions with this decision."""
        return tuple(item for item in self.lesions if item.decision is decision)
