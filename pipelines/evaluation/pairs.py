"""Evaluations of pairs of scans: what is simulated, who is compared with whom, and what was done already."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from bmnode.domain.evaluations import EvaluationRequest
from bmnode.domain.ids import digest
from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.domain.simulators import SimulatedStudy, SimulationReport
from operators.simulation.cohort.manifest import FILE_NAME as MANIFEST
from pipelines.evaluation.command import record_path, simulated, within
from pipelines.evaluation.kept import KeptRecord
from pipelines.evaluation.provenance import code_digest

_WITH_CT = ("ct", "pet", "spect")
_SIMULATING = 0.5
"""Share of the run that simulating takes, about."""
Record = TypeVar("Record", bound=KeptRecord)
Evaluate = Callable[[Path, Path, Path, str], Record]
"""In a worker: the record of one pair, of the folders of its two studies, the record's file and the code's digest."""


def evaluated_pairs(
    request: EvaluationRequest, report: ReportProgress, *, cohort: str, module: str, evaluate: Evaluate[Record]
) -> tuple[SimulationReport, list[Record]]:
    """Simulate what is missing, and evaluate every pair that was not evaluated.

    Args:
        request: where, and of which cohort.
        report: told of progress.
        cohort: where the request names none.
        module: what makes a record; a record outlives no change of what it imports.
        evaluate: a function that a fresh interpreter can import.
    """
    from operators.simulation.workers import side_by_side

    made = simulated(request, cohort=cohort, report=partial(within, report, 0.0, _SIMULATING))
    code = code_digest(module)
    jobs = [
        (now.dicom.parent, then.dicom.parent, record_path(now, request.out), code)
        for now, then in pairs_of(made.studies)
    ]
    records: dict[int, Record] = {}
    for number, record in side_by_side(evaluate, jobs, workers=request.workers):
        records[number] = record
        step = f"{len(records)} of {len(jobs)} pairs evaluated"
        within(report, _SIMULATING, 1.0, Progress(fraction=len(records) / len(jobs), step=step))
    return made, [records[number] for number in sorted(records)]


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


def record_of(
    now: Path, then: Path, path: Path, code: str, *, kind: type[Record], make: Callable[..., Record]
) -> Record:
    """The record of one pair, from its file where that is of these studies and this code; `make` gives a new one."""
    plans = [json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["plan"] for folder in (now, then)]
    key = digest([*plans, code])
    record = kind.load(path, key=key)
    if record is None:
        record = make(now, then, key=key)
        record.save(path)
    return record
