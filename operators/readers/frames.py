"""From instances to frames: every slice of classic and multi-frame objects, described alike.

Headers only; pixels are decoded later, frame by frame, so that memory follows the volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from bmnode.domain.study import Reason
from bmnode.selection.multi_frame import frame_macros
from operators.graph.contract import NotAssessableError
from operators.readers.diffusion import b_value_of, gradient_of

Vector = tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One slice: where its pixels are and where they lie.

    `orientation` is Image Orientation (Patient), row direction first; `position` the centre of the
    first pixel; `spacing_mm` (between rows, between columns); `frame_index` counts from 0.
    """

    path: Path
    sop_instance_uid: str
    frame_index: int
    frame_count: int
    position: Vector
    orientation: Vector
    spacing_mm: tuple[float, float]
    shape: tuple[int, int]
    frame_of_reference_uid: str
    slope: float = 1.0
    intercept: float = 0.0
    b_value: float | None = None
    gradient: Vector = ()
    echo_time_ms: float | None = None
    temporal_position: str = ""
    acquisition: str = ""
    image_type: str = ""

    def __post_init__(self) -> None:
        if len(self.position) != 3 or len(self.orientation) != 6:
            raise ValueError("a frame has a position of three and an orientation of six numbers")
        if not all(np.isfinite([*self.position, *self.orientation, *self.spacing_mm, self.slope, self.intercept])):
            raise ValueError("a frame's geometry and rescale are finite")

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit vector across the slice, row direction cross column direction (PS3.3 C.7.6.2.1.1)."""
        across = np.cross(np.asarray(self.orientation[:3]), np.asarray(self.orientation[3:]))
        return np.asarray(across / max(float(np.linalg.norm(across)), 1e-12), dtype=np.float64)

    @property
    def distance_mm(self) -> float:
        """Position along the normal, mm."""
        return float(self.normal @ np.asarray(self.position))


def read_header(path: Path) -> Dataset:
    """A file's data set without its pixels. Raises NotAssessableError (unreadable_input)."""
    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, NotImplementedError) as error:
        raise NotAssessableError(Reason.UNREADABLE_INPUT, "An image file of the series cannot be read.") from error


def read_frames(files: Iterable[Path]) -> tuple[Frame, ...]:
    """Every frame of the files; localizers and repeated instances are left out.

    Raises NotAssessableError: no_images where nothing remains, missing_geometry where a frame does
    not say where it lies, missing_pixel_data where it has no rows or columns.
    """
    frames: list[Frame] = []
    seen: set[str] = set()
    for path in sorted(files):
        dataset = read_header(path)
        uid = str(dataset.get("SOPInstanceUID", ""))
        if (uid and uid in seen) or "LOCALIZER" in image_type_of(dataset):
            continue
        seen.add(uid)
        frames.extend(_frames_of(dataset, path))
    if not frames:
        raise NotAssessableError(Reason.NO_IMAGES, "The series has no image slice.")
    return tuple(frames)


def image_type_of(dataset: Dataset) -> tuple[str, ...]:
    """Image Type (0008,0008) as a tuple, also where it has one value or none."""
    value: Any = dataset.get("ImageType") or ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _frames_of(dataset: Dataset, path: Path) -> list[Frame]:
    if not dataset.get("Rows") or not dataset.get("Columns"):
        raise NotAssessableError(Reason.MISSING_PIXEL_DATA, "An image of the series has no pixel data.")
    try:
        if "PerFrameFunctionalGroupsSequence" in dataset:
            return _enhanced_frames(dataset, path)
        if str(dataset.get("Modality", "")) == "NM" and "DetectorInformationSequence" in dataset:
            return _nm_frames(dataset, path)
        count = int(dataset.get("NumberOfFrames") or 1)
        if count > 1:
            raise NotAssessableError(
                Reason.MISSING_GEOMETRY, "A multi-frame image of the series does not say where its frames lie."
            )
        return [_frame(dataset, [dataset], path=path, index=0, count=1)]
    except (TypeError, ValueError, AttributeError) as error:
        raise NotAssessableError(
            Reason.MISSING_GEOMETRY, "An image of the series carries a position or spacing that cannot be understood."
        ) from error


def _enhanced_frames(dataset: Dataset, path: Path) -> list[Frame]:
    """PS3.3 C.7.6.16: a per-frame group overrules the shared one, which overrules the data set."""
    count = len(dataset.PerFrameFunctionalGroupsSequence)
    return [
        _frame(dataset, frame_macros(dataset, index), path=path, index=index, count=count) for index in range(count)
    ]


def _nm_frames(dataset: Dataset, path: Path) -> list[Frame]:
    """A reconstructed tomogram (PS3.3 C.8.4.8, C.8.4.15): the first slice's place, then the slice spacing.

    Slice Vector (0054,0080) numbers the slices from 1; without it the frames are in slice order.
    Spacing Between Slices may be negative for NM, and then runs against the normal.
    """
    detector = dataset.DetectorInformationSequence[0]
    if "RECON TOMO" not in image_type_of(dataset):
        raise NotAssessableError(Reason.MISSING_GEOMETRY, "The nuclear medicine image is no reconstructed tomogram.")
    count = int(dataset.get("NumberOfFrames") or 1)
    first = _frame(dataset, [detector, dataset], path=path, index=0, count=count)
    step = dataset.get("SpacingBetweenSlices", dataset.get("SliceThickness"))
    if step is None and count > 1:
        raise NotAssessableError(Reason.MISSING_GEOMETRY, "The tomogram does not say how far its slices are apart.")
    slices = _vector(dataset, "SliceVector", count) or list(range(1, count + 1))
    windows = _vector(dataset, "EnergyWindowVector", count) or [1] * count
    slots = _vector(dataset, "TimeSlotVector", count) or [1] * count
    frames = []
    for index in range(count):
        position = np.asarray(first.position) + first.normal * float(step or 0.0) * (slices[index] - 1)
        frames.append(
            _frame(
                dataset,
                [detector, dataset],
                path=path,
                index=index,
                count=count,
                position=tuple(float(value) for value in position),
                phase=f"{windows[index]}/{slots[index]}",
            )
        )
    return frames


def _vector(dataset: Dataset, keyword: str, count: int) -> list[int]:
    value: Any = dataset.get(keyword)
    numbers = [] if value is None else [int(item) for item in ([value] if isinstance(value, int) else value)]
    return numbers if len(numbers) == count else []


def _first(macros: Sequence[Dataset], keyword: str) -> Any:
    return next((macro.get(keyword) for macro in macros if macro.get(keyword) not in (None, "")), None)


def _frame(  # noqa: PLR0913 - one frame's facts and the two that NM works out for itself
    dataset: Dataset,
    macros: Sequence[Dataset],
    *,
    path: Path,
    index: int,
    count: int,
    position: Vector | None = None,
    phase: str = "",
) -> Frame:
    place = position or _first(macros, "ImagePositionPatient")
    orientation = _first(macros, "ImageOrientationPatient")
    spacing = _first(macros, "PixelSpacing")
    if place is None or orientation is None:
        raise NotAssessableError(Reason.MISSING_GEOMETRY, "A slice of the series does not say where it lies.")
    if spacing is None or min(float(value) for value in spacing) <= 0.0:
        raise NotAssessableError(Reason.MISSING_GEOMETRY, "A slice of the series has no pixel spacing.")
    echo = _first(macros, "EffectiveEchoTime") or _first(macros, "EchoTime")
    temporal = _first(macros, "TemporalPositionIndex") or _first(macros, "TemporalPositionIdentifier")
    frame_type = _first(macros, "FrameType")
    return Frame(
        path=path,
        sop_instance_uid=str(dataset.get("SOPInstanceUID", "")),
        frame_index=index,
        frame_count=count,
        position=tuple(float(value) for value in place),
        orientation=tuple(float(value) for value in orientation),
        spacing_mm=(float(spacing[0]), float(spacing[1])),
        shape=(int(dataset.Rows), int(dataset.Columns)),
        frame_of_reference_uid=str(dataset.get("FrameOfReferenceUID") or ""),
        slope=_number_or(_first(macros, "RescaleSlope"), 1.0),
        intercept=_number_or(_first(macros, "RescaleIntercept"), 0.0),
        b_value=b_value_of(dataset, macros),
        gradient=gradient_of(dataset, macros),
        echo_time_ms=None if echo is None else float(echo),
        temporal_position=f"{temporal if temporal is not None else ''}{phase}",
        acquisition=str(_first(macros, "AcquisitionNumber") or ""),
        image_type="\\".join(image_type_of(dataset) if frame_type is None else [str(item) for item in frame_type]),
    )


def _number_or(value: Any, default: float) -> float:
    return default if value is None else float(value)
