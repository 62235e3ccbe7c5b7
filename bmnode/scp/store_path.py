"""The way of a C-STORE request: from the socket into memory or a file, kept, answered (PS3.7 9.1.1, PS3.8 9.3.5)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from bmnode.scp.command import StoreCommand, read_store_command, store_response
from bmnode.scp.peer_socket import PeerSocket
from bmnode.spool import IncomingDataSet
from bmnode.spool.part10 import file_head

_PDATA = 0x04
_PDU_HEAD = struct.Struct(">BxL")
_PDV_HEAD = struct.Struct(">LBB")
_COMMAND, _LAST = 0x01, 0x02  # bits of the message control header, PS3.8 Annex E.2
_LONGEST_COMMAND = 1 << 14
"""Command sets are a few hundred bytes."""
_CONNECTION_CLOSED, _INVALID_PDU = "Evt17", "Evt19"  # PS3.8 Table 9-10


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came of a request."""

    status: int
    receipt: str | None = None
    """How it was kept, as the log says it; None where it was refused."""
    size_bytes: int = 0
    """Of the data set."""


class StoreService(Protocol):
    """What keeps instances. Called in the thread of the association's upper layer."""

    def data_set(self) -> IncomingDataSet:
        """Where an association's data sets go, one after the other."""
        ...

    def take_back(self, data_set: IncomingDataSet) -> None:
        """The association needs it no more; its memory may serve another."""
        ...

    def store(
        self, association: Association, command: StoreCommand, context: PresentationContext, data_set: IncomingDataSet
    ) -> Answer:
        """Keep the instance; what answers the request. Never raises."""
        ...

    def answered(self, association: Association, command: StoreCommand, answer: Answer) -> None:
        """The answer is on its way."""
        ...

    def end(self, association: Association, event: str) -> None:
        """Tell of a request after which the association is aborted."""
        ...


def transfer_syntax_of(context: PresentationContext) -> str:
    """The transfer syntax that an accepted context was given."""
    return str(context.transfer_syntax[0])


class _NotOursError(Exception):
    """What was read is for pynetdicom."""


class _IllegalError(Exception):
    """The peer broke the protocol: the association is aborted."""


class StorePath:
    """Reads C-STORE requests of one association.

    Args:
        association: accepted, its contexts known.
        store: keeps what arrives.
        is_interrupted: whether our own side wants the association to end.
    """

    def __init__(self, association: Association, *, store: StoreService, is_interrupted: Callable[[], bool]) -> None:
        self._association = association
        self._store = store
        self._is_interrupted = is_interrupted
        self._data_set: IncomingDataSet | None = None

    def serve(self, peer: PeerSocket) -> None:
        """Read one message: keep and answer it where it is a C-STORE request, give it back where it is not."""
        reader = _PdvReader(peer, longest_pdu=self._longest_pdu(), is_interrupted=self._is_interrupted)
        try:
            self._serve(peer, reader)
        except _NotOursError:
            peer.give_back(reader.consumed)
        except _IllegalError:
            self._association.dul.event_queue.put(_INVALID_PDU)
        except InterruptedError:
            return  # what ends the association waits in the upper layer's own queue
        except OSError:
            self._association.dul.event_queue.put(_CONNECTION_CLOSED)

    def close(self) -> None:
        """Nothing more comes."""
        data_set, self._data_set = self._data_set, None
        if data_set is not None:
            self._store.take_back(data_set)

    def _serve(self, peer: PeerSocket, reader: _PdvReader) -> None:
        context_id, command = self._read_command(reader)
        context = self._contexts().get(context_id)
        if context is None:
            raise _IllegalError
        reader.forget()
        if not (command.sop_class_uid and command.sop_instance_uid):
            # pynetdicom would leave it without an answer.
            self._store.end(self._association, "request_without_identifiers")
            raise _IllegalError
        data_set = self._data_set = self._data_set or self._store.data_set()
        data_set.begin(self._file_head(command, context))
        try:
            if command.has_data_set:
                self._read_data_set(reader, data_set, context_id=context_id)
            answer = self._store.store(self._association, command, context, data_set)
        finally:
            data_set.clear()
        peer.send(store_response(command, context_id=context_id, status=answer.status))
        self._store.answered(self._association, command, answer)

    def _file_head(self, command: StoreCommand, context: PresentationContext) -> bytes:
        return file_head(
            sop_class_uid=command.sop_class_uid,
            sop_instance_uid=command.sop_instance_uid,
            transfer_syntax_uid=transfer_syntax_of(context),
            source_ae=self._association.requestor.ae_title,
        )

    def _read_command(self, reader: _PdvReader) -> tuple[int, StoreCommand]:
        """(presentation context ID, request). Raises _NotOursError for every other message."""
        encoded = bytearray()
        first: int | None = None
        while True:
            context_id, control, length = reader.next_pdv()
            if not control & _COMMAND or first not in (None, context_id) or len(encoded) + length > _LONGEST_COMMAND:
                raise _NotOursError
            first = context_id
            encoded += reader.read(length)
            if control & _LAST:
                break
        command = read_store_command(encoded)
        if command is None or (reader.is_inside_pdu and not command.has_data_set):
            raise _NotOursError
        return context_id, command

    def _read_data_set(self, reader: _PdvReader, data_set: IncomingDataSet, *, context_id: int) -> None:
        """Read until the last fragment. Raises _IllegalError where something else comes in between."""
        while True:
            of, control, length = reader.next_pdv()
            if control & _COMMAND or of != context_id:
                raise _IllegalError
            while length:
                count = reader.read_into(data_set.room(length))
                data_set.taken(count)
                length -= count
            if data_set.is_endless:
                self._store.end(self._association, "endless_data_set")
                raise _IllegalError
            if control & _LAST:
                if reader.is_inside_pdu:
                    raise _IllegalError
                return

    def _contexts(self) -> Mapping[int, PresentationContext]:
        return self._association._accepted_cx

    def _longest_pdu(self) -> int:
        return int(self._association.acceptor.maximum_length or 0)


class _PdvReader:
    """Presentation data values one after the other, across PDUs (PS3.8 9.3.5.1).

    Args:
        peer: the connection.
        longest_pdu: as it was announced to the peer; 0 for no limit.
        is_interrupted: see `PeerSocket.read_into`.
    """

    def __init__(self, peer: PeerSocket, *, longest_pdu: int, is_interrupted: Callable[[], bool]) -> None:
        self._peer = peer
        self._longest_pdu = longest_pdu
        self._is_interrupted = is_interrupted
        self._left = 0
        self._deadline = peer.deadline()
        self._keeps = True
        self.consumed = bytearray()
        """Everything read so far, until `forget`."""

    @property
    def is_inside_pdu(self) -> bool:
        """Whether the PDU has more to come."""
        return self._left > 0

    def forget(self) -> None:
        """Nothing will be given back."""
        self._keeps = False
        self.consumed.clear()

    def next_pdv(self) -> tuple[int, int, int]:
        """(presentation context ID, message control header, length) of the next value, to be read then.

        Raises _NotOursError where another PDU begins, _IllegalError where lengths contradict each
        other or what was negotiated, OSError where the peer is gone or late.
        """
        if not self._left:
            self._deadline = self._peer.deadline()
            kind, self._left = _PDU_HEAD.unpack(self._exactly(_PDU_HEAD.size))
            if kind != _PDATA:
                if not self._keeps:
                    self._peer.give_back(_PDU_HEAD.pack(kind, self._left))
                raise _NotOursError
            if 0 < self._longest_pdu < self._left:
                raise _IllegalError
        length, context_id, control = _PDV_HEAD.unpack(self._exactly(_PDV_HEAD.size))
        self._left -= length + 4
        if length < 2 or self._left < 0:
            raise _IllegalError
        return context_id, control, length - 2

    def read(self, length: int) -> bytes:
        """So many bytes of a value."""
        return self._exactly(length)

    def read_into(self, view: memoryview) -> int:
        """Some bytes of a value into the view; how many. Raises OSError."""
        count = self._peer.read_into(view, deadline=self._deadline, is_interrupted=self._is_interrupted)
        if not count:
            raise ConnectionError("the peer closed the connection inside a message")
        return count

    def _exactly(self, length: int) -> bytes:
        here = self._peer.take(length)
        if here:
            if self._keeps:
                self.consumed += here
            return here
        data = bytearray(length)
        view = memoryview(data)
        at = 0
        while at < length:
            at += self.read_into(view[at:])
        if self._keeps:
            self.consumed += data
        return bytes(data)
