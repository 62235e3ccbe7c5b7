"""Attribute matching of C-FIND (PS3.4 C.2.2.2): universal, single value, UID list, wildcard and range."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from pydicom.multival import MultiValue

_RANGE_VRS = frozenset({"DA", "TM", "DT"})
_WILDCARD_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})


def matches(key: object, *, vr: str, value: object) -> bool:
    """Whether an instance's value answers a key.

    Args:
        key: the identifier's value; empty matches everything.
        vr: the attribute's value representation, which decides the kind of matching.
        value: the instance's value, several where the attribute has several: one that fits is enough.
    """
    wanted = _texts(key)
    if not wanted or wanted == ["*"]:
        return True
    present = _texts(value)
    return any(_one(pattern, vr=vr, text=text) for pattern in wanted for text in present)


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    items: Iterable[object] = value if isinstance(value, (MultiValue, list, tuple)) else (value,)
    return [text for item in items if (text := str(item).strip(" \0"))]


def _one(pattern: str, *, vr: str, text: str) -> bool:
    if vr in _RANGE_VRS and "-" in pattern:
        return _in_range(pattern, text)
    if vr == "PN":
        # Matching names without regard to case is allowed (C.2.2.2.1) and what users expect.
        pattern, text = pattern.casefold().rstrip("^"), text.casefold().rstrip("^")
    if vr in _WILDCARD_VRS and ("*" in pattern or "?" in pattern):
        # fnmatch knows sets in brackets, DICOM does not: a bracket stands for itself.
        return re.match(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None
    if vr == "IS":
        return _number(pattern) == _number(text)
    return pattern == text


def _in_range(pattern: str, text: str) -> bool:
    """C.2.2.2.5: `first-last`, either end open. A shorter value stands for all that it begins."""
    first, _, last = pattern.partition("-")
    return (not first or text >= first) and (not last or text <= last or text.startswith(last))


def _number(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdigit() else text
