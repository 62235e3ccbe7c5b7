"""What an archive's answers become: examinations with their own patient and day; a cut answer is asked for in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from bmnode.archive import Answers, Level
from bmnode.domain.peers import Peer
from bmnode.domain.study import Branch
from bmnode.priors.asking import ArchiveQuestion
from bmnode.priors.examination import Examination, PatientKey
from bmnode.priors.identity import patient_digest, patient_of, performed_at
from bmnode.priors.reading import Site

PEER = Peer(name="pacs", ae_title="PACS", host="127.0.0.1", port=104)
BERLIN = ZoneInfo("Europe/Berlin")
CURRENT = Examination(
    study_uid="1.9",
    patient=PatientKey(patient_id="4711", issuer="HOSPITAL"),
    performed_at=datetime(2026, 5, 4, 10, 0, tzinfo=UTC),
    branch=Branch.PET_CT,
    tracer="PSMA-11",
)


def _header(**values: object) -> Dataset:
    header = Dataset()
    for keyword, value in values.items():
        setattr(header, keyword, value)
    return header


@dataclass(kw_only=True)
class Archive:
    """An archive with a study on each of these days, that tells of so many at most."""

    days: Sequence[date]
    most: int = 1000
    series: Sequence[Dataset] = ()
    asked: list[str] = field(default_factory=list)

    def find(self, peer: Peer, level: Level, *, keys: dict[str, object], wanted: Sequence[str] = ()) -> Answers:
        if level is Level.SERIES:
            return Answers(matches=tuple(self.series))
        self.asked.append(str(keys["StudyDate"]))
        first, _, last = str(keys["StudyDate"]).partition("-")
        fitting = [day for day in self.days if first <= f"{day:%Y%m%d}" <= last]
        matches = tuple(
            _header(
                StudyInstanceUID=f"1.{day:%Y%m%d}",
                PatientID="4711",
                IssuerOfPatientID="HOSPITAL",
                StudyDate=f"{day:%Y%m%d}",
                ModalitiesInStudy=["PT", "CT"],
            )
            for day in fitting[: self.most]
        )
        return Answers(matches=matches, is_complete=len(fitting) <= self.most)


def _ask(archive: Archive) -> tuple[list[str], bool]:
    told = ArchiveQuestion(find=archive, peer=PEER, site=Site(zone=UTC)).candidates(CURRENT)
    return [item.study_uid for item in told.examinations], told.is_complete


@given(offsets=st.sets(st.integers(min_value=0, max_value=1000), max_size=30), most=st.integers(1, 5))
def test_a_cut_answer_is_asked_for_in_parts(offsets: set[int], most: int) -> None:
    """However little an archive tells at a time, every study on a day of its own is told of, once."""
    days = [date(2026, 5, 4) - timedelta(days=offset) for offset in offsets]
    uids, is_complete = _ask(Archive(days=days, most=most))
    assert sorted(uids) == sorted(f"1.{day:%Y%m%d}" for day in days)
    assert is_complete


def test_a_day_that_is_too_full_is_told() -> None:
    """Two studies of one day, of which the archive tells one, are no whole answer."""
    day = date(2026, 1, 5)
    assert _ask(Archive(days=[day, day], most=1)) == (["1.20260105"], False)


def test_series_tell_tracer_and_body_part() -> None:
    """What stands in the description of a nuclear series counts; that of the CT beside it does not."""
    series = [
        _header(Modality="PT", BodyPartExamined="wholebody", SeriesDescription="PET 18F-FDG"),
        _header(Modality="CT", BodyPartExamined="CHEST", SeriesDescription="CT for PSMA-11"),
    ]
    archive = Archive(days=[date(2026, 1, 5)], series=series)
    (found,) = ArchiveQuestion(find=archive, peer=PEER, site=Site(zone=UTC)).candidates(CURRENT).examinations
    assert (found.tracer, found.body_parts) == ("FDG", frozenset({"WHOLEBODY", "CHEST"}))
    assert (found.modalities, found.branch) == (frozenset({"PT", "CT"}), None)


@pytest.mark.parametrize(
    ("values", "issuer", "expected"),
    [
        ({"PatientID": " 4711 ", "IssuerOfPatientID": "H"}, "SITE", PatientKey(patient_id="4711", issuer="H")),
        ({"PatientID": "4711"}, "SITE", PatientKey(patient_id="4711", issuer="SITE")),
        ({"PatientID": "aB", "IssuerOfPatientID": ""}, None, PatientKey(patient_id="aB")),
        ({"PatientID": "  "}, "SITE", None),
        ({}, "SITE", None),
        (
            {"PatientID": "a", "PatientBirthDate": "19500102"},
            None,
            PatientKey(patient_id="a", birth_date=date(1950, 1, 2)),
        ),
    ],
)
def test_whose_it_is(values: dict[str, str], issuer: str | None, expected: PatientKey | None) -> None:
    """The site's issuer stands for one that is not stated; without an ID it is nobody's. Letters keep their case."""
    assert patient_of(_header(**values), default_issuer=issuer) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"StudyDate": "20260115", "StudyTime": "233000"}, datetime(2026, 1, 15, 23, 30, tzinfo=BERLIN)),
        (
            {"StudyDate": "20260115", "StudyTime": "2330", "TimezoneOffsetFromUTC": "-0500"},
            datetime(2026, 1, 15, 23, 30, tzinfo=timezone(timedelta(hours=-5))),
        ),
        ({"StudyDate": "20260115"}, datetime(2026, 1, 15, tzinfo=BERLIN)),
        ({"StudyTime": "101500"}, None),
        ({"StudyDate": ""}, None),
    ],
)
def test_when_it_was(values: dict[str, str], expected: datetime | None) -> None:
    """In the stated zone, else in the site's; without a date it is not known."""
    assert performed_at(_header(**values), zone=BERLIN) == expected


def test_a_digest_names_nobody_and_knows_the_same_id() -> None:
    """Spaces around an ID do not count, its letters do; the ID itself does not show."""
    assert patient_digest(" 4711 ") == patient_digest("4711") != patient_digest("4712")
    assert "4711" not in patient_digest("4711")
