"""`bmnode run`: one study from a folder, without network or database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.exit_codes import NOT_ASSESSABLE
from bmnode.cli.output import emit_json, progress_bar, say
from bmnode.cli.session import JsonOption, session_of
from bmnode.errors import NotFoundError

EXAMPLE = "Example: bmnode run study-folder --out results --json"


def run(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with the DICOM files of one study.", metavar="INPUT")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the result objects and pictures.")],
    json: JsonOption = False,
) -> None:
    """Assess one study from a folder and write the results to another. Nothing is sent anywhere.

    Exits 10 if the study is not assessable; the report says why. JSON: the keys of run_report.
    """
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder}")
    session = session_of(context)
    with progress_bar(folder.name) as report:
        result = session.services.run_folder(session.settings, folder, out, report)
    if json:
        emit_json(document("run_report", result))
    else:
        say(f"{result.outcome}" + (f": {result.reason}" if result.reason else ""))
        for path in (*result.objects, *result.pictures):
            say(f"  {path}")
    if result.outcome == "not_assessable":
        raise typer.Exit(NOT_ASSESSABLE)
