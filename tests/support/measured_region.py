"""A region of a written SEG on the images that it was drawn on, read and measured with code of the test's own.

Masks are read by highdicom, images by pydicom, values scaled here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

PEAK_RADIUS_MM = 6.203505
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Scale = Callable[[Dataset], float]
"""What the rescaled values of an instance are multiplied by."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Volume:
    """A series as the test reads it: values (slice, row, column) and steps in millimetres (LPS)."""

    uids: tuple[str, ...]
    values: FloatArray
    steps: FloatArray
    """3 by 3: the way from a voxel to its neighbour, one column an axis of the array."""
    origin: FloatArray
    """Place of the first voxel."""

    def at(self, places: FloatArray) -> FloatArray:
        """Values at places (n, 3) in LPS, linear between voxels."""
        index = np.linalg.solve(self.steps, (places - self.origin).T)
        return np.asarray(ndimage.map_coordinates(self.values, index, order=1), dtype=np.float64)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return abs(float(np.linalg.det(self.steps))) / 1000.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Region:
    """One segment on its volume."""

    volume: Volume
    mask: BoolArray

    @property
    def places(self) -> FloatArray:
        """Centres of its voxels (n, 3) in LPS."""
        return np.asarray(self.volume.origin + np.argwhere(self.mask) @ self.volume.steps.T)

    @property
    def inside(self) -> FloatArray:
        """Values of its voxels."""
        return self.volume.values[self.mask]

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume."""
        return float(np.count_nonzero(self.mask)) * self.volume.voxel_ml

    def long_axis_mm(self) -> float:
        """Greatest distance between voxel centres."""
        points = np.argwhere(self.mask) @ self.volume.steps.T
        if len(points) == 1:
            return 0.0
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:
            points = points[:: max(1, len(points) // 2000)] if len(points) > 2000 else points
        return float(pdist(points).max())

    def axial_axes_mm(self) -> tuple[float, float]:
        """Longest distance between two voxel centres of one axial slice, and the extent across it there."""
        steps = self.volume.steps
        axis = int(np.argmax(np.abs(steps[2]) / np.linalg.norm(steps, axis=0)))
        best = (0.0, 0.0)
        for index in range(self.mask.shape[axis]):
            places = np.argwhere(np.take(self.mask, index, axis=axis)) @ np.delete(steps, axis, axis=1).T
            if len(places) < 2:
                continue
            gaps = places[:, None] - places[None]
            lengths = np.linalg.norm(gaps, axis=-1)
            for first, second in np.argwhere(lengths >= lengths.max() * (1 - 1e-9)):
                along = gaps[first, second] / lengths[first, second]
                rest = places - np.outer(places @ along, along)  # what of each place lies across
                across = rest @ np.linalg.svd(rest - rest.mean(axis=0), full_matrices=False)[2][0]
                best = max(best, (float(lengths.max()), float(np.ptp(across))))
        return best

    def open_cortex(self, bone: Region) -> float:
        """The share of the bone's surface within 4 mm of the region that has nothing of 150 HU within 3 mm, by
        distance maps of 20 mm around the region."""
        spacing = np.linalg.norm(self.volume.steps, axis=0)
        found = np.argwhere(self.mask)
        reach = np.ceil(20.0 / spacing).astype(int)
        near = tuple(map(slice, np.maximum(found.min(axis=0) - reach, 0), found.max(axis=0) + reach + 1))
        mask, inside, values = bone.mask[near], self.mask[near], self.volume.values[near]
        padded = np.pad(mask, 1, mode="edge")
        neighbours = [np.roll(padded, shift, axis=axis) for axis in range(3) for shift in (-1, 1)]
        surface = mask & ~np.logical_and.reduce(neighbours)[1:-1, 1:-1, 1:-1]
        beside = surface & (ndimage.distance_transform_edt(~inside, sampling=spacing) <= 4.0 + 1e-9)
        far = ndimage.distance_transform_edt(values < 150.0, sampling=spacing) > 3.0 + 1e-9
        return float(far[beside].mean())

    def peaks(self) -> FloatArray:
        """For every voxel of the region the mean of the 1 ml sphere around it."""
        step = self.volume.steps
        reach = int(np.ceil(PEAK_RADIUS_MM / np.linalg.norm(step, axis=0).min()))
        axis = np.arange(-reach, reach + 1)
        grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        offsets = grid[np.linalg.norm(grid @ step.T, axis=1) <= PEAK_RADIUS_MM]
        centres = np.argwhere(self.mask)
        total, count = np.zeros(len(centres)), np.zeros(len(centres))
        shape = np.asarray(self.volume.values.shape)
        for offset in offsets:
            at = centres + offset
            valid = np.all((at >= 0) & (at < shape), axis=1)
            total[valid] += self.volume.values[tuple(at[valid].T)]
            count[valid] += 1
        return total / count

    def peak_local(self) -> float:
        """The sphere at the hottest voxel."""
        inside = self.inside
        return float(self.peaks()[inside == inside.max()].max())


def load_volume(files: Sequence[Path], *, scale: Scale) -> Volume:
    """Read single-frame slices of one series, from the lowest along their normal to the highest."""
    images = [dcmread(path) for path in files]
    orientation = np.asarray(images[0].ImageOrientationPatient, dtype=np.float64)
    normal = np.cross(orientation[:3], orientation[3:])
    images.sort(key=lambda image: float(np.dot(normal, np.asarray(image.ImagePositionPatient, dtype=np.float64))))
    first, last = (np.asarray(images[i].ImagePositionPatient, dtype=np.float64) for i in (0, -1))
    between_rows, between_columns = (float(value) for value in images[0].PixelSpacing)
    steps = np.stack(
        [(last - first) / (len(images) - 1), orientation[3:] * between_rows, orientation[:3] * between_columns], axis=1
    )
    values = [
        (image.pixel_array.astype(np.float64) * float(image.get("RescaleSlope", 1)))
        + float(image.get("RescaleIntercept", 0))
        for image in images
    ]
    return Volume(
        uids=tuple(str(image.SOPInstanceUID) for image in images),
        values=np.stack([value * scale(image) for value, image in zip(values, images, strict=True)]),
        steps=steps,
        origin=first,
    )


def load_regions(segmentation: Path, volume: Volume) -> dict[int, Region]:
    """Every segment by its number, on the volume that it was drawn on."""
    seg = hd.seg.segread(segmentation)
    numbers = [int(item.SegmentNumber) for item in seg.SegmentSequence]
    pixels = seg.get_pixels_by_source_instance(
        volume.uids, segment_numbers=numbers, combine_segments=False, assert_missing_frames_are_empty=True
    )
    return {
        number: Region(volume=volume, mask=pixels[..., index].astype(np.bool_)) for index, number in enumerate(numbers)
    }
