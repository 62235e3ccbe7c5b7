"""Identities: synthetic, plausible, the same person at every time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest

from operators.simulation.dicom.header import SeriesPlan, StudyHeader
from tests.unit.simulation.dicom.small import HEADER, PERSON

START = datetime(2025, 3, 4, 9, 0, tzinfo=UTC)


def test_a_person_stays_the_same_from_study_to_study() -> None:
    """Name, ID and birth date follow from the key alone; study and accession are new, age grows."""
    later = StudyHeader.drawn(
        PERSON, key="tests 5", study="two", start=START + timedelta(days=800), description="Examination"
    )
    assert (later.patient_name, later.patient_id) == (HEADER.patient_name, HEADER.patient_id)
    assert later.birth_date == HEADER.birth_date
    assert later.age_years - HEADER.age_years in (2, 3)
    assert later.study_uid != HEADER.study_uid
    assert later.accession != HEADER.accession


def test_people_differ() -> None:
    """A thousand keys give a thousand patient IDs, adults all of them."""
    people = [
        StudyHeader.drawn(PERSON, key=str(number), study="one", start=START, description="x") for number in range(1000)
    ]
    assert len({person.patient_id for person in people}) == 1000
    assert all(34 <= person.age_years <= 90 for person in people)


def test_a_moment_elsewhere_becomes_utc() -> None:
    """A start in another zone is the same moment."""
    zone = timezone(timedelta(hours=2))
    header = StudyHeader.drawn(PERSON, key="a", study="one", start=START.astimezone(zone), description="x")
    assert header.start == START
    assert header.start.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patient_name": "DOE^JANE"}, "SIM"),
        ({"start": datetime(2025, 3, 4)}, "UTC"),  # noqa: DTZ001 - a naive moment is what is refused
        ({"accession": "12345678901234567"}, "accession"),
        ({"birth_date": START.date()}, "birth_date"),
    ],
)
def test_a_header_that_could_mislead_is_refused(changes: dict[str, object], message: str) -> None:
    """A real-looking name, a moment without a zone or a value that does not fit DICOM raise."""
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(HEADER, **changes)  # type: ignore[arg-type]  # one wrong field each


def test_series_do_not_begin_before_their_study() -> None:
    """A negative offset is refused."""
    with pytest.raises(ValueError, match="before its study"):
        SeriesPlan(number=1, starts_after_s=-1.0)
