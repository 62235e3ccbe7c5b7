"""`bmnode simulate`: synthetic patients with known truth, as DICOM studies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.documents import document, plain
from bmnode.cli.output import emit_json, emit_table, progress_bar, say
from bmnode.cli.session import JsonOption
from bmnode.cli.tools import load_tool
from bmnode.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bmnode.domain.simulators import FidelityRow, SimulationReport, Simulator

EXAMPLE = "Example: bmnode simulate demo --out cohort --seed 1 --workers 2 --preview"


def simulate(
    cohort: Annotated[
        str | None,
        typer.Argument(
            help="Cohort file (TOML), or a name that comes along: demo, tests, training, benchmark, measurements."
        ),
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the studies; finished ones in it stay.")] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=2**31 - 1, help="Who is drawn; without it the cohort's own.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that work side by side.")] = 2,
    preview: Annotated[bool, typer.Option("--preview", help="Draw a page of pictures, one row a study.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Measure small fixed patients and compare with published values.")
    ] = False,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for anatomies; without it the user's cache folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Simulate a cohort: complete DICOM studies, and the truth beside them. The same seed gives the same bytes.

    Run again with the same cohort, seed and folder it does what is missing. With --check nothing is
    written: it prints what was measured beside its published range, and exits 1 if a value leaves it,
    whether the reason is known or not. JSON: `cohort`, `seed`, `index`, `preview`, and `studies`, a list of
    simulated_study; with --check `rows`, a list of fidelity_row, and `summary`.
    """
    simulator: Simulator = load_tool("simulate", extra="simulation")
    cache_dir = (cache or user_cache()).absolute()
    if check:
        if cohort is not None:
            raise ConfigError("--check measures patients of its own: leave the cohort out, or --check")
        with progress_bar("Checking") as report:
            rows = simulator.check(cache_dir=cache_dir, workers=workers, report=report)
        _tell_rows(rows, as_json=json)
        if any(row.verdict == "out of range" for row in rows):
            raise typer.Exit(1)
        return
    if cohort is None or out is None:
        raise ConfigError("COHORT and --out are needed: what to simulate, and where to write it")
    from bmnode.domain.simulators import SimulationRequest

    request = SimulationRequest(
        cohort=cohort, out=out.absolute(), cache_dir=cache_dir, seed=seed, workers=workers, preview=preview
    )
    with progress_bar("Simulating") as report:
        made = simulator.simulate(request, report)
    _tell_studies(made, as_json=json)


def user_cache() -> Path:
    """Where anatomies are kept if no folder is named."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bmnode" / "simulation"


def _tell_studies(made: SimulationReport, *, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "cohort": made.cohort,
                "seed": made.seed,
                "index": str(made.index),
                "preview": plain(made.preview),
                "studies": [document("simulated_study", study) for study in made.studies],
            }
        )
        return
    emit_table(
        ("patient", "time", "study", "modality", "instances", "lesions", "folder"),
        [
            (item.patient, item.timepoint, item.name, item.modality, item.instances, item.lesions, item.dicom.parent)
            for item in made.studies
        ],
        empty="no study was drawn",
    )
    if made.preview is not None:
        say(f"pictures: {made.preview}")
    new = sum(study.made_now for study in made.studies)
    say(f"{len(made.studies)} studies, {new} of them made now; everything is listed in {made.index}")


def _tell_rows(rows: Sequence[FidelityRow], *, as_json: bool) -> None:
    summary = fidelity_summary(rows)
    if as_json:
        emit_json({"rows": [document("fidelity_row", row) for row in rows], "summary": summary})
        return
    emit_table(
        ("quantity", "measured", "range", "unit", "verdict", "source"),
        [(row.quantity, f"{row.value:.4g}", _range(row), row.unit, _verdict(row), row.source) for row in rows],
        empty="nothing was measured",
    )
    for row in rows:
        if row.known_gap:
            say(f"known gap: {row.quantity}: {row.known_gap}")
    say(summary)


def fidelity_summary(rows: Sequence[FidelityRow]) -> str:
    """The last line of `--check`."""
    limited = [row for row in rows if row.verdict != "reported"]
    outside = [row for row in limited if row.verdict == "out of range"]
    known = sum(bool(row.known_gap) for row in outside)
    return (
        f"{len(limited) - len(outside)} of {len(limited)} within range, {len(outside)} out of range "
        f"({known} known gaps), {len(rows) - len(limited)} reported without limits"
    )


def _range(row: FidelityRow) -> str:
    if row.low is None and row.high is None:
        return ""
    if row.low is None:
        return f"up to {row.high:.4g}"
    return f"{row.low:.4g} and more" if row.high is None else f"{row.low:.4g} to {row.high:.4g}"


def _verdict(row: FidelityRow) -> str:
    return f"{row.verdict} (known)" if row.known_gap and row.verdict == "out of range" else str(row.verdict)
