"""What the commands write: one JSON document, or tables and lines for people. Progress goes to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from bmnode.domain.pipelines import Progress, ReportProgress


def emit_json(document: Mapping[str, Any]) -> None:
    """Write the document, the only thing on standard output."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """One line for people."""
    typer.echo(text)


def emit_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table, or the sentence `empty` where it has no rows. Nothing is cut off where the output is no terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(shown(value), overflow="fold") for value in row))
    if table.row_count == 0:
        say(empty)
        return
    width = None if sys.stdout.isatty() else 400
    Console(file=sys.stdout, width=width).print(table)


def emit_record(values: Mapping[str, object]) -> None:
    """One thing, a line a key."""
    emit_table(("what", "value"), list(values.items()), empty="")


def shown(value: object) -> str:
    """A value in a table: UTC to the second, `-` for what is not known."""
    if value is None or value in ("", ()):
        return "-"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value)
    return str(value)


@contextmanager
def progress_bar(label: str) -> Iterator[ReportProgress]:
    """A bar on standard error; where that is no terminal, a line a step."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(label)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console) as bar:
        task = bar.add_task(label, total=1.0)

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.fraction, description=f"{label} {progress.step}")

        yield report


def _lines(label: str) -> ReportProgress:
    last = ""

    def report(progress: Progress) -> None:
        nonlocal last
        if progress.step != last:
            last = progress.step
            typer.echo(f"{label}: {progress.fraction:.0%} {progress.step}", err=True)

    return report
