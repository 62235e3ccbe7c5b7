"""What `bmnode evaluate registration` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bmnode.domain.evaluations import EvaluationRequest
from bmnode.domain.pipelines import ReportProgress
from bmnode.domain.registration_evaluations import RegistrationReport
from pipelines.evaluation.pairs import evaluated_pairs, record_of

if TYPE_CHECKING:
    from pipelines.evaluation.registration.records import PairRecord

for _needed in ("cc3d", "skimage", "SimpleITK"):  # the simulator asks for its own
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

FULL, QUICK = "registration", "registration-quick"
"""Cohorts that come along."""


class RegistrationAccuracy:
    """The evaluation of this distribution; see `bmnode.domain.registration_evaluations.RegistrationEvaluation`."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> RegistrationReport:
        """Simulate what is missing, register the pairs that were not registered, and compare."""
        from operators.kernels.registration.registration import METHOD
        from pipelines.evaluation.registration.table import rows_of

        made, records = evaluated_pairs(
            request,
            report,
            cohort=QUICK if request.quick else FULL,
            module="pipelines.evaluation.registration.evaluate",
            evaluate=_evaluated,
        )
        rows = rows_of(records)
        return RegistrationReport(cohort=made.cohort, seed=made.seed, pairs=len(records), version=METHOD, rows=rows)


def _evaluated(now: Path, then: Path, path: Path, code: str) -> PairRecord:
    """In a worker."""
    from pipelines.evaluation.registration.evaluate import evaluate_pair
    from pipelines.evaluation.registration.records import PairRecord

    return record_of(now, then, path, code, kind=PairRecord, make=evaluate_pair)


REGISTRATION = RegistrationAccuracy()
