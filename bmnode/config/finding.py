"""One thing that was looked at, and what came of it: of the configuration, and of the node that runs with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Severity(StrEnum):
    """How much a finding matters: an error keeps the node from working, a warning may be meant."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    severity: Severity
    key: str
    """The setting, written as in the file; or what else was looked at, as `database` or `destination.pacs`."""
    message: str
    """What is so, and what to do about it."""

    @classmethod
    def ok(cls, key: str, message: str) -> Self:
        """All is well."""
        return cls(severity=Severity.OK, key=key, message=message)

    @classmethod
    def warning(cls, key: str, message: str) -> Self:
        """It may be meant, or pass."""
        return cls(severity=Severity.WARNING, key=key, message=message)

    @classmethod
    def error(cls, key: str, message: str) -> Self:
        """Somebody has to do something."""
        return cls(severity=Severity.ERROR, key=key, message=message)
