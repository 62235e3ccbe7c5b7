"""`bmnode suv`: one PET series in, its SUV volume out. For the physicist's bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, say
from bmnode.cli.session import JsonOption
from bmnode.cli.tools import load_tool
from bmnode.domain.tools import SuvReport, SuvTool, SuvType
from bmnode.errors import ConfigError, NotFoundError

EXAMPLE = "Example: bmnode suv pet-series --out suv.nii.gz --type lbm-janma"

_ENDINGS = (".nii", ".nii.gz")


def suv(
    source: Annotated[
        Path,
        typer.Argument(help="Folder with one PET series; other series of a PET/CT are passed over.", metavar="INPUT"),
    ],
    out: Annotated[Path, typer.Option("--out", help="NIfTI file to write: .nii or .nii.gz.", metavar="FILE")],
    suv_type: Annotated[
        SuvType,
        typer.Option(
            "--type",
            help="bw: body weight; lbm: lean mass (James); lbm-janma: lean mass (Janmahasatian); "
            "bsa: body surface (DuBois); ibw: ideal weight.",
        ),
    ] = SuvType.BW,
    json: JsonOption = False,
) -> None:
    """Turn one PET series into its SUV volume by the same rule that the PET/CT branch uses.

    Exits 10 where the series gives no SUV, and says what is missing. JSON: the keys of suv_report.
    """
    if not out.name.endswith(_ENDINGS):
        raise ConfigError(f"--out {out.name} ends in neither {' nor '.join(_ENDINGS)}")
    tool: SuvTool = load_tool("suv", extra="inference")
    report = tool(_files(source), out=out, suv_type=suv_type)
    if json:
        emit_json(document("suv_report", report))
    else:
        _show(report)


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        raise NotFoundError(f"there is no folder {source}")
    return sorted(path for path in source.rglob("*") if path.is_file())


def _show(report: SuvReport) -> None:
    slices, rows, columns = report.shape
    say(f"{report.path}: SUV{report.suv_type} in {report.unit}, {columns} x {rows} x {slices} voxels")
    say(f"minimum {report.minimum:.4g}, median {report.median:.4g}, maximum {report.maximum:.4g}")
    if report.uptake_minutes is not None:
        say(f"uptake time {report.uptake_minutes:.1f} min")
    for note in report.notes:
        say(note)
    say(f"method {report.method}. RESEARCH USE ONLY.")
