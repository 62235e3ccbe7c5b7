"""The folder of one attempt: filled under a temporary name, closed by its manifest, then renamed.

<output_dir>/attempt-2.tmp/   being written
<output_dir>/attempt-2/       whole: objects, result set, manifest.json
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from bmnode.domain.results import Outcome
from bmnode.domain.study import Branch
from bmnode.errors import ChildCrashedError
from bmnode.run.messages import refusal_from_json, refusal_to_json
from bmnode.run.runner import RunObject, RunOutcome

MANIFEST = "manifest.json"
_UNFINISHED = ".tmp"


def attempt_name(attempt: int) -> str:
    """The final name of an attempt's folder."""
    return f"attempt-{attempt}"


def open_attempt(output_dir: Path, attempt: int) -> Path:
    """An empty folder to write the attempt into. What a killed attempt left is removed."""
    output_dir.mkdir(parents=True, exist_ok=True)
    for unfinished in output_dir.glob(f"*{_UNFINISHED}"):
        shutil.rmtree(unfinished)
    folder = output_dir / f"{attempt_name(attempt)}{_UNFINISHED}"
    folder.mkdir()
    return folder


def close_attempt(folder: Path, outcome: RunOutcome) -> Path:
    """Write the manifest, last and to the disk, and give the folder its final name. Returns that.

    A whole folder of that name is of a worker that was killed before it took the result over;
    the same work replaces it.
    """
    text = json.dumps(_to_json(outcome), indent=1)
    with (folder / MANIFEST).open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    for path in (*folder.iterdir(), folder):
        _sync(path)
    final = folder.with_name(folder.name.removesuffix(_UNFINISHED))
    if final.exists():
        shutil.rmtree(final)
    folder.rename(final)
    _sync(final.parent)
    return final


def read_attempt(output_dir: Path, attempt: int) -> RunOutcome:
    """What an attempt came to. Raises ChildCrashedError where its folder is not whole."""
    path = output_dir / attempt_name(attempt) / MANIFEST
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ChildCrashedError(f"{attempt_name(attempt)} has no usable {MANIFEST}: {type(error).__name__}") from error


def attempts_in(output_dir: Path) -> frozenset[str]:
    """Names of the attempts' folders, those of killed ones included."""
    return frozenset(folder.name for folder in output_dir.glob("attempt-*"))


def keep_only(output_dir: Path, names: Collection[str]) -> None:
    """Remove the folders of every attempt but these, and what a killed one left."""
    for name in attempts_in(output_dir) - set(names):
        shutil.rmtree(output_dir / name, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _to_json(outcome: RunOutcome) -> dict[str, Any]:
    return {
        "outcome": outcome.outcome.value,
        "branch": None if outcome.branch is None else outcome.branch.value,
        "refusal": None if outcome.refusal is None else refusal_to_json(outcome.refusal),
        "objects": [
            {
                "kind": item.kind,
                "sop_class_uid": item.sop_class_uid,
                "sop_instance_uid": item.sop_instance_uid,
                "series_uid": item.series_uid,
                "path": item.path,
                "sha256": item.sha256,
            }
            for item in outcome.objects
        ],
    }


def _from_json(body: dict[str, Any]) -> RunOutcome:
    return RunOutcome(
        outcome=Outcome(body["outcome"]),
        branch=None if body["branch"] is None else Branch(body["branch"]),
        refusal=None if body["refusal"] is None else refusal_from_json(body["refusal"]),
        objects=_objects(body["objects"]),
    )


def _objects(rows: Sequence[dict[str, str]]) -> tuple[RunObject, ...]:
    return tuple(RunObject(**row) for row in rows)
