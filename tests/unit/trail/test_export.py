"""The trail outside the database: whole, in order, and proof against a changed line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmnode.domain.records import AuditEntry
from bmnode.observe.audit_messages import AuditSource
from bmnode.storage import AuditTrail, Database
from bmnode.testing.clock import FakeClock
from bmnode.trail.exporter import BATCH, AuditExporter, Place, Position
from bmnode.trail.file import AuditFile, first_broken

SOURCE = AuditSource(node="node-1", ae_title="BMNODE")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A trail of somewhat more than a batch."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('trail') / 'node.sqlite'}")
    database.migrate()
    with database.write() as connection:
        for number in range(BATCH + 20):
            AuditTrail(connection).record("job_started", at=FakeClock().now(), actor="node", subject=f"job-{number}")
    yield database
    database.dispose()


def _count(database: Database) -> int:
    with database.read() as connection:
        return len(AuditTrail(connection).entries())


class Flaky:
    """A place that fails when told to, before or after it took something."""

    name = "flaky"

    def __init__(self, failures: Sequence[str]) -> None:
        self.failures = list(failures)
        self.taken: list[int] = []

    def resume(self, position: Position) -> Position:
        """It knows nothing."""
        return position

    def take(self, entries: Sequence[AuditEntry], mark: str) -> str:
        """Take, or break."""
        failure = self.failures.pop() if self.failures else "none"
        if failure == "before":
            raise ConnectionRefusedError
        self.taken.extend(entry.sequence for entry in entries)
        if failure == "after":
            raise ConnectionResetError
        return mark


def _exporter(database: Database, place: Place, folder: Path) -> AuditExporter:
    return AuditExporter(database=database, place=place, position_file=folder / f"{place.name}.position")


def _export_all(database: Database, place: Place, folder: Path) -> None:
    """As over restarts: a new exporter after every failure."""
    while True:
        try:
            exporter = _exporter(database, place, folder)
            while exporter.export_batch():
                pass
        except OSError:
            continue
        else:
            return


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(failures=st.lists(st.sampled_from(["before", "after", "none"]), max_size=8))
def test_whatever_fails_nothing_is_left_out(
    database: Database, tmp_path_factory: pytest.TempPathFactory, failures: list[str]
) -> None:
    """Every entry arrives, first in order; one may come twice, after a failure whose effect nobody knows."""
    place = Flaky(failures)
    _export_all(database, place, tmp_path_factory.mktemp("positions"))
    assert list(dict.fromkeys(place.taken)) == list(range(1, _count(database) + 1))


@pytest.fixture
def exported(database: Database, tmp_path: Path) -> Path:
    """The trail as a file."""
    place = AuditFile(path=tmp_path / "log" / "audit.jsonl", source=SOURCE)
    _export_all(database, place, tmp_path)
    return place.path


def test_the_file_holds_every_entry_once(database: Database, exported: Path) -> None:
    """As many lines as entries, and the chain holds."""
    lines = exported.read_text(encoding="utf-8").splitlines()
    assert len(lines) == _count(database)
    assert first_broken(lines) is None


@pytest.mark.parametrize("change", ["changed", "hash changed", "missing", "reordered", "first missing", "rubbish"])
def test_a_line_that_was_tampered_with_is_found(exported: Path, change: str) -> None:
    """Changed, missing, moved: the first line that is not as it was is named."""
    lines = exported.read_text(encoding="utf-8").splitlines()[:20]
    if change == "changed":
        lines[4] = lines[4].replace("job-4", "job-9")
    elif change == "hash changed":
        lines[4] = lines[4].replace('"hash": "', '"hash": "0')
    elif change == "missing":
        del lines[4]
    elif change == "reordered":
        lines[4], lines[5] = lines[5], lines[4]
    elif change == "first missing":
        lines[0] = lines[0].replace('"sequence": 1', '"sequence": 2')
    else:
        lines[4] = "{}"
    assert first_broken(lines) == (1 if change == "first missing" else 5)


def test_a_rotated_file_goes_on_with_the_chain(database: Database, exported: Path, tmp_path: Path) -> None:
    """What logrotate moved away, and what is written after it, are each whole, and fit together."""
    old = exported.rename(tmp_path / "audit.1")
    with database.write() as connection:
        AuditTrail(connection).record("job_started", at=FakeClock().now(), actor="node", subject="after")
    _export_all(database, AuditFile(path=exported, source=SOURCE), tmp_path)
    new = exported.read_text(encoding="utf-8").splitlines()
    assert len(new) == 1
    assert first_broken(new) is None
    assert first_broken([*old.read_text(encoding="utf-8").splitlines(), *new]) is None


def test_a_line_cut_short_by_a_crash_is_written_again(database: Database, exported: Path, tmp_path: Path) -> None:
    """Half a line goes, and what it told of comes again; the position that was kept too late does no harm."""
    content = exported.read_bytes()
    exported.write_bytes(content[:-30])
    (tmp_path / "file.position").unlink()
    _export_all(database, AuditFile(path=exported, source=SOURCE), tmp_path)
    lines = exported.read_text(encoding="utf-8").splitlines()
    assert first_broken(lines) is None
    assert exported.read_bytes()[: len(content)] == content
