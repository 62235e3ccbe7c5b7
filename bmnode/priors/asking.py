"""A patient's earlier examinations as an archive tells of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Protocol

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from bmnode.archive import Answers, Level
from bmnode.domain.ids import is_safe_uid
from bmnode.domain.peers import Peer
from bmnode.priors.comparable import PriorRule, judge
from bmnode.priors.examination import Examination
from bmnode.priors.identity import patient_of, performed_at
from bmnode.priors.reading import Site
from bmnode.selection.tracers import normalise_tracer

_STUDY = (
    "StudyDate", "StudyTime", "TimezoneOffsetFromUTC", "IssuerOfPatientID", "PatientBirthDate", "ModalitiesInStudy",
    "StudyDescription",
)  # fmt: skip
_SERIES = ("Modality", "BodyPartExamined", "SeriesDescription")
_NUCLEAR = frozenset({"NM", "PT"})
_A_DAY = timedelta(days=1)


class Find(Protocol):
    """C-FIND or QIDO-RS; see `bmnode.archive.FindScu` and `bmnode.archive.QidoFinder`."""

    def find(self, peer: Peer, level: Level, *, keys: dict[str, object], wanted: Sequence[str] = ()) -> Answers:
        """The entities that match. Raises PeerUnreachableError, PeerRefusedError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What an archive told of.

    Args:
        examinations: what is known of each; no branch, and a tracer only where a description names it.
        is_complete: False where it has more than it would tell.
    """

    examinations: tuple[Examination, ...]
    is_complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveQuestion:
    """Asks one archive for the candidates of one study.

    Args:
        find: who asks.
        peer: the archive.
        site: what holds where an answer does not say.
        rule: how far back is looked.
    """

    find: Find
    peer: Peer
    site: Site
    rule: PriorRule = field(default_factory=PriorRule)

    def candidates(self, current: Examination) -> Told:
        """Studies under the same Patient ID up to the current one's day, too old ones of a year more too, so that they
        can be named.

        Series are asked for only where the study's own answer does not speak against it. Raises PeerUnreachableError,
        PeerRefusedError.
        """
        if current.performed_at is None:
            return Told(examinations=(), is_complete=True)
        last = current.performed_at.date()
        first = last - self.rule.oldest - timedelta(days=365)
        found: dict[str, Examination] = {}
        is_complete = True
        for answers in self._pages(current.patient.patient_id, first, last):
            is_complete = is_complete and answers.is_complete
            for match in answers.matches:
                examination = self._examination(match)
                if examination is not None:
                    found[examination.study_uid] = examination
        looked_at = (self._with_series(item, current=current) for item in found.values())
        return Told(examinations=tuple(looked_at), is_complete=is_complete)

    def _pages(self, patient_id: str, first: date, last: date) -> Iterator[Answers]:
        """C-FIND has no pages, nor has every DICOMweb server: where an archive cuts its answer, each half of the days
        is asked for by itself."""
        keys = {"StudyInstanceUID": "", "PatientID": patient_id, "StudyDate": f"{first:%Y%m%d}-{last:%Y%m%d}"}
        wanted = [keyword for keyword in _STUDY if keyword not in keys]
        answers = self.find.find(self.peer, Level.STUDY, keys=dict(keys), wanted=wanted)
        if answers.is_complete or first >= last:
            yield answers
            return
        middle = first + (last - first) // 2
        yield from self._pages(patient_id, first, middle)
        yield from self._pages(patient_id, middle + _A_DAY, last)

    def _examination(self, match: Dataset) -> Examination | None:
        patient = patient_of(match, default_issuer=self.site.issuer)
        study_uid = str(match.get("StudyInstanceUID") or "")
        if patient is None or not is_safe_uid(study_uid):
            return None
        modalities = frozenset(_texts(match.get("ModalitiesInStudy")))
        named = normalise_tracer((), _texts(match.get("StudyDescription"))) if modalities & _NUCLEAR else None
        at = performed_at(match, zone=self.site.zone)
        return Examination(study_uid=study_uid, patient=patient, performed_at=at, tracer=named, modalities=modalities)

    def _with_series(self, found: Examination, *, current: Examination) -> Examination:
        if judge(found, current=current, rule=self.rule).objection is not None:
            return found
        keys: dict[str, object] = {"StudyInstanceUID": found.study_uid, "SeriesInstanceUID": ""}
        series = self.find.find(self.peer, Level.SERIES, keys=keys, wanted=_SERIES).matches
        parts = frozenset(part.upper() for item in series for part in _texts(item.get("BodyPartExamined")))
        modalities = frozenset(name for item in series for name in _texts(item.get("Modality")))
        nuclear = [item for item in series if _NUCLEAR & set(_texts(item.get("Modality")))]
        texts = [line for item in nuclear for line in _texts(item.get("SeriesDescription"))]
        return replace(
            found,
            body_parts=parts,
            modalities=found.modalities or modalities,
            tracer=found.tracer or normalise_tracer((), texts),
        )


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, (MultiValue, list, tuple)) else (value,)
    return tuple(found for item in items if (found := str(item).strip(" \0")))
