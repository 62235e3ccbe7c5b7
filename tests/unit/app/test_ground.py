"""The database's file under the feet of a running node."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest

from bmnode.app import open_database
from bmnode.config import Settings
from bmnode.config.sources import parse_settings
from bmnode.ground import DatabaseGround
from bmnode.storage import AuditTrail
from tests.support.polling import eventually


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A node in a folder of its own."""
    return parse_settings(f'[node]\ndata_dir = "{tmp_path}"\n', file=None)


def test_a_file_that_is_removed_or_another_is_noticed(settings: Settings, tmp_path: Path) -> None:
    """It holds from one renewal to the next, and no longer than its file."""
    ground = DatabaseGround(settings)
    ground.renew()
    assert ground.holds()
    file = tmp_path / "node.sqlite"
    file.rename(tmp_path / "moved")
    assert not ground.holds()
    file.write_bytes((tmp_path / "moved").read_bytes())
    assert not ground.holds()
    ground.renew()
    assert ground.holds()


def test_nothing_of_the_removed_file_gets_into_the_new_one(settings: Settings, tmp_path: Path) -> None:
    """Its write-ahead log stays behind when the file is removed, and belongs to nothing any more."""
    ground = DatabaseGround(settings)
    ground.renew()
    file = tmp_path / "node.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE old (number INTEGER)")
        file.unlink()
        assert (tmp_path / "node.sqlite-wal").stat().st_size > 0
        ground.renew()
    database = open_database(settings)
    with database.read() as connection:
        assert list(AuditTrail(connection).entries()) == []
    database.dispose()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'old'").fetchone() is None


def test_a_new_file_appears_with_its_tables(settings: Settings, tmp_path: Path) -> None:
    """Whoever looks while it is made finds no file or a whole one; what an interrupted renewal left is replaced."""
    (tmp_path / "node.sqlite.new").write_bytes(b"half a database")
    found: list[bool] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            with (
                suppress(sqlite3.OperationalError),  # there is none yet
                closing(sqlite3.connect(f"file:{tmp_path / 'node.sqlite'}?mode=ro", uri=True)) as connection,
            ):
                found.append(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0)

    looking = threading.Thread(target=look)
    looking.start()
    DatabaseGround(settings).renew()
    eventually(lambda: len(found) > 0, timeout_s=10.0)
    over.set()
    looking.join()
    assert all(found)
    assert [item.name for item in tmp_path.glob("*.new*")] == []
