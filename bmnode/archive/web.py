"""DICOMweb as the user agent: what an archive has by QIDO-RS, and the study itself by WADO-RS (PS3.18 10.6, 10.4).

The classes stand where those of C-FIND and C-MOVE do. No text of the libraries is passed on: a question's address has
the Patient ID in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from io import BytesIO
from typing import Any

import pydicom
import requests
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from bmnode.archive.association import ArchiveLimits
from bmnode.archive.find import Answers, Level
from bmnode.archive.get import SentInstance
from bmnode.archive.multipart import MultipartError, parts
from bmnode.clock import Clock
from bmnode.dicomweb import WebSessions
from bmnode.domain.peers import Peer
from bmnode.errors import NotFoundError, PeerRefusedError, PeerUnreachableError

MOST_ANSWER_BYTES = 64 << 20
"""[P] Of what matches one question."""
MOST_INSTANCE_BYTES = 2 << 30
"""[P] Of one instance; it is held in memory, as one that comes by C-GET is."""
_CHUNK = 1 << 18
_PLACES = {
    Level.STUDY: "studies",
    Level.SERIES: "studies/{StudyInstanceUID}/series",
    Level.IMAGE: "studies/{StudyInstanceUID}/series/{SeriesInstanceUID}/instances",
}
"""The resource of each level (PS3.18 Table 10.6.1-1) with the unique keys of those above it."""
_ALL_AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_PREAMBLE_BYTES, _GROUP_LENGTH_BYTES = 132, 12  # PS3.10 7.1: preamble, prefix and the element (0002,0000) itself


@dataclass(frozen=True, kw_only=True, slots=True)
class WebCaller:
    """Who asks by DICOMweb, and for how long.

    Args:
        sessions: with secrets and certificates.
        clock: measures `ArchiveLimits.total_s`.
        limits: how long to wait: `answer_s` for each piece of an answer.
    """

    sessions: WebSessions
    clock: Clock
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)

    @contextmanager
    def get(
        self, peer: Peer, path: str, *, accept: str, query: Mapping[str, Sequence[str]] | None = None
    ) -> Iterator[tuple[requests.Response, Iterator[bytes]]]:
        """An answer's head, and its content piece by piece.

        Raises PeerUnreachableError where there is none, or it does not end within the limits.
        """
        deadline_s = self.clock.monotonic_s() + self.limits.total_s
        with self.sessions.open(peer) as session:
            try:
                answer = session.get(
                    f"{str(peer.dicomweb_url).rstrip('/')}/{path}",
                    params=query,
                    headers={"Accept": accept},
                    timeout=(self.limits.connect_s, self.limits.answer_s),
                    allow_redirects=False,
                    stream=True,
                )
            except (requests.RequestException, OSError):
                raise _silent(peer) from None
            with answer:
                yield answer, self._content(answer, peer=peer, deadline_s=deadline_s)

    def _content(self, answer: requests.Response, *, peer: Peer, deadline_s: float) -> Iterator[bytes]:
        try:
            for piece in answer.iter_content(_CHUNK):
                yield piece
                if self.clock.monotonic_s() > deadline_s:
                    raise PeerUnreachableError(f"peer {peer.name} did not finish its answer by DICOMweb in time")
        except (requests.RequestException, OSError):
            raise _silent(peer) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class QidoFinder:
    """Asks peers what they have by QIDO-RS; has `find`, so that it stands where a `bmnode.archive.FindScu` does.

    Args:
        caller: who asks, and for how long.
        most: no more matches of one request are taken.
    """

    caller: WebCaller
    most: int = 1000

    def find(self, peer: Peer, level: Level, *, keys: Mapping[str, object], wanted: Sequence[str] = ()) -> Answers:
        """The entities of a level that match; see `FindScu.find`.

        `is_complete` is False where the archive says that it has more (Warning 299), or gave more than is taken.
        Raises PeerUnreachableError without an answer within the limits, PeerRefusedError where that is no list.
        """
        place = _PLACES[level]
        above = [keyword for keyword in keys if f"{{{keyword}}}" in place]
        query: dict[str, Sequence[str]] = {
            keyword: [str(value)] for keyword, value in keys.items() if keyword not in above and str(value)
        }
        told = dict.fromkeys([*wanted, *(keyword for keyword in keys if keyword not in above)])
        query |= {"includefield": list(told), "limit": [str(self.most + 1)]}
        path = place.format_map({keyword: str(keys[keyword]) for keyword in above})
        with self.caller.get(peer, path, accept="application/dicom+json", query=query) as (answer, content):
            if answer.status_code in (requests.codes.no_content, requests.codes.not_found):
                return Answers(matches=())
            if answer.status_code != requests.codes.ok:
                raise PeerRefusedError(f"peer {peer.name} answered QIDO-RS with HTTP {answer.status_code}")
            matches = _matches(_whole(content, peer=peer), peer=peer)
            has_more = answer.headers.get("Warning", "").startswith("299")
        return Answers(matches=matches[: self.most], is_complete=not has_more and len(matches) <= self.most)


@dataclass(frozen=True, kw_only=True, slots=True)
class WadoGetter:
    """Gets studies by WADO-RS; has `move`, so that it stands where a `bmnode.archive.StudyMover` does.

    Args:
        caller: who asks, and for how long.
        keep: keeps an instance; its C-STORE status, success only when it is durable.
    """

    caller: WebCaller
    keep: Callable[[SentInstance], int]

    def move(self, peer: Peer, study_uid: str, *, series_uid: str | None = None) -> int:
        """The number of instances that came and were kept, of the study or of one series of it.

        Every instance is asked for as the archive has it, in whatever transfer syntax. Raises PeerUnreachableError
        where the answer does not come or not to its end, PeerRefusedError where the peer refuses, sends something else
        or an instance was not kept, NotFoundError where it has no such study.
        """
        path = f"studies/{study_uid}" + ("" if series_uid is None else f"/series/{series_uid}")
        kept = refused = 0
        with self.caller.get(peer, path, accept=_ALL_AS_STORED) as (answer, content):
            if answer.status_code in (requests.codes.not_found, requests.codes.no_content):
                raise NotFoundError(f"peer {peer.name} has no study {study_uid}")
            if answer.status_code != requests.codes.ok:
                raise PeerRefusedError(f"peer {peer.name} answered WADO-RS with HTTP {answer.status_code}")
            try:
                for part in parts(content, boundary=_boundary(answer), most_bytes=MOST_INSTANCE_BYTES):
                    status = self.keep(_instance(part, peer=peer))
                    kept, refused = kept + (status == 0), refused + (status != 0)
            except MultipartError as error:
                raise PeerUnreachableError(f"peer {peer.name}: answer to WADO-RS {error}") from None
        if refused:
            raise PeerRefusedError(f"peer {peer.name}: {refused} of {kept + refused} instance(s) were not kept")
        if not kept:
            raise NotFoundError(f"peer {peer.name} has no study {study_uid}")
        return kept


def _silent(peer: Peer) -> PeerUnreachableError:
    return PeerUnreachableError(f"peer {peer.name} does not answer at its dicomweb_url")


def _whole(content: Iterator[bytes], *, peer: Peer) -> bytes:
    taken = bytearray()
    for piece in content:
        taken += piece
        if len(taken) > MOST_ANSWER_BYTES:
            raise PeerRefusedError(f"peer {peer.name} answered QIDO-RS with more than {MOST_ANSWER_BYTES >> 20} MB")
    return bytes(taken)


def _matches(content: bytes, *, peer: Peer) -> tuple[Dataset, ...]:
    try:
        told: Any = json.loads(content or b"[]")
        items: list[Any] = told if isinstance(told, list) else [None]
        return tuple(Dataset.from_json(item) for item in items)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        raise PeerRefusedError(f"peer {peer.name} answered QIDO-RS with something else than DICOM JSON") from None


def _boundary(answer: requests.Response) -> str:
    """Raises MultipartError where the answer has no parts."""
    message = Message()
    message["Content-Type"] = answer.headers.get("Content-Type", "")
    boundary = message.get_param("boundary")
    if message.get_content_maintype() != "multipart" or not isinstance(boundary, str) or not boundary.isascii():
        raise MultipartError("is not in parts")
    return boundary


def _instance(part: bytes, *, peer: Peer) -> SentInstance:
    """Raises PeerRefusedError where the part is no Part 10 file (PS3.10 7)."""
    try:
        meta = pydicom.dcmread(BytesIO(part), stop_before_pixels=True, specific_tags=[]).file_meta
        start = _PREAMBLE_BYTES + _GROUP_LENGTH_BYTES + int(meta.FileMetaInformationGroupLength)
        return SentInstance(
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
            transfer_syntax_uid=str(meta.TransferSyntaxUID),
            source_ae=peer.ae_title,
            data_set=part[start:],
        )
    except (InvalidDicomError, AttributeError, ValueError, KeyError, EOFError, OSError, NotImplementedError):
        raise PeerRefusedError(f"peer {peer.name} sent by WADO-RS what is no DICOM file") from None
