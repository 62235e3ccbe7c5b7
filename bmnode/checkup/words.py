"""Times and numbers in sentences."""

from __future__ import annotations

from datetime import datetime, timedelta

LONG_PAST = timedelta(days=14)
"""[P] Who has not acted on something for two weeks has decided: it is told, and nobody is called for it any more."""
_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def span(time: timedelta) -> str:
    """`3 hours`: the largest unit of which there are two or more, rounded down; seconds below two minutes."""
    for name, unit in _UNITS:
        if time >= 2 * unit:
            return f"{time // unit} {name}s"
    return counted(max(int(time.total_seconds()), 0), "second")


def moment(at: datetime) -> str:
    """UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def counted(number: int, one: str, several: str | None = None) -> str:
    """`1 image`, `2 images`; `several` where an s does not make it so."""
    return f"{number} {one}" if number == 1 else f"{number} {several or one + 's'}"
