"""C-STORE and C-ECHO as the SCU: what a destination answered, object by object (PS3.4 B.2, PS3.7 9.1)."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless
from pynetdicom import AE, VerificationPresentationContexts, build_context, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from bmnode.clock import Clock
from bmnode.delivery.presentation import PLAIN_SYNTAXES, Outgoing, SyntaxPair, batches
from bmnode.domain.peers import Peer, check_ae_title
from bmnode.errors import AssociationRejectedError, PeerRefusedError, PeerUnreachableError
from bmnode.reactor_gate import hold_while_waiting
from bmnode.tls import TlsFiles, call_by_tls

SUCCESS = 0x0000
WARNING_STATUSES = frozenset({0xB000, 0xB006, 0xB007})
"""Stored, with coercion, elements discarded, or a data set that does not match its class (PS3.4 Table B.2-1)."""
_ABSTRACT_SYNTAX_NOT_SUPPORTED = 0x03  # PS3.8 Table 9-18


class SendOutcome(StrEnum):
    """What became of one object."""

    ACCEPTED = "accepted"
    ACCEPTED_WITH_WARNING = "accepted_with_warning"
    REFUSED_STATUS = "refused_status"
    REFUSED_SOP_CLASS = "refused_sop_class"
    REFUSED_TRANSFER_SYNTAX = "refused_transfer_syntax"
    REFUSED_REQUEST = "refused_request"
    """By a web server, before it looked at the object."""
    NOT_ANSWERED = "not_answered"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, kw_only=True, slots=True)
class SendResult:
    """One object's fate at the peer. `detail` is for people and free of patient identity."""

    path: Path
    outcome: SendOutcome
    detail: str
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    transfer_syntax_uid: str | None = None
    """The transfer syntax it was sent in; None where it was not sent."""
    status: int | None = None
    """The C-STORE response's status, or the reason that a STOW-RS response gives; None where there was none."""

    @property
    def accepted(self) -> bool:
        """Whether the peer has the object now."""
        return self.outcome in {SendOutcome.ACCEPTED, SendOutcome.ACCEPTED_WITH_WARNING}

    @property
    def retryable(self) -> bool:
        """Whether sending the same again later may succeed: no answer, out of resources, processing failure."""
        if self.outcome is SendOutcome.NOT_ANSWERED:
            return True
        return self.outcome is SendOutcome.REFUSED_STATUS and _is_passing(self.status)


@dataclass(frozen=True, kw_only=True, slots=True)
class EchoResult:
    """A peer's answer to C-ECHO."""

    peer: str
    round_trip_s: float
    """From the request for an association to the C-ECHO response, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SenderTimeouts:
    """How long to wait, in seconds: for TCP, for the association's answers, for a DIMSE response, for any PDU."""

    connect_s: float = 10.0
    acse_s: float = 30.0
    dimse_s: float = 120.0
    network_s: float = 60.0

    def __post_init__(self) -> None:
        if min(self.connect_s, self.acse_s, self.dimse_s, self.network_s) <= 0:
            raise ValueError("time-outs are positive")


class Sender(Protocol):
    """How delivery reaches a peer."""

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """Send the files, one result a file in their order. Raises PeerUnreachableError without an association."""
        ...

    def takes(self, peer: Peer, paths: Sequence[Path]) -> bool:
        """Whether the peer accepts a presentation context for every file. Nothing is sent.

        Raises PeerUnreachableError without an association, ValueError where a file is no DICOM file.
        """
        ...


class CStoreSender:
    """Sends over one association a batch, each object in its own transfer syntax where the peer takes it.

    Args:
        ae_title: the calling AE title, which the peer must know.
        clock: measures the round trip.
        timeouts: how long to wait for what.
        tls: the node's certificate, for peers that are called by TLS.
    """

    def __init__(
        self,
        ae_title: str,
        *,
        clock: Clock,
        timeouts: SenderTimeouts | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        self._ae_title = check_ae_title(ae_title)
        self._clock = clock
        self._timeouts = timeouts or SenderTimeouts()
        self._tls = tls

    def echo(self, peer: Peer) -> EchoResult:
        """C-ECHO. Raises PeerUnreachableError without an association or answer, PeerRefusedError on any other."""
        started = self._clock.monotonic_s()
        association = self._associate(peer, VerificationPresentationContexts)
        if not association.is_established:
            raise PeerRefusedError(f"{_called(peer)} does not accept verification (C-ECHO)")
        try:
            status = _status(association.send_c_echo())
        finally:
            association.release()
        if status is None:
            raise PeerUnreachableError(f"{_called(peer)} took the association and did not answer C-ECHO")
        if status != SUCCESS:
            raise PeerRefusedError(f"{_called(peer)} answered C-ECHO with status 0x{status:04X}", status=status)
        return EchoResult(peer=peer.name, round_trip_s=self._clock.monotonic_s() - started)

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """C-STORE the files, one result a file in their order.

        An association that breaks midway raises nothing: what was answered stays answered, the
        rest is `NOT_ANSWERED`. Raises PeerUnreachableError where no association could be made.
        """
        results: dict[int, SendResult] = {}
        readable: dict[int, Outgoing] = {}
        for position, path in enumerate(paths):
            try:
                readable[position] = Outgoing.from_file(path)
            except ValueError as error:
                results[position] = SendResult(path=path, outcome=SendOutcome.UNREADABLE, detail=str(error))
        sent: list[SendResult] = []
        for objects, pairs in batches(tuple(readable.values())):
            try:
                sent.extend(self._send_batch(peer, objects, pairs))
            except PeerUnreachableError as error:
                if not sent:
                    raise
                sent.extend(_not_sent(item, outcome=SendOutcome.NOT_ANSWERED, detail=str(error)) for item in objects)
        results.update(zip(readable, sent, strict=True))
        return tuple(results[position] for position in range(len(paths)))

    def takes(self, peer: Peer, paths: Sequence[Path]) -> bool:
        """Whether the peer accepts a presentation context for every file. Nothing is sent.

        Raises PeerUnreachableError without an association, ValueError where a file is no DICOM file.
        """
        for objects, pairs in batches([Outgoing.from_file(path) for path in paths]):
            association = self._associate(peer, [build_context(sop_class, syntax) for sop_class, syntax in pairs])
            accepted = _accepted(association)
            if association.is_established:
                association.release()
            if any(item.choose(accepted) is None for item in objects):
                return False
        return True

    def refused_classes(self, peer: Peer, sop_class_uids: Sequence[str]) -> tuple[str, ...]:
        """Of these SOP classes, those for which the peer accepts no plain transfer syntax. Nothing is sent.

        Raises PeerUnreachableError without an association.
        """
        association = self._associate(peer, [build_context(uid, list(PLAIN_SYNTAXES)) for uid in sop_class_uids])
        accepted = {sop_class for sop_class, _ in _accepted(association)}
        if association.is_established:
            association.release()
        return tuple(uid for uid in sop_class_uids if uid not in accepted)

    def _send_batch(
        self, peer: Peer, objects: Sequence[Outgoing], pairs: Sequence[SyntaxPair]
    ) -> tuple[SendResult, ...]:
        contexts = [build_context(sop_class, syntax) for sop_class, syntax in pairs]
        association = self._associate(peer, contexts)
        accepted = _accepted(association)
        unknown = {
            str(item.abstract_syntax)
            for item in association.rejected_contexts
            if item.result == _ABSTRACT_SYNTAX_NOT_SUPPORTED
        }
        results: list[SendResult] = []
        try:
            for item in objects:
                if results and results[-1].outcome is SendOutcome.NOT_ANSWERED:
                    # pynetdicom would wait the whole time limit again, object by object.
                    detail = "not sent: the association was lost"
                    results.append(_not_sent(item, outcome=SendOutcome.NOT_ANSWERED, detail=detail))
                    continue
                syntax = item.choose(accepted)
                if syntax is None:
                    results.append(_refused(item, sop_class_unknown=item.sop_class_uid in unknown))
                else:
                    results.append(_store(association, item, syntax))
        finally:
            if association.is_established:
                association.release()
        return tuple(results)

    def _associate(self, peer: Peer, contexts: list[PresentationContext]) -> Association:
        """An association; not established only where the peer refused every presentation context."""
        ae = AE(ae_title=self._ae_title)
        ae.connection_timeout = self._timeouts.connect_s
        ae.acse_timeout = self._timeouts.acse_s
        ae.dimse_timeout = self._timeouts.dimse_s
        ae.network_timeout = self._timeouts.network_s
        association = ae.associate(
            peer.host,
            peer.port,
            contexts=contexts,
            ae_title=peer.ae_title,
            evt_handlers=[(evt.EVT_CONN_OPEN, send_without_delay)],
            tls_args=call_by_tls(peer, self._tls),
        )
        if association.is_rejected:
            raise _rejection(peer, association)
        if not association.is_established and not association.rejected_contexts:
            checks = "host, port, AE titles and certificates" if peer.tls else "host, port and AE titles"
            raise PeerUnreachableError(f"no association with {_called(peer)}: check {checks}")
        hold_while_waiting(association)
        return association


def _rejection(peer: Peer, association: Association) -> PeerUnreachableError:
    answer = association.acceptor.primitive
    if answer is None or answer.result is None or answer.result_source is None or answer.diagnostic is None:
        return PeerUnreachableError(f"{_called(peer)} rejected the association: no reason given")
    return AssociationRejectedError(
        f"{_called(peer)} rejected the association: {answer.reason_str}",
        reason=(answer.result, answer.result_source, answer.diagnostic),
    )


def _accepted(association: Association) -> set[SyntaxPair]:
    return {(str(item.abstract_syntax), str(item.transfer_syntax[0])) for item in association.accepted_contexts}


def send_without_delay(event: evt.Event) -> None:
    """Turn Nagle's algorithm off on a new connection (a handler of `evt.EVT_CONN_OPEN`).

    A C-STORE is two small writes before a read; with Nagle on, every object waits about
    40 ms for the peer's delayed acknowledgement.
    """
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _store(association: Association, item: Outgoing, syntax: str) -> SendResult:
    status = None
    try:
        # A file at a time and never all of them: a study of many slices must not fill the memory.
        status = _status(association.send_c_store(_as_sent(item, syntax)))
        outcome, detail = _judge(status)
    except RuntimeError:  # what pynetdicom raises where the association is gone
        outcome, detail = SendOutcome.NOT_ANSWERED, "the association was lost"
    except (ValueError, AttributeError, OSError) as error:
        outcome, detail = SendOutcome.UNREADABLE, f"cannot be encoded for sending ({type(error).__name__})"
    return SendResult(
        path=item.path,
        outcome=outcome,
        detail=detail,
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=None if status is None else syntax,
        status=status,
    )


def _as_sent(item: Outgoing, syntax: str) -> Dataset:
    """The file as a data set that pynetdicom encodes in this transfer syntax."""
    dataset = dcmread(item.path)
    if item.transfer_syntax_uid == RLELossless != syntax:
        dataset.decompress(generate_instance_uid=False)  # lossless: it stays the same instance
    elif item.transfer_syntax_uid == DeflatedExplicitVRLittleEndian and syntax == ExplicitVRLittleEndian:
        # pynetdicom would take the deflated context where the peer accepted both
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _judge(status: int | None) -> tuple[SendOutcome, str]:
    if status is None:
        return SendOutcome.NOT_ANSWERED, "the peer did not answer"
    if status == SUCCESS:
        return SendOutcome.ACCEPTED, "stored"
    if status in WARNING_STATUSES:
        return SendOutcome.ACCEPTED_WITH_WARNING, f"stored with warning 0x{status:04X}"
    return SendOutcome.REFUSED_STATUS, f"refused with status 0x{status:04X}"


def _refused(item: Outgoing, *, sop_class_unknown: bool) -> SendResult:
    if sop_class_unknown:
        return _not_sent(item, outcome=SendOutcome.REFUSED_SOP_CLASS, detail=f"refused: SOP class {item.sop_class_uid}")
    detail = f"refused: transfer syntax {item.transfer_syntax_uid}"
    return _not_sent(item, outcome=SendOutcome.REFUSED_TRANSFER_SYNTAX, detail=detail)


def _not_sent(item: Outgoing, *, outcome: SendOutcome, detail: str) -> SendResult:
    return SendResult(
        path=item.path,
        outcome=outcome,
        detail=detail,
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
    )


def _status(response: object) -> int | None:
    """The response's status; pynetdicom gives an empty data set where none came."""
    status = getattr(response, "Status", None)
    return None if status is None else int(status)


def _is_passing(status: int | None) -> bool:
    """Out of resources (A7xx, PS3.4 Table B.2-1) or processing failure (0110, PS3.7 C.5.8)."""
    return status is not None and (status == 0x0110 or status & 0xFF00 == 0xA700)


def _called(peer: Peer) -> str:
    return f"peer {peer.name} ({peer.ae_title} at {peer.host}:{peer.port})"
