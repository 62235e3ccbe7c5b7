"""What stands in a data set at any depth of its sequences."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset


def items(dataset: Dataset) -> Iterator[Dataset]:
    """The data set and every item of its sequences, at any depth.

    Elements are looked at as they were read: converting the thousands of them that nobody asks for takes longer than
    all checks together.
    """
    waiting = [dataset]
    while waiting:
        item = waiting.pop()
        yield item
        for element in item.values():
            if element.VR == "SQ":
                waiting.extend(item[element.tag].value)


def uid_values(dataset: Dataset) -> Iterator[str]:
    """Every UID of the data set and of the items of its sequences, at any depth."""
    for item in items(dataset):
        for tag in [element.tag for element in item.values() if element.VR == "UI"]:
            value = item[tag].value
            if value:
                yield from ([value] if isinstance(value, str) else value)


def references(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(SOP Instance UID, SOP Class UID) of what the data set and the items of its sequences refer to, at any depth."""
    for item in items(dataset):
        if "ReferencedSOPInstanceUID" in item:
            yield str(item.ReferencedSOPInstanceUID), str(item.ReferencedSOPClassUID)
