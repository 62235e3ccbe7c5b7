"""What `bmnode evaluate models` calls, by entry point. Importing it loads no heavy library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bmnode.domain.ids import digest
from bmnode.domain.model_evaluations import CohortCount, ModelEvaluationRequest, ModelReport, ModelRow
from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.domain.simulators import SimulationReport
from bmnode.models.bundle import Bundle
from operators.simulation.cohort.manifest import FILE_NAME as MANIFEST
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.app import PIPELINE
from pipelines.evaluation.command import record_path, simulated, within
from pipelines.evaluation.provenance import code_digest

if TYPE_CHECKING:
    from pipelines.evaluation.models.records import ScanRecord

for _needed in ("skimage", "torch"):  # of the branch and its model; the simulator asks for its own
    if find_spec(_needed) is None:
        raise ModuleNotFoundError(f"No module named {_needed!r}", name=_needed)

ORDINARY, WORST, QUICK = "models", "models-worst", "models-quick"
"""Cohorts that come along. Targets are of the ordinary one and of its quick subset."""
_JUDGES = "pipelines.evaluation.models.evaluate"
"""What makes a record; a record outlives no change of what it imports."""
_SIMULATING = 0.7


class ModelAccuracy:
    """The evaluation of this distribution; see `bmnode.domain.model_evaluations.ModelEvaluation`."""

    def __call__(self, request: ModelEvaluationRequest, report: ReportProgress) -> ModelReport:
        """Simulate what is missing, assess what was not assessed, and compare."""
        from pipelines.evaluation.models.table import rows_of

        bundle = None if request.bundle is None else Bundle.from_folder(request.bundle)
        own = (request.cohort,) if request.cohort is not None else (QUICK,) if request.quick else (ORDINARY, WORST)
        counts: list[CohortCount] = []
        rows: list[ModelRow] = []
        for number, cohort in enumerate(own):
            part = partial(within, report, number / len(own), (number + 1) / len(own))
            made, records = _records(request, cohort, bundle, part)
            rows += rows_of(records, cohort=made.cohort, judged=cohort != WORST)
            counts.append(_count(made, records))
        return ModelReport(
            model="" if bundle is None else str(bundle.id),
            pipeline=PIPELINE.version,
            cohorts=tuple(counts),
            rows=tuple(rows),
        )


def _records(
    request: ModelEvaluationRequest, cohort: str, bundle: Bundle | None, report: ReportProgress
) -> tuple[SimulationReport, list[ScanRecord]]:
    from operators.simulation.workers import side_by_side

    own = replace(request, cohort=cohort, quick=False, out=request.out / Path(cohort).stem)
    made = simulated(own, cohort=cohort, report=partial(within, report, 0.0, _SIMULATING))
    code = code_digest(_JUDGES)
    jobs = [
        (study.dicom.parent, record_path(study, own.out), code, None if bundle is None else bundle.folder)
        for study in made.studies
        if study.modality == Modality.PLANAR
    ]
    records = {}
    for number, record in side_by_side(_evaluated, jobs, workers=request.workers):
        records[number] = record
        step = f"{len(records)} of {len(jobs)} scans assessed"
        within(report, _SIMULATING, 1.0, Progress(fraction=len(records) / len(jobs), step=step))
    return made, [records[number] for number in sorted(records)]


def _count(made: SimulationReport, records: Sequence[ScanRecord]) -> CohortCount:
    return CohortCount(
        name=made.cohort,
        seed=made.seed,
        patients=len({record.patient for record in records}),
        refused=sum(bool(record.refusal) for record in records),
        not_used=sum(record.model is not None and bool(record.model.not_used) for record in records),
    )


def _evaluated(folder: Path, path: Path, code: str, bundle: Path | None) -> ScanRecord:
    """In a worker: the record of one scan, from its file where that is of this scan, this code and this model."""
    from pipelines.bone_scan.model import ScanModel
    from pipelines.evaluation.models.evaluate import evaluate_scan
    from pipelines.evaluation.models.records import ScanRecord

    model = None if bundle is None else ScanModel.from_folder(bundle)
    plan = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["plan"]
    key = digest([plan, code, "" if model is None else model.digest])
    record = ScanRecord.load(path, key=key)
    if record is None:
        number = int(folder.parents[1].name.rpartition("-")[2])
        record = evaluate_scan(folder, patient=number, key=key, model=model)
        record.save(path)
    return record


MODELS = ModelAccuracy()
