"""The content tree of an SR, item by item (PS3.3 C.17.3)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code


def code_of(item: Dataset) -> Code:
    """The code of a code sequence's item."""
    return Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))


def name_of(item: Dataset) -> Code | None:
    """The item's concept name, where it has one."""
    names = item.get("ConceptNameCodeSequence")
    return code_of(names[0]) if names else None


def children(item: Dataset, name: Code | None = None, *, value_type: str | None = None) -> list[Dataset]:
    """The items below this one, of one name or value type where these are given."""
    return [
        child
        for child in item.get("ContentSequence", [])
        if (name is None or name_of(child) == name) and (value_type is None or child.ValueType == value_type)
    ]


def coded_value(item: Dataset, name: Code) -> Code | None:
    """The value of the first CODE item of this name below."""
    found = children(item, name, value_type="CODE")
    return code_of(found[0].ConceptCodeSequence[0]) if found else None


def text_of(item: Dataset, name: Code) -> str | None:
    """The value of the first TEXT item of this name below."""
    found = children(item, name, value_type="TEXT")
    return str(found[0].TextValue) if found else None
