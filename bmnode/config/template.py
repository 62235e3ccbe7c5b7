"""The settings as text for people: a first file, and what the documentation says of each key.

Both come from the settings' own fields, so neither can go stale.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import tomlkit
from pydantic.fields import FieldInfo

from bmnode.config.peer_settings import PeerSettings
from bmnode.config.section import Section
from bmnode.config.settings import RouteSettings, Settings

_WIDTH = 100
_HEAD = """\
bmnode: configuration of one node.
A line that begins with '# key =' shows the default; remove the '#' and change the value.
The environment stands above this file: BMNODE__NODE__PORT=11113 replaces port under [node].
`bmnode config check` looks whether it can work, `bmnode config show` says what is in force."""

_EXAMPLE_PEER = {"ae_title": "PACS", "host": "127.0.0.1", "port": 4242}
_EXAMPLE_ROUTE = {"name": "bone", "destinations": ["pacs"]}


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingDoc:
    """One key, as the documentation shows it."""

    key: str
    type: str
    default: str
    """As TOML; empty where the key has to be given or where there is none."""
    required: bool
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionDoc:
    """One table of the file."""

    header: str
    """As in the file: `[node]`, `[peers.NAME]`, `[[routes]]`."""
    description: str
    settings: tuple[SettingDoc, ...]


def describe() -> tuple[SectionDoc, ...]:
    """Every section and key in the order of the tree."""
    return tuple(
        SectionDoc(
            header=header,
            description=" ".join((model.__doc__ or "").split()),
            settings=tuple(_document(name, info) for name, info in model.model_fields.items()),
        )
        for header, model in _sections()
    )


def render() -> str:
    """A commented `bmnode.toml` that means exactly the defaults."""
    parts = [_comment(_HEAD)]
    for section in describe():
        example = _example(section.header)
        header = section.header if example is None else example.header
        parts.append(f"{_comment(section.description)}\n{header if example is None else f'# {header}'}")
        parts.extend(
            f"{_comment(setting.description)}\n# {setting.key} = {_shown(setting, example)}"
            for setting in section.settings
        )
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Example:
    header: str
    values: dict[str, Any]


def _example(header: str) -> _Example | None:
    """What stands for a table that the administrator names: there is no default to show."""
    if header == "[peers.NAME]":
        return _Example(header="[peers.pacs]", values=_EXAMPLE_PEER)
    if header == "[[routes]]":
        return _Example(header=header, values=_EXAMPLE_ROUTE)
    return None


def _shown(setting: SettingDoc, example: _Example | None) -> str:
    if example is not None and setting.key in example.values:
        return _toml(example.values[setting.key])
    return setting.default or '""'


def _sections() -> Iterator[tuple[str, type[Section]]]:
    for name, info in Settings.model_fields.items():
        if name == "peers":
            yield "[peers.NAME]", PeerSettings
        elif name == "routes":
            yield "[[routes]]", RouteSettings
        elif isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield f"[{name}]", info.annotation


def _document(name: str, info: FieldInfo) -> SettingDoc:
    required = info.is_required()
    default = "" if required or info.default is None else _toml(info.default)
    return SettingDoc(
        key=name,
        type=_type_name(info.annotation),
        default=default,
        required=required,
        description=info.description or "",
    )


def _toml(value: Any) -> str:
    if isinstance(value, Path):
        value = str(value)
    elif isinstance(value, tuple):
        value = list(value)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(tomlkit.item(value).as_string())


def _type_name(annotation: Any) -> str:
    """In the words of TOML; a choice is written out."""
    if get_origin(annotation) in {Union, UnionType}:
        return _type_name(next(item for item in get_args(annotation) if item is not NoneType))
    if get_origin(annotation) is tuple:
        return f"list of {_type_name(get_args(annotation)[0])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f"`{item.value}`" for item in annotation)
    return {str: "text", int: "integer", float: "number", bool: "true or false", Path: "path"}[annotation]


def _comment(text: str) -> str:
    lines = [line for paragraph in text.splitlines() for line in textwrap.wrap(paragraph, _WIDTH)]
    return "\n".join(f"# {line}" for line in lines)
