"""`bmnode audit`: the trail of what was done, and the proof that nobody changed it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.exit_codes import FAILED
from bmnode.cli.output import emit_json, say
from bmnode.cli.session import JsonOption, session_of
from bmnode.errors import ConfigError

app = typer.Typer(help="The audit trail.", no_args_is_help=True, rich_markup_mode=None)


@app.command("export", epilog="Example: bmnode audit export --out audit.json --json")
def export(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option("--subject", help="Only lines about this UID, job or peer.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the JSON document to this file.")] = None,
    json: JsonOption = False,
) -> None:
    """Write the audit trail as JSON, to a file or to standard output.

    JSON: `entries`, a list of audit_entry; with --out, `file` and `count` instead.
    """
    from json import dumps

    from bmnode.config.edit import write_atomically
    from bmnode.storage import AuditTrail

    with session_of(context).read() as connection:
        entries = AuditTrail(connection).entries(subject=subject)
    exported = {"entries": [document("audit_entry", entry) for entry in entries]}
    if out is None:
        emit_json(exported)
        return
    try:
        write_atomically(out, dumps(exported, indent=2) + "\n")
    except OSError as error:
        raise ConfigError(f"{out} cannot be written: {error.strerror}") from error
    if json:
        emit_json({"file": str(out), "count": len(entries)})
    else:
        say(f"wrote {len(entries)} line(s) to {out}")


@app.command("verify", epilog="Example: bmnode audit verify --file /var/log/bmnode/audit.jsonl")
def verify(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Option("--file", help="An exported trail (`[audit] file`) instead of the database's.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Prove that no line of the trail was changed, removed or moved. Exits 1 if one was.

    JSON: `ok`; `count`, lines there are; `first_broken`, number of the first bad line, or null.
    """
    count, broken = _verify_database(context) if file is None else _verify_file(file)
    if json:
        emit_json({"ok": broken is None, "count": count, "first_broken": broken})
    else:
        say(f"{count} line(s), the chain holds" if broken is None else f"line {broken} was changed, removed or moved")
    if broken is not None:
        raise typer.Exit(FAILED)


def _verify_database(context: typer.Context) -> tuple[int, int | None]:
    from bmnode.storage import AuditTrail

    with session_of(context).read() as connection:
        trail = AuditTrail(connection)
        return len(trail.entries()), trail.first_broken()


def _verify_file(file: Path) -> tuple[int, int | None]:
    from bmnode.trail.file import first_broken

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}") from error
    return len(lines), first_broken(lines)
