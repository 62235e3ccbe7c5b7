"""What every command promises when it fails: one line, the right exit code, and never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bmnode import errors
from bmnode.cli.exit_codes import INTERNAL, MEANINGS, raised
from bmnode.errors import PeerRefusedError
from bmnode.storage import Database
from tests.unit.cli.conftest import Answer, FolderOutcome, Outside, Run


def _is_one_line(answer: Answer) -> bool:
    return len(answer.err.strip().splitlines()) == 1 and "Traceback" not in answer.err


def test_expected_error_is_one_line_and_its_exit_code(run: Run, database: Database) -> None:
    """A study that is not there ends in one sentence that says what to do, and exit code 3."""
    answer = run("study", "show", "1.2.3")
    assert answer.code == errors.NotFoundError.exit_code
    assert _is_one_line(answer)
    assert "study list" in answer.err
    assert answer.out == ""


def test_error_as_json_is_the_only_document(run: Run, database: Database) -> None:
    """A script that asked for JSON gets JSON even when the command fails."""
    answer = run("job", "show", "nothing", "--json")
    assert answer.json["error"]["type"] == "NotFoundError"
    assert answer.json["error"]["exit_code"] == answer.code == 3


def test_defect_is_one_line_with_the_log_that_tells_more(run: Run, outside: Outside, tmp_path: Path) -> None:
    """A defect exits 70; the frames are in the log that the line names, without the values."""
    outside.defect = ZeroDivisionError("of DOE^JANE")
    answer = run("run", str(tmp_path), "--out", "results")
    assert answer.code == INTERNAL
    assert _is_one_line(answer.__class__(code=70, out="", err=answer.err.splitlines()[-1]))
    log = tmp_path / "state" / "bmnode" / "bmnode.log"
    assert str(log) in answer.err
    line = json.loads(log.read_text(encoding="utf-8"))
    assert line["exception"]["type"] == "ZeroDivisionError"
    assert line["exception"]["frames"]
    assert "DOE" not in log.read_text(encoding="utf-8") + answer.err


def test_debug_shows_the_traceback(run: Run, outside: Outside, tmp_path: Path) -> None:
    """Who asks for it gets the exception itself."""
    outside.defect = ZeroDivisionError("x")
    with pytest.raises(ZeroDivisionError):
        run("--debug", "run", str(tmp_path), "--out", "results")


@pytest.mark.parametrize(
    "arguments", [("jobb",), ("job", "show"), ("job", "list", "--state", "lost"), ("job", "requeue"), ("study", "--x")]
)
def test_wrong_usage_exits_two(run: Run, database: Database, arguments: tuple[str, ...]) -> None:
    """A mistyped command is answered with its usage and exit code 2."""
    answer = run(*arguments)
    assert answer.code == 2
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("group", ["study", "job", "delivery"])
def test_looking_at_a_node_never_creates_one(run: Run, tmp_path: Path, group: str) -> None:
    """In the wrong folder the answer is an error, not an empty list that looks like lost studies."""
    answer = run(group, "list")
    assert answer.code == 3
    assert "serve" in answer.err
    assert list(tmp_path.rglob("*.sqlite")) == []


def test_broken_database_is_a_storage_error(run: Run, database: Database, tmp_path: Path) -> None:
    """A file that is no database is named as what it is."""
    database.dispose()
    for file in (tmp_path / "bmnode-data").glob("node.sqlite*"):
        file.write_bytes(b"no database at all" * 100)
    answer = run("study", "list", "--json")
    assert answer.json["error"]["type"] == "StorageError"
    assert _is_one_line(answer)


def test_configuration_error_exits_two(run: Run, tmp_path: Path) -> None:
    """A typing error in the file stops every command with the key that is wrong."""
    (tmp_path / "bmnode.toml").write_text("[node]\nporrt = 1\n", encoding="utf-8")
    answer = run("peer", "list")
    assert answer.code == 2
    assert "node.porrt" in answer.err


def test_every_error_has_a_documented_exit_code() -> None:
    """No command ends with a number that the documentation does not explain."""
    assert {error.exit_code for error in raised()} <= MEANINGS.keys()
    assert PeerRefusedError in set(raised())


def test_not_assessable_has_its_own_exit_code(run: Run, outside: Outside, tmp_path: Path) -> None:
    """A script tells a refusal (10) from a success (0) and a failure (1)."""
    outside.report = FolderOutcome(outcome="not_assessable", reason="no_images")
    answer = run("run", str(tmp_path), "--out", "results", "--json")
    assert answer.code == 10
    assert answer.json["reason"] == "no_images"


def test_assessed_study_exits_zero_and_names_its_objects(run: Run, outside: Outside, tmp_path: Path) -> None:
    """`run` ends with the list of what it wrote; its progress is on standard error."""
    outside.report = FolderOutcome(outcome="assessed", branch="ct", objects=(Path("results/sr.dcm"),))
    answer = run("run", str(tmp_path), "--out", "results", "--json")
    assert answer.code == 0
    assert answer.json["objects"] == ["results/sr.dcm"]
    assert "half" in answer.err


def test_run_says_what_was_compared(run: Run, outside: Outside, tmp_path: Path) -> None:
    """The folder of `--prior` is handed on; the comparison and every sentence on the earlier studies are shown."""
    then = tmp_path / "then"
    then.mkdir()
    outside.report = FolderOutcome(outcome="assessed", comparison="Compared lesion by lesion", priors=("One found.",))
    answer = run("run", str(tmp_path), "--out", "results", "--prior", str(then))
    assert answer.code == 0
    assert ("prior_dir", "then") in outside.asked
    assert "Compared lesion by lesion" in answer.out
    assert "One found." in answer.out


def test_run_without_the_folder_of_the_prior_is_an_error(run: Run, tmp_path: Path) -> None:
    """A misspelt folder does not end as a study without a prior."""
    answer = run("run", str(tmp_path), "--out", "results", "--prior", str(tmp_path / "absent"))
    assert answer.code == 3
    assert "absent" in answer.err
