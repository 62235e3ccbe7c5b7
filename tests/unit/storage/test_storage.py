"""What the database promises to the services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import IntegrityError, OperationalError

from bmnode.domain.records import JobRecord, ResultRecord, StoredInstance
from bmnode.domain.states import DeliveryEvent, DeliveryState, JobEvent, JobState, StudyState
from bmnode.errors import NotFoundError, StorageError, TransitionError
from bmnode.storage import AuditTrail, Database, Deliveries, InstanceLookup, Instances, Jobs, Results, Studies
from bmnode.storage.tables import audit, metadata

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
STUDY = "1.2.3"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database on disk, migrated."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    yield database
    database.dispose()


def _instance(number: int, *, sha256: str = "a" * 64) -> StoredInstance:
    return StoredInstance(
        sop_instance_uid=f"{STUDY}.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study_uid=STUDY,
        series_uid=f"{STUDY}.0",
        sha256=sha256,
        size_bytes=10,
        source_ae="SCANNER",
        received_at=NOW,
    )


def _receive(connection: sa.Connection, number: int) -> None:
    Studies(connection).image_arrived(STUDY, source_ae="SCANNER", at=NOW, due_at=NOW + timedelta(seconds=30))
    Instances(connection).add(_instance(number))


def _job(connection: sa.Connection) -> JobRecord:
    _receive(connection, 1)
    revision = Studies(connection).freeze(STUDY, at=NOW)
    job = JobRecord(
        job_id="job-1",
        study_uid=STUDY,
        revision=revision.revision,
        pipeline="bone_metastasis",
        pipeline_version="1",
        input_digest=revision.input_digest,
        route="all",
        destinations=("pacs",),
        label_in=("pacs",),
        priority=10,
        state=JobState.QUEUED,
        attempt=0,
        progress=0.0,
        step="",
        outcome=None,
        reason=None,
        created_at=NOW,
        started_at=None,
        ended_at=None,
    )
    assert Jobs(connection).add(job)
    return job


def test_migrations_make_the_schema_that_the_code_declares(database: Database) -> None:
    """The migrated schema and the declared tables do not differ."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    assert database.schema_version() == "0006"


def test_migrating_twice_changes_nothing(database: Database) -> None:
    """Every start of the node migrates; a second time is harmless."""
    database.migrate()
    assert database.schema_version() == "0006"


def test_an_unreachable_database_is_named(tmp_path: Path) -> None:
    """A database that cannot be opened is a StorageError that names the key."""
    with pytest.raises(StorageError, match=r"\[database\] url"):
        Database(f"sqlite:///{tmp_path}/absent/node.sqlite").migrate()


def test_sqlite_commits_are_durable(database: Database) -> None:
    """Every connection runs in WAL with synchronous=FULL, which the C-STORE status relies on."""
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_times_come_back_aware(database: Database) -> None:
    """A time is aware UTC on both sides of the database."""
    with database.write() as connection:
        _receive(connection, 1)
        assert Studies(connection).get(STUDY).first_received_at == NOW


def test_a_study_is_due_when_quiet(database: Database) -> None:
    """A study is due at its time, and an arrival puts it off."""
    with database.write() as connection:
        studies = Studies(connection)
        _receive(connection, 1)
        assert not studies.due(NOW)
        assert [study.study_uid for study in studies.due(NOW + timedelta(seconds=30))] == [STUDY]
        studies.image_arrived(STUDY, source_ae="SCANNER", at=NOW, due_at=NOW + timedelta(seconds=60))
        assert not studies.due(NOW + timedelta(seconds=30))


def test_a_late_image_makes_a_new_revision(database: Database) -> None:
    """The same instances give the same revision, one more gives the next."""
    with database.write() as connection:
        studies = Studies(connection)
        _receive(connection, 1)
        first = studies.freeze(STUDY, at=NOW)
        studies.image_arrived(STUDY, source_ae="SCANNER", at=NOW, due_at=NOW)
        assert studies.freeze(STUDY, at=NOW) == first
        _receive(connection, 2)
        assert studies.get(STUDY).state is StudyState.RECEIVING
        second = studies.freeze(STUDY, at=NOW)
        assert (second.revision, second.instance_count) == (2, 2)
        assert second.input_digest != first.input_digest
        assert [item.sop_instance_uid for item in Instances(connection).of_revision(STUDY, 1)] == ["1.2.3.1"]
        assert len(Instances(connection).of_revision(STUDY, 2)) == 2


def test_an_instance_has_one_row(database: Database) -> None:
    """The database itself refuses a second row for a SOP Instance UID."""
    with database.write() as connection:
        _receive(connection, 1)
    with pytest.raises(IntegrityError), database.write() as connection:
        Instances(connection).add(_instance(1, sha256="b" * 64))


def test_an_instance_is_known_from_its_commit_on(database: Database) -> None:
    """Asked over a connection that is kept: it sees every commit, none that was undone, and outlives a disposal."""
    lookup = InstanceLookup(database)
    uid = _instance(1).sop_instance_uid
    assert not lookup.is_known(uid)
    with database.write() as connection:
        _receive(connection, 1)
        assert not lookup.is_known(uid)
    assert lookup.is_known(uid)
    database.dispose()
    assert lookup.is_known(uid)
    assert not lookup.is_known(_instance(2).sop_instance_uid)


def test_what_cannot_be_asked_is_named_as_ever(tmp_path: Path) -> None:
    """A database without its tables fails as it does for every other question: senders are told to come again."""
    empty = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    with pytest.raises(OperationalError):
        InstanceLookup(empty).is_known("1.2.3")
    empty.migrate()
    assert not InstanceLookup(empty).is_known("1.2.3")
    empty.dispose()


def test_the_same_work_is_one_job(database: Database) -> None:
    """Study, pipeline, version and input name a job; a second one is not made."""
    with database.write() as connection:
        job = _job(connection)
        assert not Jobs(connection).add(replace(job, job_id="job-2"))
        assert [item.job_id for item in Jobs(connection).list()] == ["job-1"]


def test_a_job_tells_its_history(database: Database) -> None:
    """Attempts are counted, ends are dated, and every transition leaves a line."""
    with database.write() as connection:
        _job(connection)
        jobs = Jobs(connection)
        jobs.apply("job-1", JobEvent.STARTED, at=NOW)
        jobs.apply("job-1", JobEvent.ATTEMPT_LOST, at=NOW, detail="child_crashed")
        jobs.apply("job-1", JobEvent.STARTED, at=NOW)
        ended = jobs.apply("job-1", JobEvent.SUCCEEDED, at=NOW + timedelta(seconds=5))
        assert (ended.state, ended.attempt, ended.ended_at) == (JobState.SUCCEEDED, 2, NOW + timedelta(seconds=5))
        assert [item.event for item in jobs.events("job-1")] == [
            "created",
            "started",
            "attempt_lost",
            "started",
            "succeeded",
        ]
        assert not jobs.unfinished()


def test_an_illegal_transition_is_refused(database: Database) -> None:
    """A job that was never started cannot succeed."""
    with database.write() as connection:
        _job(connection)
        with pytest.raises(TransitionError):
            Jobs(connection).apply("job-1", JobEvent.SUCCEEDED, at=NOW)


def test_an_object_is_owed_once(database: Database) -> None:
    """Owing an object twice is one delivery, and its attempts are counted."""
    with database.write() as connection:
        _job(connection)
        result = ResultRecord(
            sop_instance_uid="2.25.1",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.88.34",
            series_uid="2.25.2",
            job_id="job-1",
            kind="sr",
            path="job-1/sr.dcm",
            sha256="c" * 64,
            created_at=NOW,
        )
        Results(connection).replace("job-1", [result])
        Results(connection).replace("job-1", [result])
        assert Results(connection).of_job("job-1") == [result]
        deliveries = Deliveries(connection)
        for _ in range(2):
            deliveries.add("2.25.1", destination="pacs", job_id="job-1", at=NOW)
        (owed,) = deliveries.of_job("job-1")
        deferred = deliveries.apply(owed, DeliveryEvent.DEFERRED, at=NOW, error="unreachable", next_attempt_at=NOW)
        assert (deferred.state, deferred.attempts) == (DeliveryState.PENDING, 1)
        sent = deliveries.apply(deferred, DeliveryEvent.ACCEPTED, at=NOW, status=0)
        assert (sent.state, sent.attempts, sent.delivered_at) == (DeliveryState.DELIVERED, 2, NOW)


def test_what_is_unknown_is_named(database: Database) -> None:
    """A study or job that does not exist is a NotFoundError that says where to look."""
    with database.read() as connection:
        with pytest.raises(NotFoundError, match="study list"):
            Studies(connection).get("1.9")
        with pytest.raises(NotFoundError, match="job list"):
            Jobs(connection).get("absent")


@pytest.mark.parametrize(
    "change",
    [
        audit.update().where(audit.c.sequence == 2).values(outcome="failure"),
        audit.delete().where(audit.c.sequence == 2),
    ],
    ids=["changed", "removed"],
)
def test_a_tampered_audit_line_is_found(database: Database, change: sa.Update | sa.Delete) -> None:
    """The chain names the first line that was changed or removed."""
    with database.write() as connection:
        trail = AuditTrail(connection)
        for number in range(3):
            trail.record("instance_stored", at=NOW, actor="SCANNER", subject=f"1.2.{number}")
        assert trail.first_broken() is None
        connection.execute(change)
        assert trail.first_broken() == 2
