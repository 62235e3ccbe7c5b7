"""What `config`, `peer`, `route` and `pipeline` promise."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bmnode.config import load_settings
from bmnode.errors import PeerRefusedError, PeerUnreachableError
from bmnode.storage import Database
from tests.unit.cli.conftest import CONFIGURATION, STUDY, Outside, Run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration with two peers and two routes."""
    file = tmp_path / "bmnode.toml"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file.write_text(f"[node]\nport = {port}\n{CONFIGURATION}", encoding="utf-8")
    return file


def test_written_configuration_passes_its_own_check(run: Run, tmp_path: Path) -> None:
    """A newcomer's first two commands work, in this order."""
    assert run("config", "init", "--json").json == {"file": str(tmp_path / "bmnode.toml")}
    found = run("config", "check", "--json").json["findings"]
    # Another node may run on the default port of the machine that runs this test.
    assert [item for item in found if item["severity"] == "error" and item["key"] != "node.port"] == []


def test_init_never_replaces_a_file_unasked(run: Run, file: Path) -> None:
    """What an administrator wrote is safe."""
    before = file.read_text(encoding="utf-8")
    assert run("config", "init", str(file)).code == 2
    assert file.read_text(encoding="utf-8") == before
    assert run("config", "init", str(file), "--force").code == 0


def test_show_tells_what_is_in_force_without_passwords(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File and environment are merged as the node does it; a database password is not shown."""
    monkeypatch.setenv("BMNODE__DATABASE__URL", "postgresql://bmnode:hunter2@db.example.org/bmnode")
    monkeypatch.setenv("BMNODE__NODE__AE_TITLE", "FROMENV")
    for answer in (run("config", "show"), run("config", "show", "--json")):
        assert "FROMENV" in answer.out
        assert "bmnode:***@db.example.org" in answer.out
        assert "hunter2" not in answer.out


def test_shown_configuration_can_be_read_again(run: Run, file: Path, tmp_path: Path) -> None:
    """The output of `config show` is a configuration that means the same."""
    copy = tmp_path / "copy.toml"
    copy.write_text(run("config", "show").out, encoding="utf-8")
    assert load_settings(copy).model_dump() == load_settings(file).model_dump()


def test_check_reports_a_file_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    """The check itself never fails on what it is there to find."""
    (tmp_path / "bmnode.toml").write_text("[node]\nporrt = 1\nae_titel = 'x'\n", encoding="utf-8")
    answer = run("config", "check", "--json")
    assert answer.code == 2
    assert answer.json["ok"] is False
    assert len(answer.json["findings"]) == 2


def test_check_knows_its_own_running_node(run: Run, file: Path, outside: Outside) -> None:
    """On a port that is taken the listener is asked who it is."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        file.write_text(f"[node]\nport = {listener.getsockname()[1]}\n", encoding="utf-8")
        assert run("config", "check").code == 0
        outside.peer_errors["myself"] = PeerUnreachableError("no answer")
        assert run("config", "check").code == 2


def test_added_peer_is_listed_and_removed_one_is_not(run: Run, file: Path) -> None:
    """The three commands speak of the same file."""
    assert run("peer", "add", "gamma", "--ae-title", "GAMMA1", "--host", "192.0.2.7", "--port", "104").code == 0
    listed = {peer["name"]: peer for peer in run("peer", "list", "--json").json["peers"]}
    assert listed["gamma"]["ae_title"] == "GAMMA1"
    assert run("peer", "remove", "gamma").code == 0
    assert "gamma" not in run("peer", "list").out


def test_peer_that_cannot_be_is_refused(run: Run, file: Path) -> None:
    """What the node could not start with is never written."""
    before = file.read_text(encoding="utf-8")
    answer = run("peer", "add", "x", "--ae-title", "LONGER-THAN-SIXTEEN", "--host", "h", "--port", "1")
    assert answer.code == 2
    assert "AE title" in answer.err
    assert file.read_text(encoding="utf-8") == before


def test_adding_without_a_file_says_how_to_make_one(run: Run) -> None:
    """On defaults there is nothing to edit."""
    answer = run("peer", "add", "x", "--ae-title", "X", "--host", "h", "--port", "1")
    assert answer.code == 3
    assert "config init" in answer.err


def test_echo_asks_both_interfaces_of_every_peer(run: Run, file: Path) -> None:
    """C-ECHO for all, health where a REST address is configured."""
    answer = run("peer", "echo", "--json")
    pacs, orthanc = answer.json["peers"]
    assert answer.code == 0
    assert (pacs["dicom"], pacs["rest"]) == ("ok", None)
    assert (orthanc["rest"], orthanc["version"], orthanc["study_count"]) == ("ok", "1.12.1", 7)


@pytest.mark.parametrize(
    ("error", "outcome"), [(PeerUnreachableError("down"), "unreachable"), (PeerRefusedError("no"), "refused")]
)
def test_echo_asks_the_others_when_one_fails(
    run: Run, file: Path, outside: Outside, error: PeerUnreachableError | PeerRefusedError, outcome: str
) -> None:
    """One dead peer hides nothing, and the exit code tells of it."""
    outside.peer_errors["pacs"] = error
    answer = run("peer", "echo", "--json")
    assert answer.code == error.exit_code
    assert [peer["dicom"] for peer in answer.json["peers"]] == [outcome, "ok"]


def test_echo_reports_a_dead_rest_interface(run: Run, file: Path, outside: Outside) -> None:
    """An Orthanc whose DICOM side answers and whose REST side does not is not healthy."""
    outside.peer_errors["rest"] = PeerUnreachableError("no REST")
    answer = run("peer", "echo", "orthanc", "--json")
    assert answer.code == 5
    assert (answer.json["peers"][0]["dicom"], answer.json["peers"][0]["rest"]) == ("ok", "unreachable")


def test_routes_are_listed_as_they_are_configured(run: Run, file: Path) -> None:
    """The order of the file is kept."""
    listed = run("route", "list", "--json").json["routes"]
    assert [(route["name"], route["modalities"]) for route in listed] == [("ct", ["CT"]), ("everything", [])]


def test_route_test_of_a_folder_without_images_says_so(run: Run, file: Path, tmp_path: Path) -> None:
    """A folder of other files is a study that nobody can assess, with the reason, not an error."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "readme.txt").write_text("no image", encoding="utf-8")
    found = run("route", "test", str(folder), "--json").json
    assert found["branch"] is None
    assert found["refusal"]
    assert [item["route"] for item in found["routes"]] == ["ct", "everything"]
    ct = found["routes"][0]
    assert ct["matches"] is False
    assert "CT" in ct["reason"]


@pytest.mark.parametrize("study", ["no-such-folder", "1.2.3"])
def test_route_test_of_nothing_is_not_found(run: Run, database: Database, study: str) -> None:
    """Neither a folder nor a received study."""
    assert run("route", "test", study).code == 3


def test_route_test_knows_who_sent_a_received_study(run: Run, database: Database) -> None:
    """A received study is tried with its own sender unless another is given."""
    assert run("route", "test", STUDY, "--json").json["source_ae"] == "SCANNER"
    assert run("route", "test", STUDY, "--source-ae", "OTHER", "--json").json["source_ae"] == "OTHER"


def test_pipelines_are_listed_by_entry_point(run: Run) -> None:
    """The installed pipeline is there with its version."""
    (found,) = run("pipeline", "list", "--json").json["pipelines"]
    assert found["name"] == "bone_metastasis"
    assert found["version"]
