"""What stands in a data set at any depth of its sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset


def share_repeated(members: Iterable[Dataset]) -> None:
    """Let sequences that are the same byte for byte in several data sets be one object in all of them, for reading.

    Of thousands of frames most say the same as another one: who was segmented, and on which slice.
    """
    known: dict[tuple[int, bytes], DataElement] = {}
    for member in members:
        for element in list(member.values()):
            if isinstance(element, RawDataElement) and element.VR == "SQ" and isinstance(element.value, bytes):
                key = (int(element.tag), element.value)
                if key in known:
                    member[element.tag] = known[key]
                else:
                    known[key] = member[element.tag]


def items(dataset: Dataset) -> Iterator[Dataset]:
    """The data set and every item of its sequences, at any depth; an item that several share once.

    Elements are looked at as they were read: converting the thousands of them that nobody asks for takes longer than
    all checks together.
    """
    waiting, seen = [dataset], set[int]()
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        yield item
        for element in item.values():
            if element.VR == "SQ":
                waiting.extend(item[element.tag].value)


def uid_values(dataset: Dataset) -> Iterator[str]:
    """Every UID of the data set and of the items of its sequences, at any depth."""
    for item in items(dataset):
        for element in item.values():
            if element.VR == "UI" and element.value:
                value = element.value
                if isinstance(value, bytes):  # as it was read: one text, padded with a null (PS3.5 9.1)
                    yield from value.decode("iso-8859-1").rstrip("\0 ").split("\\")
                else:
                    yield from [value] if isinstance(value, str) else value


def references(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(SOP Instance UID, SOP Class UID) of what the data set and the items of its sequences refer to, at any depth."""
    for item in items(dataset):
        if "ReferencedSOPInstanceUID" in item:
            yield str(item.ReferencedSOPInstanceUID), str(item.ReferencedSOPClassUID)
