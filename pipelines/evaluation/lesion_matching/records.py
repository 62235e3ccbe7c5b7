"""What one pair of scans gave, kept as a file: every rule's tally on both kinds of masks, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

from bmnode.domain.evaluations import Masks
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.kept import KeptRecord
from pipelines.evaluation.lesion_matching.scores import Tally


@dataclass(frozen=True, kw_only=True, slots=True)
class PairRecord(KeptRecord):
    """Of one pair.

    Args:
        refusal: why the two scans were not registered; empty where they were.
        why_not: of a kind of masks, why there are none.
        tallies: by kind of masks, then by the rule's method.
    """

    modality: Modality
    refusal: str = ""
    why_not: dict[Masks, str] = field(default_factory=dict)
    tallies: dict[Masks, dict[str, Tally]] = field(default_factory=dict)
