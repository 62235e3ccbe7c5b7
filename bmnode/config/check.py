"""What types cannot tell: whether the configuration can work on this machine, now."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from bmnode.config.certificates import Certificate, read_certificates
from bmnode.config.finding import Finding, Severity
from bmnode.config.settings import Accept, Settings
from bmnode.errors import ConfigError
from bmnode.tls import server_context

_MB = 1024 * 1024
_LOCK_S = 2.0
"""How long a writer's transaction may take: the node's own take milliseconds."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_settings(
    settings: Settings,
    *,
    answers_as_us: Callable[[], bool],
    now: datetime,
    environ: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """Look at directories, database, port, AE titles, certificates, routes and passwords.

    Args:
        settings: a tree that was loaded, so its types and names are right.
        answers_as_us: asked where the port is taken: whether this node is what listens there.
        now: aware; certificates have to hold then.
        environ: where the REST passwords are looked for; None: the process's environment.
    """
    variables = os.environ if environ is None else environ
    return (
        *_directories(settings),
        *_database(settings),
        _port(settings, answers_as_us),
        *_ae_titles(settings),
        *_senders(settings),
        *_certificates(settings, now),
        *_passwords(settings, variables),
        *_routes(settings),
    )


def _directories(settings: Settings) -> Iterator[Finding]:
    folders = {"node.data_dir": settings.node.data_dir, "spool.directory": settings.spool_directory}
    if settings.log.file is not None:
        folders["log.file"] = settings.log.file.parent
    for key, folder in folders.items():
        there = _existing(folder)
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            yield Finding.error(key, f"{folder} cannot be written to by this user; change its rights or the setting")
        else:
            yield Finding.ok(key, f"{folder} can be written to")
    free_mb = shutil.disk_usage(_existing(settings.spool_directory)).free // _MB
    if free_mb < settings.spool.min_free_mb:
        yield Finding.error(
            "spool.min_free_mb",
            f"{free_mb} MB are free, {settings.spool.min_free_mb} MB are asked for: images would be refused",
        )
    else:
        yield Finding.ok("spool.min_free_mb", f"{free_mb} MB are free")


def _database(settings: Settings) -> Iterator[Finding]:
    """A database in a file: whether it is there, and lets itself be written. One of a server is not looked at."""
    file = settings.database_file
    if file is None:
        return
    key = "database.url"
    if not file.is_file():
        yield Finding.ok(key, f"{file} is not there yet; the node makes it")
        return
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=_LOCK_S, isolation_level=None)) as probe:
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        locked = error.sqlite_errorname == "SQLITE_BUSY"
        told = f"{file} is locked: images are taken and wait until the lock is gone; find out which program holds it"
        yield (
            Finding.warning(key, told)
            if locked
            else Finding.error(key, f"{file} cannot be written: {error.sqlite_errorname}")
        )
    except sqlite3.DatabaseError as error:
        yield Finding.error(key, f"{file} is no database that can be read: {error.sqlite_errorname}; restore a backup")
    else:
        yield Finding.ok(key, f"{file} can be written")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists: the node makes the rest."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _port(settings: Settings, answers_as_us: Callable[[], bool]) -> Finding:
    node = settings.node
    family = socket.AF_INET6 if ":" in node.bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the listener does: without it, a port that was in use a minute ago looks taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((node.bind, node.port))
        except OSError as error:
            return _unusable_port(settings, error, answers_as_us)
    return Finding.ok("node.port", f"port {node.port} on {node.bind} is free")


def _unusable_port(settings: Settings, error: OSError, answers_as_us: Callable[[], bool]) -> Finding:
    node = settings.node
    if error.errno == errno.EADDRINUSE:
        if answers_as_us():
            return Finding.ok("node.port", f"this node answers on port {node.port}")
        return Finding.error(
            "node.port", f"another program listens on port {node.port}; stop it or choose another port"
        )
    if error.errno == errno.EACCES:
        return Finding.error("node.port", f"this user may not listen on port {node.port}; ports below 1024 need rights")
    return Finding.error(
        "node.bind", f"{node.bind} is not an address of this machine ({os.strerror(error.errno or 0)})"
    )


def _ae_titles(settings: Settings) -> Iterator[Finding]:
    for name, peer in settings.peers.items():
        if peer.ae_title == settings.node.ae_title:
            yield Finding.warning(f"peers.{name}.ae_title", f"is the node's own AE title, {peer.ae_title}")
    places = Counter((peer.ae_title, peer.host, peer.port) for peer in settings.peers.values())
    for (title, host, port), count in places.items():
        if count > 1:
            yield Finding.warning(
                "peers", f"{count} peers are the same {title} at {host}:{port}: a result is sent twice"
            )


def _senders(settings: Settings) -> Iterator[Finding]:
    accept, is_open = settings.receive.accept, settings.node.bind not in _LOOPBACK
    if accept is Accept.CONFIGURED and not settings.peers:
        yield Finding.error("receive.accept", "takes only configured peers and there is none: nobody can send")
    if accept is Accept.LOCAL and is_open and not settings.peers:
        yield Finding.warning("receive.accept", "takes only configured peers from outside and there is none")
    if accept is Accept.ANY and is_open:
        yield Finding.warning("receive.accept", "takes images from everyone who reaches the port; see `local`")


def _certificates(settings: Settings, now: datetime) -> Iterator[Finding]:
    files = settings.tls.files
    if files is None:
        return
    try:
        server_context(files)
    except ConfigError as error:
        yield Finding.error("tls", str(error))
        return
    own, *between = read_certificates(files.certificate)
    yield _certificate("tls.certificate", own, now)
    yield from (_certificate("tls.certificate", item, now) for item in between)
    for item in read_certificates(files.authorities):
        found = _certificate("tls.authorities", item, now)
        # Others may still vouch for the peers.
        yield found if found.severity is not Severity.ERROR else Finding.warning(found.key, found.message)


def _certificate(key: str, certificate: Certificate, now: datetime) -> Finding:
    fault = certificate.fault(now)
    if fault is not None:
        return Finding.error(key, f"{certificate.name}: {fault}")
    days = (certificate.not_after - now).days
    message = f"{certificate.name}: expires in {days} day(s), on {certificate.not_after:%Y-%m-%d}"
    return Finding.warning(key, message) if certificate.expires_soon(now) else Finding.ok(key, message)


def _passwords(settings: Settings, variables: Mapping[str, str]) -> Iterator[Finding]:
    for name, peer in settings.peers.items():
        for part in ("rest_password_env", "dicomweb_password_env", "dicomweb_token_env"):
            variable: str | None = getattr(peer, part)
            if variable is None:
                continue
            if variables.get(variable):
                yield Finding.ok(f"peers.{name}.{part}", f"{variable} is set")
            else:
                yield Finding.error(f"peers.{name}.{part}", f"the environment variable {variable} is not set")
        has_secret = peer.dicomweb_user is not None or peer.dicomweb_token_env is not None
        url = urlsplit(peer.dicomweb_url or "")
        if has_secret and url.scheme == "http" and url.hostname not in _LOOPBACK:
            yield Finding.warning(f"peers.{name}.dicomweb_url", "sends its password or token in clear text; use https")


def _routes(settings: Settings) -> Iterator[Finding]:
    enabled = [route for route in settings.routes if route.enabled]
    if not enabled:
        yield Finding.warning("routes", "no route is enabled: studies are received and kept, and nothing is assessed")
    for route in enabled:
        yield Finding.ok(f"routes.{route.name}", f"sends to {', '.join(route.destinations)}")
        for modality in route.modalities:
            if modality != modality.upper():
                yield Finding.warning(
                    f"routes.{route.name}.modalities", f"{modality!r}: modalities are written in capitals"
                )
