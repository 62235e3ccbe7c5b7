"""Which earlier examination is compared: the right one of look-alikes, or none, with the reason for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.study import Branch
from bmnode.priors.choice import choose
from bmnode.priors.comparable import PriorReason, PriorRule, judge
from bmnode.priors.examination import Examination, PatientKey

RULE = PriorRule()
NOW = datetime(2026, 5, 4, 10, 30, tzinfo=UTC)
WHO = PatientKey(patient_id="4711", issuer="HOSPITAL", birth_date=date(1950, 1, 2))
CURRENT = Examination(
    study_uid="1.9",
    patient=WHO,
    performed_at=NOW,
    branch=Branch.PET_CT,
    tracer="PSMA-11",
    body_parts=frozenset({"CHEST", "ABDOMEN"}),
)
PRIOR = replace(CURRENT, study_uid="1.1", performed_at=NOW - timedelta(days=90))


def who(
    patient_id: str = "4711", issuer: str | None = "HOSPITAL", birth_date: date | None = date(1950, 1, 2)
) -> Examination:
    return replace(PRIOR, patient=PatientKey(patient_id=patient_id, issuer=issuer, birth_date=birth_date))


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (PRIOR, None),
        (CURRENT, PriorReason.SAME_STUDY),
        (who(patient_id="4712"), PriorReason.OTHER_PATIENT),
        (who(issuer="CLINIC"), PriorReason.OTHER_ISSUER),
        (who(issuer=None), PriorReason.ISSUER_UNKNOWN),
        (who(birth_date=date(1950, 2, 1)), PriorReason.OTHER_BIRTH_DATE),
        (who(birth_date=None), None),
        (who(patient_id="4711 "), None),
        (replace(PRIOR, performed_at=None), PriorReason.DATE_UNKNOWN),
        (replace(PRIOR, performed_at=NOW + timedelta(days=30)), PriorReason.NOT_EARLIER),
        (replace(PRIOR, performed_at=NOW - timedelta(hours=3)), PriorReason.SAME_DAY),
        (replace(PRIOR, performed_at=NOW + timedelta(hours=3)), PriorReason.SAME_DAY),
        (replace(PRIOR, performed_at=NOW - timedelta(days=730)), None),
        (replace(PRIOR, performed_at=NOW - timedelta(days=731)), PriorReason.TOO_OLD),
        (replace(PRIOR, branch=Branch.CT), PriorReason.OTHER_EXAMINATION),
        (replace(PRIOR, branch=None), None),
        (replace(PRIOR, tracer="FDG"), PriorReason.OTHER_TRACER),
        (replace(PRIOR, tracer="PSMA-1007"), None),
        (replace(PRIOR, body_parts=frozenset({"HEAD"})), PriorReason.OTHER_BODY_PART),
        (replace(PRIOR, body_parts=frozenset({"WHOLEBODY"})), None),
        (replace(PRIOR, body_parts=frozenset({"ABDOMEN", "PELVIS"})), None),
        (replace(PRIOR, body_parts=frozenset()), None),
    ],
)
def test_each_look_alike_is_told_apart_by_its_reason(candidate: Examination, reason: PriorReason | None) -> None:
    """Another person, another day, another tracer, another part: one reason each, and none against the right one."""
    assert judge(candidate, current=CURRENT, rule=RULE).objection is reason


def test_the_right_one_of_five_look_alikes_is_taken() -> None:
    """Other tracer, same number of another hospital, other part, too old, same day: none of them."""
    candidates = [
        replace(PRIOR, study_uid="1.2", tracer="FDG", performed_at=NOW - timedelta(days=10)),
        replace(who(issuer="CLINIC"), study_uid="1.3", performed_at=NOW - timedelta(days=20)),
        replace(PRIOR, study_uid="1.4", body_parts=frozenset({"HEAD"}), performed_at=NOW - timedelta(days=30)),
        replace(PRIOR, study_uid="1.5", performed_at=NOW - timedelta(days=800)),
        replace(PRIOR, study_uid="1.6", performed_at=NOW - timedelta(hours=2)),
        PRIOR,
    ]
    choice = choose(candidates, current=CURRENT, rule=RULE)
    assert choice.latest == PRIOR
    assert choice.explanation() == (
        "6 examinations were considered, 1 comparable; not comparable: 1 same_day, 1 other_tracer, 1 other_issuer, "
        "1 other_body_part, 1 too_old."
    )
    assert choose(candidates[:-1], current=CURRENT, rule=RULE).latest is None


def test_nothing_found_is_said() -> None:
    """No candidate is another thing than none that is comparable."""
    choice = choose([], current=CURRENT, rule=RULE)
    assert (choice.latest, choice.explanation()) == (None, "No earlier examination of the patient was found.")


@pytest.mark.parametrize(
    ("started", "baseline"),
    [(None, None), (200, "1.3"), (100, "1.2"), (400, "1.3"), (300, "1.3")],
)
def test_the_baseline_is_the_last_before_the_treatment(started: int | None, baseline: str | None) -> None:
    """Else the first of the line; not known where its start is not."""
    candidates = [
        replace(PRIOR, study_uid=f"1.{number}", performed_at=NOW - timedelta(days=days))
        for number, days in ((1, 90), (2, 180), (3, 300))
    ]
    since = None if started is None else NOW - timedelta(days=started)
    choice = choose(candidates, current=CURRENT, rule=RULE, line_started_at=since)
    assert (choice.baseline.study_uid if choice.baseline else None) == baseline


def test_the_nadir_is_of_those_whose_burden_is_known() -> None:
    """An examination without a burden is not one of zero."""
    candidates = [
        replace(PRIOR, study_uid=f"1.{number}", performed_at=NOW - timedelta(days=90 * number)) for number in (1, 2, 3)
    ]
    choice = choose(candidates, current=CURRENT, rule=RULE, burdens={"1.1": 12.0, "1.3": 4.0})
    assert choice.nadir is not None
    assert choice.nadir.study_uid == "1.3"
    assert choose(candidates, current=CURRENT, rule=RULE).nadir is None


def test_another_ligand_is_a_caveat() -> None:
    """Two ligands of PSMA show the same lesions with other numbers."""
    judged = judge(replace(PRIOR, tracer="PSMA-1007"), current=CURRENT, rule=RULE)
    assert judged.comparable
    assert "not compared in numbers" in judged.caveats[0]
    (unknown,) = judge(replace(PRIOR, tracer=None), current=CURRENT, rule=RULE).caveats
    assert "not stated" in unknown


def test_identity_stays_out_of_what_is_printed() -> None:
    """Patient ID, issuer and birth date are in no `repr`, which is what logs and exceptions show."""
    shown = repr(judge(who(patient_id="4712"), current=CURRENT, rule=RULE))
    assert not any(mark in shown for mark in ("4711", "4712", "HOSPITAL", "1950"))


def test_a_patient_without_number_has_no_priors() -> None:
    """An empty Patient ID would be everybody's."""
    with pytest.raises(ValueError, match="without a Patient ID"):
        PatientKey(patient_id="  ")


def changed(days: int, tracer: str, part: str) -> Callable[[int], Examination]:
    return lambda number: replace(
        PRIOR,
        study_uid=f"1.{number}",
        performed_at=NOW - timedelta(days=days),
        tracer=tracer,
        body_parts=frozenset({part}),
    )


histories = st.lists(
    st.builds(
        changed,
        st.integers(-10, 900),
        st.sampled_from(["PSMA-11", "PSMA-1007", "FDG"]),
        st.sampled_from(["CHEST", "HEAD", "WHOLEBODY"]),
    ),
    max_size=6,
).map(lambda makers: [make(number) for number, make in enumerate(makers)])


@given(history=histories, data=st.data())
def test_the_order_of_answers_does_not_matter(history: list[Examination], data: st.DataObject) -> None:
    """An archive answers in any order: the choice is the same, and no later comparable one was passed over."""
    choice = choose(history, current=CURRENT, rule=RULE)
    assert choose(data.draw(st.permutations(history)), current=CURRENT, rule=RULE) == choice
    comparable = [item.candidate for item in choice.judged if item.comparable]
    assert (choice.latest is None) == (not comparable)
    if choice.latest is not None:
        assert choice.latest.performed_at == max(item.performed_at for item in comparable if item.performed_at)
