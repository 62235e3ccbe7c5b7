"""Where reports are that the lesion ledger can be made of: the node's own store, and archives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Protocol

import pydicom
from pydicom.dataset import Dataset

from bmnode.archive import FindScu, Level, QidoFinder, WadoGetter, WebCaller
from bmnode.archive.association import Caller
from bmnode.archive.get import SentInstance, StudyGetter
from bmnode.domain.objects import ResultKind, SegEncoding, encoding_of
from bmnode.domain.peers import Peer
from bmnode.domain.records import StoredInstance
from bmnode.errors import NotFoundError, PeerRefusedError, ResultError
from bmnode.results.reading import read_object
from bmnode.results.sources import UNREADABLE
from bmnode.spool.part10 import file_head
from bmnode.storage import Database, Instances, Results
from bmnode.work.ledger import REPORT_CLASS

_SUCCESS = 0x0000
_TRANSFER_SYNTAXES = (("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"), ("1.2.840.10008.1.2.1.99",))
"""Explicit and Implicit VR Little Endian; Deflated."""
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)


@dataclass(frozen=True, kw_only=True, slots=True)
class Studies:
    """Studies that may have reports. `is_complete`: False where there are more that were not told of."""

    uids: tuple[str, ...]
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportPlace:
    """One instance that may be a report of bmnode."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str


class ReportSource(Protocol):
    """One place with reports."""

    @property
    def name(self) -> str:
        """`node`, or the peer's."""
        ...

    def studies(self) -> Studies:
        """Those that may have reports. Raises DeliveryError."""
        ...

    def reports(self, study_uid: str) -> Sequence[ReportPlace]:
        """What may be a report of a study. Raises DeliveryError."""
        ...

    def read(self, place: ReportPlace) -> Dataset:
        """The object. Raises ResultError where it is damaged or does not come, PeerUnreachableError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnReports:
    """A `ReportSource`: what this node released, and what it was sent of earlier reports.

    Args:
        locate: where an instance's file lies.
        results_dir: where the jobs' folders lie.
    """

    database: Database
    locate: Callable[[StoredInstance], Path]
    results_dir: Path
    name: str = "node"
    _files: dict[str, dict[ReportPlace, Path]] = field(default_factory=dict)
    """By study."""

    def studies(self) -> Studies:
        """By the rows of results and instances."""
        with self.database.read() as connection:
            made, received = Results(connection).of_kind(ResultKind.SR), Instances(connection).of_class(REPORT_CLASS)
        for item in received:
            place = _place(item.study_uid, item.series_uid, item.sop_instance_uid)
            self._files.setdefault(item.study_uid, {})[place] = self.locate(item)
        for study_uid, result in made:
            if encoding_of(result.path) is SegEncoding.BINARY:
                place = _place(study_uid, result.series_uid, result.sop_instance_uid)
                self._files.setdefault(study_uid, {})[place] = self.results_dir / result.path
        return Studies(uids=tuple(sorted(self._files)))

    def reports(self, study_uid: str) -> Sequence[ReportPlace]:
        """As `studies` found them."""
        return tuple(self._files.get(study_uid, ()))

    def read(self, place: ReportPlace) -> Dataset:
        """The file."""
        return read_object(self._files[place.study_uid][place])


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveReports:
    """A `ReportSource`: an archive that is asked and sends reports alone, by C-FIND and C-GET or by DICOMweb.

    Args:
        caller: who asks, by which of the two, and for how long.
        most: studies that are taken of one answer; where there are more, the archive is asked day by day.
    """

    peer: Peer
    caller: Caller | WebCaller
    most: int = 1000

    @property
    def name(self) -> str:
        """Of the peer."""
        return self.peer.name

    def studies(self) -> Studies:
        """Those with an SR; where the archive has more than it tells of at once, it is asked day by day."""
        asked = self._studies({})
        if asked.is_complete:
            return asked
        by_day = self._between(_FIRST_DAY, _LAST_DAY)
        return Studies(uids=_once((*asked.uids, *by_day.uids)), is_complete=by_day.is_complete)

    def _between(self, first: date, last: date) -> Studies:
        asked = self._studies({"StudyDate": f"{first:%Y%m%d}-{last:%Y%m%d}"})
        if asked.is_complete or first == last:
            return asked
        middle = first + timedelta(days=(last - first).days // 2)
        parts = (self._between(first, middle), self._between(middle + timedelta(days=1), last))
        uids = _once(uid for part in parts for uid in part.uids)
        return Studies(uids=uids, is_complete=all(part.is_complete for part in parts))

    def _studies(self, keys: Mapping[str, object]) -> Studies:
        wanted = {"StudyInstanceUID": "", "ModalitiesInStudy": "SR", **keys}
        found = self._finder(most=self.most).find(self.peer, Level.STUDY, keys=wanted)
        uids = _once(str(item.StudyInstanceUID) for item in found.matches if item.get("StudyInstanceUID"))
        return Studies(uids=uids, is_complete=found.is_complete)

    def reports(self, study_uid: str) -> Sequence[ReportPlace]:
        """The instances of series of modality SR, but for those of which it is told that their class is another."""
        keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": "", "Modality": "SR"}
        places: list[ReportPlace] = []
        for series in self._whole(Level.SERIES, keys):
            series_uid = str(series.SeriesInstanceUID)
            within = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": ""}
            places += [
                _place(study_uid, series_uid, str(item.SOPInstanceUID))
                for item in self._whole(Level.IMAGE, within, "SOPClassUID")
                if str(item.get("SOPClassUID") or REPORT_CLASS) == REPORT_CLASS
            ]
        return places

    def _whole(self, level: Level, keys: Mapping[str, object], *wanted: str) -> Sequence[Dataset]:
        """Raises PeerRefusedError where the archive tells of a part alone."""
        found = self._finder().find(self.peer, level, keys=keys, wanted=wanted)
        if not found.is_complete:
            raise PeerRefusedError(f"peer {self.name} did not tell of everything in study {keys['StudyInstanceUID']}")
        return found.matches

    def read(self, place: ReportPlace) -> Dataset:
        """Have its series sent, in which it is alone if bmnode wrote it."""
        came: list[SentInstance] = []

        def keep(sent: SentInstance) -> int:
            came.append(sent)
            return _SUCCESS

        try:
            self._getter(keep).move(self.peer, place.study_uid, series_uid=place.series_uid)
        except (PeerRefusedError, NotFoundError) as error:
            raise ResultError(f"{place.sop_instance_uid} did not come: {error}") from error
        found = next((item for item in came if item.sop_instance_uid == place.sop_instance_uid), None)
        if found is None:
            raise ResultError(f"peer {self.name} did not send {place.sop_instance_uid}")
        return _dataset(found)

    def _finder(self, *, most: int = 1000) -> FindScu | QidoFinder:
        if isinstance(self.caller, WebCaller):
            return QidoFinder(caller=self.caller, most=most)
        return FindScu(caller=self.caller, most=most)

    def _getter(self, keep: Callable[[SentInstance], int]) -> StudyGetter | WadoGetter:
        if isinstance(self.caller, WebCaller):
            return WadoGetter(caller=self.caller, keep=keep)
        return StudyGetter(
            caller=self.caller, sop_classes=(REPORT_CLASS,), transfer_syntaxes=_TRANSFER_SYNTAXES, keep=keep
        )


def _place(study_uid: str, series_uid: str, sop_instance_uid: str) -> ReportPlace:
    return ReportPlace(study_uid=study_uid, series_uid=series_uid, sop_instance_uid=sop_instance_uid)


def _once(uids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uids))


def _dataset(sent: SentInstance) -> Dataset:
    head = file_head(
        sop_class_uid=sent.sop_class_uid,
        sop_instance_uid=sent.sop_instance_uid,
        transfer_syntax_uid=sent.transfer_syntax_uid,
        source_ae=sent.source_ae,
    )
    try:
        return pydicom.dcmread(BytesIO(head + sent.data_set))
    except UNREADABLE as error:
        # The cause may quote a value of the patient's.
        raise ResultError(f"{sent.sop_instance_uid} cannot be read as DICOM: {type(error).__name__}") from None
