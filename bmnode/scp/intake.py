"""Taking instances in by the journal: durable in one flush, filed afterwards, and never twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bmnode.clock import Clock
from bmnode.errors import ConflictingInstanceError
from bmnode.scp.receiver import Receipt, Receiver, StoreRequest, identify
from bmnode.spool import IncomingDataSet, InstanceIdentity, Spool, file_journal
from bmnode.spool.filing import Filer
from bmnode.spool.journal import Journal, JournalEntry, JournalOptions
from bmnode.spool.part10 import file_head
from bmnode.storage import Database, InstanceLookup


class Intake:
    """Takes instances in, small ones by the journal, large ones as `Receiver` does.

    The order is the promise: the record is flushed to the journal; then the status. Its file and
    its row follow within moments, and after a crash at the next start. Until then the instance
    is known here, so that a second one of its SOP Instance UID is told apart from it as exactly
    as from one in the database.

    Args:
        receiver: keeps what is too large for the journal, and judges what the database knows.
        spool: where the journal and the files are.
        database: where rows are looked up and written.
        clock: dates what arrives.
        options: the journal's size; None: there is none, and `receiver` keeps everything.
    """

    def __init__(
        self,
        receiver: Receiver,
        *,
        spool: Spool,
        database: Database,
        clock: Clock,
        options: JournalOptions | None,
    ) -> None:
        self._receiver = receiver
        self._spool = spool
        self._database = database
        self._clock = clock
        self._is_journalled = options is not None
        self._journal = Journal(spool, options=options)
        self._filer = Filer(
            self._journal, spool=spool, database=database, clock=clock, due_at=receiver.due_at, filed=self._forget
        )
        self._lookup = InstanceLookup(database)
        self._changed = threading.Condition()
        self._held: dict[str, JournalEntry | None] = {}
        """SOP Instance UIDs that are not in the database yet; None while the first is still being received."""

    def start(self) -> None:
        """File what a journal holds from before. Raises OSError, SpoolFullError or SQLAlchemyError."""
        due_at = self._receiver.due_at
        file_journal(self._journal, spool=self._spool, database=self._database, clock=self._clock, due_at=due_at)
        self._held.clear()
        self._filer.start()

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything that was acknowledged has its file and its row; whether it has."""
        return self._filer.settle(timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """File what there is, for so long; whether all of it was. Nobody may be receiving any more."""
        is_filed = self._filer.stop(timeout_s)
        self._journal.close()
        return is_filed

    def incoming(self) -> IncomingDataSet:
        """Where an association's data sets go, one after the other."""
        return self._receiver.incoming()

    def take_back(self, data_set: IncomingDataSet) -> None:
        """An association needs it no more."""
        self._receiver.take_back(data_set)

    def receive(self, request: StoreRequest) -> Receipt:
        """Keep an instance; on return it may be acknowledged. Raises as `Receiver.receive` does."""
        if not self._is_journalled:
            return self._receiver.receive(request)
        identity = identify(request)
        with self._hold(identity.sop_instance_uid) as journalled:
            if journalled is not None and (same := self._is_same(request, journalled)) is not None:
                if not same:
                    raise ConflictingInstanceError("other bytes are kept under this SOP Instance UID; the first stay")
                return Receipt.REPEATED
            if journalled is not None:
                return self._receiver.receive(request)
            is_small = request.file is None and len(request.data_set) <= self._journal.largest_bytes
            if not is_small or self._lookup.is_known(identity.sop_instance_uid):
                return self._receiver.receive(request)
            self._append(request, identity)
            return Receipt.STORED

    @contextmanager
    def _hold(self, uid: str) -> Iterator[JournalEntry | None]:
        """Be the only one who receives this SOP Instance UID; what the journal holds of it, if anything."""
        with self._changed:
            self._changed.wait_for(lambda: self._held.get(uid, self) is not None)
            found = self._held.get(uid)
            if found is None:
                self._held[uid] = None
        try:
            yield found
        finally:
            if found is None:
                with self._changed:
                    if self._held.get(uid, self) is None:
                        del self._held[uid]
                    self._changed.notify_all()

    def _append(self, request: StoreRequest, identity: InstanceIdentity) -> None:
        data_set = memoryview(request.data_set)
        self._spool.prepare()
        self._spool.check_space(len(data_set))
        head = file_head(
            sop_class_uid=identity.sop_class_uid,
            sop_instance_uid=identity.sop_instance_uid,
            transfer_syntax_uid=identity.transfer_syntax_uid,
            source_ae=request.source_ae,
        )
        entry = self._journal.append(
            identity, source_ae=request.source_ae, received_at=self._clock.now(), file=(head, data_set)
        )
        self._journal.commit(entry)
        with self._changed:
            self._held[identity.sop_instance_uid] = entry
        self._filer.add(entry)

    def _is_same(self, request: StoreRequest, entry: JournalEntry) -> bool | None:
        """Whether an instance is the one in the journal; None where that was filed meanwhile. Raises OSError."""
        try:
            return self._journal.read(entry).data_set == request.data_set
        except OSError:
            with self._changed:
                if self._held.get(entry.identity.sop_instance_uid) is entry:
                    raise
            return None

    def _forget(self, entries: Sequence[JournalEntry]) -> None:
        """These are in the database now."""
        with self._changed:
            for entry in entries:
                self._held.pop(entry.identity.sop_instance_uid, None)
            self._changed.notify_all()
