"""`bmnode check`: how the node is, and what needs a person."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import typer

from bmnode.cli.config_commands import node_answers
from bmnode.cli.documents import document, plain
from bmnode.cli.exit_codes import FAILED
from bmnode.cli.output import emit_json, emit_table, say
from bmnode.cli.session import JsonOption, Session, session_of
from bmnode.errors import ConfigError, NotFoundError, PeerRefusedError, PeerUnreachableError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bmnode.config.finding import Finding
    from bmnode.domain.objects import ResultKind
    from bmnode.domain.peers import Peer
    from bmnode.storage import Database, Outbox

EXAMPLE = "Example: bmnode check --json"


def check(context: typer.Context, json: JsonOption = False) -> None:
    """Tell how the node is, what waits and for how long, and what to do. Changes nothing. Exits 1 if it needs a hand.

    Looks at the configuration as `bmnode config check` does, at the node's processes and its listener, at the
    database and its clock, at the journal of received images, at studies and jobs that wait, at every destination and
    archive and what it is owed, at the audit trail and at certificates.

    JSON: `ok`, whether nothing needs a hand; `checked_at`, UTC, ISO 8601; `findings`, a list of finding, worst first.
    """
    from bmnode.config.finding import Finding, Severity

    session = session_of(context)
    now = session.now()
    try:
        findings = list(_findings(session))
    except ConfigError as error:
        findings = [Finding.error("configuration", line) for line in str(error).splitlines()]
    findings.sort(key=lambda item: list(Severity).index(item.severity))
    needing = sum(item.severity is Severity.ERROR for item in findings)
    if json:
        told = {
            "ok": not needing,
            "checked_at": plain(now),
            "findings": [document("finding", item) for item in findings],
        }
        emit_json(told)
    else:
        rows = [(item.severity, item.key, item.message) for item in findings]
        emit_table(("severity", "what", "how it is"), rows, empty="")
        say(f"{needing} of {len(findings)} need a hand" if needing else "nothing needs a hand")
    if needing:
        raise typer.Exit(FAILED)


def _findings(session: Session) -> Iterator[Finding]:
    from bmnode.checkup.destinations import check_destinations
    from bmnode.checkup.processes import check_processes
    from bmnode.checkup.receiving import check_receiving
    from bmnode.config.check import check_settings
    from bmnode.config.finding import Finding

    settings, now = session.settings, session.now()
    answers = cache(lambda: node_answers(session))
    yield Finding.ok("configuration", f"{settings.file or 'the defaults'} can be read")
    processes = list(check_processes(settings, listens=answers))
    is_running = len(processes) > 1
    for found in check_settings(settings, answers_as_us=answers, now=now):
        if not (is_running and found.key == "node.port"):  # the listener is told of by name
            yield found
    yield from processes
    yield from check_receiving(settings.spool_directory, now=now)
    outboxes: Mapping[str, Outbox] = {}
    try:
        with session.database() as database:
            recorded, outboxes = _recorded(session, database)
            yield from recorded
    except (NotFoundError, StorageError) as error:
        yield Finding.error("database", str(error))
    yield from check_destinations(
        settings, outboxes, ask=lambda peer, objects: _problem(session, peer, objects), now=now
    )


def _recorded(session: Session, database: Database) -> tuple[list[Finding], Mapping[str, Outbox]]:
    """What the database says of itself and of the work, and what each destination is owed."""
    from bmnode.checkup.records import check_records
    from bmnode.checkup.work import check_work
    from bmnode.storage import Overview

    now = session.now()
    found = list(check_records(database, now=now))
    with database.read() as connection:
        found += check_work(connection, session.settings, now=now)
        return found, Overview(connection).outboxes()


def _problem(session: Session, peer: Peer, objects: Sequence[ResultKind]) -> str | None:
    """What is wrong with a peer that is called, and what to do; None: it answers, and accepts these objects."""
    from bmnode.results.concepts import SOP_CLASSES

    remedy = f"its results are kept and sent when it answers; `bmnode peer echo {peer.name}` tries again"
    asking = session.services.echo(session.settings, session.services.clock)
    classes = list(dict.fromkeys(uid for kind in objects for uid in SOP_CLASSES[kind]))
    try:
        asking.echo(peer)
        refused = asking.refused_classes(peer, classes) if classes else ()
    except PeerUnreachableError as error:
        return f"{error}; {remedy}"
    except PeerRefusedError as error:
        return f"{error}; have its administrator let this node's AE title {session.settings.node.ae_title} in"
    if not refused:
        return None
    kinds = [kind.value for kind in objects if set(SOP_CLASSES[kind]) & set(refused)]
    return (
        f"{peer.name} answers and accepts no {' and no '.join(kinds)} (SOP class {', '.join(refused)}): have its "
        f"administrator allow them for this node, or take them out of `objects` of [peers.{peer.name}]"
    )
