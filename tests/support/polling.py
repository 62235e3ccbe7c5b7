"""Waiting for another process: polls with a deadline, for the few places where nothing can be waited on."""

from __future__ import annotations

from collections.abc import Callable

from bmnode.clock import SystemClock

_INTERVAL_S = 0.05


def eventually(condition: Callable[[], bool], *, timeout_s: float) -> None:
    """Return when the condition holds. Raises AssertionError after `timeout_s` seconds."""
    clock = SystemClock()
    deadline = clock.monotonic_s() + timeout_s
    while not condition():
        assert clock.monotonic_s() < deadline, f"not within {timeout_s:g} s"
        clock.sleep_s(_INTERVAL_S)
