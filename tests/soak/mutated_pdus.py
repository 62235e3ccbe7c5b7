"""Broken conversations with the structure of real ones: PDUs, items, PDVs, commands are wrong, missing or misplaced."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.support.encoded import EncodedInstance
from tests.support.raw_peer import associate_request, store_command, store_pdus

RELEASE_REQUEST = struct.pack(">BxL4x", 0x05, 4)
ABORT = struct.pack(">BxL4x", 0x07, 4)
_LENGTHS = (0, 1, 2, 3, 5, 6, 67, 68, 0xFFFF, 1 << 17, 1 << 30, 0xFFFFFFFF)
_TYPES = (*range(0x09), 0x16, 0x47, 0xFF)
_REQUEST, _DATA = 0x01, 0x04
_FRAGMENT = 300
"""A small image in several P-DATA-TF, so that there is something to lose and to shuffle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """What a peer sends: the request for an association, and what follows once it has an answer to it."""

    request: bytes
    """Empty where the peer does not ask."""
    waits: bool
    """Whether the peer waits for the answer: the request is a good one."""
    following: bytes
    ends: str
    """`closes`, `half` (says that no more comes, and listens) or `resets`."""


@dataclass(kw_only=True)
class PduMutator:
    """Endless broken conversations.

    Args:
        instances: small images; what is left of one may be stored.
        random: what is drawn.
    """

    instances: list[EncodedInstance]
    random: random.Random

    def next(self) -> Conversation:
        """The next one."""
        item = self.random.choice(self.instances)
        contexts = [(item.sop_class_uid, (ExplicitVRLittleEndian, ImplicitVRLittleEndian))]
        request = associate_request(contexts, called_ae="BMNODE", calling_ae=f"FUZZ{self.random.randrange(50)}")
        command = store_command(item.sop_class_uid, item.sop_instance_uid, 1, has_data_set=True)
        pdus = [*store_pdus(command, item.data_set, context_id=1, largest=_FRAGMENT), RELEASE_REQUEST]
        asks = self.random.random()
        if asks < 0.35:
            request = self._broken(request)
        else:
            for mutate in self.random.choices(MUTATIONS, k=self.random.choice((1, 1, 2, 4))):
                pdus = mutate(self.random, pdus)
        return Conversation(
            request=b"" if asks < 0.03 else request,
            waits=asks >= 0.35,
            following=b"".join(pdus),
            ends=self.random.choice(("closes", "half", "half", "resets")),
        )

    def _broken(self, request: bytes) -> bytes:
        for mutate in self.random.choices(REQUEST_MUTATIONS, k=self.random.choice((1, 1, 2))):
            request = mutate(self.random, request)
        return request


def _at_item(rng: random.Random, request: bytes) -> int:
    """Offset of an item of an A-ASSOCIATE-RQ, or of one within it (PS3.8 Table 9-11)."""
    found = []
    at = 74
    while at + 4 <= len(request):
        found.append(at)
        kind, length = struct.unpack_from(">BxH", request, at)
        inner = {0x20: 8, 0x50: 4}.get(kind)
        if inner is not None:
            found.append(at + inner)
        at += 4 + length
    return rng.choice(found) if found else max(len(request) - 4, 0)


def _spliced(data: bytes, at: int, piece: bytes) -> bytes:
    return data[:at] + piece + data[at + len(piece) :]


def _flip(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 32))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _item_length(rng: random.Random, request: bytes) -> bytes:
    return _spliced(request, _at_item(rng, request) + 2, struct.pack(">H", rng.choice(_LENGTHS) & 0xFFFF))


def _item_type(rng: random.Random, request: bytes) -> bytes:
    return _spliced(request, _at_item(rng, request), bytes([rng.randrange(256)]))


def _request_length(rng: random.Random, request: bytes) -> bytes:
    return _spliced(request, 2, struct.pack(">L", rng.choice(_LENGTHS)))


def _many_contexts(rng: random.Random, request: bytes) -> bytes:
    """More presentation contexts than the 128 that an odd byte can number."""
    context = b"\x20\0\0\x2e\x01\0\0\0\x30\0\0\x11" + b"1.2.840.10008.1.1" + b"\x40\0\0\x11" + b"1.2.840.10008.1.2"
    body = request[6:] + context * rng.choice((2, 200, 3000))
    return request[:2] + struct.pack(">L", len(body)) + body


def _titles(rng: random.Random, request: bytes) -> bytes:
    title = rng.choice((b" " * 16, b"\0" * 16, b"\xff" * 16, b"BMNODE\\..\\\n\r\x1b[2J"[:16], b"%s%n{0}" + b" " * 9))
    return _spliced(request, rng.choice((10, 26)), title)


def _shortened(rng: random.Random, request: bytes) -> bytes:
    return request[: rng.randrange(len(request) + 1)]


def _other_type(rng: random.Random, request: bytes) -> bytes:
    return bytes([rng.choice(_TYPES)]) + request[1:]


REQUEST_MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _flip, _item_length, _item_type, _request_length, _many_contexts, _titles, _shortened, _other_type,
)  # fmt: skip

Pdus = list[bytes]


def _changed(rng: random.Random, pdus: Pdus, change: Callable[[bytes], bytes]) -> Pdus:
    at = rng.randrange(len(pdus))
    return [change(item) if number == at else item for number, item in enumerate(pdus)]


def _drop(rng: random.Random, pdus: Pdus) -> Pdus:
    at = rng.randrange(len(pdus))
    return [item for number, item in enumerate(pdus) if number != at] or pdus


def _repeat(rng: random.Random, pdus: Pdus) -> Pdus:
    at = rng.randrange(len(pdus))
    return [*pdus[:at], *([pdus[at]] * rng.choice((2, 2, 40))), *pdus[at + 1 :]]


def _shuffle(rng: random.Random, pdus: Pdus) -> Pdus:
    return rng.sample(pdus, len(pdus))


def _pdu_type(rng: random.Random, pdus: Pdus) -> Pdus:
    return _changed(rng, pdus, lambda item: bytes([rng.choice(_TYPES)]) + item[1:])


def _pdu_length(rng: random.Random, pdus: Pdus) -> Pdus:
    return _changed(rng, pdus, lambda item: _spliced(item, 2, struct.pack(">L", rng.choice(_LENGTHS))))


def _pdv_length(rng: random.Random, pdus: Pdus) -> Pdus:
    return _changed(rng, pdus, lambda item: _spliced(item, 6, struct.pack(">L", rng.choice(_LENGTHS))))


def _context(rng: random.Random, pdus: Pdus) -> Pdus:
    return _changed(rng, pdus, lambda item: _spliced(item, 10, bytes([rng.choice((0, 2, 3, 127, 255))])))


def _control(rng: random.Random, pdus: Pdus) -> Pdus:
    """A fragment that calls itself the last, a command that calls itself data (PS3.8 E.2)."""
    return _changed(rng, pdus, lambda item: _spliced(item, 11, bytes([rng.choice((0, 1, 2, 3, 4, 255))])))


def _bytes(rng: random.Random, pdus: Pdus) -> Pdus:
    return _changed(rng, pdus, lambda item: item[:12] + _flip(rng, item[12:]))


def _stop(rng: random.Random, pdus: Pdus) -> Pdus:
    """No more comes, in the middle of a PDU."""
    at = rng.randrange(len(pdus))
    return [*pdus[:at], pdus[at][: rng.randrange(len(pdus[at]) + 1)]]


def _intrude(rng: random.Random, pdus: Pdus) -> Pdus:
    """Something that belongs elsewhere, or nowhere."""
    at = rng.randrange(len(pdus) + 1)
    stranger = rng.choice(
        (
            ABORT,
            RELEASE_REQUEST,
            bytes(64),
            rng.randbytes(64),
            struct.pack(">BxL", _REQUEST, 68) + bytes(68),
            b"\x16\x03\x01",
        )
    )
    return [*pdus[:at], stranger, *pdus[at:]]


def _split(rng: random.Random, pdus: Pdus) -> Pdus:
    """A data set of fragments of one byte, or of none."""
    size = rng.choice((0, 1))
    item = pdus[-2] if len(pdus) > 1 else pdus[0]
    pieces = [item[12 + at : 12 + at + size] for at in range(200)]
    cut = [struct.pack(">BxLLBB", _DATA, len(piece) + 6, len(piece) + 2, 1, 0) + piece for piece in pieces]
    return [*pdus[:1], *cut, *pdus[1:]]


MUTATIONS: tuple[Callable[[random.Random, Pdus], Pdus], ...] = (
    _drop, _repeat, _shuffle, _pdu_type, _pdu_length, _pdv_length, _context, _control, _bytes, _bytes, _stop, _intrude,
    _split,
)  # fmt: skip
