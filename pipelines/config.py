"""The loader of every branch's `pipeline.toml`: into frozen dataclasses, or a ConfigError that names the remedy."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from bmnode.errors import ConfigError

_Profile = TypeVar("_Profile")


def load_profile(profile: type[_Profile], path: Path) -> _Profile:
    """Read a TOML file into the dataclass `profile`, tables into its nested dataclasses.

    A field is an int, float, str, bool, a dataclass, a tuple of one type, a dict from str, or one
    of these or None. Raises ConfigError where the file is unreadable, a key is unknown (with the
    nearest known name), missing, of another type, or refused by the dataclass's own checks.
    """
    try:
        with path.open("rb") as stream:
            document = tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read as TOML: {error}") from error
    return typing.cast("_Profile", _build(profile, document, where=path.name))


def parameters_of(profile: object, *, prefix: str = "") -> tuple[str, ...]:
    """The profile's values as `key=value`, nested keys joined by dots: what goes into the SR."""
    if dataclasses.is_dataclass(profile) and not isinstance(profile, type):
        pairs = [(field.name, getattr(profile, field.name)) for field in dataclasses.fields(profile)]
    elif isinstance(profile, Mapping):
        pairs = [(str(key), value) for key, value in profile.items()]
    else:
        return (f"{prefix.rstrip('.')}={_text(profile)}",)
    return tuple(line for key, value in pairs for line in parameters_of(value, prefix=f"{prefix}{key}."))


def profile_digest(path: Path) -> str:
    """SHA-256, in hex, of the profile's file: names the thresholds that were in force."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _build(kind: Any, table: Mapping[str, Any], *, where: str) -> object:
    hints = typing.get_type_hints(kind)
    known = {field.name: field for field in dataclasses.fields(kind)}
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}{_nearest(key, known)}")
    values: dict[str, object] = {}
    for name, field in known.items():
        if name in table:
            values[name] = _value(hints[name], table[name], where=f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: the key {name!r} is missing")
    try:
        return kind(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _nearest(key: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    return f"; did you mean {close[0]!r}?" if close else ""


def _value(hint: Any, raw: Any, *, where: str) -> object:
    if isinstance(hint, types.UnionType):
        hint = next(option for option in typing.get_args(hint) if option is not types.NoneType)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(raw, dict):
        return _build(hint, raw, where=where)
    if origin is dict and isinstance(raw, dict):
        return {key: _value(arguments[1], item, where=f"{where}.{key}") for key, item in raw.items()}
    if origin is tuple and isinstance(raw, list):
        return tuple(_value(arguments[0], item, where=where) for item in raw)
    if hint is float and isinstance(raw, int | float) and not isinstance(raw, bool):
        return float(raw)
    if hint in (int, str, bool) and type(raw) is hint:
        return raw
    raise ConfigError(f"{where}: {raw!r} is not {_describe(hint)}")


def _describe(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and typing.get_origin(hint) is None else str(hint)
