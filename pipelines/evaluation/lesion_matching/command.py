"""What `bmnode evaluate matching` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bmnode.domain.evaluations import EvaluationRequest
from bmnode.domain.ids import digest
from bmnode.domain.matching_evaluations import MatchingReport
from bmnode.domain.pipelines import Progress, ReportProgress
from operators.simulation.cohort.manifest import FILE_NAME as MANIFEST
from pipelines.evaluation.command import record_path, simulated, within
from pipelines.evaluation.provenance import code_digest
from pipelines.evaluation.registration.command import pairs_of

if TYPE_CHECKING:
    from pipelines.evaluation.lesion_matching.records import PairRecord

for _needed in ("cc3d", "holoscan", "skimage"):  # of the branches; the simulator asks for its own
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

FULL, QUICK = "matching", "matching-quick"
"""Cohorts that come along; `matching-pet` is one of PET/CT."""
_MATCHES = "pipelines.evaluation.lesion_matching.evaluate"
"""What makes a record; a record outlives no change of what it imports."""
_SIMULATING = 0.4
"""Share of the run that simulating takes, about."""


class MatchingAccuracy:
    """The evaluation of this distribution; see `bmnode.domain.matching_evaluations.MatchingEvaluation`."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> MatchingReport:
        """Simulate what is missing, match the pairs that were not matched, and compare."""
        from operators.kernels.lesion_matching.match import LESION_MATCH
        from operators.simulation.workers import side_by_side
        from pipelines.evaluation.lesion_matching.table import rows_of

        simulating = partial(within, report, 0.0, _SIMULATING)
        made = simulated(request, cohort=QUICK if request.quick else FULL, report=simulating)
        code = code_digest(_MATCHES)
        jobs = [
            (now.dicom.parent, then.dicom.parent, record_path(now, request.out), code)
            for now, then in pairs_of(made.studies)
        ]
        records = {}
        for number, record in side_by_side(_evaluated, jobs, workers=request.workers):
            records[number] = record
            step = f"{len(records)} of {len(jobs)} pairs matched"
            within(report, _SIMULATING, 1.0, Progress(fraction=len(records) / len(jobs), step=step))
        return MatchingReport(
            cohort=made.cohort,
            seed=made.seed,
            pairs=len(jobs),
            version=LESION_MATCH.method,
            rows=rows_of([records[number] for number in sorted(records)]),
        )


def _evaluated(now: Path, then: Path, path: Path, code: str) -> PairRecord:
    """In a worker: the record of one pair, from its file where that is of these studies and this code."""
    from pipelines.evaluation.lesion_matching.evaluate import evaluate_pair
    from pipelines.evaluation.lesion_matching.records import load_pair_record

    plans = [json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["plan"] for folder in (now, then)]
    key = digest([*plans, code])
    record = load_pair_record(path, key=key)
    if record is None:
        record = evaluate_pair(now, then, key=key)
        record.save(path)
    return record


MATCHING = MatchingAccuracy()
