"""`bmnode result read`: a result and its edits, told from the objects alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bmnode.cli.entry import main
from bmnode.domain.ids import derive_uid
from bmnode.results.write import write_results
from tests.support import edited
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in `in`, the result in `out`."""
    root = tmp_path_factory.mktemp("result")
    series = sources.classic_slices(root / "in", sources.CT, "CT")
    write_results(result_sets.volumetric(series), source_files=series.files, out_dir=root / "out", context=CONTEXT)
    return root


def call(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_a_result_is_told_as_it_was_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every lesion with its numbers, and no decision, for nobody edited anything."""
    code = call("result", "read", str(folder / "out"), "--images", str(folder / "in"), "--json")
    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (said["result"]["branch"], said["result"]["is_verified"]) == ("ct", None)
    assert [item["tracking_id"] for item in said["lesions"]] == ["L1", "L2"]
    assert {item["decision"] for item in said["lesions"]} == {None}
    assert said["lesions"][0]["measurements"][0]["unit"] == "ml"


def test_what_a_reader_made_of_it_is_told_too(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accepted and rejected stand beside the lesions, for scripts and for people."""
    for path in (folder / "out").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    edited.edit_report(folder / "out" / "sr.dcm", tmp_path / "signed.dcm", without=[derive_uid("test", "lesion", "2")])
    assert call("result", "read", str(tmp_path), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert [item["decision"] for item in said["lesions"]] == ["accepted", "rejected"]
    assert (said["result"]["is_verified"], said["result"]["takes_place"]) == (True, True)
    assert call("result", "read", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "rejected" in out
    assert "edited by a reader, verified" in out


def test_a_folder_without_a_result_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, no traceback, and another code where there is no folder at all."""
    assert call("result", "read", str(tmp_path)) == 1
    assert "no root report" in capsys.readouterr().err
    assert call("result", "read", str(tmp_path / "absent")) == 3
