"""From the journal to files and rows, behind the back of the senders."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Sequence

import sqlalchemy as sa
import structlog

from bmnode.clock import Clock
from bmnode.observe.references import instance_ref
from bmnode.spool.arrivals import record_arrivals, stored_instance
from bmnode.spool.journal import Journal, JournalEntry
from bmnode.spool.records import JournalRecord
from bmnode.spool.writer import Spool
from bmnode.storage import AuditLine, AuditTrail, Database, DueAt, Instances, Studies

ACTOR = "journal"
_STORED = "instance_stored"
_BATCH_INSTANCES, _BATCH_BYTES = 256, 1 << 23
_RETRY_S = 0.5
_FULL_BYTES = 1 << 25
"""[P] So much waits at most: half of a segment."""
LULL_S = 0.05
"""[P] Nothing came for so long: whoever waits for an answer is not held up by filing."""
LONGEST_S = 1.0
"""[P] Longest that an instance waits for a lull; far less than any quiet time of a study."""
_LOG = structlog.get_logger(__name__)


def file_records(
    records: Sequence[JournalRecord], *, spool: Spool, database: Database, clock: Clock, due_at: DueAt
) -> None:
    """Give records their files and then their rows, durably; those that have them already are left as they are.

    Of several records of one SOP Instance UID the last counts: an earlier one with other bytes
    was never acknowledged, or the later would have been refused.

    Raises OSError, SpoolFullError or SQLAlchemyError; then it may be done again.
    """
    latest = {record.identity.sop_instance_uid: record for record in records}
    with database.read() as connection:
        known = Instances(connection).find_all(tuple(latest))
        for uid in _rejected_since(connection, [record for uid, record in latest.items() if uid not in known]):
            del latest[uid]
    arrived = []
    for uid, record in latest.items():
        instance = stored_instance(
            record.identity,
            sha256=hashlib.sha256(record.data_set).hexdigest(),
            size_bytes=len(record.data_set),
            source_ae=record.source_ae,
            received_at=record.received_at,
        )
        row = known.get(uid)
        if row is None:
            arrived.append(instance)
        elif row.sha256 != instance.sha256:
            _set_aside(record, spool=spool, database=database, clock=clock)
            continue
        if row is None or not spool.has(row.study_uid, uid):
            spool.put(record.content, study_uid=record.identity.study_uid, sop_instance_uid=uid)
    spool.sync()
    if arrived:
        with database.write() as connection:
            record_arrivals(connection, arrived, due_at=due_at, event=_STORED)
            # Looked at under the lock: with a rejection of the study in between, the files have gone.
            if not all(spool.has(item.study_uid, item.sop_instance_uid) for item in arrived):
                raise FileNotFoundError("a file was deleted before its row was written")


def _rejected_since(connection: sa.Connection, records: Sequence[JournalRecord]) -> Sequence[str]:
    """Those that were filed once and deleted with their study: that the journal still has them brings them not back.

    The trail knows them by the very moment of their receipt; the same image that came again has another.
    """
    studies = Studies(connection)
    of_study = {record.identity.study_uid for record in records}
    rejected = {uid for uid in of_study if (study := studies.find(uid)) is not None and study.rejections}
    suspects = [record for record in records if record.identity.study_uid in rejected]
    if not suspects:
        return ()
    uids = [record.identity.sop_instance_uid for record in suspects]
    told = AuditTrail(connection).times(_STORED, subjects=uids)
    return [uid for uid, record in zip(uids, suspects, strict=True) if (uid, record.received_at) in told]


def _set_aside(record: JournalRecord, *, spool: Spool, database: Database, clock: Clock) -> None:
    """Other bytes than the row tells of: nobody can say how they came here, so they are kept and told of."""
    uid = record.identity.sop_instance_uid
    spool.put_aside(record.content, name=f"{uid}.{hashlib.sha256(record.data_set).hexdigest()[:16]}")
    line = AuditLine(event="journal_conflict", at=clock.now(), actor=ACTOR, subject=uid, outcome="failure")
    with database.write() as connection:
        AuditTrail(connection).record_all((line,))
    _LOG.error("journal_conflict", instance_ref=instance_ref(uid))


class Filer:
    """The thread that files what was committed to the journal.

    It files in batches, and rather when nobody is being answered: a batch shares its flush and its transaction, and
    what it computes and flushes would otherwise be waited for by the senders.
    What cannot be filed, because disk or database fail, is tried again until it can: it is
    durable in the journal, and when that is full nothing more is acknowledged.

    Args:
        journal: where instances lie.
        spool: where their files go.
        database: where their rows go.
        clock: dates what is told.
        due_at: when a study is to be judged after an image.
        filed: called with what has its file and its row.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        spool: Spool,
        database: Database,
        clock: Clock,
        due_at: DueAt,
        filed: Callable[[Sequence[JournalEntry]], None],
    ) -> None:
        self._journal = journal
        self._spool = spool
        self._database = database
        self._clock = clock
        self._due_at = due_at
        self._changed = threading.Condition()
        self._waiting: deque[JournalEntry] = deque()
        self._waiting_bytes = 0
        self._filing = 0
        self._hurried = 0
        """How many wait for everything to be filed."""
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self._filed = filed

    def start(self) -> None:
        """Start the thread."""
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="bmnode-filer", daemon=True)
        self._thread.start()

    def add(self, entry: JournalEntry) -> None:
        """An entry that is committed."""
        with self._changed:
            self._waiting.append(entry)
            self._waiting_bytes += entry.length
            if len(self._waiting) == 1 or self._is_batch_full():
                self._changed.notify_all()

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything that was added is filed; whether it is."""
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._waiting and not self._filing, timeout=timeout_s)
            finally:
                self._hurried -= 1

    def stop(self, timeout_s: float) -> bool:
        """File what waits, then end the thread; whether all was filed. The rest is filed at the next start."""
        is_settled = self.settle(timeout_s)
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return is_settled

    def _run(self) -> None:
        most = _BATCH_INSTANCES
        self._make_ready()
        while batch := self._next(most):
            is_filed = self._file(batch)
            # After trouble one at a time, in turns: what cannot be filed does not hold up the rest.
            most = min(most * 2, _BATCH_INSTANCES) if is_filed else 1
            with self._changed:
                self._filing = 0
                if not is_filed:
                    self._waiting.extend(batch)
                    self._waiting_bytes += sum(entry.length for entry in batch)
                    self._changed.wait_for(lambda: self._is_stopping, timeout=_RETRY_S)
                self._changed.notify_all()
            self._make_ready()

    def _make_ready(self) -> None:
        """Use the time while nothing waits. What is not made ready is made when it is needed."""
        try:
            while not (self._waiting or self._is_stopping) and self._journal.make_ready():
                pass
        except Exception as error:  # noqa: BLE001 - the loop's boundary: filing goes on without
            _LOG.warning("journal_not_ready", error=type(error).__name__)

    def _next(self, most: int) -> Sequence[JournalEntry]:
        """What to file next; nothing when it is time to end."""
        batch: list[JournalEntry] = []
        size = 0
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopping)
            self._gather()
            if self._is_stopping:
                return ()
            while self._waiting and len(batch) < most and size < _BATCH_BYTES:
                batch.append(self._waiting.popleft())
                size += batch[-1].length
            self._waiting_bytes -= size
            self._filing = len(batch)
        return batch

    def _gather(self) -> None:
        """Wait for a lull, a whole batch, or until the first has waited long enough."""
        for _ in range(round(LONGEST_S / LULL_S)):
            seen = self._waiting_bytes
            is_due = self._changed.wait_for(
                lambda: self._is_stopping or self._hurried or self._is_batch_full(), timeout=LULL_S
            )
            if is_due or self._waiting_bytes == seen:
                return

    def _is_batch_full(self) -> bool:
        return len(self._waiting) >= _BATCH_INSTANCES or self._waiting_bytes >= _FULL_BYTES

    def _file(self, entries: Sequence[JournalEntry]) -> bool:
        """Whether it worked."""
        try:
            records = [self._journal.read(entry) for entry in entries]
            file_records(records, spool=self._spool, database=self._database, clock=self._clock, due_at=self._due_at)
            self._journal.filed(entries)
        except Exception as error:  # noqa: BLE001 - the loop's boundary: what is in the journal waits for the next try
            _LOG.error("filing_failed", instances=len(entries), error=type(error).__name__)
            return False
        self._filed(entries)
        return True
