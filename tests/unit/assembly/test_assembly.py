"""When a study is complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bmnode.assembly import Assembler, QuietTime
from bmnode.domain.records import StoredInstance, StudyRecord
from bmnode.domain.states import StudyState
from bmnode.storage import Database, Instances, Studies
from bmnode.testing.clock import FakeClock

STUDY = "1.2.3"
POLICY = QuietTime(quiet_s=30, ceiling_s=100)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database on disk, migrated."""
    database = Database(f"sqlite:///{tmp_path / 'node.sqlite'}")
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def clock() -> FakeClock:
    """A clock that is moved by hand."""
    return FakeClock()


def _arrive(database: Database, clock: FakeClock, study_uid: str = STUDY) -> None:
    """An image comes, as the acceptor records it."""
    with database.write() as connection:
        studies = Studies(connection)
        due_at = POLICY.due_at(studies.find(study_uid), clock.now())
        study = studies.image_arrived(study_uid, source_ae="CT1", at=clock.now(), due_at=due_at)
        Instances(connection).add(
            StoredInstance(
                sop_instance_uid=f"{study_uid}.{study.instance_count}",
                sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
                transfer_syntax_uid="1.2.840.10008.1.2.1",
                study_uid=study_uid,
                series_uid=f"{study_uid}.0",
                sha256="a" * 64,
                size_bytes=10,
                source_ae="CT1",
                received_at=clock.now(),
            )
        )


def _complete(database: Database, clock: FakeClock) -> list[str]:
    assembler = Assembler(database, policy=POLICY, clock=clock)
    return [study.study_uid for study in assembler.complete_studies()]


def _freeze(database: Database, clock: FakeClock) -> None:
    with database.write() as connection:
        Studies(connection).freeze(STUDY, at=clock.now())


def test_a_study_is_complete_after_its_quiet_time(database: Database, clock: FakeClock) -> None:
    """Not a second before, and each image starts the time again."""
    _arrive(database, clock)
    clock.advance(29)
    assert _complete(database, clock) == []
    _arrive(database, clock)
    clock.advance(29)
    assert _complete(database, clock) == []
    clock.advance(1)
    assert _complete(database, clock) == [STUDY]


def test_the_ceiling_ends_an_endless_study(database: Database, clock: FakeClock) -> None:
    """A study whose images never stop is taken when the ceiling is reached."""
    for _ in range(10):
        _arrive(database, clock)
        assert _complete(database, clock) == []
        clock.advance(10)
    assert _complete(database, clock) == [STUDY]


def test_a_late_image_waits_for_its_own_quiet_time(database: Database, clock: FakeClock) -> None:
    """A study that is opened again long after the ceiling is not complete at once."""
    _arrive(database, clock)
    clock.advance(30)
    _freeze(database, clock)
    clock.advance(100_000)
    _arrive(database, clock)
    assert _complete(database, clock) == []
    clock.advance(20)
    _arrive(database, clock)
    assert _complete(database, clock) == []
    clock.advance(30)
    assert _complete(database, clock) == [STUDY]


def test_the_ceiling_ends_an_endless_trickle_of_late_images(database: Database, clock: FakeClock) -> None:
    """A study that was opened again is taken at the ceiling counted from its first late image."""
    _arrive(database, clock)
    clock.advance(30)
    _freeze(database, clock)
    clock.advance(100_000)
    for _ in range(10):
        _arrive(database, clock)
        assert _complete(database, clock) == []
        clock.advance(10)
    assert _complete(database, clock) == [STUDY]


def test_a_complete_study_is_found_again_until_it_is_frozen(database: Database, clock: FakeClock) -> None:
    """A caller that dies between the verdict and the freeze loses nothing."""
    _arrive(database, clock)
    clock.advance(30)
    assert _complete(database, clock) == [STUDY]
    assert _complete(database, clock) == [STUDY]
    _freeze(database, clock)
    assert _complete(database, clock) == []


def test_a_study_that_must_wait_is_put_off(database: Database, clock: FakeClock) -> None:
    """A study that is due but not complete is due again when the policy says, and not before."""
    with database.write() as connection:
        Studies(connection).image_arrived(STUDY, source_ae="CT1", at=clock.now(), due_at=clock.now())
    assert _complete(database, clock) == []
    with database.read() as connection:
        assert Studies(connection).get(STUDY).due_at == clock.now() + timedelta(seconds=30)


def test_the_longest_waiting_study_comes_first(database: Database, clock: FakeClock) -> None:
    """Studies are handed on in the order in which they became due."""
    for study_uid in ("1.2.9", "1.2.4"):
        _arrive(database, clock, study_uid)
        clock.advance(1)
    clock.advance(40)
    assert _complete(database, clock) == ["1.2.9", "1.2.4"]


def test_the_log_has_no_study_uid(database: Database, clock: FakeClock) -> None:
    """A study is named in the log by its reference alone."""
    _arrive(database, clock)
    clock.advance(30)
    with capture_logs() as events:
        _complete(database, clock)
    assert [event["verdict"] for event in events] == ["quiet"]
    assert STUDY not in str(events)


@pytest.mark.parametrize(("quiet_s", "ceiling_s"), [(0, 10), (-1, 10), (11, 10)])
def test_times_that_cannot_be_are_refused(quiet_s: float, ceiling_s: float) -> None:
    """A policy whose ceiling is below its quiet time does not come about."""
    with pytest.raises(ValueError, match="ceiling_s"):
        QuietTime(quiet_s=quiet_s, ceiling_s=ceiling_s)


def test_the_verdict_names_what_decided() -> None:
    """Quiet, ceiling and arriving are told apart for the log."""
    start = datetime.fromisoformat("2026-03-01T08:00:00+00:00")
    study = StudyRecord(
        study_uid=STUDY,
        state=StudyState.RECEIVING,
        version=2,
        revision=0,
        instance_count=2,
        source_ae="CT1",
        first_received_at=start - timedelta(days=1),
        opened_at=start,
        last_received_at=start + timedelta(seconds=80),
        due_at=None,
    )
    at_90, at_100, at_110 = (start + timedelta(seconds=seconds) for seconds in (90, 100, 110))
    assert (POLICY.judge(study, at_90).reason, POLICY.judge(study, at_90).wait_until) == ("arriving", at_100)
    assert POLICY.judge(study, at_100).reason == "ceiling"
    assert POLICY.judge(study, at_110).reason == "quiet"
    assert POLICY.judge(replace(study, opened_at=at_90), at_100).wait_until == at_110


class JumpingClock(FakeClock):
    """A clock that somebody sets."""

    def jump(self, **by: float) -> None:
        """Set it back or forth; what has elapsed stays."""
        self._start += timedelta(**by)


def test_a_clock_that_is_set_back_delays_no_study(database: Database) -> None:
    """A day back while a study arrives: it is complete after its quiet time, not after a day and its quiet time."""
    clock = JumpingClock()
    _arrive(database, clock)
    assembler = Assembler(database, policy=POLICY, clock=clock)
    assert assembler.complete_studies() == ()
    clock.jump(days=-1)
    assert assembler.complete_studies() == ()
    clock.advance(29)
    assert assembler.complete_studies() == ()
    clock.advance(1)
    assert [study.study_uid for study in assembler.complete_studies()] == [STUDY]


def test_a_clock_that_was_set_back_while_the_node_was_down_delays_no_study(database: Database) -> None:
    """The first look after a start finds times that are still to come."""
    clock = JumpingClock()
    _arrive(database, clock)
    clock.jump(days=-1)
    assembler = Assembler(database, policy=POLICY, clock=clock)
    assembler.complete_studies()
    clock.advance(30)
    assert [study.study_uid for study in assembler.complete_studies()] == [STUDY]


def test_a_clock_that_is_set_forth_loses_no_image(database: Database) -> None:
    """A day forth ends the quiet time early; the image that comes then makes a revision of all of them."""
    clock = JumpingClock()
    _arrive(database, clock)
    clock.jump(days=1)
    assert _complete(database, clock) == [STUDY]
    _freeze(database, clock)
    _arrive(database, clock)
    clock.advance(30)
    assert _complete(database, clock) == [STUDY]
    with database.write() as connection:
        revision = Studies(connection).freeze(STUDY, at=clock.now())
        assert len(Instances(connection).of_revision(STUDY, revision.revision)) == 2
