"""A patient's PET/CT of two years goes through a node: the second report compares, and the ledger has both."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bmnode.archive.association import Caller
from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.follow_up_codes import Change, Compared, Event, FollowUp
from bmnode.storage import Database, Ledger
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess, is_delivered
from bmnode.testing.patients import PatientSpec
from bmnode.testing.patients.pet_ct import write_pet_ct
from bmnode.testing.patients.spec import SyntheticStudy
from bmnode.work.ledger_rebuild import LedgerRebuild
from bmnode.work.ledger_sources import ArchiveReports
from tests.support.polling import eventually

CLOCK = SystemClock()
COMPLETES_S = 280.0


def _study(folder: Path, year: int) -> SyntheticStudy:
    """The same patient, born in 1957, unchanged."""
    start = datetime(year, 9, 10, 9, 0, tzinfo=UTC)
    spec = PatientSpec(seed=5, patient_id="SYN-PAIR", age_years=year - 1957, study_start=start)
    return write_pet_ct(folder / str(year), spec=spec)


def _shown(plan: NodePlan, study_uid: str) -> Any:
    """What `bmnode ledger show` says."""
    command = [sys.executable, "-m", "bmnode", "--config", str(plan.config_file), "ledger", "show", study_uid, "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


@pytest.mark.acceptance
@pytest.mark.timeout(900)
def test_a_second_pet_ct_is_compared_lesion_by_lesion(tmp_path: Path) -> None:
    """Every lesion keeps its Tracking UID and is persistent, with its changes; the ledger shows both examinations, and
    comes out of the archive's reports as it was."""
    plan = NodePlan(folder=tmp_path / "node", peers=())
    with EmbeddedArchive(tmp_path / "archive", ae_title="ARCHIVE", known_peers=[plan.as_peer]) as archive:
        peer = archive.as_peer("archive")
        plan = NodePlan(folder=plan.folder, peers=(peer,), port=plan.port)
        then, now = _study(tmp_path, 2024), _study(tmp_path, 2025)
        with NodeProcess(plan, clock=CLOCK):
            database = Database(plan.settings.database_url)
            for study in (then, now):
                sent = CStoreSender("SCANNER", clock=CLOCK).send(plan.as_peer, study.files)
                assert all(item.accepted for item in sent)
                uid = study.study_uid
                eventually(lambda uid=uid: is_delivered(database, uid), timeout_s=COMPLETES_S)  # type: ignore[misc]  # bound here
        _check_shown(_shown(plan, now.study_uid), then=then, now=now)
        with database.read() as connection:
            known = list(Ledger(connection).current())
        database.dispose()
        empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
        empty.migrate()
        source = ArchiveReports(peer=peer, caller=Caller(ae_title="BMNODE", clock=CLOCK))
        LedgerRebuild(database=empty, clock=CLOCK, actor="test").run(source, lambda _: None)
        with empty.read() as connection:
            assert list(Ledger(connection).current()) == known
        empty.dispose()


def _check_shown(shown: Any, *, then: SyntheticStudy, now: SyntheticStudy) -> None:
    first, second = shown["time_points"]
    assert [first["study_uid"], second["study_uid"]] == [then.study_uid, now.study_uid]
    answers = {item["concept"]["value"]: item["value"]["value"] for item in second["evaluations"]}
    assert answers[FollowUp.COMPARISON.value] == Compared.LESIONS.value
    assert len(shown["lesions"]) == len(now.truth.lesions)
    for lesion in shown["lesions"]:
        before, after = lesion["course"]
        assert (before["event"], after["event"]["value"]) == (None, Event.PERSISTENT.value)
        assert after["segment_number"] is not None
        concepts = {item["concept"]["value"] for item in after["measurements"]}
        assert {Change.VOLUME.value, Change.SUV_MAX.value} <= concepts
