"""Deletes received images that nobody needs any more; never those of a study whose results are not delivered.

First the rows say so, in one transaction a study with its audit line; then the files go. A process that is killed in
between leaves files that the next pass removes: an image whose row says that it is deleted is not read by anybody. One
that is sent again is kept again, in the transaction that takes the word back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from bmnode.clock import Clock
from bmnode.observe.references import study_ref
from bmnode.spool import Spool
from bmnode.storage import AuditTrail, Database, Disposable, Instances, Studies, disposable, dispose

_log = structlog.get_logger(__name__)


class Because(StrEnum):
    """Why images are deleted."""

    AGE = "age"
    DISK = "disk"


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionRule:
    """How long images are kept; None: for ever, or whatever the disk. Raises ValueError for marks out of order."""

    assessed_s: float | None = None
    """Seconds from when every destination had all results of a study."""
    unassessed_s: float | None = None
    """Seconds from the decision that a study gets no job."""
    below_free_bytes: float | None = None
    until_free_bytes: float | None = None
    """None: as `below_free_bytes`."""

    def __post_init__(self) -> None:
        if self.until_free_bytes is not None and self.until_free_bytes < (self.below_free_bytes or 0):
            raise ValueError("deleting does not end before it began")

    def is_over(self, item: Disposable, *, at: datetime) -> bool:
        """Whether a study's images were kept for long enough."""
        kept_s = self.assessed_s if item.is_assessed else self.unassessed_s
        return kept_s is not None and (at - item.since).total_seconds() >= kept_s

    def missing_bytes(self, free_bytes: int) -> float:
        """How much is to become free for the disk's sake."""
        if self.below_free_bytes is None or free_bytes >= self.below_free_bytes:
            return 0
        return max(self.below_free_bytes, self.until_free_bytes or 0) - free_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Deletion:
    """A study whose images are deleted, or would be."""

    item: Disposable
    because: Because


def choose(items: Sequence[Disposable], *, rule: RetentionRule, at: datetime, free_bytes: int) -> tuple[Deletion, ...]:
    """Which of the studies that may go do go: those whose time is over, and for the disk's sake the oldest others."""
    chosen = [Deletion(item=item, because=Because.AGE) for item in items if rule.is_over(item, at=at)]
    missing = rule.missing_bytes(free_bytes) - sum(deletion.item.size_bytes for deletion in chosen)
    for item in items:
        if missing <= 0:
            break
        if not rule.is_over(item, at=at):
            chosen.append(Deletion(item=item, because=Because.DISK))
            missing -= item.size_bytes
    return tuple(chosen)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRetention:
    """Deletes what a rule says.

    Args:
        database: what says whether images are needed.
        spool: where they lie.
        rule: how long they are kept.
        clock: time.
    """

    database: Database
    spool: Spool
    rule: RetentionRule
    clock: Clock

    def plan(self) -> tuple[Deletion, ...]:
        """What `run` would delete now."""
        if self.rule == RetentionRule():
            return ()
        now = self.clock.now()
        with self.database.read() as connection:
            items = disposable(connection, at=now)
        looks_at_disk = items and self.rule.below_free_bytes is not None
        free_bytes = self.spool.files.free_bytes(self.spool.directory) if looks_at_disk else 0
        return choose(items, rule=self.rule, at=now, free_bytes=free_bytes)

    def run(self, *, actor: str) -> tuple[Deletion, ...]:
        """Delete it; what was. Raises OSError, SQLAlchemyError; then the next run goes on."""
        self._remove_files()  # of a run that was killed: they count for the disk
        deleted = tuple(deletion for deletion in self.plan() if self._mark(deletion, actor=actor))
        if deleted:
            self._remove_files()
        return deleted

    def _mark(self, deletion: Deletion, *, actor: str) -> bool:
        now, item = self.clock.now(), deletion.item
        with self.database.write() as connection:
            if not dispose(connection, item.study_uid, at=now):
                return False
            AuditTrail(connection).record(
                "images_deleted",
                at=now,
                actor=actor,
                subject=item.study_uid,
                detail={
                    "images": item.images,
                    "size_bytes": item.size_bytes,
                    "because": deletion.because.value,
                    "is_assessed": item.is_assessed,
                    "since": item.since.isoformat(),
                },
            )
        _log.info("images_deleted", study_ref=study_ref(item.study_uid), images=item.images, because=deletion.because)
        return True

    def _remove_files(self) -> None:
        """Of every image whose row says that it is deleted, under the lock that whoever restores one holds."""
        present = set(self.spool.studies())
        with self.database.read() as connection:
            found = {study_uid for study_uid, _ in Instances(connection).uids(deleted=True)} & present
        for study_uid in sorted(found):
            with self.database.write() as connection:
                Studies(connection).find(study_uid, lock=True)
                instances = Instances(connection).of_study(study_uid)
                self.spool.remove(study_uid, [item.sop_instance_uid for item in instances if item.deleted_at])
