"""`bmnode pipeline`: what can be run. Nothing is loaded to list it."""

from __future__ import annotations

from importlib.metadata import entry_points

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_table
from bmnode.cli.session import JsonOption

app = typer.Typer(help="Installed pipelines.", no_args_is_help=True, rich_markup_mode=None)

GROUP = "bmnode.pipelines"


@app.command("list", epilog="Example: bmnode pipeline list --json")
def list_pipelines(json: JsonOption = False) -> None:
    """List the installed pipelines by their entry points, without importing them.

    JSON: `pipelines`, a list of pipeline.
    """
    found = [
        document(
            "pipeline",
            None,
            name=point.name,
            version=point.dist.version if point.dist else "",
            distribution=point.dist.name if point.dist else "",
            entry_point=point.value,
        )
        for point in sorted(entry_points(group=GROUP))
    ]
    if json:
        emit_json({"pipelines": found})
        return
    columns = ("name", "version", "distribution", "entry_point")
    rows = [[item[column] for column in columns] for item in found]
    emit_table(columns, rows, empty="no pipeline is installed: bmnode was installed without them")
