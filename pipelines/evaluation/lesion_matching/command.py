"""What `bmnode evaluate matching` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bmnode.domain.evaluations import EvaluationRequest
from bmnode.domain.matching_evaluations import MatchingReport
from bmnode.domain.pipelines import ReportProgress
from pipelines.evaluation.pairs import evaluated_pairs, record_of

if TYPE_CHECKING:
    from pipelines.evaluation.lesion_matching.records import PairRecord

for _needed in ("cc3d", "holoscan", "skimage"):  # of the branches; the simulator asks for its own
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

FULL, QUICK = "matching", "matching-quick"
"""Cohorts that come along; `matching-pet` is one of PET/CT."""


class MatchingAccuracy:
    """The evaluation of this distribution; see `bmnode.domain.matching_evaluations.MatchingEvaluation`."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> MatchingReport:
        """Simulate what is missing, match the pairs that were not matched, and compare."""
        from operators.kernels.lesion_matching.match import LESION_MATCH
        from pipelines.evaluation.lesion_matching.table import rows_of

        made, records = evaluated_pairs(
            request,
            report,
            cohort=QUICK if request.quick else FULL,
            module="pipelines.evaluation.lesion_matching.evaluate",
            evaluate=_evaluated,
        )
        rows, version = rows_of(records), LESION_MATCH.method
        return MatchingReport(cohort=made.cohort, seed=made.seed, pairs=len(records), version=version, rows=rows)


def _evaluated(now: Path, then: Path, path: Path, code: str) -> PairRecord:
    """In a worker."""
    from pipelines.evaluation.lesion_matching.evaluate import evaluate_pair
    from pipelines.evaluation.lesion_matching.records import PairRecord

    return record_of(now, then, path, code, kind=PairRecord, make=evaluate_pair)


MATCHING = MatchingAccuracy()
