"""A clock that stands until it is told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class FakeClock:
    """A `bmnode.clock.Clock` whose time is moved by hand; sleeping moves it and returns at once.

    Args:
        start: aware time of the first `now()`.
    """

    def __init__(self, start: datetime = _START) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware time")
        self._start = start.astimezone(UTC)
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic_s(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed_s

    def sleep_s(self, seconds: float) -> None:
        """Move on by this much. Raises ValueError for a negative time, as the system's sleep does."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move on by this much. Raises ValueError for a negative time: no clock here steps back."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self._elapsed_s += seconds
