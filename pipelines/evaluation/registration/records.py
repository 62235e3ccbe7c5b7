"""What one pair gave, kept as a file: every way's figures, or why it has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.registration.scores import Scores
from pipelines.evaluation.registration.ways import Way


@dataclass(frozen=True, kw_only=True, slots=True)
class WayRecord:
    """Of one way; `scores` None where it gave no registration, for the reason in `refusal`."""

    scores: Scores | None
    refusal: str
    folded: float | None
    seconds: float
    memory_mb: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRecord:
    """Of one pair.

    Args:
        key: of the plans and the code that it was made from.
        bones_without_motion: bones whose true motion is none of a rigid body, left out of the figures.
        why_not: why the pair has no figures at all; empty where it has.
    """

    key: str
    patient: int
    modality: Modality
    ways: dict[Way, WayRecord]
    bones_without_motion: int = 0
    why_not: str = ""

    def save(self, path: Path) -> None:
        """As JSON; renamed into place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_bytes(TypeAdapter(PairRecord).dump_json(self, indent=1))
        new.replace(path)


def load_pair_record(path: Path, *, key: str) -> PairRecord | None:
    """The record of this key, or None where the file is absent, damaged, or of another."""
    try:
        record = TypeAdapter(PairRecord).validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return record if record.key == key else None
