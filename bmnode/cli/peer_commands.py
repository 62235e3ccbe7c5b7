"""`bmnode peer`: who the node talks to, and whether they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_table, say
from bmnode.cli.session import JsonOption, Session, session_of
from bmnode.errors import AssociationRejectedError, ConfigError, PeerRefusedError, PeerUnreachableError

if TYPE_CHECKING:
    from bmnode.domain.peers import Peer

app = typer.Typer(help="Peers: PACS, scanners, workstations.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="Name of the peer in the configuration.")]


@app.command("list", epilog="Example: bmnode peer list --json")
def list_peers(context: typer.Context, json: JsonOption = False) -> None:
    """List the configured peers.

    JSON: `peers`, a list of peer.
    """
    settings = session_of(context).settings
    peers = [settings.peer(name) for name in settings.peers]
    if json:
        emit_json({"peers": [document("peer", peer) for peer in peers]})
        return
    rows = [
        (peer.name, peer.ae_title, peer.host, peer.port, "yes" if peer.tls else "no", peer.rest_url) for peer in peers
    ]
    emit_table(
        ("name", "AE title", "host", "port", "TLS", "REST"), rows, empty="no peer is configured; see `bmnode peer add`"
    )


@app.command("add", epilog="Example: bmnode peer add pacs --ae-title PACS --host pacs.example.org --port 104")
def add(
    context: typer.Context,
    name: Name,
    *,
    ae_title: Annotated[str, typer.Option("--ae-title", help="Its AE title.")],
    host: Annotated[str, typer.Option("--host", help="Its host name or address.")],
    port: Annotated[int, typer.Option("--port", help="Its DICOM port.")],
    rest_url: Annotated[str | None, typer.Option("--rest-url", help="Orthanc's REST address.")] = None,
    rest_user: Annotated[str | None, typer.Option("--rest-user", help="User of the REST interface.")] = None,
    rest_password_env: Annotated[
        str | None, typer.Option("--rest-password-env", help="Environment variable that holds its password.")
    ] = None,
    address: Annotated[
        list[str] | None, typer.Option("--address", help="Address or network that it may call from; repeatable.")
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="It is called by TLS, and may call by TLS only.")] = False,
    certificate_name: Annotated[
        str | None, typer.Option("--certificate-name", help="Name that its certificate must carry.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write a peer into the configuration file, whose comments stay. `bmnode config apply` has a running node take it.

    JSON: `file`; `peer`, a peer.
    """
    from bmnode.config.edit import add_peer
    from bmnode.domain.peers import Peer

    session = session_of(context)
    try:
        peer = Peer(
            name=name,
            ae_title=ae_title,
            host=host,
            port=port,
            rest_url=rest_url,
            rest_user=rest_user,
            rest_password_env=rest_password_env,
            addresses=tuple(address or ()),
            tls=tls,
            certificate_name=certificate_name,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    add_peer(session.file, peer)
    if json:
        emit_json({"file": str(session.file), "peer": document("peer", peer)})
    else:
        say(f"added {name} to {session.file}; try `bmnode peer echo {name}`")


@app.command("remove", epilog="Example: bmnode peer remove pacs")
def remove(context: typer.Context, name: Name, json: JsonOption = False) -> None:
    """Take a peer out of the configuration file. A peer that a route names stays.

    JSON: `file`; `removed`, the name.
    """
    from bmnode.config.edit import remove_peer

    session = session_of(context)
    remove_peer(session.file, name)
    if json:
        emit_json({"file": str(session.file), "removed": name})
    else:
        say(f"removed {name} from {session.file}")


@app.command("echo", epilog="Example: bmnode peer echo pacs")
def echo(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Names of peers; without one, all.")] = None,
    json: JsonOption = False,
) -> None:
    """Ask peers whether they are there: C-ECHO, and Orthanc's REST interface where one is configured.

    Exits 5 if one does not answer, 6 if one refuses. JSON: `peers`, a list of echo.
    """
    session = session_of(context)
    settings = session.settings
    peers = [settings.peer(name) for name in (names or settings.peers)]
    answers = [_ask(session, peer) for peer in peers]
    if json:
        emit_json({"peers": answers})
    else:
        columns = ("peer", "dicom", "round_trip_s", "rest", "version", "study_count", "detail")
        rows = [[_rounded(answer[column]) for column in columns] for answer in answers]
        emit_table(columns, rows, empty="no peer is configured; see `bmnode peer add`")
    outcomes = {answer[key] for answer in answers for key in ("dicom", "rest")}
    for outcome, code in (
        ("unreachable", PeerUnreachableError.exit_code),
        ("refused", PeerRefusedError.exit_code),
        ("misconfigured", ConfigError.exit_code),
    ):
        if outcome in outcomes:
            raise typer.Exit(code)


_OUTCOMES = {
    PeerUnreachableError: "unreachable",
    AssociationRejectedError: "unreachable",
    PeerRefusedError: "refused",
    ConfigError: "misconfigured",
}


def _ask(session: Session, peer: Peer) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(("round_trip_s", "rest", "version", "study_count", "disk_bytes"))
    problems: list[str] = []
    try:
        result = session.services.echo(session.settings, session.services.clock).echo(peer)
        found |= {"dicom": "ok", "round_trip_s": result.round_trip_s}
    except (PeerUnreachableError, PeerRefusedError) as error:
        found["dicom"] = _OUTCOMES[type(error)]
        problems.append(str(error))
    if peer.rest_url is not None:
        try:
            health = session.services.rest(peer).health()
            found |= {
                "rest": "ok",
                "version": health.version,
                "study_count": health.study_count,
                "disk_bytes": health.disk_bytes,
            }
        except (PeerUnreachableError, PeerRefusedError, ConfigError) as error:
            found["rest"] = _OUTCOMES[type(error)]
            problems.append(str(error))
    return document("echo", None, peer=peer.name, detail="; ".join(problems), **found)


def _rounded(value: object) -> object:
    return f"{value:.3f}" if isinstance(value, float) else value
