"""In which character set a result is written: that of the images, or UTF-8 where the result has other letters.

The images' own set is kept wherever it can be, so that an archive reads the patient's name in the result as it reads it
in the images. Texts of a result are ASCII, which every set of DICOM holds, but for names that people gave: of a
lesion that a reader edited, of a model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from copy import deepcopy

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset

from bmnode.domain.geometry import CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.sources import SourceStudy
from bmnode.results.text import plain
from bmnode.results.walk import items

UNICODE = "ISO_IR 192"
_WITHOUT_TEXT = (CroppedMask, ImagePolygon, VolumeGeometry)
_LOST = "�"
"""What a decoder puts where bytes are no letters of the character set."""


def header_for(result_set: ResultSet, source: SourceStudy) -> Dataset:
    """The patient and study attributes for an object of the result set, with the character set that holds its texts.

    Raises ResultError where the result needs UTF-8 and the images' own texts cannot be told.
    """
    if all(plain(text).isascii() for text in _texts(result_set)):
        return source.header
    return _in_unicode(source.header)


def _in_unicode(header: Dataset) -> Dataset:
    declared = header.get("SpecificCharacterSet") or ""
    named = [declared] if isinstance(declared, str) else list(declared)
    if any(name not in python_encoding for name in named):
        raise ResultError("the result has letters beyond ASCII, and the images' character set is unknown")
    copied = deepcopy(header)
    copied.decode()
    if any(_LOST in str(element.value) for item in items(copied) for element in item if element.VR != "SQ"):
        raise ResultError("the result has letters beyond ASCII, and the images' texts are not in their character set")
    copied.SpecificCharacterSet = UNICODE
    return copied


def _texts(value: object) -> Iterator[str]:
    """Every text of a record, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        yield from _texts(tuple(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, _WITHOUT_TEXT):
        for field in dataclasses.fields(value):
            yield from _texts(getattr(value, field.name))
