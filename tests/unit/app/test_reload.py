"""What a changed file changes in a running node, and what a broken one does not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bmnode.config import load_settings
from bmnode.reload import LiveSettings, compare
from bmnode.storage import AuditTrail, Database
from bmnode.testing.clock import FakeClock

PEER = '[peers.pacs]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'
ROUTE = '[[routes]]\nname = "a"\ndestinations = ["pacs"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with one peer."""
    path = tmp_path / "bmnode.toml"
    path.write_text(PEER, encoding="utf-8")
    return path


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """An empty trail."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    return database


@pytest.mark.parametrize(
    ("text", "changed", "needs_restart"),
    [
        (PEER, (), ()),
        (PEER + ROUTE, ("routes",), ()),
        (PEER.replace("104", "105"), ("peers",), ()),
        ('[receive]\naccept = "configured"\n' + PEER, ("receive",), ()),
        ("[receive]\nnetwork_timeout_s = 5\n" + PEER, (), ("receive",)),
        ('[node]\nport = 4000\n[receive]\naccept = "any"\n', ("peers", "receive"), ("node",)),
    ],
)
def test_what_can_be_taken_is_taken_and_the_rest_is_named(
    file: Path, text: str, changed: tuple[str, ...], needs_restart: tuple[str, ...]
) -> None:
    """Peers, routes and who may send hold at once; whatever else differs keeps its old value until a restart."""
    old = load_settings(file)
    file.write_text(text, encoding="utf-8")
    change = compare(old, load_settings(file))
    assert (change.changed, change.needs_restart) == (changed, needs_restart)
    assert change.settings.node == old.node
    assert change.settings.receive.network_timeout_s == old.receive.network_timeout_s


def test_a_broken_file_changes_nothing_and_is_audited(file: Path, database: Database) -> None:
    """The node goes on with what it had, and the trail says what is wrong with the file."""
    live = LiveSettings(load_settings(file), part="listener", database=database, clock=FakeClock())
    before = live.current
    file.write_text(PEER + "[spool]\nmin_fre_mb = 1\n", encoding="utf-8")
    assert not live.reload()
    assert live.current is before
    file.write_text(PEER.replace("pacs", "archive"), encoding="utf-8")
    assert live.reload()
    assert live.peer("archive").ae_title == "PACS"
    with database.read() as connection:
        entries = AuditTrail(connection).entries()
    assert [entry.event for entry in entries] == ["configuration_refused", "configuration_applied"]
    assert "min_free_mb" in json.loads(entries[0].detail)["reason"]
    database.dispose()
