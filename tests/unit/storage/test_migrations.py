"""A node that has worked under an earlier schema keeps everything when it starts under a later one."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import IntegrityError

import bmnode.storage.database
from bmnode.errors import StorageError
from bmnode.storage import Database

_FIRST = (
    "INSERT INTO studies (study_uid, state, version, revision, instance_count, source_ae, first_received_at, opened_at,"
    " last_received_at) VALUES ('1.2', 'complete', 1, 1, 1, 'CT', '2026-03-01', '2026-03-01', '2026-03-01')",
    "INSERT INTO revisions (study_uid, revision, input_digest, instance_count, created_at, decision, explanation)"
    " VALUES ('1.2', 1, 'd', 1, '2026-03-01', 'selected', '')",
    "INSERT INTO jobs (job_id, study_uid, revision, pipeline, pipeline_version, input_digest, route, destinations,"
    " label_in, priority, state, created_at) VALUES ('j', '1.2', 1, 'p', '1', 'd', 'r', '[]', '[]', 5, 'queued',"
    " '2026-03-01')",
    "INSERT INTO job_events (job_id, at, event, state, detail) VALUES ('j', '2026-03-01', 'created', 'queued', '')",
)


def _migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(bmnode.storage.database.__file__).parent / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.fixture
def old(tmp_path: Path) -> Database:
    """A database of the first schema with a job and its history."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    _migrate_to(database, "0001")
    with database.write() as connection:
        for statement in _FIRST:
            connection.exec_driver_sql(statement)
    return database


def test_rows_stay_when_a_state_is_added(old: Database) -> None:
    """The jobs table is made anew: its rows, its keys and what refers to it are as before, and one state more is
    allowed, no other."""
    old.migrate()
    with old.write() as connection:
        assert connection.exec_driver_sql("SELECT job_id, state, priority, attempt FROM jobs").all() == [
            ("j", "queued", 5, 0)
        ]
        assert connection.exec_driver_sql("SELECT count(*) FROM job_events").scalar() == 1
        connection.exec_driver_sql("UPDATE jobs SET state = 'awaiting_prior'")
    for broken in ("UPDATE jobs SET state = 'else'", "DELETE FROM jobs", _FIRST[2].replace("'j'", "'k'")):
        with old.write() as connection, pytest.raises(IntegrityError):
            connection.exec_driver_sql(broken)
    names = {index["name"] for index in sa.inspect(old._engine).get_indexes("jobs")}
    assert "ix_jobs_state" in names


def test_a_broken_reference_stops_the_migration(old: Database) -> None:
    """What was broken before is told, and the schema stays as it was."""
    with old._without_foreign_keys(), old.write() as connection:
        connection.exec_driver_sql("DELETE FROM revisions")
    with pytest.raises(StorageError, match="jobs"):
        old.migrate()
    assert old.schema_version() == "0001"
