"""What `bmnode evaluate measurements` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

import json
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bmnode.domain.evaluations import EvaluationRequest, MeasurementReport
from bmnode.domain.ids import digest
from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.domain.simulators import SimulatedStudy, SimulationReport, SimulationRequest
from operators.simulation.cohort.command import SIMULATOR
from operators.simulation.cohort.manifest import FILE_NAME as MANIFEST
from pipelines.app import PIPELINE
from pipelines.evaluation.provenance import code_digest

if TYPE_CHECKING:
    from pipelines.evaluation.records import StudyRecord

for _needed in ("cc3d", "holoscan", "skimage"):  # of the branches; the simulator asks for its own
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

FULL, QUICK = "measurements", "measurements-quick"
"""Cohorts that come along."""
COHORT, RECORDS = "cohort", "records"
"""Folders below that of the evaluation."""
_MEASURES = "pipelines.evaluation.study"
"""What makes a record; a record outlives no change of what it imports."""
_SIMULATING = 0.7
"""Share of the run that simulating takes, about."""


class MeasurementAccuracy:
    """The evaluation of this distribution; see `bmnode.domain.evaluations.MeasurementEvaluation`."""

    def __call__(self, request: EvaluationRequest, report: ReportProgress) -> MeasurementReport:
        """Simulate what is missing, measure what was not measured, and compare."""
        from operators.simulation.workers import side_by_side
        from pipelines.evaluation.table import accuracy_rows, detection_rows

        simulating = partial(within, report, 0.0, _SIMULATING)
        made = simulated(request, cohort=QUICK if request.quick else FULL, report=simulating)
        code = code_digest(_MEASURES)
        jobs = [(study.dicom.parent, record_path(study, request.out), _number(study), code) for study in made.studies]
        records = {}
        for number, record in side_by_side(_evaluated, jobs, workers=request.workers):
            records[number] = record
            step = f"{len(records)} of {len(jobs)} studies measured"
            within(report, _SIMULATING, 1.0, Progress(fraction=len(records) / len(jobs), step=step))
        ordered = [records[number] for number in sorted(records)]
        return MeasurementReport(
            cohort=made.cohort,
            seed=made.seed,
            patients=len({record.patient for record in ordered}),
            pipeline=PIPELINE.version,
            rows=accuracy_rows(ordered),
            detection=detection_rows(ordered),
        )


def simulated(request: EvaluationRequest, *, cohort: str, report: ReportProgress) -> SimulationReport:
    """The studies of an evaluation, those that are missing made: of the cohort it asks for, or else of `cohort`."""
    return SIMULATOR.simulate(
        SimulationRequest(
            cohort=request.cohort or cohort,
            out=request.out / COHORT,
            cache_dir=request.cache_dir,
            workers=request.workers,
        ),
        report,
    )


def within(report: ReportProgress, low: float, high: float, progress: Progress) -> None:
    """Tell a part's progress as that of the whole, of which it is the share from `low` to `high`."""
    report(Progress(fraction=low + (high - low) * progress.fraction, step=progress.step))


def _number(study: SimulatedStudy) -> int:
    """Of the patient, from the study's folder: `patient-00001/baseline/ct/dicom`."""
    return int(study.dicom.parents[2].name.rpartition("-")[2])


def record_path(study: SimulatedStudy, out: Path) -> Path:
    """Where a study's record is kept: outside the study's folder, whose manifest lists every file."""
    place = study.dicom.parent.relative_to(out / COHORT)
    return out / RECORDS / place.with_suffix(".json")


def _evaluated(folder: Path, path: Path, patient: int, code: str) -> StudyRecord:
    """In a worker: the record of one study, from its file where that is of this study and this code."""
    from pipelines.evaluation.records import StudyRecord
    from pipelines.evaluation.study import evaluate_study

    plan = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["plan"]
    key = digest([plan, code])
    record = StudyRecord.load(path, key=key)
    if record is None:
        record = evaluate_study(folder, patient=patient, key=key)
        record.save(path)
    return record


MEASUREMENTS = MeasurementAccuracy()
