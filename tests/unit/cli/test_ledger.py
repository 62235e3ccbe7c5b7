"""What `ledger show` and `ledger rebuild` promise: one patient's lesions, exactly, and nobody named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from bmnode.cli.documents import KINDS
from bmnode.domain.codes import Concept, Finding, Laterality, Site, Unit
from bmnode.domain.follow_up_codes import Event, FollowUp
from bmnode.domain.ledger import LedgerEntry, LedgerPatient, Observation, SegmentPlace
from bmnode.domain.results import Evaluation, Measurement, Outcome
from bmnode.errors import PeerUnreachableError, ResultError
from bmnode.priors.identity import patient_digest
from bmnode.results.write import write_results
from bmnode.storage import AuditTrail, Database, Ledger
from bmnode.work.ledger_sources import ReportPlace, ReportSource, Studies
from tests.unit.cli.conftest import Outside, Run
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

PATIENT_ID = "PAT-4711"
THEN, NOW = "1.2.840.99.7.1", "1.2.840.99.7.2"


def _lesion(number: int, volume_ml: float, event: object = None, came_from: tuple[str, ...] = ()) -> Observation:
    volume = Measurement(concept=Concept.VOLUME, value=volume_ml, unit=Unit.ML, method="VOXEL_COUNT_V1")
    said = () if event is None else (Evaluation(concept=FollowUp.EVENT, value=event),)  # type: ignore[arg-type]  # a code
    return Observation(
        tracking_id=f"bmnode lesion {number}",
        tracking_uid=f"1.9.{number}",
        finding_type=Finding.LESION,
        site=Site.PELVIS,
        laterality=Laterality.LEFT,
        segment=SegmentPlace(sop_instance_uid="1.7", series_uid="1.6", number=number),
        came_from=came_from,
        measurements=(volume,),
        evaluations=said,
    )


def _entry(study_uid: str, day: date, *observations: Observation, issuer: str = "") -> LedgerEntry:
    return LedgerEntry(
        report_uid=f"{study_uid}.9",
        study_uid=study_uid,
        patient=LedgerPatient(digest=patient_digest(PATIENT_ID), issuer=issuer),
        studied_on=day,
        branch="ct",
        pipeline="bone_metastasis 1",
        outcome=Outcome.ASSESSED,
        observations=observations,
    )


@pytest.fixture
def known(database: Database) -> Database:
    """Two lesions became one."""
    now = _entry(NOW, date(2026, 2, 1), _lesion(1, 3.5, Event.MERGED, ("1.9.2",)))
    then = _entry(THEN, date(2025, 2, 1), _lesion(1, 1.25), _lesion(2, 0.75))
    with database.write() as connection:
        for entry in (now, then):
            Ledger(connection).put(entry)
    return database


@pytest.mark.parametrize("asked", [PATIENT_ID, f" {PATIENT_ID}", THEN, NOW])
def test_a_patients_lesions_are_shown_over_time(run: Run, known: Database, asked: str) -> None:
    """By Patient ID or by any of the studies: the same lesions, each with its course, its links and exact numbers."""
    shown = run("ledger", "show", asked, "--json").json
    assert [item["study_uid"] for item in shown["time_points"]] == [THEN, NOW]
    assert all(item.keys() == KINDS["ledger_time_point"].keys() for item in shown["time_points"])
    one, two = shown["lesions"]
    assert one.keys() == KINDS["ledger_lesion"].keys()
    assert (one["tracking_uid"], one["became"], two["became"]) == ("1.9.1", [], ["1.9.1"])
    first, last = one["course"]
    assert first.keys() == KINDS["ledger_observation"].keys()
    assert (first["event"], last["event"]["value"]) == (None, "EV-MERGED")
    assert last["came_from"] == ["1.9.2"]
    assert [item["measurements"][0]["value"] for item in (first, last)] == [1.25, 3.5]
    assert last["measurements"][0] | {"concept": 0} == {
        "concept": 0,
        "derivation": None,
        "value": 3.5,
        "unit": "ml",
        "method": "VOXEL_COUNT_V1",
    }


def test_people_read_it_as_a_table(run: Run, known: Database) -> None:
    """A line a lesion and day, with place, event, origin and size; the one that merged says into which."""
    lines = run("ledger", "show", THEN).out.splitlines()
    merged = next(line for line in lines if "2026-02-01" in line and "lesion 1" in line)
    for part in ("Left", "Merged, from bmnode lesion 2", "3.5 ml"):
        assert part in merged
    assert any("bmnode lesion 2" in line and "goes on in bmnode lesion 1" in line for line in lines)


def test_nobody_is_named(run: Run, known: Database) -> None:
    """A patient without reports is not repeated; of one with reports neither ID nor digest is shown."""
    unknown = run("ledger", "show", "PAT-0815")
    assert (unknown.code, "PAT-0815" in unknown.out + unknown.err) == (3, False)
    shown = run("ledger", "show", PATIENT_ID, "--json").out
    assert PATIENT_ID not in shown
    assert patient_digest(PATIENT_ID) not in shown


def test_two_patients_under_one_number_are_never_one(run: Run, known: Database) -> None:
    """Who issued the number decides: asked for without it nothing is shown; a study's patient is that study's."""
    other = _entry("1.2.840.99.7.3", date(2026, 3, 1), replace(_lesion(5, 9.0)), issuer="ELSEWHERE")
    with known.write() as connection:
        Ledger(connection).put(other)
    assert run("ledger", "show", PATIENT_ID).code == 2
    for arguments, studies in (
        ((PATIENT_ID, "--issuer", "ELSEWHERE"), [other.study_uid]),
        ((PATIENT_ID, "--issuer", ""), [THEN, NOW]),
        ((other.study_uid,), [other.study_uid]),
        ((NOW,), [THEN, NOW]),
    ):
        shown = run("ledger", "show", *arguments, "--json").json
        assert [item["study_uid"] for item in shown["time_points"]] == studies


def test_the_sites_issuer_stands_for_none(run: Run, known: Database, tmp_path: Path) -> None:
    """As everywhere, studies that state no issuer are those of the site."""
    config = tmp_path / "bmnode.toml"
    config.write_text(config.read_text() + '\n[priors]\nissuer = "HOSPITAL"\n')
    shown = run("ledger", "show", PATIENT_ID, "--issuer", "HOSPITAL", "--json").json
    assert len(shown["time_points"]) == 2


# --- rebuild ---------------------------------------------------------------------------


@dataclass(kw_only=True)
class Reports:
    """A place with reports in memory; None stands for a damaged one."""

    name: str
    held: dict[str, Dataset | None] = field(default_factory=dict)
    is_complete: bool = True
    error: Exception | None = None

    def studies(self) -> Studies:
        """One, with all of them."""
        if self.error is not None:
            raise self.error
        return Studies(uids=("1.2",), is_complete=self.is_complete)

    def reports(self, study_uid: str) -> Sequence[ReportPlace]:
        """All of them."""
        return [ReportPlace(study_uid=study_uid, series_uid="1.3", sop_instance_uid=uid) for uid in self.held]

    def read(self, place: ReportPlace) -> Dataset:
        """As it is held."""
        found = self.held[place.sop_instance_uid]
        if found is None:
            raise ResultError(f"{place.sop_instance_uid} is damaged")
        return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A root report."""
    folder = tmp_path_factory.mktemp("report")
    series = sources.classic_slices(folder / "ct", sources.CT, "CT")
    result_set = result_sets.volumetric(series)
    objects = write_results(result_set, source_files=series.files, out_dir=folder / "out", context=CONTEXT)
    return pydicom.dcmread(objects[0].path)


def _hold(outside: Outside, *places: Reports) -> None:
    held: dict[str, ReportSource] = {place.name: place for place in places}
    outside.reports = held


def test_the_ledger_is_made_of_the_reports_of_archives(
    run: Run, outside: Outside, database: Database, report: Dataset
) -> None:
    """The store and the archives that are named; each with its counts, and the audit trail tells of both."""
    uid = str(report.SOPInstanceUID)
    _hold(outside, Reports(name="node", held={uid: report}), Reports(name="pacs", held={uid: report}))
    answer = run("ledger", "rebuild", "--archive", "pacs", "--json")
    own, pacs = answer.json["places"]
    assert answer.code == 0
    assert own.keys() == KINDS["ledger_place"].keys()
    assert [(item["place"], item["added"], item["known"]) for item in (own, pacs)] == [("node", 1, 0), ("pacs", 0, 1)]
    with database.read() as connection:
        assert [item.report_uid for item in Ledger(connection).current()] == [uid]
        trail = [item for item in AuditTrail(connection).entries() if item.event == "ledger_rebuilt"]
    assert [item.outcome for item in trail] == ["success", "success"]
    assert all(item.actor.startswith("administrator:") for item in trail)


def test_what_could_not_be_taken_in_is_named(run: Run, outside: Outside, database: Database) -> None:
    """A damaged report, and an archive that told of a part alone, are told and end with 1."""
    _hold(outside, Reports(name="node", held={"1.5": None}), Reports(name="pacs", is_complete=False))
    answer = run("ledger", "rebuild", "--archive", "pacs")
    assert answer.code == 1
    assert "1.5: 1.5 is damaged" in answer.out
    own, pacs = run("ledger", "rebuild", "--archive", "pacs", "--json").json["places"]
    assert (len(own["failures"]), pacs["is_complete"]) == (1, False)


def test_an_archive_out_of_reach_ends_it_with_its_own_code(run: Run, outside: Outside, database: Database) -> None:
    """What came before stays; that it failed is audited."""
    _hold(outside, Reports(name="node"), Reports(name="pacs", error=PeerUnreachableError("peer pacs is silent")))
    assert run("ledger", "rebuild", "--archive", "pacs").code == PeerUnreachableError.exit_code
    with database.read() as connection:
        last = AuditTrail(connection).entries()[-1]
    assert (last.event, last.outcome) == ("ledger_rebuilt", "failure")
