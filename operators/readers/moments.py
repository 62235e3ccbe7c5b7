"""DICOM dates and times as moments that can be subtracted."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

_DATETIME = re.compile(r"(\d{8})(\d{2})(\d{2})?(\d{2})?(\.\d{1,6})?([+-]\d{4})?")
_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(\.\d{1,6})?")


def moment_of(date: Any, time: Any) -> datetime | None:
    """DA and TM as one moment, None where either is missing or no time.

    Values without a zone are local; they are held as UTC so that two of one study can be subtracted.
    """
    days = re.fullmatch(r"(\d{4})\.?(\d{2})\.?(\d{2})", str(date or "").strip())
    clock = _TIME.fullmatch(str(time or "").strip())
    if days is None or clock is None:
        return None
    return _moment("".join(days.groups()), clock.groups())


def moment_of_datetime(value: Any, *, local_offset: Any = None) -> datetime | None:
    """DT as a local moment (see `moment_of`), None where it is missing or carries no time of day.

    A zone in the value is brought to `local_offset` (Timezone Offset From UTC, `+0100`) where that is known.
    """
    match = _DATETIME.fullmatch(str(value or "").strip())
    if match is None:
        return None
    day, *clock, zone = match.groups()
    moment = _moment(day, tuple(clock))
    if moment is None or zone is None or not re.fullmatch(r"[+-]\d{4}", str(local_offset or "")):
        return moment
    return moment - _offset(zone) + _offset(str(local_offset))


def _offset(zone: str) -> timedelta:
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))


def _moment(day: str, clock: tuple[str | None, ...]) -> datetime | None:
    hour, minute, second, fraction = clock
    try:
        start = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), int(hour or 0), int(minute or 0), tzinfo=UTC)
    except ValueError:
        return None
    # A leap second (60) is legal in TM and none in datetime: it is added, not written.
    return start + timedelta(seconds=int(second or 0) + float(fraction or 0.0))
