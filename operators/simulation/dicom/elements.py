"""Small pieces of data sets: codes, decimals, moments, pixels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from bmnode.domain.codes import Code
from bmnode.domain.geometry import VolumeGeometry

StoredArray = npt.NDArray[np.integer[Any]]
"""uint16 or int16."""
_ORTHOGONAL = 1e-6


def decimal(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2, VR DS), exact to nine digits."""
    return f"{value:.9g}"


def decimals(values: Iterable[float]) -> list[str]:
    """Several of them."""
    return [decimal(float(value)) for value in values]


def fill(dataset: Dataset, attributes: Mapping[str, Any]) -> Dataset:
    """Set attributes by keyword and return the data set. Raises AttributeError on a keyword DICOM does not know."""
    for keyword, value in attributes.items():
        if tag_for_keyword(keyword) is None:
            raise AttributeError(f"{keyword} is no DICOM keyword")
        setattr(dataset, keyword, value)
    return dataset


def item(attributes: Mapping[str, Any]) -> Dataset:
    """A sequence item."""
    return fill(Dataset(), attributes)


def code_item(code: Code) -> Dataset:
    """One item of a code sequence (PS3.3 8.8)."""
    return item({"CodeValue": code.value, "CodingSchemeDesignator": code.scheme, "CodeMeaning": code.meaning})


def date_text(moment: datetime) -> str:
    """VR DA."""
    return moment.strftime("%Y%m%d")


def time_text(moment: datetime) -> str:
    """VR TM, to the microsecond."""
    return moment.strftime("%H%M%S.%f")


def datetime_text(moment: datetime) -> str:
    """VR DT without a zone: the data set's Timezone Offset From UTC says it."""
    return date_text(moment) + time_text(moment)


def moment(event: str, at: datetime) -> dict[str, str]:
    """`<event>Date` and `<event>Time`."""
    return {f"{event}Date": date_text(at), f"{event}Time": time_text(at)}


def plane_orientation(geometry: VolumeGeometry) -> list[str]:
    """Image Orientation (Patient): direction of the rows, then of the columns (PS3.3 C.7.6.2.1.1).

    Raises ValueError where rows and columns are not at right angles: no DICOM image can say so.
    """
    _, row_step, column_step = geometry.matrix[:3, :3].T
    along_row, along_column = column_step / np.linalg.norm(column_step), row_step / np.linalg.norm(row_step)
    if abs(float(along_row @ along_column)) > _ORTHOGONAL:
        raise ValueError("rows and columns of an image are at right angles")
    return decimals([*_clean(along_row), *_clean(along_column)])


def plane_position(geometry: VolumeGeometry, index: int) -> list[str]:
    """Image Position (Patient) of a slice: the centre of its first pixel, LPS millimetres."""
    return decimals(_clean(geometry.position_lps((index, 0, 0))))


def normal(geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """Unit vector across the slices: direction of the rows cross direction of the columns."""
    _, row_step, column_step = geometry.matrix[:3, :3].T
    across = np.cross(column_step, row_step)
    return np.asarray(across / np.linalg.norm(across), dtype=np.float64)


def slice_gap_mm(geometry: VolumeGeometry) -> float:
    """Distance of neighbouring slices along their normal; negative where they run against it."""
    return float(normal(geometry) @ geometry.matrix[:3, 0])


def pixel_module(stored: StoredArray, *, bits_stored: int) -> dict[str, Any]:
    """Image Pixel module of grey frames (row, column) or (frame, row, column), pixel data left out."""
    attributes: dict[str, Any] = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stored.shape[-2],
        "Columns": stored.shape[-1],
        "BitsAllocated": 16,
        "BitsStored": bits_stored,
        "HighBit": bits_stored - 1,
        "PixelRepresentation": 1 if stored.dtype.kind == "i" else 0,
    }
    return attributes | ({"NumberOfFrames": stored.shape[0]} if stored.ndim == 3 else {})


def set_pixels(dataset: Dataset, stored: StoredArray, *, bits_stored: int = 16) -> None:
    """Image Pixel module with its pixels, little endian."""
    fill(dataset, pixel_module(stored, bits_stored=bits_stored))
    dataset.add_new("PixelData", "OW", stored.astype(stored.dtype.newbyteorder("<"), copy=False).tobytes())


def _clean(values: Iterable[float]) -> list[float]:
    """Without the dust of floating point, and without minus zero."""
    return [round(float(value), 9) + 0.0 for value in values]
