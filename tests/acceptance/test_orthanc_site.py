"""A site as installed: Orthanc gets a study from a modality, routes it to the node by itself, and has the result."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.clock import SystemClock
from bmnode.delivery.orthanc_rest import OrthancRest
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.results import Outcome
from bmnode.results.reading import read_report
from bmnode.storage import Database, Jobs, Studies
from bmnode.testing.patients import PatientSpec, write_bone_scan
from tests.acceptance.conftest import Site
from tests.support.polling import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]


def test_orthanc_routes_a_new_study_and_gets_the_result_back(site: Site, tmp_path: Path) -> None:
    """Nobody but Orthanc's own script sends the study; SR comes back into it, is labelled, and starts nothing more."""
    study = write_bone_scan(tmp_path, spec=PatientSpec(seed=21, patient_id="SYN-ROUTED"))
    sent = CStoreSender("GAMMA1", clock=SystemClock()).send(site.orthanc.as_peer(), study.files)
    assert all(item.accepted for item in sent)
    site.await_results(study.study_uid, seg=True)
    files = site.download_results(study.study_uid, tmp_path / "out")
    roots = [report for report in map(read_report, files["SR"]) if report.outcome is not None]
    assert [report.outcome for report in roots] == [Outcome.ASSESSED]
    rest = site.orthanc.rest
    orthanc_id = rest.studies.lookup(study.study_uid)
    eventually(lambda: "bmnode-results" in rest.get_json(f"studies/{orthanc_id}/metadata"), timeout_s=20.0)
    eventually(lambda: bool(rest.get_json(f"studies/{orthanc_id}")["IsStable"]), timeout_s=60.0)
    database = Database(site.node.plan.settings.database_url)
    with database.read() as connection:
        assert len(Jobs(connection).of_study(study.study_uid)) == 1
        assert Studies(connection).get(study.study_uid).revision == 1
    database.dispose()


def test_orthancs_health_is_told(site: Site) -> None:
    """The REST address of a peer gives its version and what it holds."""
    health = OrthancRest(site.orthanc.as_peer()).health()
    assert health.ae_title == site.orthanc.ae_title
    assert health.instance_count == len(site.orthanc.rest.get_json("instances"))
    assert health.version == site.orthanc.rest.get_json("system")["Version"]


def test_a_study_is_pulled_by_hand(site: Site, tmp_path: Path) -> None:
    """A study that Orthanc did not route is sent to the node on request, and assessed."""
    study = write_bone_scan(tmp_path, spec=PatientSpec(seed=22, patient_id="SYN-PULLED", lesions=()))
    # Orthanc does not route what bmnode's own AE title stored: the study lies there until somebody asks.
    sent = CStoreSender("BMNODE", clock=SystemClock()).send(site.orthanc.as_peer(), study.files)
    assert all(item.accepted for item in sent)
    assert OrthancRest(site.orthanc.as_peer()).send_study(study.study_uid, to_ae_title="BMNODE") == len(study.files)
    site.await_results(study.study_uid, seg=True)
