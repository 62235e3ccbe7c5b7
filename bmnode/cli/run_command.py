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

EXAMPLE = "Example: bmnode run study-folder --out results --prior earlier-folder --json"


def run(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with the DICOM files of one study.", metavar="INPUT")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the result objects and pictures.")],
    prior: Annotated[
        Path | None,
        typer.Option(
            "--prior",
            help="Folder with earlier studies of the patient, with bmnode's results on them if there are any: the "
            "latest that is comparable by the rules of [priors] is compared.",
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Assess one study from a folder and write the results to another. Nothing is sent anywhere.

    An earlier study that cannot be compared is no error: the report says why.

    Exits 10 if the study is not assessable; the report says why. JSON: the keys of run_report.
    """
    for given in (folder, prior):
        if given is not None and not given.is_dir():
            raise NotFoundError(f"there is no folder {given}")
    session = session_of(context)
    with progress_bar(folder.name) as report:
        result = session.services.run_folder(session.settings, folder, out, report, prior_dir=prior)
    if json:
        emit_json(document("run_report", result))
    else:
        say(f"{result.outcome}" + (f": {result.reason}" if result.reason else ""))
        for sentence in (*([result.comparison] if result.comparison else []), *result.priors):
            say(sentence)
        for path in (*result.objects, *result.pictures):
            say(f"  {path}")
    if result.outcome == "not_assessable":
        raise typer.Exit(NOT_ASSESSABLE)
