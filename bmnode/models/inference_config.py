"""`configs/inference.json`: which network, with which numbers. It is read as data and never run.

A MONAI bundle may hold `$` expressions, `@` references and any class by its import path. Here a network is named by a
row of `NETWORKS`, its arguments are numbers within that row's limits, and whatever else looks like code is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]

_SECTIONS = ("network_def", "preprocessing", "postprocessing")
_TARGET = "_target_"
_CODE_MARKS = ("$", "@", "%", "__")
"""How MONAI marks expressions, references and macros; and how Python's own insides begin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkRow:
    """A network that may be named: its integer arguments with their limits, and those that are lists of integers."""

    numbers: Mapping[str, tuple[int, int]]
    lists: Mapping[str, tuple[int, int]]
    longest_list: int
    channels: str
    """The argument that counts the channels of an input."""


NETWORKS: Mapping[str, NetworkRow] = MappingProxyType(
    {
        "operators.networks.butterfly.Butterfly": NetworkRow(
            numbers={"in_channels": (1, 8), "regions": (1, 64), "blocks": (1, 4)},
            lists={"widths": (4, 512)},
            longest_list=8,
            channels="in_channels",
        )
    }
)
"""Networks by the import path that a MONAI bundle would name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InferenceConfig:
    """What the file says.

    Args:
        network: a key of `NETWORKS`.
        arguments: for the network.
        preprocessing, postprocessing: for whoever runs it; numbers, words, and lists of them.
    """

    network: str
    arguments: Mapping[str, int | tuple[int, ...]]
    preprocessing: Mapping[str, Value]
    postprocessing: Mapping[str, Value]

    @property
    def channels(self) -> int:
        """How many channels an input of the network has."""
        count = self.arguments[NETWORKS[self.network].channels]
        if not isinstance(count, int):
            raise TypeError("a channel count is a number")  # the table's rows say so
        return count

    @classmethod
    def from_file(cls, path: Path) -> InferenceConfig:
        """Raises BundleRefusedError where it holds code, an unknown network, or anything but flat data."""
        content = read_object(path, name=path.name, fault=BundleFault.CONFIGURATION)
        _refuse_code(content)
        unknown = sorted(content.keys() - set(_SECTIONS))
        if unknown or not content.keys() >= set(_SECTIONS):
            raise _invalid(f"it has the sections {', '.join(_SECTIONS)} and no other, not {', '.join(sorted(content))}")
        network, arguments = _network(_section(content, "network_def"))
        return cls(
            network=network,
            arguments=arguments,
            preprocessing=_flat(_section(content, "preprocessing"), where="preprocessing"),
            postprocessing=_flat(_section(content, "postprocessing"), where="postprocessing"),
        )


def read_object(path: Path, *, name: str, fault: BundleFault) -> dict[str, object]:
    """A file's JSON object. Raises BundleRefusedError where it is none, or says a key twice."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (OSError, ValueError, RecursionError) as error:
        raise BundleRefusedError(f"{name} is not read as JSON: {error}", fault=fault) from error
    if not isinstance(content, dict):
        raise BundleRefusedError(f"{name} holds no JSON object", fault=fault)
    return content


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _refuse_code(content: object) -> None:
    for text in _texts(content):
        if text != _TARGET and text.lstrip().startswith(_CODE_MARKS):
            raise BundleRefusedError(
                f"inference.json: {text[:40]!r} would be run or followed; only plain values are taken",
                fault=BundleFault.CODE,
            )


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from (key, *_texts(value))
    elif isinstance(content, list):
        for item in content:
            yield from _texts(item)


def _section(content: Mapping[str, object], name: str) -> dict[str, object]:
    section = content[name]
    if not isinstance(section, dict):
        raise _invalid(f"{name} is no object")
    return section


def _network(section: dict[str, object]) -> tuple[str, Mapping[str, int | tuple[int, ...]]]:
    target = section.pop(_TARGET, None)
    row = NETWORKS.get(target) if isinstance(target, str) else None
    if not isinstance(target, str) or row is None:
        raise BundleRefusedError(
            f"inference.json: the network {target!r} is none of {', '.join(NETWORKS)}", fault=BundleFault.NETWORK
        )
    if section.keys() != row.numbers.keys() | row.lists.keys():
        wanted = ", ".join([*row.numbers, *row.lists])
        raise _invalid(f"network_def has the arguments {wanted}, not {', '.join(section)}")
    arguments: dict[str, int | tuple[int, ...]] = {}
    for name, value in section.items():
        if name in row.numbers:
            arguments[name] = _whole(value, within=row.numbers[name], where=name)
            continue
        if not isinstance(value, list) or not 1 <= len(value) <= row.longest_list:
            raise _invalid(f"{name} is a list of 1 to {row.longest_list} numbers")
        arguments[name] = tuple(_whole(item, within=row.lists[name], where=name) for item in value)
    return target, MappingProxyType(arguments)


def _whole(value: object, *, within: tuple[int, int], where: str) -> int:
    low, high = within
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _invalid(f"{where}: {value!r} is not a whole number from {low} to {high}")
    return value


def _flat(section: Mapping[str, object], *, where: str) -> Mapping[str, Value]:
    values: dict[str, Value] = {}
    for name, value in section.items():
        if isinstance(value, bool | int | float | str):
            values[name] = value
        elif isinstance(value, list) and all(isinstance(item, bool | int | float | str) for item in value):
            values[name] = tuple(value)
        else:
            raise _invalid(f"{where}.{name} is neither a number, a word nor a list of them")
    return MappingProxyType(values)


def _invalid(message: str) -> BundleRefusedError:
    return BundleRefusedError(f"inference.json: {message}", fault=BundleFault.CONFIGURATION)
