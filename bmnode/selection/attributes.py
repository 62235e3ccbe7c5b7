"""Tolerant reading of single attributes: what is malformed counts as absent."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from bmnode.domain.codes import Code

_MALFORMED = (ValueError, TypeError, AttributeError, KeyError, OverflowError, NotImplementedError)
"""What pydicom raises on access to a value that breaks its VR."""


def _raw(dataset: Dataset, key: str | tuple[int, int]) -> object:
    tag: str | BaseTag = key if isinstance(key, str) else Tag(key)
    try:
        return dataset[tag].value if tag in dataset else None
    except _MALFORMED:
        return None


def texts(dataset: Dataset, key: str | tuple[int, int]) -> tuple[str, ...]:
    """Every value as stripped upper-case text; empty values are left out."""
    value = _raw(dataset, key)
    if value is None:
        return ()
    if isinstance(value, bytes):
        value = value.decode("latin-1").rstrip("\x00 ").split("\\")
    items = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    return tuple(text for text in (str(item).strip().upper() for item in items) if text)


def text(dataset: Dataset, key: str | tuple[int, int]) -> str | None:
    """The first value as stripped upper-case text, or None."""
    return next(iter(texts(dataset, key)), None)


def uid(dataset: Dataset, key: str) -> str | None:
    """A UID, or None where it is absent or empty."""
    return text(dataset, key)


def numbers(dataset: Dataset, key: str | tuple[int, int]) -> tuple[float, ...]:
    """Every value as a float; empty where one of them is no number."""
    try:
        return tuple(float(item) for item in texts(dataset, key))
    except ValueError:
        return ()


def number(dataset: Dataset, key: str | tuple[int, int]) -> float | None:
    """The first value as a float, or None."""
    return next(iter(numbers(dataset, key)), None)


def count(dataset: Dataset, key: str) -> int:
    """A whole number; 0 where it is absent or malformed."""
    return int(number(dataset, key) or 0)


def items(dataset: Dataset, key: str) -> tuple[Dataset, ...]:
    """The items of a sequence; empty where it is absent."""
    value = _raw(dataset, key)
    if value is None or isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return ()
    return tuple(item for item in value if isinstance(item, Dataset))


def codes(dataset: Dataset, key: str) -> tuple[Code, ...]:
    """The codes of a code sequence (PS3.3 8.8); items without a value are left out."""
    found = []
    for item in items(dataset, key):
        value, scheme = text(item, "CodeValue"), text(item, "CodingSchemeDesignator")
        if value and scheme:
            found.append(Code(value[:16], scheme[:16], (text(item, "CodeMeaning") or value)[:64]))
    return tuple(found)
