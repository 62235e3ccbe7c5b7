"""The content tree of an SR, item by item (PS3.3 C.17.3)."""

from __future__ import annotations

import hashlib

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code

SHORT, LONG = 16, 64
"""Characters of SH and LO (PS3.5 6.2)."""


def code_of(item: Dataset) -> Code:
    """The code of a code sequence's item (PS3.3 8.8).

    Others write values that are longer than SH holds; such a value becomes a digest of itself, so that it stays the
    same code and no other. A meaning is cut to LO.
    """
    value = str(item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue") or "")
    if len(value) > SHORT:
        value = "L-" + hashlib.sha256(value.encode()).hexdigest()[:12]
    return Code(value, str(item.get("CodingSchemeDesignator") or "URN"), str(item.CodeMeaning)[:LONG])


def name_of(item: Dataset) -> Code | None:
    """The item's concept name, where it has one."""
    names = item.get("ConceptNameCodeSequence")
    return code_of(names[0]) if names else None


def is_same_concept(one: Code | None, other: Code | None) -> bool:
    """Whether value and scheme agree; the meaning is a text for people, which others word otherwise (PS3.3 8.3)."""
    if one is None or other is None:
        return one is other
    return (one.value, one.scheme) == (other.value, other.scheme)


def children(item: Dataset, name: Code | None = None, *, value_type: str | None = None) -> list[Dataset]:
    """The items below this one, of one name or value type where these are given."""
    return [
        child
        for child in item.get("ContentSequence", [])
        if (value_type is None or child.ValueType == value_type) and (name is None or _is_named(child, name))
    ]


def _is_named(item: Dataset, name: Code) -> bool:
    """Whether the item has this concept name; of most items the value alone says that it has another one."""
    names = item.get("ConceptNameCodeSequence")
    if not names or names[0].get("CodeValue", name.value) != name.value:
        return False
    return is_same_concept(code_of(names[0]), name)


def coded_value(item: Dataset, name: Code) -> Code | None:
    """The value of the first CODE item of this name below."""
    found = children(item, name, value_type="CODE")
    return code_of(found[0].ConceptCodeSequence[0]) if found else None


def text_of(item: Dataset, name: Code) -> str | None:
    """The value of the first TEXT item of this name below."""
    found = children(item, name, value_type="TEXT")
    return str(found[0].TextValue) if found else None
