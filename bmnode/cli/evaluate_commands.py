"""`bmnode evaluate`: how well this installation measures, on simulated patients whose truth is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.evaluation_reports import tell_matching, tell_measurements, tell_models, tell_registration
from bmnode.cli.exit_codes import FAILED
from bmnode.cli.output import progress_bar
from bmnode.cli.session import JsonOption
from bmnode.cli.simulate_command import user_cache
from bmnode.cli.tools import load_tool
from bmnode.errors import ConfigError

if TYPE_CHECKING:
    from bmnode.domain.evaluations import EvaluationRequest, MeasurementEvaluation
    from bmnode.domain.matching_evaluations import MatchingEvaluation
    from bmnode.domain.model_evaluations import ModelEvaluation
    from bmnode.domain.registration_evaluations import RegistrationEvaluation

app = typer.Typer(
    help="Accuracy on simulated patients. Nothing is read from the node.", no_args_is_help=True, rich_markup_mode=None
)

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for studies and records, kept; without it one in the user's cache folder."),
]
QuickPair = Annotated[bool, typer.Option("--quick", help="A small fixed cohort of one pair.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that work side by side.")]
CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Folder for anatomies; without it the user's cache folder.")
]

EXAMPLE = "Example: bmnode evaluate measurements --quick --workers 2"


@app.command("measurements", epilog=EXAMPLE)
def measurements(
    *,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", help="Cohort file (TOML) or name; without it 40 patients in every modality."),
    ] = None,
    out: OutOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small fixed cohort, in a minute on two cores.")] = False,
    workers: WorkersOption = 2,
    cache: CacheOption = None,
    json: JsonOption = False,
) -> None:
    """Measure SIMULATED patients and compare volume, SUV, TLG, HU, ADC and BSI with the truth that was put in.

    Each quantity is measured twice: by the kernels on the true masks, read from DICOM as the branch reads
    it, and by the branch on what it finds itself. Printed are bias and 95 % limits of agreement (Bland and
    Altman), and the sensitivity by size. It does what is missing in its folder, and exits 1 where a target is
    missed or none could be judged. The last line gives the figures. JSON: `cohort`, `seed`, `patients`, `pipeline`,
    `simulated` (true), `rows`, a list of accuracy_row, `detection`, a list of detection_row, and `summary`.
    """
    folder = out or _cache_of_evaluations() / ("quick" if quick else Path(cohort or "measurements").stem)
    request = _request(cohort=cohort, quick=quick, out=folder, cache=cache, workers=workers)
    evaluate: MeasurementEvaluation = load_tool("evaluate-measurements", extra="inference,simulation")
    with progress_bar("Evaluating") as report:
        found = evaluate(request, report)
    tell_measurements(found, as_json=json)
    if not found.is_met:
        raise typer.Exit(FAILED)


@app.command("registration", epilog="Example: bmnode evaluate registration --quick --workers 2")
def registration(
    *,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", help="Cohort file (TOML) or name; without it 100 follow-up pairs of CT and PET/CT."),
    ] = None,
    out: OutOption = None,
    quick: QuickPair = False,
    workers: WorkersOption = 2,
    cache: CacheOption = None,
    json: JsonOption = False,
) -> None:
    """Register SIMULATED follow-up pairs and compare with the true motion of every bone.

    Side by side: one rigid motion, bone by bone without the tree, ours (with the names that the node gives, and with
    true ones), and the B-spline of SimpleITK. Printed are the error at points in bone, overlap and distance of bones,
    folding, processor time and memory. It does what is missing in its folder, and exits 1 where a target is missed or
    none could be judged. The last line gives the figures. JSON: `cohort`, `seed`, `pairs`, `version`, `simulated`
    (true), `rows`, a list of registration_row, and `summary`.
    """
    name = "registration-quick" if quick else Path(cohort or "registration").stem
    folder = out or _cache_of_evaluations() / f"of-registration-{name}"
    request = _request(cohort=cohort, quick=quick, out=folder, cache=cache, workers=workers)
    evaluate: RegistrationEvaluation = load_tool("evaluate-registration", extra="evaluation")
    with progress_bar("Evaluating") as report:
        found = evaluate(request, report)
    tell_registration(found, as_json=json)
    if not found.is_met:
        raise typer.Exit(FAILED)


@app.command("matching", epilog="Example: bmnode evaluate matching --quick --workers 2")
def matching(
    *,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", help="Cohort file (TOML) or name; without it 100 follow-up pairs of CT."),
    ] = None,
    out: OutOption = None,
    quick: QuickPair = False,
    workers: WorkersOption = 2,
    cache: CacheOption = None,
    json: JsonOption = False,
) -> None:
    """Match the lesions of SIMULATED follow-up pairs and compare with the fates that were put in.

    Each pair is registered as the node does it. On true masks what is left is the error of registration and
    matching; on masks found the branch's own outlines come on top, and lesions that it did not find are no error of
    matching. Printed are precision, recall and F1 of the links between both scans, by the rule in force and by that of
    dilation, and what became of each lesion against what was said. It does what is missing in its folder, and exits 1
    where a target is missed or none could be judged. The last line gives the figures. JSON: `cohort`, `seed`, `pairs`,
    `version`, `simulated` (true), `rows`, a list of matching_row, and `summary`.
    """
    name = "matching-quick" if quick else Path(cohort or "matching").stem
    folder = out or _cache_of_evaluations() / f"of-{name}"
    request = _request(cohort=cohort, quick=quick, out=folder, cache=cache, workers=workers)
    evaluate: MatchingEvaluation = load_tool("evaluate-matching", extra="inference,simulation")
    with progress_bar("Evaluating") as report:
        found = evaluate(request, report)
    tell_matching(found, as_json=json)
    if not found.is_met:
        raise typer.Exit(FAILED)


@app.command("models", epilog="Example: bmnode evaluate models --quick --model ./run/bundle")
def models(
    *,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Folder of a model bundle; without it the branch's thresholds alone."),
    ] = None,
    cohort: Annotated[
        str | None,
        typer.Option("--cohort", help="Cohort file (TOML) or name; without it 60 planar scans, and 30 at the worst."),
    ] = None,
    out: OutOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small fixed cohort of three planar scans.")] = False,
    workers: WorkersOption = 2,
    cache: CacheOption = None,
    json: JsonOption = False,
) -> None:
    """Have SIMULATED planar bone scans assessed by thresholds and by a model, and compare both with the truth.

    Every scan is a DICOM study that the branch reads as it reads any other; no recipe that comes along trains on its
    patient. Printed are the overlap of the parts of the skeleton, sensitivity against false candidates a view, overlap
    of lesions, the area under the curve of patients, and agreement of the index, with 95 % intervals, beside the
    survey's figures. It does what is missing in its folder, and exits 1 where a target is missed or could not be
    judged, as without a model. The last line gives the figures. JSON: `model`, `pipeline`, `simulated` (true),
    `cohorts`, a list of model_cohort, `rows`, a list of model_row, and `summary`.
    """
    name = "models-quick" if quick else Path(cohort or "models").stem
    common = _request(
        cohort=cohort, quick=quick, out=out or _cache_of_evaluations() / f"of-{name}", cache=cache, workers=workers
    )
    from bmnode.domain.model_evaluations import ModelEvaluationRequest

    request = ModelEvaluationRequest(
        **{item.name: getattr(common, item.name) for item in dataclasses.fields(common)},
        bundle=None if model is None else Path(model).absolute(),
    )
    evaluate: ModelEvaluation = load_tool("evaluate-models", extra="inference,simulation")
    with progress_bar("Evaluating") as report:
        found = evaluate(request, report)
    tell_models(found, as_json=json)
    if not found.is_met:
        raise typer.Exit(FAILED)


def _request(*, cohort: str | None, quick: bool, out: Path, cache: Path | None, workers: int) -> EvaluationRequest:
    """What is asked of an evaluation. Raises ConfigError where two cohorts are."""
    if quick and cohort is not None:
        raise ConfigError("--quick has a cohort of its own: leave --cohort out, or --quick")
    from bmnode.domain.evaluations import EvaluationRequest

    return EvaluationRequest(
        cohort=cohort,
        quick=quick,
        out=out.absolute(),
        cache_dir=(cache or user_cache()).absolute(),
        workers=workers,
    )


def _cache_of_evaluations() -> Path:
    """Where studies and records are kept without `--out`."""
    return user_cache().parent / "evaluation"
