"""The fake clock does what the machine's does, without waiting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bmnode.clock import Clock, SystemClock
from bmnode.testing.clock import FakeClock


@pytest.fixture(params=[SystemClock, FakeClock])
def clock(request: pytest.FixtureRequest) -> Clock:
    """Either clock."""
    made: Clock = request.param()
    return made


def test_times_are_aware_utc(clock: Clock) -> None:
    """Records never get a naive time."""
    assert clock.now().utcoffset() == timedelta(0)


def test_sleeping_moves_the_time_on(clock: Clock) -> None:
    """After a sleep, both the wall time and the monotonic time are later by it."""
    wall, monotonic = clock.now(), clock.monotonic_s()
    clock.sleep_s(0.002)
    assert clock.now() - wall >= timedelta(seconds=0.001)
    assert clock.monotonic_s() - monotonic >= 0.001


def test_nobody_sleeps_backwards(clock: Clock) -> None:
    """A negative sleep is an error."""
    with pytest.raises(ValueError, match="non-negative"):
        clock.sleep_s(-1)


def test_the_fake_stands_until_it_is_moved() -> None:
    """Two readings without a move are equal; a naive start is refused."""
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock.now() == clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    clock.advance(90)
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="aware"):
        FakeClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
