"""A history is of studies that can be compared, and of none on which two reports contradict each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from bmnode.domain.codes import Concept, Unit
from bmnode.domain.ledger import LedgerEntry, LedgerPatient
from bmnode.domain.results import Measurement, Outcome
from bmnode.domain.study import Branch
from bmnode.priors.choice import choose
from bmnode.priors.comparable import PriorRule
from bmnode.priors.examination import Examination, PatientKey
from bmnode.priors.search import Found
from bmnode.priors.telling import history_of

NOW = Examination(
    study_uid="1.9",
    patient=PatientKey(patient_id="P"),
    performed_at=datetime(2026, 6, 1, tzinfo=UTC),
    branch=Branch.PET_CT,
    tracer="FDG",
)


def earlier(uid: str, month: int, *, patient: str = "P", tracer: str | None = "FDG") -> Examination:
    return replace(
        NOW,
        study_uid=uid,
        patient=PatientKey(patient_id=patient),
        performed_at=datetime(2026, month, 1, tzinfo=UTC),
        tracer=tracer,
    )


def entry(uid: str, month: int, *, volume: float = 5.0, report: str = "1", branch: str = "pet_ct") -> LedgerEntry:
    return LedgerEntry(
        report_uid=f"{uid}.{report}",
        study_uid=uid,
        patient=LedgerPatient(digest="d"),
        studied_on=date(2026, month, 1),
        branch=branch,
        pipeline="bone_metastasis 1",
        outcome=Outcome.ASSESSED,
        measurements=(Measurement(concept=Concept.VOLUME, value=volume, unit=Unit.ML, method="M_V1"),),
    )


def history(candidates: list[Examination], entries: list[LedgerEntry]) -> list[str]:
    found = Found(choice=choose(candidates, current=NOW, rule=PriorRule()), considered=())
    return [item.study_uid for item in history_of(entries, current=NOW, found=found)]


def test_three_studies_make_a_history_in_the_order_of_their_days() -> None:
    """Not the compared one alone: all that can be compared and of which the ledger has numbers."""
    candidates = [earlier("1.3", 3), earlier("1.1", 1), earlier("1.2", 2), earlier("1.4", 4)]
    assert history(candidates, [entry("1.3", 3), entry("1.1", 1), entry("1.2", 2)]) == ["1.1", "1.2", "1.3"]


@pytest.mark.parametrize(
    ("candidate", "known"),
    [
        (earlier("1.1", 1, patient="Q"), entry("1.1", 1)),
        (earlier("1.1", 1, tracer="PSMA-11"), entry("1.1", 1)),
        (earlier("1.1", 1, tracer=None), entry("1.1", 1)),
        (earlier("1.1", 1), entry("1.1", 1, branch="ct")),
        (earlier("1.1", 1), entry("1.5", 1)),
        (earlier("1.1", 1), replace(entry("1.1", 1), outcome=Outcome.NOT_ASSESSABLE, measurements=())),
        (earlier("1.1", 1), replace(entry("1.1", 1), studied_on=None)),
    ],
)
def test_what_does_not_compare_is_no_part_of_it(candidate: Examination, known: LedgerEntry) -> None:
    """Another patient, tracer or branch, a study that is no candidate, a refusal, a study without a day."""
    assert history([candidate], [known]) == []


def test_contradicting_reports_are_no_number() -> None:
    """Of two current reports on one study with other numbers neither counts; the same numbers twice are one."""
    candidates = [earlier("1.1", 1), earlier("1.2", 2)]
    twice = [entry("1.2", 2), entry("1.2", 2, report="2")]
    other = [entry("1.1", 1), entry("1.1", 1, report="2", volume=6.0)]
    assert history(candidates, [*twice, *other]) == ["1.2"]
