"""A bundle with its evaluation inside: `python -m pipelines.evaluation.models.into_bundle BUNDLE OUT CACHE`.

Evaluates the bundle on the cohorts of `bmnode evaluate models`, and writes what came out into its report and its card.
The bundle is another one afterwards: its digest changes, and it has to be verified anew.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

from bmnode.domain.model_evaluations import ModelEvaluationRequest, ModelFigure, ModelReport, ModelRow
from bmnode.domain.models import EvaluationFigure, EvaluationReport
from bmnode.models.bundle import Bundle, file_digest
from bmnode.models.layout import CARD, EVALUATION, METADATA
from pipelines.evaluation.models.command import MODELS

_SECTION = re.compile(r"(?<=## Evaluation\n).*?(?=\n## |\Z)", re.DOTALL)


def put_in(folder: Path, report: ModelReport) -> Bundle:
    """Replace a bundle's evaluation by this one, in its report and in its card, and list its files again.

    Raises ValueError where the report is of another model or has no figure, BundleRefusedError where the bundle is not
    whole before or after.
    """
    bundle = Bundle.from_folder(folder)
    if report.model != str(bundle.id) or not report.rows:
        raise ValueError(f"the report is of {report.model or 'no model'}, the bundle is {bundle.id}")
    content = asdict(_as_evaluation(report))
    (folder / EVALUATION).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    card = (folder / CARD).read_text(encoding="utf-8")
    (folder / CARD).write_text(_SECTION.sub(lambda _: _words(report), card), encoding="utf-8")
    metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    listed = metadata["bmnode"]["files"]
    metadata["bmnode"]["files"] = {name: file_digest(folder / name) for name in listed}
    (folder / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return Bundle.from_folder(folder)


def _as_evaluation(report: ModelReport) -> EvaluationReport:
    return EvaluationReport(
        cohort=", ".join(item.name for item in report.cohorts),
        seeds=tuple(item.seed for item in report.cohorts),
        patients=sum(item.patients for item in report.cohorts),
        simulated=True,
        figures=tuple(_figure(row, row.model) for row in report.rows if row.model is not None),
    )


def _figure(row: ModelRow, found: ModelFigure) -> EvaluationFigure:
    low, high = (None, None) if found.interval is None else found.interval
    return EvaluationFigure(
        quantity=f"{row.cohort}: {row.quantity}, {row.view}, {row.group}",
        unit=row.unit,
        value=found.value,
        low=low,
        high=high,
        n=found.n,
        thresholds=row.thresholds.value,
    )


def _words(report: ModelReport) -> str:
    """What is judged, for the card; everything else stands in the report."""
    judged = [row for row in report.rows if row.target]
    cells = [
        (row.cohort, row.quantity, row.view, _shown(row.model), _shown(row.thresholds), row.verdict) for row in judged
    ]
    unused = "; ".join(f"{item.name}: {item.not_used} of {item.patients}" for item in report.cohorts)
    return "\n".join(
        [
            "",
            "On SIMULATED patients whom no recipe trained on, each scan read and assessed by the branch "
            f"(`{EVALUATION}` has every figure). Measured without the model: {unused}.",
            "",
            "| cohort | quantity | view | model (95 % CI) | thresholds (95 % CI) | target |",
            "| --- | --- | --- | --- | --- | --- |",
            *(f"| {' | '.join(row)} |" for row in cells),
            "",
        ]
    )


def _shown(found: ModelFigure | None) -> str:
    if found is None or found.value is None:
        return "not evaluable"
    return f"{found.value:.3f}" + ("" if found.interval is None else " ({:.3f} to {:.3f})".format(*found.interval))


if __name__ == "__main__":
    trained, out, cache = (Path(item).absolute() for item in sys.argv[1:])
    put_in(trained, MODELS(ModelEvaluationRequest(out=out, cache_dir=cache, bundle=trained), lambda _: None))
