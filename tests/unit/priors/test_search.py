"""The search over every place: the right one of look-alikes is fetched, or none is; what could not be asked is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.study import Branch
from bmnode.errors import NotFoundError, PeerUnreachableError
from bmnode.priors.asking import Told
from bmnode.priors.examination import Examination, PatientKey
from bmnode.priors.handover import SearchOutcome
from bmnode.priors.search import NOT_ASKED_FOR, NOT_RETRIEVED, TOO_MANY, PriorSearch

NOW = datetime(2026, 5, 4, 10, 30, tzinfo=UTC)
CURRENT = Examination(
    study_uid="1.9",
    patient=PatientKey(patient_id="4711", issuer="HOSPITAL"),
    performed_at=NOW,
    branch=Branch.PET_CT,
    tracer="PSMA-11",
    modalities=frozenset({"PT", "CT"}),
)


def earlier(uid: str, days: int, **changes: object) -> Examination:
    """One that fits, unless something is changed."""
    return replace(CURRENT, study_uid=uid, performed_at=NOW - timedelta(days=days), **changes)  # type: ignore[arg-type]  # a test's own keywords


@dataclass(kw_only=True)
class Store:
    """What the node has; looking at a study tells the truth about it."""

    truth: dict[str, Examination] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()

    def objection(self, study_uid: str) -> str | None:
        return "rejected" if study_uid in self.rejected else None

    def of_patient(self, patient_id: str) -> Sequence[Examination]:
        return [replace(self.truth[uid], branch=None) for uid in self.own]

    def look_at(self, study_uid: str) -> tuple[Examination | None, str | None]:
        return self.truth.get(study_uid), self.refused.get(study_uid)


@dataclass(kw_only=True)
class Archive:
    """An archive that tells of studies without their branch and tracer."""

    told: tuple[Examination, ...] = ()
    name: str = "pacs"
    is_down: bool = False
    is_complete: bool = True
    lost: tuple[str, ...] = ()
    fetched: list[str] = field(default_factory=list)

    def candidates(self, current: Examination) -> Told:
        if self.is_down:
            raise PeerUnreachableError("down")
        blind = tuple(replace(item, branch=None, tracer=None) for item in self.told)
        return Told(examinations=blind, is_complete=self.is_complete)

    def fetch(self, study_uid: str) -> None:
        self.fetched.append(study_uid)
        if study_uid in self.lost:
            raise NotFoundError("gone")


def search(archive: Archive, *, own: tuple[Examination, ...] = (), most: int = 3) -> PriorSearch:
    truth = {item.study_uid: item for item in (*archive.told, *own)}
    store = Store(truth=truth, own=tuple(item.study_uid for item in own))
    return PriorSearch(store=store, archives=(archive,), most_fetched=most)


def test_the_right_one_of_five_look_alikes_is_fetched() -> None:
    """Four fall by what the archive tells, the one with another tracer when it is here; the right one comes next."""
    archive = Archive(
        told=(
            earlier("1.2", 10, tracer="FDG"),
            earlier("1.3", 20, patient=PatientKey(patient_id="4711", issuer="CLINIC")),
            earlier("1.4", 30, body_parts=frozenset({"HEAD"})),
            earlier("1.5", 800),
            earlier("1.6", 0),
            earlier("1.7", 90),
        )
    )
    current = replace(CURRENT, body_parts=frozenset({"ABDOMEN"}))
    found = search(archive).run(current)
    assert archive.fetched == ["1.2", "1.7"]
    assert found.choice.latest is not None
    assert found.choice.latest.study_uid == "1.7"
    assert {item.study_uid: item.objection for item in found.considered} == {
        "1.2": "other_tracer",
        "1.3": "other_issuer",
        "1.4": "other_body_part",
        "1.5": "too_old",
        "1.6": "same_day",
        "1.7": None,
    }
    assert (found.outcome, found.unanswered) == (SearchOutcome.FOUND, ())


def test_none_comparable_is_said_candidate_by_candidate() -> None:
    """Everything was asked, nothing fits, and nothing that cannot fit was fetched."""
    archive = Archive(told=(earlier("1.5", 800), earlier("1.6", 0)))
    found = search(archive).run(CURRENT)
    assert (found.outcome, archive.fetched) == (SearchOutcome.NONE_COMPARABLE, [])
    assert found.explanation == "2 examination(s) considered, 0 comparable; not compared: 1 same_day, 1 too_old."
    assert [item.objection for item in found.considered] == ["same_day", "too_old"]


@pytest.mark.parametrize(
    "archive",
    [Archive(is_down=True), Archive(is_complete=False), Archive(told=(earlier("1.7", 90),), lost=("1.7",))],
    ids=["down", "cut", "told and not sent"],
)
def test_what_could_not_be_asked_is_never_none(archive: Archive) -> None:
    """An archive that does not answer leaves open whether there is a prior."""
    found = search(archive).run(CURRENT)
    assert (found.outcome, found.unanswered) == (SearchOutcome.NOT_KNOWN, ("pacs",))
    assert "there may be another one" in found.explanation


def test_a_rejected_study_is_not_fetched_again() -> None:
    """What an administrator deleted does not come back by way of the archive; the next one is taken, and it is said."""
    archive = Archive(told=(earlier("1.6", 30), earlier("1.7", 90)))
    store = Store(truth={item.study_uid: item for item in archive.told}, rejected=("1.6",))
    found = PriorSearch(store=store, archives=(archive,)).run(CURRENT)
    assert (archive.fetched, found.unanswered) == (["1.7"], ())
    assert {item.study_uid: item.objection for item in found.considered} == {"1.6": "rejected", "1.7": None}


def test_the_nodes_own_is_not_fetched() -> None:
    """A study that the node has is compared from there, even while the archive is down; that it is, is told."""
    own = earlier("1.7", 90)
    archive = Archive(is_down=True)
    found = search(archive, own=(own,)).run(CURRENT)
    assert (found.outcome, found.unanswered, archive.fetched) == (SearchOutcome.FOUND, ("pacs",), [])
    known = Archive(told=(own,))
    assert search(known, own=(own,)).run(CURRENT).choice.latest == own
    assert known.fetched == []


def test_the_next_one_is_taken_where_the_first_cannot_be_had() -> None:
    """A study that the archive lost does not hide the one before it."""
    archive = Archive(told=(earlier("1.6", 30), earlier("1.7", 90)), lost=("1.6",))
    found = search(archive).run(CURRENT)
    assert found.choice.latest is not None
    assert found.choice.latest.study_uid == "1.7"
    assert [item.objection for item in found.considered] == [NOT_RETRIEVED, None]


def test_fetching_has_a_limit() -> None:
    """A patient with many studies of another tracer costs a known number of retrievals, and the rest stays open."""
    archive = Archive(told=tuple(earlier(f"1.{n}", n, tracer="FDG") for n in range(20, 30)))
    found = search(archive, most=2).run(CURRENT)
    assert len(archive.fetched) == 2
    assert (found.outcome, found.unanswered) == (SearchOutcome.NOT_KNOWN, ("pacs",))
    assert sorted({item.objection for item in found.considered if item.objection}) == ["other_tracer", TOO_MANY]


def test_a_study_that_was_asked_for_is_the_only_one() -> None:
    """Somebody named the prior: the others stay out, and the rule still holds for it."""
    archive = Archive(told=(earlier("1.6", 30), earlier("1.7", 90), earlier("1.8", 900)))
    found = search(archive).run(CURRENT, wanted="1.7")
    assert found.choice.latest is not None
    assert found.choice.latest.study_uid == "1.7"
    assert [item.objection for item in found.considered] == [NOT_ASKED_FOR, None, "too_old"]
    assert search(archive).run(CURRENT, wanted="1.8").outcome is SearchOutcome.NONE_COMPARABLE


@given(days=st.lists(st.integers(min_value=-5, max_value=900), max_size=6), lost=st.sets(st.integers(0, 5)))
def test_every_search_ends_and_names_every_candidate(days: list[int], lost: set[int]) -> None:
    """Whatever there is, each candidate is named once, and what is compared was looked at and fits."""
    told = tuple(earlier(f"1.{n + 20}", day) for n, day in enumerate(days))
    archive = Archive(told=told, lost=tuple(f"1.{n + 20}" for n in lost))
    found = search(archive).run(CURRENT)
    assert sorted(item.study_uid for item in found.considered) == sorted(item.study_uid for item in told)
    latest = found.choice.latest
    if latest is not None:
        assert latest.study_uid in archive.fetched
        assert latest.study_uid not in archive.lost
        assert latest.branch is Branch.PET_CT
        assert next(item for item in found.considered if item.study_uid == latest.study_uid).objection is None
