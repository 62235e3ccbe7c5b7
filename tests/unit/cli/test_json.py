"""What `--json` promises: one document, and no key that the documentation does not name."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bmnode.cli import reference
from bmnode.cli.documents import KINDS, document
from bmnode.domain.peers import Peer
from bmnode.storage import Database
from tests.unit.cli.conftest import JOB, STUDY, FolderOutcome, Outside, Run

HELP = {path.removeprefix("bmnode "): " ".join((found.help or "").split()) for path, found in reference.commands()}
CALLS = [
    ("config init", ("new.toml",)),
    ("config show", ()),
    ("check", ()),
    ("config check", ()),
    ("peer list", ()),
    ("peer add", ("x", "--ae-title", "X", "--host", "h", "--port", "1")),
    ("peer remove", ("spare",)),
    ("peer echo", ()),
    ("route list", ()),
    ("route test", (STUDY,)),
    ("study list", ()),
    ("study show", (STUDY,)),
    ("study rerun", (STUDY,)),
    ("study reject", (STUDY,)),
    ("study pull", ("pacs", STUDY)),
    ("job list", ()),
    ("job show", (JOB,)),
    ("job retry", (JOB,)),
    ("job requeue", ("--all-unfinished",)),
    ("delivery list", ()),
    ("delivery retry", (JOB,)),
    ("retention run", ()),
    ("audit export", ()),
    ("audit verify", ()),
    ("pipeline list", ()),
    ("model list", ()),
    ("run", (".", "--out", "results")),
]


def _documented(path: str) -> set[str]:
    """The top-level keys that a command's help names: in backticks, or all of a kind."""
    told = HELP[path].split("JSON: ")[1]
    keys = set(re.findall(r"`(\w+)`", told))
    for kind in re.findall(r"keys of (\w+)", told):
        keys |= KINDS[kind].keys()
    return keys


def _kinds(path: str) -> dict[str, str]:
    """The kind of thing in each list that a command's help names."""
    return dict(re.findall(r"`(\w+)`, a list of (\w+)", HELP[path]))


@pytest.mark.parametrize(("path", "arguments"), CALLS, ids=[path for path, _ in CALLS])
def test_documents_have_the_documented_keys(
    run: Run, database: Database, outside: Outside, path: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """Standard output is one document; its keys, and those of the things in its lists, are the documented ones."""
    with (tmp_path / "bmnode.toml").open("a", encoding="utf-8") as file:
        file.write('[peers.spare]\nae_title = "SPARE"\nhost = "h"\nport = 1\n')
    outside.report = FolderOutcome(outcome="assessed")
    found = run(*path.split(), *arguments, "--json").json
    assert found.keys() <= _documented(path)
    for key, kind in _kinds(path).items():
        if key in found:
            for item in found[key]:
                assert item.keys() == KINDS[kind].keys()


def test_every_json_command_is_tried() -> None:
    """A new command cannot be forgotten here; those that have tests of their own are tried there."""
    with_json = {
        path.removeprefix("bmnode ")
        for path, found in reference.commands()
        if any("--json" in item.opts for item in found.params)
    }
    assert with_json - {path for path, _ in CALLS} <= {
        "config apply",
        "result read",
        "model show",
        "model verify",
        "model install",
        "job cancel",
        "study compare",
        "ledger show",
        "ledger rebuild",
        "study priors",
        "serve",
        "demo",
        "suv",
        "simulate",
        "train",
        "evaluate measurements",
        "evaluate matching",
        "evaluate registration",
        "evaluate models",
    }


def test_undocumented_key_cannot_be_written() -> None:
    """A document of a kind has exactly the keys of its kind."""
    peer = Peer(name="a", ae_title="A", host="h", port=1)
    with pytest.raises(ValueError, match="colour"):
        document("peer", peer, colour="red")


@pytest.mark.parametrize(
    ("value", "written"),
    [(datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00+00:00"), (("a", "b"), ["a", "b"]), (None, None)],
)
def test_values_are_written_as_json_knows_them(value: Any, written: Any) -> None:
    """Times are ISO 8601 with their zone, tuples are lists, what is not known is null."""
    assert document("route_match", None, route="r", matches=True, reason=value)["reason"] == written
