"""`bmnode config`: write, show and check the configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli.documents import document, plain
from bmnode.cli.exit_codes import USAGE
from bmnode.cli.output import emit_json, emit_table, say
from bmnode.cli.serve import PROCESSES
from bmnode.cli.session import JsonOption, Session, session_of
from bmnode.errors import AssociationRejectedError, ConfigError, NotFoundError, PeerRefusedError, PeerUnreachableError

if TYPE_CHECKING:
    from bmnode.config.finding import Finding
    from bmnode.domain.records import AuditEntry

app = typer.Typer(help="Write, show and check the configuration.", no_args_is_help=True, rich_markup_mode=None)

_APPLIED_WITHIN_S = 60.0
_POLL_S = 0.1
CALLING_AE_UNKNOWN = (1, 1, 3)
"""PS3.8 Table 9-21: rejected for good, by the service user: calling AE title not recognized."""
_PASSWORD = re.compile(r"(://[^:/@]*):[^@/]*@")


@app.command("init", epilog="Example: bmnode config init /etc/bmnode/bmnode.toml")
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("bmnode.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if there is one.")] = False,
    json: JsonOption = False,
) -> None:
    """Write a commented configuration file that means the defaults.

    JSON: `file`, the path that was written.
    """
    from bmnode.config.edit import write_atomically
    from bmnode.config.template import render

    if file.exists() and not force:
        raise ConfigError(f"{file} exists; --force replaces it")
    try:
        write_atomically(file, render())
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    if json:
        emit_json({"file": str(file.absolute())})
    else:
        say(f"wrote {file}; edit it, then run `bmnode --config {file} config check`")


@app.command("show", epilog="Example: bmnode config show --json")
def show(context: typer.Context, json: JsonOption = False) -> None:
    """Show the configuration in force: defaults, file and environment together.

    JSON: `file`, the file that was read, or null; `settings`, every section and key.
    """
    settings = session_of(context).settings
    values = settings.model_dump(mode="json")
    if values["database"]["url"]:
        values["database"]["url"] = _PASSWORD.sub(r"\1:***@", values["database"]["url"])
    if json:
        emit_json({"file": plain(settings.file), "settings": values})
        return
    import tomlkit

    say(f"# {settings.file or 'no file: the defaults'}")
    say(tomlkit.dumps(_without_none(values)).strip())


@app.command("check", epilog="Example: bmnode config check && systemctl start bmnode")
def check(context: typer.Context, json: JsonOption = False) -> None:
    """Look whether the configuration can work here: rights, port, AE titles, certificates, routes, passwords.

    Exits 2 if there is an error. JSON: `file`; `ok`, whether there is none; `findings`, a list of finding.
    """
    from bmnode.config.check import check_settings
    from bmnode.config.finding import Finding, Severity

    session = session_of(context)
    findings: tuple[Finding, ...]
    file: Path | None = session.config
    try:
        settings = session.settings
        file = settings.file
        findings = check_settings(settings, answers_as_us=lambda: node_answers(session), now=session.now())
    except ConfigError as error:
        findings = tuple(Finding(severity=Severity.ERROR, key="", message=line) for line in str(error).splitlines())
    fine = all(finding.severity is not Severity.ERROR for finding in findings)
    if json:
        emit_json({"file": plain(file), "ok": fine, "findings": [document("finding", item) for item in findings]})
    else:
        rows = [(item.severity, item.key, item.message) for item in findings]
        emit_table(("severity", "setting", "finding"), rows, empty="nothing to check")
    if not fine:
        raise typer.Exit(USAGE)


@app.command("apply", epilog="Example: bmnode config check && bmnode config apply")
def apply(context: typer.Context, json: JsonOption = False) -> None:
    """Have the running node take changed peers, routes and limits of `[receive]`, without losing an association.

    Exits 2 if the file cannot be used: then nothing changes; 3 if no node runs; 5 if it did not answer.
    JSON: `parts`, a list of applied.
    """
    import os
    import signal

    from bmnode.reload import APPLIED, REFUSED
    from bmnode.storage import AuditTrail
    from bmnode.work.nodes import SERVE_LOCK_FILE, NodeLock

    session = session_of(context)
    clock = session.services.clock
    holder = NodeLock(session.settings.node.data_dir, file=SERVE_LOCK_FILE).holder()
    if holder is None:
        raise NotFoundError("no node runs with this configuration; it takes the file when it starts")
    with session.database() as database:
        with database.read() as connection:
            before = AuditTrail(connection).last_sequence()
        os.kill(holder, signal.SIGHUP)
        deadline = clock.monotonic_s() + _APPLIED_WITHIN_S
        answers: list[Any] = []
        while len(answers) < len(PROCESSES) and clock.monotonic_s() < deadline:
            clock.sleep_s(_POLL_S)
            with database.read() as connection:
                entries = AuditTrail(connection).following(before, limit=1000)
            answers = [_answer(entry) for entry in entries if entry.event in {APPLIED, REFUSED}]
    if json:
        emit_json({"parts": answers})
    else:
        rows = [[", ".join(value) if isinstance(value, list) else value for value in item.values()] for item in answers]
        emit_table(("process", "applied", "changed", "needs a restart", "reason"), rows, empty="no process answered")
    if len(answers) < len(PROCESSES):
        raise typer.Exit(PeerUnreachableError.exit_code)
    if not all(item["applied"] for item in answers):
        raise typer.Exit(USAGE)


def _answer(entry: AuditEntry) -> Any:
    from json import loads

    from bmnode.reload import APPLIED

    detail = loads(entry.detail)
    return document(
        "applied",
        None,
        part=detail["part"],
        applied=entry.event == APPLIED,
        changed=detail.get("changed", []),
        needs_restart=detail.get("needs_restart", []),
        reason=detail.get("reason"),
    )


def node_answers(session: Session) -> bool:
    """Whether what listens on the node's port answers to the node's AE title.

    A node that takes configured peers alone does not know the caller, and says so: that is an answer too.
    """
    from bmnode.config.certificates import read_certificates
    from bmnode.config.tls_settings import Listen
    from bmnode.domain.peers import Peer

    node = session.settings.node
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(node.bind, node.bind)  # noqa: S104 - compared, not bound
    files = session.settings.tls.files
    tls = files is not None and session.settings.tls.listen is Listen.REQUIRED
    try:
        name = read_certificates(files.certificate)[0].name if files is not None and tls else None
        myself = Peer(name="myself", ae_title=node.ae_title, host=host, port=node.port, tls=tls, certificate_name=name)
        session.services.echo(session.settings, session.services.clock).echo(myself)
    except AssociationRejectedError as error:
        return error.reason == CALLING_AE_UNKNOWN
    except (PeerUnreachableError, PeerRefusedError, ConfigError):
        return False
    return True


def _without_none(value: Any) -> Any:
    """TOML has no null: what is not set is not shown."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
