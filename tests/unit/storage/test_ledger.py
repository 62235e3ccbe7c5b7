"""The ledger holds what reports say, exactly, and of every study what stands now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from bmnode.domain.codes import Concept, Derivation, Finding, Laterality, Site, Unit
from bmnode.domain.follow_up_codes import Event, FollowUp
from bmnode.domain.ledger import (
    LedgerEntry,
    LedgerPatient,
    Observation,
    SegmentPlace,
    became,
    histories,
)
from bmnode.domain.results import Evaluation, Measurement, Outcome
from bmnode.storage import Database, Ledger
from bmnode.storage.deletion import delete_content
from bmnode.storage.tables import metadata

PATIENT = LedgerPatient(digest="d" * 64, issuer="HOSPITAL")
CODES = [value for key, value in vars(Event).items() if key.isupper()]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    """Of an empty node."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    with database.write() as connection:
        yield connection
    database.dispose()


def lesion(number: int, **changes: object) -> Observation:
    """A lesion with a volume."""
    volume = Measurement(concept=Concept.VOLUME, value=1.25, unit=Unit.ML, method="VOXEL_COUNT_V1")
    base = Observation(
        tracking_id=f"bmnode lesion {number}",
        tracking_uid=f"1.9.{number}",
        finding_type=Finding.LESION,
        measurements=(volume,),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # whatever a test changes


def entry(number: int, *observations: Observation, day: int = 1, **changes: object) -> LedgerEntry:
    """A report on a study of its own."""
    base = LedgerEntry(
        report_uid=f"1.5.{number}",
        study_uid=f"1.2.{number}",
        patient=PATIENT,
        studied_on=date(2026, 1, day),
        branch="ct",
        pipeline="bone_metastasis 1",
        outcome=Outcome.ASSESSED,
        observations=observations,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # whatever a test changes


numbers = st.floats(allow_nan=False, allow_infinity=False)
measurements = st.lists(
    st.builds(
        Measurement,
        concept=st.sampled_from([Concept.VOLUME, Concept.SUV_BW]),
        value=numbers,
        unit=st.sampled_from([Unit.ML, Unit.SUV_BW]),
        method=st.sampled_from(["VOXEL_COUNT_V1", "PET_SUV_QIBA_V1"]),
        derivation=st.none() | st.just(Derivation.MAXIMUM),
    ),
    max_size=3,
).map(tuple)
evaluations = st.lists(
    st.builds(Evaluation, concept=st.just(FollowUp.EVENT), value=st.sampled_from(CODES)), max_size=2
).map(tuple)
places = st.none() | st.builds(
    SegmentPlace, sop_instance_uid=st.just("1.7"), series_uid=st.just("1.6"), number=st.integers(1, 99)
)
lesions = st.builds(
    Observation,
    tracking_id=st.text(max_size=5),
    tracking_uid=st.integers(0, 9).map(lambda number: f"1.9.{number}"),
    finding_type=st.just(Finding.LESION),
    site=st.none() | st.just(Site.PELVIS),
    laterality=st.none() | st.just(Laterality.LEFT),
    segment=places,
    came_from=st.lists(st.integers(10, 19).map(lambda number: f"1.9.{number}"), max_size=3, unique=True).map(tuple),
    measurements=measurements,
    evaluations=evaluations,
)
entries = st.builds(
    LedgerEntry,
    report_uid=st.just("1.5.1"),
    study_uid=st.just("1.2.1"),
    patient=st.just(PATIENT),
    studied_on=st.none() | st.dates(),
    branch=st.sampled_from(["", "ct"]),
    pipeline=st.text(max_size=5),
    outcome=st.sampled_from(Outcome),
    synthetic=st.booleans(),
    predecessor_uids=st.lists(st.sampled_from(["1.5.2", "1.5.3"]), unique=True).map(tuple),
    observations=st.lists(lesions, max_size=4, unique_by=lambda item: item.tracking_uid).map(tuple),
    measurements=measurements,
    evaluations=evaluations,
)


@given(first=entries, second=entries)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_report_comes_back_as_it_was(connection: sa.Connection, first: LedgerEntry, second: LedgerEntry) -> None:
    """Every number, code, link and place, to the bit and in its order; a report that is written again is one."""
    ledger = Ledger(connection)
    for written in (first, first, second):
        ledger.put(written)
        assert list(ledger.current()) == [written]


def test_what_a_revision_replaces_is_not_current(connection: sa.Connection) -> None:
    """Whichever of the two is written first: a later report supersedes, and a refusal takes lesions away."""
    old, new = entry(1, lesion(1)), entry(2, lesion(1), lesion(2), study_uid="1.2.1", predecessor_uids=("1.5.1",))
    last = entry(3, study_uid="1.2.1", outcome=Outcome.NOT_ASSESSABLE, predecessor_uids=("1.5.2", "1.5.0"))
    ledger = Ledger(connection)
    for written, current in ((new, new), (old, new), (last, last), (old, last)):
        ledger.put(written)
        assert list(ledger.of_study("1.2.1")) == [current]
    assert ledger.has("1.5.1")
    assert not ledger.has("1.5.4")


def test_a_patient_has_own_reports_alone(connection: sa.Connection) -> None:
    """By the digest of the Patient ID, the earliest first; the issuer stays with each."""
    other = LedgerPatient(digest="e" * 64)
    for written in (entry(1, day=3), entry(2, day=2), entry(3, patient=other), entry(4, day=1, patient=PATIENT)):
        Ledger(connection).put(written)
    found = Ledger(connection).of_patient(PATIENT.digest)
    assert [item.report_uid for item in found] == ["1.5.4", "1.5.2", "1.5.1"]
    assert [item.patient.issuer for item in Ledger(connection).of_patient(other.digest)] == [""]


def test_the_database_keeps_what_belongs_together(connection: sa.Connection) -> None:
    """A lesion has one observation a report, and none without its report."""
    Ledger(connection).put(entry(1, lesion(1)))
    row = (
        "INSERT INTO ledger_observations (report_uid, tracking_uid, position, tracking_id, finding_code,"
        " finding_scheme, finding_meaning) VALUES ('{}', '1.9.1', 1, '', 'a', 'b', 'c')"
    )
    for report in ("1.5.1", "1.5.2"):
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.exec_driver_sql(row.format(report))


def test_a_deleted_study_leaves_no_row(connection: sa.Connection) -> None:
    """Lesions, numbers, answers and links go with it; those of other studies stay."""
    full = lesion(1, came_from=("1.9.2",), evaluations=(Evaluation(concept=FollowUp.EVENT, value=Event.SPLIT),))
    for number in (1, 2):
        Ledger(connection).put(entry(number, full, predecessor_uids=("1.5.0",)))
    delete_content(connection, "1.2.1")
    for table in metadata.sorted_tables:
        if table.name.startswith("ledger_"):
            assert {row.report_uid for row in connection.execute(sa.select(table))} == {"1.5.2"}


def test_a_lesion_has_one_history() -> None:
    """By its Tracking UID over all reports, day by day; what it became is told by those that came from it."""
    event = Evaluation(concept=FollowUp.EVENT, value=Event.MERGED)
    merged = lesion(1, came_from=("1.9.2",), evaluations=(event,))
    found = (entry(2, merged, lesion(3), day=9), entry(1, lesion(1), lesion(2), day=4))
    one, two, three = histories(found)
    assert [(item.studied_on, seen.event) for item, seen in one.course] == [
        (date(2026, 1, 4), None),
        (date(2026, 1, 9), Event.MERGED),
    ]
    assert [len(item.course) for item in (two, three)] == [1, 1]
    assert became(two, found) == ("1.9.1",)
    assert became(one, found) == ()


def test_two_observations_share_no_tracking_uid() -> None:
    """Such a report contradicts itself."""
    with pytest.raises(ValueError, match="Tracking UID"):
        entry(1, lesion(1), lesion(1))
