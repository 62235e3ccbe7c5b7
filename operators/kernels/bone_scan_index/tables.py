"""Coefficient tables: named, hashed data files, used as printed and never rescaled without saying so."""

from __future__ import annotations

import difflib
import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bmnode.errors import ConfigError
from operators.kernels.bone_scan_index.regions import BoneRegion

SPIERS_ID = "COEF_SPIERS1968"
NORMALISED_SUFFIX = "_NORM"
_SPIERS_FILE = "coef_spiers1968.toml"
_KEYS = ("id", "source", "percent")

LOWEST_TOTAL_PERCENT = 50.0
HIGHEST_TOTAL_PERCENT = 110.0
"""A convention of this project: a table beyond these sums is in another unit (fractions, grams) or lacks bones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CoefficientTable:
    """Mass of each bone in per cent of the skeleton.

    `sha256` is that of the file the numbers were read from, also in a `_NORM` variant, whose id
    says that it was rescaled. Raises ValueError where a row is missing, where a number is negative
    or not finite, or where the sum is not that of percentages.
    """

    id: str
    source: str
    sha256: str
    percent: Mapping[BoneRegion, float]

    def __post_init__(self) -> None:
        missing = [region.value for region in BoneRegion if region not in self.percent]
        if missing:
            raise ValueError(f"the table {self.id} lacks {', '.join(missing)}")
        bad = [region.value for region, value in self.percent.items() if not (math.isfinite(value) and value >= 0.0)]
        if bad:
            raise ValueError(f"the table {self.id} has no finite, non-negative per cent for {', '.join(bad)}")
        if not LOWEST_TOTAL_PERCENT <= self.total_percent <= HIGHEST_TOTAL_PERCENT:
            raise ValueError(f"the table {self.id} sums to {self.total_percent:g}: its numbers are per cent of 100")

    @property
    def total_percent(self) -> float:
        """The sum of all rows: 100.1 for Spiers as printed."""
        return math.fsum(self.percent.values())

    def normalised(self) -> CoefficientTable:
        """The table rescaled to 100 %, under an id that says so. Raises ValueError on one that already is."""
        if self.id.endswith(NORMALISED_SUFFIX):
            raise ValueError(f"the table {self.id} is normalised already")
        scale = 100.0 / self.total_percent
        return CoefficientTable(
            id=self.id + NORMALISED_SUFFIX,
            source=f"{self.source}; every row multiplied by 100/{self.total_percent:g}",
            sha256=self.sha256,
            percent=MappingProxyType({region: value * scale for region, value in self.percent.items()}),
        )


def spiers_1968() -> CoefficientTable:
    """`COEF_SPIERS1968` as printed (clinical reference 1.2): sums to 100.1.

    The table behind Imbriaco's index, EXINI and BONENAVI is not public, and tables differ by up
    to 1.4 times in the regions where metastases sit: an index is compared under one table only.
    """
    content = resources.files(__package__).joinpath(_SPIERS_FILE).read_bytes()
    return _parse(content, name=_SPIERS_FILE)


def load_table(path: Path) -> CoefficientTable:
    """A site's own table from a TOML file with `id`, `source` and `[percent]`, one number for every region.

    The numbers are used as they stand: their sum is in `total_percent` and goes into the result.
    Raises ConfigError where the file is unreadable, where a key is unknown or missing, where a
    number is impossible, or where the id belongs to the shipped table or to a derived one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path.name}: cannot be read: {error.strerror}") from error
    table = _parse(content, name=path.name)
    if table.id.endswith(NORMALISED_SUFFIX):
        raise ConfigError(f"{path.name}: id {table.id!r}: the ending {NORMALISED_SUFFIX} marks rescaled tables")
    if table.id == SPIERS_ID and table.sha256 != spiers_1968().sha256:
        raise ConfigError(f"{path.name}: id {table.id!r} names the shipped table: give your own table an id of its own")
    return table


def _parse(content: bytes, *, name: str) -> CoefficientTable:
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read as TOML: {error}") from error
    _check_keys(document, known=_KEYS, where=name)
    identity, source, percent = (document[key] for key in _KEYS)
    if not isinstance(identity, str) or not isinstance(source, str) or not identity.strip() or not source.strip():
        raise ConfigError(f"{name}: id and source are text and not empty")
    if not isinstance(percent, dict):
        raise ConfigError(f"{name}: [percent] is a table of one number for each region")
    _check_keys(percent, known=tuple(region.value for region in BoneRegion), where=f"{name}: [percent]")
    numbers = {BoneRegion(key): _number(value, where=f"{name}: {key}") for key, value in percent.items()}
    try:
        return CoefficientTable(
            id=identity,
            source=source,
            sha256=hashlib.sha256(content).hexdigest(),
            percent=MappingProxyType(numbers),
        )
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def _check_keys(document: Mapping[str, Any], *, known: tuple[str, ...], where: str) -> None:
    for key in document:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise ConfigError(f"{where}: unknown key {key!r}; the nearest known is {nearest!r}")
    missing = [key for key in known if key not in document]
    if missing:
        raise ConfigError(f"{where}: missing {', '.join(missing)}")


def _number(value: object, *, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError(f"{where}: {value!r} is not a number")
    return float(value)
