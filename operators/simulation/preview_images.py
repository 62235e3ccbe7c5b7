"""A study's images as its DICOM files show them, for the page of pictures: no diagnosis reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """One stack of images.

    Args:
        series_uid: Series Instance UID.
        modality: NM, CT, PT or MR.
        title: Series Description, with the b-value where there is one.
        values: float32 (slice, row, column); of a planar scan (view, row, column).
        affine_lps: (4, 4) from (slice, row, column, 1) to millimetres; None for a planar scan.
    """

    series_uid: str
    modality: str
    title: str
    values: FloatArray
    affine_lps: npt.NDArray[np.float64] | None
    b_value: float | None = None

    def axis(self, name: str) -> tuple[int, bool]:
        """The array axis nearest to x, y or z of LPS, and whether it runs along it."""
        assert self.affine_lps is not None
        row = self.affine_lps["xyz".index(name), :3]
        best = int(np.argmax(np.abs(row) / np.linalg.norm(self.affine_lps[:3, :3], axis=0)))
        return best, bool(row[best] > 0)

    def spacing_mm(self, axis: int) -> float:
        """Between neighbours along an array axis."""
        assert self.affine_lps is not None
        return float(np.linalg.norm(self.affine_lps[:3, axis]))

    def upright(self) -> tuple[FloatArray, tuple[float, float, float]]:
        """The values with axes head to foot, front to back, right to left, and the spacing of each in mm."""
        axes = [self.axis(name) for name in "zyx"]
        turned = self.values.transpose([axis for axis, _ in axes])
        backwards = [along == (name == "z") for name, (_, along) in zip("zyx", axes, strict=True)]
        flips = [slice(None, None, -1 if turn else 1) for turn in backwards]
        z, y, x = (self.spacing_mm(axis) for axis, _ in axes)
        return turned[tuple(flips)], (z, y, x)


def read_pictures(files: Iterable[Path]) -> list[Picture]:
    """Every stack of a study: planar views, SPECT, and each series (and b-value) of slices."""
    stacks: dict[tuple[int, str, float], list[Dataset]] = {}
    for path in files:
        dataset = dcmread(path)
        key = (int(dataset.SeriesNumber), str(dataset.SeriesInstanceUID), _b_value(dataset, otherwise=-1.0))
        stacks.setdefault(key, []).append(dataset)
    found: list[Picture] = []
    for key in sorted(stacks):
        found += _pictures(stacks[key], b_value=key[2] if key[2] >= 0 else None)
    return found


def _b_value(holder: Dataset | None, *, otherwise: float) -> float:
    value = None if holder is None else holder.get("DiffusionBValue")
    return otherwise if value is None else float(value)


def _pictures(datasets: list[Dataset], *, b_value: float | None) -> list[Picture]:
    first = datasets[0]
    title = str(first.get("SeriesDescription") or first.Modality)
    if first.Modality == "NM" and not any("TOMO" in item for item in first.ImageType):
        uid = str(first.SeriesInstanceUID)
        return [Picture(series_uid=uid, modality="NM", title=title, values=_frames(first), affine_lps=None)]
    if "SharedFunctionalGroupsSequence" in first:
        return _enhanced(first, title=title)
    if first.Modality == "NM":
        return [_tomogram(first, title=title)]
    return [_slices(datasets, title=title, b_value=b_value)]


def _slices(datasets: list[Dataset], *, title: str, b_value: float | None) -> Picture:
    first = datasets[0]
    items = [(item.ImagePositionPatient, _rescaled(item.pixel_array, item)) for item in datasets]
    layout = _Layout.of(first.ImageOrientationPatient, spacing=first.PixelSpacing)
    return layout.stacked(items, of=first, title=_with(title, b_value), b_value=b_value)


def _tomogram(dataset: Dataset, *, title: str) -> Picture:
    item = dataset.DetectorInformationSequence[0]
    layout = _Layout.of(item.ImageOrientationPatient, spacing=dataset.PixelSpacing)
    step = layout.normal * float(dataset.get("SpacingBetweenSlices") or dataset.SliceThickness)
    first = np.array(item.ImagePositionPatient, dtype=float)
    items = [(first + number * step, values) for number, values in enumerate(_frames(dataset))]
    return layout.stacked(items, of=dataset, title=title)


def _enhanced(dataset: Dataset, *, title: str) -> list[Picture]:
    """A multi-frame object: frames by b-value where it has several."""
    shared, frames = dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence
    groups: dict[float, list[tuple[Any, FloatArray]]] = {}
    for frame, pixels in zip(frames, _stack(dataset), strict=True):
        b_value = _b_value(_group(frame, shared, "MRDiffusionSequence"), otherwise=-1.0)
        position = _group(frame, shared, "PlanePositionSequence").ImagePositionPatient
        values = _rescaled(pixels, _group(frame, shared, "PixelValueTransformationSequence"))
        groups.setdefault(b_value, []).append((position, values))
    layout = _Layout.of(
        _group(frames[0], shared, "PlaneOrientationSequence").ImageOrientationPatient,
        spacing=_group(frames[0], shared, "PixelMeasuresSequence").PixelSpacing,
    )
    return [
        layout.stacked(items, of=dataset, title=_with(title, known), b_value=known)
        for known, items in ((b_value if b_value >= 0 else None, items) for b_value, items in groups.items())
    ]


def _with(title: str, b_value: float | None) -> str:
    return title if b_value is None else f"{title} b{b_value:g}"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Layout:
    """What the slices of a stack share: directions of rows and columns, and the slices' normal."""

    along_row: npt.NDArray[np.float64]
    along_column: npt.NDArray[np.float64]
    normal: npt.NDArray[np.float64]

    @classmethod
    def of(cls, cosines: Any, *, spacing: Any) -> _Layout:
        """From Image Orientation (Patient) and Pixel Spacing."""
        directions = np.array(cosines, dtype=float).reshape(2, 3)
        return cls(
            along_row=directions[0] * float(spacing[1]),
            along_column=directions[1] * float(spacing[0]),
            normal=np.cross(*directions),
        )

    def stacked(
        self, items: Iterable[tuple[Any, FloatArray]], *, of: Dataset, title: str, b_value: float | None = None
    ) -> Picture:
        """Slices with their positions, in any order; a place that comes twice counts once."""
        positions = [(np.array(position, dtype=float), values) for position, values in items]
        placed = {round(float(self.normal @ position), 2): (position, values) for position, values in positions}
        order = [placed[height] for height in sorted(placed)]
        affine = np.eye(4)
        affine[:3, 0] = (order[-1][0] - order[0][0]) / (len(order) - 1) if len(order) > 1 else self.normal
        affine[:3, 1], affine[:3, 2], affine[:3, 3] = self.along_column, self.along_row, order[0][0]
        values = np.stack([values for _, values in order])
        return Picture(
            series_uid=str(of.SeriesInstanceUID),
            modality=str(of.Modality),
            title=title,
            values=values,
            affine_lps=affine,
            b_value=b_value,
        )


def _group(frame: Dataset, shared: Dataset, keyword: str) -> Any:
    for item in (frame, shared):
        if keyword in item:
            return item[keyword].value[0]
    return None


def _frames(dataset: Dataset) -> FloatArray:
    return _rescaled(_stack(dataset), dataset)


def _stack(dataset: Dataset) -> npt.NDArray[Any]:
    pixels = dataset.pixel_array
    return pixels if pixels.ndim == 3 else pixels[None]


def _rescaled(pixels: npt.NDArray[Any], holder: Mapping[str, Any] | Dataset | None) -> FloatArray:
    slope = 1.0 if holder is None else float(holder.get("RescaleSlope") or 1.0)
    intercept = 0.0 if holder is None else float(holder.get("RescaleIntercept") or 0.0)
    return np.asarray(pixels * np.float32(slope) + np.float32(intercept), dtype=np.float32)
