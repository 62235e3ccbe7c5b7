"""A DICOM series as a volume on a regular grid, or the reason why it is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.readers.frames import Frame, read_frames

_POSITION_TOLERANCE_MM = 0.01
_STEP_TOLERANCE = 0.05
"""A slice step may differ from the median step by this share before the grid counts as irregular: bed
positions of real PET scanners join with a step that is 2 to 3 % off."""
_SHEAR_TOLERANCE = 0.02
"""In-plane drift a millimetre of slice step: about 1 degree of gantry tilt."""
_ORIENTATION_TOLERANCE = 1e-3

_PhaseKey = Callable[[Frame], object]
_PHASE_KEYS: tuple[tuple[str, _PhaseKey], ...] = (
    ("b-value", lambda frame: frame.b_value),
    ("echo time", lambda frame: frame.echo_time_ms),
    ("temporal position", lambda frame: frame.temporal_position),
    ("image type", lambda frame: frame.image_type),
    ("gradient direction", lambda frame: frame.gradient),
    ("acquisition", lambda frame: frame.acquisition),
)
"""What may tell two slices at one position apart, in the order tried."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageVolume:
    """A volume in the units of its modality (HU, Bq/ml, counts, stored values after rescale).

    Args:
        array: float32 (slice, row, column).
        source_instance_uids: SOP Instance UID of every slice in slice order; one alone for a multi-frame source.
        source_frames: the frame number (from 1) of every slice of a multi-frame source; empty for classic slices.
        slice_paths: the file of every slice.
        slice_frames: the frame (from 0) of that file that every slice is.
        b_value: s/mm2, where all slices share one.
    """

    array: npt.NDArray[np.float32]
    geometry: VolumeGeometry
    source_instance_uids: tuple[str, ...]
    source_frames: tuple[int, ...] = ()
    slice_paths: tuple[Path, ...] = ()
    slice_frames: tuple[int, ...] = ()
    b_value: float | None = None

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape or self.array.dtype != np.float32:
            raise ValueError("a volume is a float32 array of its geometry's shape")
        if len(self.source_instance_uids) not in (1, self.array.shape[0]):
            raise ValueError("a volume names the instance of every slice, or its one multi-frame instance")


def read_volume(files: Iterable[Path]) -> ImageVolume:
    """The one volume of a series: array (slice, row, column) after each slice's own rescale.

    Raises NotAssessableError: no_images, missing_pixel_data, missing_geometry, unreadable_input, and
    irregular_geometry for repeated, missing, unevenly spaced or sheared slices, and where two phases or
    b-values lie on the same positions.
    """
    stacks = split_stacks(read_frames(files))
    if len(stacks) > 1:
        raise NotAssessableError(
            Reason.IRREGULAR_GEOMETRY,
            f"The series holds {len(stacks)} images of each position (phases, echoes or b-values); which one to "
            "measure is not defined.",
        )
    return volume_of(stacks[0])


def read_stacks(files: Iterable[Path]) -> tuple[ImageVolume, ...]:
    """Every volume of a series whose positions repeat, e.g. one a b-value. Raises as `read_volume`."""
    return tuple(volume_of(stack) for stack in split_stacks(read_frames(files)))


def split_stacks(frames: Sequence[Frame]) -> tuple[tuple[Frame, ...], ...]:
    """Frames by phase so that no stack holds a position twice, each sorted along the normal.

    Raises NotAssessableError (irregular_geometry) where nothing in the headers tells the repeated
    slices apart, or where the stacks do not cover the same positions.
    """
    _require_one_orientation(frames)
    stacks: list[tuple[Frame, ...]] = [tuple(frames)]
    for _name, key in _PHASE_KEYS:
        if not any(_repeats(stack) for stack in stacks):
            break
        stacks = [part for stack in stacks for part in (_split(stack, key) if _repeats(stack) else [stack])]
    if any(_repeats(stack) for stack in stacks):
        raise NotAssessableError(
            Reason.IRREGULAR_GEOMETRY, "Several slices lie at the same position and nothing tells them apart."
        )
    if len({len(stack) for stack in stacks}) > 1:
        raise NotAssessableError(
            Reason.IRREGULAR_GEOMETRY, "The phases of the series differ in their number of slices."
        )
    return tuple(tuple(sorted(stack, key=lambda frame: frame.distance_mm)) for stack in stacks)


def volume_of(stack: Sequence[Frame]) -> ImageVolume:
    """Decode one stack, sorted along the normal. Raises as `read_volume`."""
    geometry = _geometry_of(stack)
    array = np.empty(geometry.shape, dtype=np.float32)
    decoder = _Decoder()
    for index, frame in enumerate(stack):
        stored = decoder.decode(frame)
        if stored.shape != frame.shape:
            raise NotAssessableError(Reason.UNREADABLE_INPUT, "A slice's pixels do not have its rows and columns.")
        # One slice at a time in double precision: the volume itself exists once, as float32.
        array[index] = stored.astype(np.float64) * frame.slope + frame.intercept
    multi_frame = len({frame.path for frame in stack}) == 1 and stack[0].frame_count > 1
    b_values = {frame.b_value for frame in stack}
    return ImageVolume(
        array=array,
        geometry=geometry,
        source_instance_uids=(stack[0].sop_instance_uid,)
        if multi_frame
        else tuple(frame.sop_instance_uid for frame in stack),
        source_frames=tuple(frame.frame_index + 1 for frame in stack) if multi_frame else (),
        slice_paths=tuple(frame.path for frame in stack),
        slice_frames=tuple(frame.frame_index for frame in stack),
        b_value=b_values.pop() if len(b_values) == 1 else None,
    )


def _require_one_orientation(frames: Sequence[Frame]) -> None:
    first = frames[0]
    for frame in frames:
        gap = np.abs(np.asarray(frame.orientation) - np.asarray(first.orientation))
        if float(gap.max()) > _ORIENTATION_TOLERANCE:
            raise NotAssessableError(Reason.IRREGULAR_GEOMETRY, "The slices of the series are not parallel.")
        if frame.shape != first.shape or not np.allclose(frame.spacing_mm, first.spacing_mm, rtol=1e-3):
            raise NotAssessableError(
                Reason.IRREGULAR_GEOMETRY, "The slices of the series differ in matrix or pixel spacing."
            )
        if frame.frame_of_reference_uid != first.frame_of_reference_uid:
            raise NotAssessableError(Reason.IRREGULAR_GEOMETRY, "The series mixes two frames of reference.")


def _repeats(stack: Sequence[Frame]) -> bool:
    distances = np.sort([frame.distance_mm for frame in stack])
    return len(stack) > 1 and float(np.diff(distances).min()) < _POSITION_TOLERANCE_MM


def _split(stack: Sequence[Frame], key: _PhaseKey) -> list[tuple[Frame, ...]]:
    groups: dict[object, list[Frame]] = {}
    for frame in stack:
        groups.setdefault(key(frame), []).append(frame)
    return [tuple(groups[value]) for value in sorted(groups, key=repr)]


def _geometry_of(stack: Sequence[Frame]) -> VolumeGeometry:
    first, last, count = stack[0], stack[-1], len(stack)
    if count < 2:
        raise NotAssessableError(Reason.IRREGULAR_GEOMETRY, "A volume needs two slices or more; the series has one.")
    steps = np.diff([frame.distance_mm for frame in stack])
    _require_even(steps)
    positions = np.asarray([frame.position for frame in stack], dtype=np.float64)
    step = (positions[-1] - positions[0]) / (count - 1)
    drift = float(np.linalg.norm(step - first.normal * float(first.normal @ step)))
    if drift > _SHEAR_TOLERANCE * float(np.linalg.norm(step)):
        raise NotAssessableError(
            Reason.IRREGULAR_GEOMETRY, "The slices are sheared (gantry tilt); their grid is not rectangular."
        )
    expected = positions[0] + np.outer(np.arange(count), step)
    if float(np.linalg.norm(positions - expected, axis=1).max()) > max(0.1, _STEP_TOLERANCE * float(np.median(steps))):
        raise NotAssessableError(Reason.IRREGULAR_GEOMETRY, "The slices do not lie on one straight line.")
    matrix = np.eye(4)
    matrix[:3, 0] = step
    matrix[:3, 1] = np.asarray(first.orientation[3:]) * first.spacing_mm[0]
    matrix[:3, 2] = np.asarray(first.orientation[:3]) * first.spacing_mm[1]
    matrix[:3, 3] = first.position
    return VolumeGeometry.from_matrix(
        matrix, shape=(count, *last.shape), frame_of_reference_uid=first.frame_of_reference_uid
    )


def _require_even(steps: npt.NDArray[np.float64]) -> None:
    median = float(np.median(steps))
    missing = int(np.sum(np.maximum(np.rint(steps / median) - 1, 0)))
    if np.all(np.abs(steps - median) <= _STEP_TOLERANCE * median + _POSITION_TOLERANCE_MM):
        return
    detail = f"{missing} slices are missing" if missing else "the slice spacing varies"
    raise NotAssessableError(
        Reason.IRREGULAR_GEOMETRY,
        f"The slices are not evenly spaced: {detail} (steps {steps.min():.2f} to {steps.max():.2f} mm).",
    )


class _Decoder:
    """Decodes frames; keeps the one file that is open, since the frames of a multi-frame file come together."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._dataset = Dataset()

    def decode(self, frame: Frame) -> npt.NDArray[np.generic]:
        """Stored values (row, column). Raises NotAssessableError (missing_pixel_data, unreadable_input)."""
        try:
            if self._path != frame.path:
                self._dataset, self._path = pydicom.dcmread(frame.path), frame.path
            if "PixelData" not in self._dataset and "FloatPixelData" not in self._dataset:
                raise NotAssessableError(Reason.MISSING_PIXEL_DATA, "An image of the series has no pixel data.")
            if int(self._dataset.get("SamplesPerPixel", 1)) != 1 or "ModalityLUTSequence" in self._dataset:
                raise NotAssessableError(
                    Reason.UNREADABLE_INPUT, "The series stores colours or a look-up table instead of one linear scale."
                )
            index = frame.frame_index if frame.frame_count > 1 else None
            values: npt.NDArray[np.generic] = pixel_array(self._dataset, index=index, raw=True)
        except (OSError, EOFError, RuntimeError, ValueError, AttributeError, KeyError, NotImplementedError) as error:
            raise NotAssessableError(Reason.UNREADABLE_INPUT, "The pixels of a slice cannot be decoded.") from error
        return values
