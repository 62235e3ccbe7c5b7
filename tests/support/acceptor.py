"""An acceptor with its spool and database in one folder, for tests that send to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bmnode.domain.records import AuditEntry, StoredInstance, StudyRecord
from bmnode.scp import Acceptor, AcceptorOptions
from bmnode.spool import DueAt, JournalOptions, Spool
from bmnode.spool.filesystem import FileSystem
from bmnode.spool.journal import JOURNAL
from bmnode.storage import AuditTrail, Database, Instances, Studies
from bmnode.testing.clock import FakeClock
from tests.support.encoded import EncodedInstance
from tests.support.raw_peer import RawPeer

QUIET = timedelta(seconds=30)
SMALL_JOURNAL = JournalOptions(segment_bytes=1 << 22, ready=1)
"""Takes what tests send, and writes little beforehand."""
_SETTLE_S = 20.0


def after_quiet(_study: StudyRecord | None, at: datetime) -> datetime:
    """A quiet time without a ceiling."""
    return at + QUIET


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivingNode:
    """The acceptor, and what came of what was sent to it."""

    acceptor: Acceptor
    spool: Spool
    database: Database
    clock: FakeClock

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return self.acceptor.port

    def peer(self, *instances: EncodedInstance, calling_ae: str = "SCANNER", called_ae: str = "BMNODE") -> RawPeer:
        """An association that offers one context a (SOP class, transfer syntax) of the instances, in their order."""
        pairs = dict.fromkeys((item.sop_class_uid, item.transfer_syntax_uid) for item in instances)
        contexts = [(sop_class, (syntax,)) for sop_class, syntax in pairs]
        return RawPeer(self.port, contexts=contexts, calling_ae=calling_ae, called_ae=called_ae)

    def settle(self) -> None:
        """Wait until what was acknowledged has its file and row; a node that is stopped has."""
        assert self.acceptor.settle(_SETTLE_S), "the journal was not filed in time"

    def row(self, sop_instance_uid: str) -> StoredInstance | None:
        """The instance's row."""
        self.settle()
        with self.database.read() as connection:
            return Instances(connection).find(sop_instance_uid)

    def study(self, study_uid: str) -> StudyRecord | None:
        """The study's row."""
        self.settle()
        with self.database.read() as connection:
            return Studies(connection).find(study_uid)

    def audit(self, event: str) -> list[AuditEntry]:
        """The audit lines of one event."""
        self.settle()
        with self.database.read() as connection:
            return [entry for entry in AuditTrail(connection).entries() if entry.event == event]

    def data_set(self, instance: StoredInstance) -> bytes:
        """The data set's bytes in the spool."""
        return self.spool.path(instance.study_uid, instance.sop_instance_uid).read_bytes()[-instance.size_bytes :]

    def files(self) -> list[Path]:
        """Every file in the spool, temporaries included, once the journal is filed; not its segments."""
        self.settle()
        return sorted(
            path for path in self.spool.directory.rglob("*") if path.is_file() and path.parent.name != JOURNAL
        )


@contextmanager
def receiving_node(
    directory: Path,
    *,
    options: AcceptorOptions | None = None,
    file_system: FileSystem | None = None,
    quiet: DueAt = after_quiet,
) -> Iterator[ReceivingNode]:
    """Start an acceptor on a free port of loopback; stop it at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    database = Database(f"sqlite:///{directory / 'node.sqlite'}")
    database.migrate()
    spool = Spool(directory / "spool", min_free_bytes=0, file_system=file_system)
    clock = FakeClock()
    acceptor = Acceptor(
        options or AcceptorOptions(ae_title="BMNODE", bind="127.0.0.1", journal=SMALL_JOURNAL),
        spool=spool,
        database=database,
        clock=clock,
        quiet=quiet,
    )
    acceptor.start()
    try:
        yield ReceivingNode(acceptor=acceptor, spool=spool, database=database, clock=clock)
    finally:
        acceptor.stop(1.0)
        database.dispose()


def store(peer: RawPeer, instance: EncodedInstance, *, context_id: int = 1) -> int:
    """C-STORE an instance as what it is; returns the status."""
    return peer.store(
        instance.data_set,
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        context_id=context_id,
    )
