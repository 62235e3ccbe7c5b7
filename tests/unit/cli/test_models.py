"""`bmnode model`: bundles listed, shown, verified and installed; refusals with their reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bmnode.cli.documents import KINDS
from bmnode.domain.models import SidesReport
from bmnode.models.layout import CARD, WEIGHTS
from bmnode.storage import AuditTrail, Database
from tests.support.bundles import list_again, write_bundle
from tests.unit.cli.conftest import Outside, Run

PASSED = SidesReport(named_share=0.9, right_side_share=0.999, is_upright=True, problems=())


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A whole bundle."""
    return write_bundle(tmp_path / "bundle")


def _events(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        return [(entry.event, entry.subject) for entry in AuditTrail(connection).entries()]


def _site(run: Run) -> dict[str, Any]:
    """The one bundle that the site installed, as list shows it."""
    (listed,) = [item for item in run("model", "list", "--json").json["models"] if item["origin"] == "site"]
    found: dict[str, Any] = listed
    return found


def test_an_installed_bundle_is_listed_and_audited(run: Run, database: Database, bundle: Path) -> None:
    """What was installed is shown by list and show, and the trail tells of it once."""
    installed = run("model", "install", str(bundle), "--json")
    assert (installed.code, installed.json["installed"]) == (0, True)
    assert run("model", "install", str(bundle), "--json").json["installed"] is False
    (listed,) = [item for item in run("model", "list", "--json").json["models"] if item["origin"] == "site"]
    assert (listed["name"], listed["version"], listed["branch"], listed["refused"]) == (
        "test-butterfly",
        "1.2.3",
        "bone_scan",
        None,
    )
    assert Path(listed["folder"]).is_dir()
    told = [event for event in _events(database) if event[0] == "model_installed"]
    assert told == [("model_installed", "test-butterfly 1.2.3")]


def test_show_tells_contract_and_figures(run: Run, database: Database, bundle: Path) -> None:
    """An imaging scientist sees what the model saw, and its figures beside those of the thresholds."""
    run("model", "install", str(bundle))
    shown = run("model", "show", "test-butterfly", "--json").json
    assert shown["contract"]["spacing_mm"] == [1.5, 3.0]
    assert shown["evaluation"] == [
        {"quantity": "Dice", "unit": "1", "value": 0.5, "low": 0.4, "high": 0.6, "n": 3, "thresholds": None}
    ]
    text = run("model", "show", "test-butterfly@1.2.3").out
    assert "SIMULATED" in text
    assert "counts by the normal skeleton" in text


def test_documents_have_the_documented_keys(run: Run, database: Database, outside: Outside, bundle: Path) -> None:
    """Scripts find exactly the keys that the help names."""
    head = KINDS["model"].keys()
    assert run("model", "install", str(bundle), "--json").json.keys() == {*head, "installed"}
    outside.sides = PASSED
    verified = run("model", "verify", "test-butterfly", "--json").json
    assert verified.keys() == {*head, "sides"}
    assert verified["sides"].keys() == KINDS["model_sides"].keys()
    shown = run("model", "show", "test-butterfly", "--json").json
    more = {"description", "authors", "contract", "evaluation", "cohort", "patients", "simulated", "card"}
    assert shown.keys() == head | more
    assert shown["contract"].keys() == KINDS["model_contract"].keys()
    assert shown["evaluation"][0].keys() == KINDS["model_figure"].keys()


def test_a_folder_is_verified_without_being_installed(run: Run, bundle: Path) -> None:
    """Whoever gets a bundle can look before a node is touched; none is needed."""
    answer = run("model", "verify", str(bundle), "--files-only", "--json")
    assert (answer.code, answer.json["origin"], answer.json["sides"]) == (0, "folder", None)


def test_a_model_that_takes_left_for_right_is_refused(
    run: Run, database: Database, outside: Outside, bundle: Path
) -> None:
    """It stays unverified, with the figures as the reason; whole files do not make up for it."""
    outside.sides = dataclasses.replace(PASSED, right_side_share=0.5, problems=("half have the right side",))
    run("model", "install", str(bundle))
    answer = run("model", "verify", "test-butterfly", "--json")
    assert answer.code == 7
    assert answer.json["error"]["message"] == "sides_or_orientation: half have the right side"
    assert _site(run)["verified"] is False
    assert "model_verified" not in {event for event, _ in _events(database)}


def test_a_verified_bundle_is_shown_until_a_byte_changes(
    run: Run, database: Database, outside: Outside, bundle: Path
) -> None:
    """The note is of these very bytes: another bundle in the same place has not passed."""
    outside.sides = PASSED
    run("model", "install", str(bundle))
    assert _site(run)["verified"] is False
    assert run("model", "verify", "test-butterfly").code == 0
    assert _site(run)["verified"] is True
    assert ("model_verified", "test-butterfly 1.2.3") in _events(database)
    folder = Path(_site(run)["folder"])
    (folder / CARD).write_text((folder / CARD).read_text(encoding="utf-8") + "more", encoding="utf-8")
    list_again(folder)
    assert _site(run)["verified"] is False


def test_a_tampered_bundle_is_refused_with_the_reason(run: Run, database: Database, bundle: Path) -> None:
    """Nothing is installed, nothing is audited as if it were, and the exit code says refused."""
    (bundle / WEIGHTS).write_bytes(b"\x80\x04pickle")
    list_again(bundle)
    for command in ("verify", "install"):
        answer = run("model", command, str(bundle), "--json")
        assert answer.code == 7
        assert answer.json["error"]["message"].startswith("pickled_code: ")
    assert "model_installed" not in {event for event, _ in _events(database)}
    assert [item for item in run("model", "list", "--json").json["models"] if item["origin"] == "site"] == []


def test_a_bundle_that_was_spoilt_later_is_listed_as_refused(run: Run, database: Database, bundle: Path) -> None:
    """List shows the fault instead of failing on it or hiding the bundle, and a script sees it by the exit code."""
    folder = Path(run("model", "install", str(bundle), "--json").json["folder"])
    (folder / CARD).unlink()
    answer = run("model", "list", "--json")
    (listed,) = [item for item in answer.json["models"] if item["origin"] == "site"]
    assert listed["refused"].startswith("card_missing: ")
    assert answer.code == 1
    assert "card_missing" in run("model", "list").out


def test_a_bundle_that_is_not_there_is_not_found(run: Run) -> None:
    """The remedy is named."""
    answer = run("model", "show", "nothing", "--json")
    assert answer.code == 3
    assert "bmnode model list" in answer.json["error"]["message"]
