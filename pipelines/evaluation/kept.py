"""Records of what was evaluated, kept as files, so that a run goes on where it stopped."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptRecord:
    """What came of one study or one pair.

    Args:
        key: of the plans and the code that it was made from.
    """

    key: str

    def save(self, path: Path) -> None:
        """Write it; the file is whole or absent."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(TypeAdapter(type(self)).dump_json(self, indent=1) + b"\n")
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, *, key: str) -> Self | None:
        """The record in a file; None where there is none, or one of another key or form: that is evaluated again."""
        try:
            record = TypeAdapter(cls).validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None
        return record if record.key == key else None
