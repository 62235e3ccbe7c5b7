"""What one pair gave, kept as a file: every way's figures, or why it has none."""

from __future__ import annotations

from dataclasses import dataclass

from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.kept import KeptRecord
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
class PairRecord(KeptRecord):
    """Of one pair.

    Args:
        bones_without_motion: bones whose true motion is none of a rigid body, left out of the figures.
        why_not: why the pair has no figures at all; empty where it has.
    """

    patient: int
    modality: Modality
    ways: dict[Way, WayRecord]
    bones_without_motion: int = 0
    why_not: str = ""
