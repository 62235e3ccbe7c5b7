"""What one pair of scans gave, kept as a file: every rule's tally on both kinds of masks, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bmnode.domain.evaluations import Masks
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.lesion_matching.scores import Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRecord:
    """Of one pair.

    Args:
        key: of the plans and the code that it was made from.
        refusal: why the two scans were not registered; empty where they were.
        why_not: of a kind of masks, why there are none.
        tallies: by kind of masks, then by the rule's method.
    """

    key: str
    modality: Modality
    refusal: str = ""
    why_not: dict[Masks, str] = field(default_factory=dict)
    tallies: dict[Masks, dict[str, Tally]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """As JSON; renamed into place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_bytes(_ADAPTER.dump_json(self, indent=1))
        new.replace(path)


_ADAPTER = TypeAdapter(PairRecord)


def load_pair_record(path: Path, *, key: str) -> PairRecord | None:
    """The record of this key, or None where the file is absent, damaged, or of another."""
    try:
        record = _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return record if record.key == key else None
