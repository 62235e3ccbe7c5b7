"""What `bmnode evaluate registration` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bmnode.domain.evaluations import EvaluationRequest
from bmnode.domain.ids import digest
from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.domain.registration_evaluations import RegistrationReport
from bmnode.domain.simulators import SimulatedStudy
from operators.simulation.cohort.manifest import FILE_NAME as MANIFEST
from pipelines.evaluation.command import record_path, simulated, within
from pipelines.evaluation.provenance import code_digest

if TYPE_CHECKING:
    from pipelines.evaluation.registration.records import PairRecord

for _needed in ("cc3d", "skimage", "SimpleITK"):  # the simulator asks for its own
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

FULL, QUICK = "registration", "registration-quick"
"""Cohorts that come along."""
_REGISTERS = "pipelines.evaluation.registration.evaluate"
"""What makes a record; a record outlives no change of what it imports."""
_SIMULATING = 0.5
"""Share of the run that simulating takes, about."""
_WITH_CT = ("ct", "pet", "spect")


class RegistrationAccuracy:
    """The evaluation of this distribution; see `bmnode.domain.registration_evaluations.RegistrationEvaluation`."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> RegistrationReport:
        """Simulate what is missing, register the pairs that were not registered, and compare."""
        from operators.kernels.registration.registration import METHOD
        from operators.simulation.workers import side_by_side
        from pipelines.evaluation.registration.table import rows_of

        simulating = partial(within, report, 0.0, _SIMULATING)
        made = simulated(request, cohort=QUICK if request.quick else FULL, report=simulating)
        code = code_digest(_REGISTERS)
        jobs = [
            (now.dicom.parent, then.dicom.parent, record_path(now, request.out), code)
            for now, then in pairs_of(made.studies)
        ]
        records = {}
        for number, record in side_by_side(_evaluated, jobs, workers=request.workers):
            records[number] = record
            step = f"{len(records)} of {len(jobs)} pairs registered"
            within(report, _SIMULATING, 1.0, Progress(fraction=len(records) / len(jobs), step=step))
        return RegistrationReport(
            cohort=made.cohort,
            seed=made.seed,
            pairs=len(jobs),
            version=METHOD,
            rows=rows_of([records[number] for number in sorted(records)]),
        )


def pairs_of(studies: tuple[SimulatedStudy, ...]) -> list[tuple[SimulatedStudy, SimulatedStudy]]:
    """Every study with a CT and the same patient's study of the same modality at the time point before."""
    found = []
    last: dict[tuple[str, str], SimulatedStudy] = {}
    for study in studies:
        if study.modality in _WITH_CT:
            before = last.get((study.patient, study.modality))
            if before is not None and before.timepoint != study.timepoint:
                found.append((study, before))
            last[study.patient, study.modality] = study
    return found


def _evaluated(now: Path, then: Path, path: Path, code: str) -> PairRecord:
    """In a worker: the record of one pair, from its file where that is of these studies and this code."""
    from pipelines.evaluation.registration.evaluate import evaluate_pair
    from pipelines.evaluation.registration.records import load_pair_record

    plans = [json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["plan"] for folder in (now, then)]
    key = digest([*plans, code])
    record = load_pair_record(path, key=key)
    if record is None:
        record = evaluate_pair(now, then, key=key)
        record.save(path)
    return record


REGISTRATION = RegistrationAccuracy()
