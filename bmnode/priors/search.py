"""`find_prior`: the patient's earlier examinations from every place, the right one fetched and looked at again.

What an archive tells of a study is not enough to compare it: the tracer stands in the images, the branch follows from
all of them. So the best candidate is fetched, judged once more by its own files, and where it falls the next one is
taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bmnode.errors import DeliveryError, NotFoundError
from bmnode.priors.asking import Told
from bmnode.priors.choice import PriorChoice, choose
from bmnode.priors.comparable import Judged, PriorRule
from bmnode.priors.examination import Examination
from bmnode.priors.handover import Considered, SearchOutcome

OWN = "node"
"""The place of what the node has itself."""
NOT_RETRIEVED = "not_retrieved"
"""Objection: the archive told of it and did not send it, or not all of it."""
NOT_READABLE = "not_readable"
"""Objection: its files name no patient, or none of them can be read."""
TOO_MANY = "too_many_fetched"
"""Objection: the limit of fetched studies was reached before it."""
NOT_ASKED_FOR = "not_asked_for"
"""Objection: somebody named another study to compare."""


class OwnStore(Protocol):
    """What the node has."""

    def of_patient(self, patient_id: str) -> Sequence[Examination]:
        """The studies under a Patient ID, by a few of their headers."""
        ...

    def objection(self, study_uid: str) -> str | None:
        """Why a study is not compared whatever an archive has of it, so that it is not fetched either."""
        ...

    def look_at(self, study_uid: str) -> tuple[Examination | None, str | None]:
        """A study by all of its files, and why it takes no branch; see `bmnode.priors.reading.read_whole`."""
        ...


class ArchivePlace(Protocol):
    """One archive."""

    @property
    def name(self) -> str:
        """Of the peer."""
        ...

    def candidates(self, current: Examination) -> Told:
        """What it has of the patient. Raises DeliveryError."""
        ...

    def fetch(self, study_uid: str) -> None:
        """Have it send a study; what it sent is in the node's store on return. Raises DeliveryError, NotFoundError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a search came to.

    Args:
        choice: which are compared; its `judged` has what can be judged by its headers.
        considered: every candidate with its reason, the most recent first.
        unanswered: archives that could not be asked, did not tell all, or did not send what they told of.
    """

    choice: PriorChoice
    considered: tuple[Considered, ...]
    unanswered: tuple[str, ...] = ()

    @property
    def outcome(self) -> SearchOutcome:
        """How it ended."""
        if self.choice.latest is not None:
            return SearchOutcome.FOUND
        return SearchOutcome.NOT_KNOWN if self.unanswered else SearchOutcome.NONE_COMPARABLE

    @property
    def explanation(self) -> str:
        """Sentences for the SR, free of patient identity."""
        parts = [_counted(self.considered)]
        if self.unanswered:
            names = ", ".join(self.unanswered)
            parts.append(f"Not everything could be asked or fetched ({names}): there may be another one.")
        return " ".join(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorSearch:
    """Looks in every place.

    Args:
        store: the node's own.
        archives: asked in this order; what the node has itself is not asked of them again.
        rule: how far apart two examinations may be.
        most_fetched: no more studies are fetched for one comparison.
        place: what the store is called in reports.
    """

    store: OwnStore
    archives: Sequence[ArchivePlace] = ()
    rule: PriorRule = field(default_factory=PriorRule)
    most_fetched: int = 3
    place: str = OWN

    def run(self, current: Examination, *, wanted: str | None = None) -> Found:
        """Look, fetch and look again, until what is chosen has been seen whole.

        With `wanted` only that study is compared, if it can be. Raises nothing for an archive that does not answer.
        """
        pool = _Pool(wanted=wanted)
        for examination in self.store.of_patient(current.patient.patient_id):
            if examination.study_uid != current.study_uid:
                pool.add(examination, place=self.place)
        for archive in self.archives:
            self._ask(archive, current, pool)
        while True:
            choice = choose(pool.eligible(), current=current, rule=self.rule)
            unseen = [item for item in _chosen(choice) if item.study_uid not in pool.seen]
            if not unseen:
                return Found(
                    choice=choice, considered=pool.considered(current, self.rule), unanswered=tuple(pool.unanswered)
                )
            self._look_at(unseen[0], pool)

    def _ask(self, archive: ArchivePlace, current: Examination, pool: _Pool) -> None:
        try:
            told = archive.candidates(current)
        except DeliveryError:
            pool.unanswered[archive.name] = None
            return
        if not told.is_complete:
            pool.unanswered[archive.name] = None
        for examination in told.examinations:
            if examination.study_uid != current.study_uid:
                pool.add(examination, place=archive.name)

    def _look_at(self, examination: Examination, pool: _Pool) -> None:
        """Fetch it where need be, and put what its own files say in the place of what was told."""
        study_uid = examination.study_uid
        archive = next((item for item in self.archives if item.name == pool.places[study_uid]), None)
        if archive is not None:
            objection = self.store.objection(study_uid)
            if objection is not None:
                pool.object_to(study_uid, objection)
                return
            if pool.fetched == self.most_fetched:
                pool.object_to(study_uid, TOO_MANY)
                pool.unanswered[archive.name] = None  # the next search finds these here, and goes on with the others
                return
            pool.fetched += 1
            try:
                archive.fetch(study_uid)
            except (DeliveryError, NotFoundError):
                pool.object_to(study_uid, NOT_RETRIEVED)
                pool.unanswered[archive.name] = None
                return
        seen, refusal = self.store.look_at(study_uid)
        if seen is None or refusal is not None:
            pool.object_to(study_uid, refusal or NOT_READABLE)
        else:
            pool.see(seen)


@dataclass(kw_only=True, slots=True)
class _Pool:
    """The candidates of one search, by Study Instance UID."""

    wanted: str | None
    examinations: dict[str, Examination] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    objections: dict[str, str] = field(default_factory=dict)
    """What only fetching or looking at all files showed."""
    seen: set[str] = field(default_factory=set)
    unanswered: dict[str, None] = field(default_factory=dict)
    fetched: int = 0

    def add(self, examination: Examination, *, place: str) -> None:
        """A candidate; the first place that has it counts."""
        study_uid = examination.study_uid
        if study_uid not in self.places:
            self.examinations[study_uid], self.places[study_uid] = examination, place
            if self.wanted not in (None, study_uid):
                self.objections[study_uid] = NOT_ASKED_FOR

    def see(self, examination: Examination) -> None:
        self.examinations[examination.study_uid] = examination
        self.seen.add(examination.study_uid)

    def object_to(self, study_uid: str, objection: str) -> None:
        self.objections[study_uid] = objection

    def eligible(self) -> list[Examination]:
        return [item for uid, item in self.examinations.items() if uid not in self.objections]

    def considered(self, current: Examination, rule: PriorRule) -> tuple[Considered, ...]:
        judged = choose(self.examinations.values(), current=current, rule=rule).judged
        return tuple(self._considered(item) for item in judged)

    def _considered(self, item: Judged) -> Considered:
        candidate = item.candidate
        own = None if item.objection is None else item.objection.value
        at = candidate.performed_at
        return Considered(
            study_uid=candidate.study_uid,
            place=self.places[candidate.study_uid],
            performed_on=None if at is None else at.date(),
            objection=own or self.objections.get(candidate.study_uid),
            caveats=item.caveats,
        )


def _chosen(choice: PriorChoice) -> list[Examination]:
    chosen = {item.study_uid: item for item in (choice.latest, choice.baseline, choice.nadir) if item is not None}
    return list(chosen.values())


def _counted(considered: Sequence[Considered]) -> str:
    if not considered:
        return "No earlier examination of the patient was found."
    against: dict[str, int] = {}
    for item in considered:
        if item.objection is not None:
            against[item.objection] = against.get(item.objection, 0) + 1
    comparable = len(considered) - sum(against.values())
    return f"{len(considered)} examination(s) considered, {comparable} comparable{_reasons(against)}."


def _reasons(against: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count} {reason}" for reason, count in against.items())
    return f"; not compared: {listed}" if listed else ""
