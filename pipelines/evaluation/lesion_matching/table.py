"""The table of both kinds of masks from the pairs' records, and the targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bmnode.domain.evaluations import Masks, Verdict
from bmnode.domain.matching_evaluations import MatchingRow
from operators.kernels.lesion_matching.match import LESION_MATCH
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.lesion_matching.records import PairRecord
from pipelines.evaluation.lesion_matching.scores import together
from pipelines.evaluation.pair_scores import PairScores

LEAST_F1: Mapping[Masks, float] = MappingProxyType({Masks.TRUE: 0.97, Masks.FOUND: 0.93})
"""Readers among themselves reach 0.93, the best published algorithm 0.89 (Huff 2023, Phys Med Biol 68:175031)."""


def rows_of(records: Sequence[PairRecord]) -> tuple[MatchingRow, ...]:
    """Every modality's masks, each by every rule."""
    rows = []
    for modality in sorted({record.modality for record in records}):
        own = [record for record in records if record.modality is modality]
        for masks in Masks:
            methods = {method for record in own for method in record.tallies.get(masks, {})} | {LESION_MATCH.method}
            rows += [_row(own, modality, masks, method) for method in sorted(methods)]
    return tuple(rows)


def _row(records: Sequence[PairRecord], modality: Modality, masks: Masks, method: str) -> MatchingRow:
    tallies = [record.tallies[masks][method] for record in records if method in record.tallies.get(masks, {})]
    total = together(tallies)
    refused = [record.refusal for record in records if record.refusal]
    reasons = Counter(refused)
    reasons.update(record.why_not[masks] for record in records if masks in record.why_not)
    scores = PairScores(true=total.true, proposed=total.proposed, right=total.right)
    is_judged = method == LESION_MATCH.method
    return MatchingRow(
        modality=modality.value,
        masks=masks,
        method=method,
        scans=len(records),
        refused=len(refused),
        true=total.true,
        proposed=total.proposed,
        right=total.right,
        precision=scores.precision,
        recall=scores.recall,
        f1=scores.f1,
        events=total.events,
        not_evaluable=dict(reasons) | dict(total.left_out),
        target=_target(masks) if is_judged else "",
        verdict=_verdict(scores, masks=masks, refused=len(refused)) if is_judged else Verdict.REPORTED,
    )


def _target(masks: Masks) -> str:
    return f"F1 of links of {LEAST_F1[masks]:g} or more, no pair of scans refused"


def _verdict(scores: PairScores, *, masks: Masks, refused: int) -> Verdict:
    if scores.true == 0 or scores.f1 is None:
        return Verdict.NOT_EVALUABLE
    return Verdict.MET if scores.f1 >= LEAST_F1[masks] and not refused else Verdict.MISSED
