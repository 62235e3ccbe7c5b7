"""One instance from the wire into spool and database. Knows nothing of the network."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import sqlalchemy as sa

from bmnode.clock import Clock
from bmnode.errors import ConflictingInstanceError, MalformedInstanceError, MismatchedInstanceError
from bmnode.spool import (
    DueAt,
    GrowingFile,
    IncomingDataSet,
    InstanceIdentity,
    Spool,
    StagedFile,
    inspect_data_set,
    record_arrival,
    stored_instance,
)
from bmnode.spool.incoming import LONGEST_DATA_SET
from bmnode.storage import AuditTrail, Database, Instances, Studies

_IDLE_BUFFERS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreRequest:
    """A C-STORE request, as the command set and the association tell it (PS3.7 9.1.1)."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae: str
    data_set: bytes | memoryview
    file: GrowingFile | None = None
    """The file that holds the data set behind its head already, where it came in one."""


class Receipt(StrEnum):
    """What became of an instance that may be acknowledged."""

    STORED = "stored"
    REPEATED = "repeated"
    """The same bytes were stored before: nothing changed."""


class InstanceReceiver(Protocol):
    """What keeps instances that arrive."""

    def incoming(self) -> IncomingDataSet:
        """Where an association's data sets go, one after the other."""
        ...

    def take_back(self, data_set: IncomingDataSet) -> None:
        """An association needs it no more."""
        ...

    def receive(self, request: StoreRequest) -> Receipt:
        """Keep an instance; on return it may be acknowledged."""
        ...


class Receiver:
    """Takes instances in.

    The order is the promise: the file is whole and synced under a temporary name; then, in one
    transaction, the row, the study's count and the audit line are written, the file gets its
    name and the directory is synced; then the commit; then the status. So an acknowledged
    instance has its file and its row. A commit that fails after the rename leaves a file without
    a row, which nobody was promised: it is replaced when the sender tries again, or adopted by
    `bmnode.spool.replay` at the next start. A row without a file cannot come about.

    Args:
        spool: where files go.
        database: where rows go.
        clock: dates them.
        due_at: when the study is to be judged after this image; see `bmnode.spool.DueAt`.
        longest_bytes: a data set that is longer never ends.
    """

    def __init__(
        self, spool: Spool, *, database: Database, clock: Clock, due_at: DueAt, longest_bytes: int = LONGEST_DATA_SET
    ) -> None:
        self._spool = spool
        self._database = database
        self._clock = clock
        self._longest_bytes = longest_bytes
        self.due_at = due_at
        """When a study is to be judged after an image."""
        self._idle: deque[IncomingDataSet] = deque(maxlen=_IDLE_BUFFERS)

    def incoming(self) -> IncomingDataSet:
        """Where an association's data sets go, one after the other."""
        try:
            return self._idle.pop()
        except IndexError:
            return IncomingDataSet(self._spool, longest_bytes=self._longest_bytes)

    def take_back(self, data_set: IncomingDataSet) -> None:
        """An association needs it no more; its memory serves the next one."""
        self._idle.append(data_set)

    def receive(self, request: StoreRequest) -> Receipt:
        """Keep an instance; on return it may be acknowledged.

        Raises:
            MalformedInstanceError: there is no data set, or it is broken or cut short.
            MismatchedInstanceError: command set and data set do not name the same instance.
            ConflictingInstanceError: other bytes are kept under this SOP Instance UID.
            SpoolFullError: there is no room.
            OSError, sqlalchemy.exc.SQLAlchemyError: disk or database failed.
        """
        identity = identify(request)
        staged = self._stage(request, identity)
        try:
            with self._database.write() as connection:
                receipt = self._record(connection, staged, identity=identity, source_ae=request.source_ae)
        finally:
            self._spool.discard(staged)
        if receipt is None:
            raise ConflictingInstanceError("other bytes are kept under this SOP Instance UID; the first stay")
        return receipt

    def _stage(self, request: StoreRequest, identity: InstanceIdentity) -> StagedFile:
        if request.file is None:
            return self._spool.stage(request.data_set, identity=identity, source_ae=request.source_ae)
        return self._spool.stage_file(request.file, memoryview(request.data_set), identity=identity)

    def _record(
        self, connection: sa.Connection, staged: StagedFile, *, identity: InstanceIdentity, source_ae: str
    ) -> Receipt | None:
        """Write the row and publish the file, or say that both are there; None where they contradict."""
        known = Instances(connection).find(identity.sop_instance_uid)
        now = self._clock.now()
        if known is None:
            instance = stored_instance(
                identity, sha256=staged.sha256, size_bytes=staged.size_bytes, source_ae=source_ae, received_at=now
            )
            record_arrival(connection, instance, due_at=self.due_at, event="instance_stored")
            self._spool.publish(staged)
            return Receipt.STORED
        if known.sha256 != staged.sha256:
            return None
        if known.deleted_at is None and self._spool.has(known.study_uid, known.sop_instance_uid):
            return Receipt.REPEATED
        AuditTrail(connection).record("instance_file_restored", at=now, actor=source_ae, subject=known.sop_instance_uid)
        if known.deleted_at is not None:
            # First: it locks the study, so that nobody removes the file that is published below.
            Studies(connection).image_restored(known.study_uid, source_ae=source_ae, at=now, due_at=self.due_at)
            Instances(connection).restore(known.sop_instance_uid)
        self._spool.publish(staged)
        return Receipt.REPEATED


def identify(request: StoreRequest) -> InstanceIdentity:
    """Who the data set says it is, which is what the request says.

    Raises MalformedInstanceError or MismatchedInstanceError.
    """
    if not request.data_set:
        raise MalformedInstanceError("the request has no data set")
    identity = inspect_data_set(request.data_set, transfer_syntax_uid=request.transfer_syntax_uid)
    _check_match(request, identity)
    return identity


def _check_match(request: StoreRequest, identity: InstanceIdentity) -> None:
    """PS3.4 B.2.3: the command set's SOP Class and Instance are those of the data set."""
    if request.sop_class_uid != identity.sop_class_uid:
        raise MismatchedInstanceError("SOP Class UID (0008,0016) is not the one that the request names")
    if request.sop_instance_uid != identity.sop_instance_uid:
        raise MismatchedInstanceError("SOP Instance UID (0008,0018) is not the one that the request names")
