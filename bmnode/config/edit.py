"""Changing peers in an existing file: comments and order stay, and no reader ever sees half a file."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table
from tomlkit.toml_document import TOMLDocument

from bmnode.config.settings import Settings, nearest
from bmnode.config.sources import parse_settings
from bmnode.domain.objects import DEFAULT_ENCODINGS, DEFAULT_KINDS
from bmnode.domain.peers import DEFAULT_WAYS, Peer
from bmnode.errors import ConfigError, NotFoundError

_OPTIONAL = (
    "rest_url",
    "rest_user",
    "rest_password_env",
    "certificate_name",
    "dicomweb_url",
    "dicomweb_user",
    "dicomweb_password_env",
    "dicomweb_token_env",
)


def add_peer(file: Path, peer: Peer) -> None:
    """Write a peer under `[peers.NAME]`.

    Raises ConfigError where there is a peer of that name or the file would not load afterwards.
    """

    def change(document: TOMLDocument) -> None:
        peers = _peers(document)
        if peer.name in peers:
            raise ConfigError(f"there is a peer {peer.name!r} already; `bmnode peer remove {peer.name}` first")
        table = tomlkit.table()
        table.update({"ae_title": peer.ae_title, "host": peer.host, "port": peer.port})
        table.update({key: getattr(peer, key) for key in _OPTIONAL if getattr(peer, key) is not None})
        if peer.objects != DEFAULT_KINDS:
            table["objects"] = [kind.value for kind in peer.objects]
        if peer.addresses:
            table["addresses"] = list(peer.addresses)
        if peer.tls:
            table["tls"] = True
        if peer.seg_encodings != DEFAULT_ENCODINGS:
            table["seg_encodings"] = [encoding.value for encoding in peer.seg_encodings]
        if peer.send_by != DEFAULT_WAYS:
            table["send_by"] = [way.value for way in peer.send_by]
        peers[peer.name] = table

    _edit(file, peer.name, change)


def remove_peer(file: Path, name: str) -> None:
    """Take a peer out.

    Raises NotFoundError where the file has no such peer, ConfigError where a route still names it.
    """

    def change(document: TOMLDocument) -> None:
        peers = _peers(document)
        if name not in peers:
            raise NotFoundError(f"{file} has no peer {name!r}{nearest(name, peers)}; see `bmnode peer list`")
        del peers[name]

    _edit(file, name, change)


def write_atomically(file: Path, text: str) -> None:
    """Write a file as a whole: temporary beside it, fsync, rename, fsync of the folder. Its rights are kept."""
    mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o644
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _peers(document: TOMLDocument) -> Table:
    if "peers" not in document:
        document["peers"] = tomlkit.table(is_super_table=True)
    peers = document["peers"]
    if not isinstance(peers, Table):
        raise ConfigError("`peers` is not written as tables, [peers.NAME]; change it by hand")
    return peers


def _edit(file: Path, name: str, change: Callable[[TOMLDocument], None]) -> None:
    """Change one peer in the file, if what comes out can be loaded and differs in this peer alone."""
    try:
        before = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    try:
        document = tomlkit.parse(before)
    except TOMLKitError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    change(document)
    after = tomlkit.dumps(document)
    changed, settings = parse_settings(after, file=file), _parsed(before, file=file)
    if settings is not None and _without(changed, name) != _without(settings, name):
        raise ConfigError(f"{file} is written in a way that cannot be edited safely; change {name!r} by hand")
    try:
        write_atomically(file, after)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error


def _parsed(text: str, *, file: Path) -> Settings | None:
    """The settings, or None where they cannot be loaded: the edit may be what mends them."""
    try:
        return parse_settings(text, file=file)
    except ConfigError:
        return None


def _without(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"peers": {key: peer for key, peer in settings.peers.items() if key != name}})
