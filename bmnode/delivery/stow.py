"""STOW-RS as the user agent: what a DICOMweb destination answered, object by object (PS3.18 10.5)."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import requests
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from bmnode.delivery.presentation import Outgoing
from bmnode.delivery.sender import SendOutcome, SendResult
from bmnode.delivery.stow_answer import ANSWERED, TOO_LARGE, Judgement, UnreadableAnswerError, is_passing, read_answer
from bmnode.dicomweb import WebSessions
from bmnode.domain.peers import Peer
from bmnode.errors import PeerUnreachableError
from bmnode.tls import TlsFiles

MOST_OBJECTS, MOST_BYTES = 64, 256 << 20
"""[P] Of one request. A larger object goes alone."""
_TIMEOUTS_S = (10.0, 120.0)  # to connect and for each piece that is sent; for the answer
_LONGEST_ANSWER = 16 << 20
_CHUNK = 1 << 18


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """One object of a request: its file, open, in the transfer syntax in which it goes."""

    item: Outgoing
    file: IO[bytes]
    size: int
    transfer_syntax_uid: str


class _Multipart:
    """A multipart/related body (RFC 2387, PS3.18 8.6.1.2) that is read from the files while it is sent."""

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts
        boundary = secrets.token_hex(16)
        self._head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._end = f"--{boundary}--\r\n".encode()
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'

    def __len__(self) -> int:
        return sum(len(self._head) + part.size + 2 for part in self._parts) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            yield self._head
            part.file.seek(0)
            while chunk := part.file.read(_CHUNK):
                yield chunk
            yield b"\r\n"
        yield self._end


class StowSender:
    """Sends by DICOMweb; the arguments are those of `bmnode.dicomweb.WebSessions`."""

    def __init__(self, *, tls: TlsFiles | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._sessions = WebSessions(tls=tls, environment=environment)

    def send(self, peer: Peer, paths: Sequence[Path]) -> tuple[SendResult, ...]:
        """Store the files, one result a file in their order.

        What a request that broke off left open is `NOT_ANSWERED`. Raises PeerUnreachableError where not even the
        first request was answered, or the address, the secret or the certificate cannot be used.
        """
        results: dict[Path, SendResult] = {}
        readable: list[Outgoing] = []
        for path in paths:
            try:
                readable.append(Outgoing.from_file(path))
            except ValueError as error:
                results[path] = SendResult(path=path, outcome=SendOutcome.UNREADABLE, detail=str(error))
        with self._sessions.open(peer) as session:
            is_lost = False
            for batch in _batches(readable):
                if is_lost:
                    results |= _all(batch, _unknown("not sent: the peer stopped answering"))
                    continue
                try:
                    results |= _store(session, peer, batch)
                except PeerUnreachableError as error:
                    if batch[0] is readable[0]:
                        raise
                    is_lost = True
                    results |= _all(batch, _unknown(str(error)))
        return tuple(results[path] for path in paths)

    def takes(self, peer: Peer, paths: Sequence[Path]) -> bool:  # noqa: ARG002 - the protocol's signature
        """True: STOW-RS has no negotiation; what is not taken is said in the answer."""
        return True


def _batches(objects: Sequence[Outgoing]) -> Iterator[tuple[Outgoing, ...]]:
    batch: list[Outgoing] = []
    size = 0
    for item in objects:
        length = item.path.stat().st_size
        if batch and (len(batch) == MOST_OBJECTS or size + length > MOST_BYTES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield tuple(batch)


def _store(session: requests.Session, peer: Peer, batch: Sequence[Outgoing]) -> dict[Path, SendResult]:
    """One request, or one an object where all of them are too large for the peer. Raises PeerUnreachableError."""
    with ExitStack() as stack:
        parts = [_open(item, stack) for item in batch]
        body = _Multipart(parts)
        headers = {"Content-Type": body.content_type, "Accept": "application/dicom+json"}
        try:
            answer = stack.enter_context(
                session.post(
                    f"{str(peer.dicomweb_url).rstrip('/')}/studies",
                    data=body,
                    headers=headers,
                    timeout=_TIMEOUTS_S,
                    allow_redirects=False,
                    stream=True,
                )
            )
            payload = answer.raw.read(_LONGEST_ANSWER, decode_content=True)
        except (requests.RequestException, OSError) as error:
            # The library's texts quote the request, so none is passed on.
            raise PeerUnreachableError(f"peer {peer.name} does not answer at its dicomweb_url") from error
    if answer.status_code == TOO_LARGE and len(batch) > 1:
        return {path: result for item in batch for path, result in _store(session, peer, (item,)).items()}
    if answer.status_code not in ANSWERED:
        return _all(batch, _not_stored(answer.status_code), peer=peer)
    try:
        told = read_answer(payload, content_type=answer.headers.get("Content-Type", ""))
    except UnreadableAnswerError:
        return _all(batch, _unknown(f"HTTP {answer.status_code} with an answer that is not DICOM JSON"))
    missing = _unknown(f"HTTP {answer.status_code}, and the answer does not name the object")
    return {
        part.item.path: _result(part.item, told.get(part.item.sop_instance_uid, missing), part.transfer_syntax_uid)
        for part in parts
    }


def _open(item: Outgoing, stack: ExitStack) -> _Part:
    """The file as it goes: a deflated one inflated, since servers pass on what they get and viewers read it plain."""
    syntax = item.transfer_syntax_uid
    if syntax == DeflatedExplicitVRLittleEndian:
        syntax = str(ExplicitVRLittleEndian)
        file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        dataset = dcmread(item.path)
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(file, enforce_file_format=True)
    else:
        file = stack.enter_context(item.path.open("rb"))
    size = file.seek(0, os.SEEK_END)
    return _Part(item=item, file=file, size=size, transfer_syntax_uid=syntax)


def _not_stored(http_status: int) -> Judgement:
    """A status that speaks of the request as a whole."""
    if is_passing(http_status):
        return _unknown(f"HTTP {http_status}")
    return Judgement(outcome=SendOutcome.REFUSED_REQUEST, detail=f"refused with HTTP {http_status}")


def _unknown(detail: str) -> Judgement:
    return Judgement(outcome=SendOutcome.NOT_ANSWERED, detail=detail)


def _all(batch: Sequence[Outgoing], judgement: Judgement, *, peer: Peer | None = None) -> dict[Path, SendResult]:
    if peer is not None and judgement.outcome is SendOutcome.NOT_ANSWERED:
        raise PeerUnreachableError(f"peer {peer.name} answers STOW-RS with {judgement.detail}")
    return {item.path: _result(item, judgement, None) for item in batch}


def _result(item: Outgoing, judgement: Judgement, syntax: str | None) -> SendResult:
    return SendResult(
        path=item.path,
        outcome=judgement.outcome,
        detail=judgement.detail,
        sop_class_uid=item.sop_class_uid,
        sop_instance_uid=item.sop_instance_uid,
        transfer_syntax_uid=syntax,
        status=judgement.status,
    )
