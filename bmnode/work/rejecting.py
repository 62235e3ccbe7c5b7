"""Rejecting a study: all of its images, results and rows go, or none of them.

What was done stays: the study's row, its revisions with their digests, its jobs with their history, and the audit
trail, which holds the UIDs of what was received, written and delivered. What a destination has taken is the
destination's.

Every folder is renamed out of the way inside the transaction that deletes the rows, and removed behind it. A process
that is killed in between leaves names in the trash; whoever calls `settle` next sees by the study's row which side of
the commit it was.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
import structlog

from bmnode.clock import Clock
from bmnode.domain.ids import is_safe_uid
from bmnode.domain.records import JobRecord, StudyRecord
from bmnode.domain.states import DeliveryState, JobEvent
from bmnode.errors import NotFoundError
from bmnode.observe.references import study_ref
from bmnode.spool import Spool
from bmnode.spool.trash import Trash
from bmnode.storage import (
    AuditTrail,
    Database,
    DeletedRows,
    Deliveries,
    Instances,
    Jobs,
    Studies,
    delete_content,
    emptied_jobs,
)
from bmnode.storage.jobs import UNFINISHED

_HAS_IT = (DeliveryState.STORED, DeliveryState.DELIVERED)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """What a rejection came to."""

    study: StudyRecord
    cancelled: tuple[str, ...]
    """Jobs that had not ended."""
    deleted: DeletedRows


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRejection:
    """Rejects studies, and settles what a kill left of a rejection.

    Args:
        database: where rows are deleted.
        spool: where images are deleted.
        results_dir: where the jobs' folders are deleted.
        clock: dates it.
    """

    database: Database
    spool: Spool
    results_dir: Path
    clock: Clock

    def reject(self, study_uid: str, *, actor: str) -> Rejected:
        """Take a study out of work and delete what there is of it. An image that comes later opens it anew.

        Raises NotFoundError; OSError or SQLAlchemyError, and then everything is as it was or will be with `settle`.
        """
        try:
            with self.database.write() as connection:
                rejected = self._reject(connection, study_uid, actor=actor)
        finally:
            self.settle()
        _log.info("study_rejected", study_ref=study_ref(study_uid), images=rejected.deleted.images)
        return rejected

    def settle(self) -> None:
        """Finish rejections that were committed, undo those that were not. Raises SQLAlchemyError."""
        for trash in self._trashes():
            for name in trash.names():
                try:
                    if self._is_committed(name, trash):
                        trash.empty(name)
                except OSError as error:  # a node that cannot tidy up receives and works all the same
                    _log.error("rejection_not_settled", error=type(error).__name__)
        with self.database.read() as connection:
            emptied = emptied_jobs(connection)
        for job_id in emptied:  # a run that was interrupted may have written after the rejection
            shutil.rmtree(self.results_dir / job_id, ignore_errors=True)

    def _is_committed(self, name: str, trash: Trash) -> bool:
        """Whether the rejection that threw this away holds; put back where it does not.

        Under the lock on the study that every rejection holds from before its first rename until its commit.
        """
        study_uid, _, number = name.rpartition(".")
        if not is_safe_uid(name):
            return False  # nothing of ours
        with self.database.write() as connection:
            study = Studies(connection).find(study_uid, lock=True)
            if study is not None and study.rejections >= int(number):
                return True
            trash.put_back(name)
        _log.warning("rejection_undone", study_ref=study_ref(study_uid))
        return False

    def _reject(self, connection: sa.Connection, study_uid: str, *, actor: str) -> Rejected:
        now = self.clock.now()
        study = Studies(connection).reject(study_uid)
        jobs = Jobs(connection).of_study(study_uid)
        images = [item.sop_instance_uid for item in Instances(connection).of_study(study_uid)]
        cancelled = tuple(job.job_id for job in jobs if job.state in UNFINISHED)
        for job_id in cancelled:
            Jobs(connection).apply(job_id, JobEvent.CANCELLED, at=now, detail="study rejected")
        delivered = _delivered(connection, jobs)
        deleted = delete_content(connection, study_uid)
        AuditTrail(connection).record(
            "study_rejected",
            at=now,
            actor=actor,
            subject=study_uid,
            detail={
                "cancelled": list(cancelled),
                "images": deleted.images,
                "results": deleted.results,
                "delivered": delivered,
            },
        )
        if images and not self.spool.studies_directory.is_dir():
            raise NotFoundError("the spool is not on this machine: reject the study where the node runs")
        name = f"{study_uid}.{study.rejections}"
        of_spool, of_results = self._trashes()
        of_spool.throw(name, self.spool.everything_of(study_uid, images))
        of_results.throw(name, [self.results_dir / job.job_id for job in jobs])
        return Rejected(study=study, cancelled=cancelled, deleted=deleted)

    def _trashes(self) -> tuple[Trash, Trash]:
        files = self.spool.files
        return (
            Trash(self.spool.directory, depth=2, file_system=files),
            Trash(self.results_dir, depth=1, file_system=files),
        )


def _delivered(connection: sa.Connection, jobs: Sequence[JobRecord]) -> dict[str, int]:
    """How many result objects each destination has."""
    deliveries = [item for job in jobs for item in Deliveries(connection).of_job(job.job_id)]
    return dict(Counter(item.destination for item in deliveries if item.state in _HAS_IT))
