"""The spool and the database made to agree when the node starts.

Nothing that was acknowledged is missing from either, unless somebody took it away: it is in the
journal until its file and then its row are durable. What a crash can leave is a journal that is
not filed, which is filed first; a temporary file, which nobody was promised; or a file whose row
was not committed, which is adopted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from pydicom.errors import InvalidDicomError

from bmnode.clock import Clock
from bmnode.domain.records import StoredInstance
from bmnode.errors import MalformedInstanceError
from bmnode.observe.references import instance_ref
from bmnode.spool.arrivals import record_arrival, stored_instance
from bmnode.spool.filing import file_records
from bmnode.spool.inspect import inspect_data_set
from bmnode.spool.journal import Journal
from bmnode.spool.part10 import read_file
from bmnode.spool.records import JournalRecord
from bmnode.spool.writer import SUFFIX, TEMPORARY_SUFFIX, Spool
from bmnode.storage import AuditTrail, Database, DueAt, Instances

ACTOR = "replay"
_SUBJECT_LENGTH = 128
_BATCH_BYTES = 1 << 24
_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayReport:
    """What replay found: counts for the log, identifiers for the administrator."""

    temporaries_removed: int
    adopted: tuple[str, ...]
    """SOP Instance UIDs of files that had no row."""
    missing: tuple[str, ...]
    """SOP Instance UIDs of rows that have no file."""
    quarantined: tuple[Path, ...]
    """Where files went that cannot be read as what their name says."""
    journalled: int = 0
    """How many instances were in the journal, not known to be filed."""


def replay(spool: Spool, *, database: Database, clock: Clock, due_at: DueAt) -> ReplayReport:
    """Clear temporaries, adopt files without a row, report rows without a file. Before the acceptor starts.

    Raises OSError or SpoolFullError where the spool cannot be made or read.
    """
    spool.prepare()
    removed = _clear_temporaries(spool)
    journal = Journal(spool)
    journalled = file_journal(journal, spool=spool, database=database, clock=clock, due_at=due_at)
    journal.close()
    with database.read() as connection:
        known = set(Instances(connection).uids())
        deleted = set(Instances(connection).uids(deleted=True))
    adopted: list[str] = []
    quarantined: list[Path] = []
    files = sorted(spool.studies_directory.glob(f"*/*{SUFFIX}"))
    for path in files:
        if (path.parent.name, path.stem) in known:
            continue
        try:
            instance = _read(path, received_at=clock.now())
        except (MalformedInstanceError, InvalidDicomError, AttributeError) as error:
            quarantined.append(_quarantine(spool, path, database=database, clock=clock, reason=type(error).__name__))
        else:
            with database.write() as connection:
                record_arrival(connection, instance, due_at=due_at, event="instance_adopted")
            _LOG.warning("instance_adopted", instance_ref=instance_ref(instance.sop_instance_uid))
            adopted.append(instance.sop_instance_uid)
    present = {(path.parent.name, path.stem) for path in files}
    missing = tuple(sorted(sop_instance_uid for _, sop_instance_uid in known - deleted - present))
    _report_missing(missing, database=database, clock=clock)
    return ReplayReport(
        temporaries_removed=removed,
        adopted=tuple(adopted),
        missing=missing,
        quarantined=tuple(quarantined),
        journalled=journalled,
    )


def file_journal(journal: Journal, *, spool: Spool, database: Database, clock: Clock, due_at: DueAt) -> int:
    """Give everything that a journal left behind its file and row, then empty it; how many instances that were.

    Raises OSError, SpoolFullError or SQLAlchemyError; the journal then stays as it is.
    """
    last = {record.identity.sop_instance_uid: number for number, record in enumerate(journal.recover())}
    batch: list[JournalRecord] = []
    for number, record in enumerate(journal.recover()):
        if last[record.identity.sop_instance_uid] == number:
            batch.append(record)
        if sum(len(item.content) for item in batch) >= _BATCH_BYTES:
            file_records(batch, spool=spool, database=database, clock=clock, due_at=due_at)
            batch.clear()
    if batch:
        file_records(batch, spool=spool, database=database, clock=clock, due_at=due_at)
    journal.clear()
    if last:
        _LOG.warning("journal_replayed", instances=len(last))
    return len(last)


def _clear_temporaries(spool: Spool) -> int:
    """Nothing under a temporary name was acknowledged: its sender still has it."""
    temporaries = list(spool.incoming_directory.glob(f"*{TEMPORARY_SUFFIX}"))
    for path in temporaries:
        path.unlink()
    return len(temporaries)


def _read(path: Path, *, received_at: datetime) -> StoredInstance:
    """The row of a file, by what is in it. Raises MalformedInstanceError where that is not what its name says."""
    meta, data_set = read_file(path)
    identity = inspect_data_set(data_set, transfer_syntax_uid=str(meta.TransferSyntaxUID))
    if (identity.study_uid, identity.sop_instance_uid) != (path.parent.name, path.stem):
        raise MalformedInstanceError("the file's name and its identifiers differ")
    return stored_instance(
        identity,
        sha256=hashlib.sha256(data_set).hexdigest(),
        size_bytes=len(data_set),
        source_ae=str(meta.SourceApplicationEntityTitle),
        received_at=received_at,
    )


def _quarantine(spool: Spool, path: Path, *, database: Database, clock: Clock, reason: str) -> Path:
    """Keep a file that cannot be read where it disturbs nobody, and say so."""
    target = spool.quarantine(path)
    with database.write() as connection:
        AuditTrail(connection).record(
            "spool_file_quarantined",
            at=clock.now(),
            actor=ACTOR,
            subject=path.stem[:_SUBJECT_LENGTH],
            outcome="failure",
            detail={"reason": reason},
        )
    _LOG.error("spool_file_quarantined", instance_ref=instance_ref(path.stem), reason=reason)
    return target


def _report_missing(sop_instance_uids: tuple[str, ...], *, database: Database, clock: Clock) -> None:
    if not sop_instance_uids:
        return
    with database.write() as connection:
        for uid in sop_instance_uids:
            AuditTrail(connection).record(
                "instance_file_missing", at=clock.now(), actor=ACTOR, subject=uid, outcome="failure"
            )
    _LOG.error("instance_files_missing", count=len(sop_instance_uids))
