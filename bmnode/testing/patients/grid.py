"""Axis-aligned grids in patient space, and the few filters that the physics needs, in numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from bmnode.testing.patients.spec import Vector

FloatVolume = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]

_FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Coordinates:
    """Coordinates in millimetres that broadcast to (slice, row, column)."""

    x: FloatVolume
    y: FloatVolume
    z: FloatVolume

    @property
    def shape(self) -> tuple[int, ...]:
        """(slices, rows, columns)."""
        return np.broadcast_shapes(self.x.shape, self.y.shape, self.z.shape)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Slices towards the head, rows towards the back, columns to the patient's left.

    Args:
        shape: (slices, rows, columns).
        spacing_mm: between (slices, rows, columns).
        origin_lps: centre of the first voxel.
    """

    shape: tuple[int, int, int]
    spacing_mm: Vector
    origin_lps: Vector

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or min(self.spacing_mm) <= 0:
            raise ValueError("a grid has one voxel or more, and spacings above zero")

    @classmethod
    def axial(cls, shape: tuple[int, int, int], *, spacing_mm: Vector, bottom_mm: float, center_y_mm: float) -> Grid:
        """Axial slices from `bottom_mm` upwards, centred on the midline (x = 0) and on `center_y_mm`."""
        return cls(
            shape=shape,
            spacing_mm=spacing_mm,
            origin_lps=(
                -0.5 * (shape[2] - 1) * spacing_mm[2],
                center_y_mm - 0.5 * (shape[1] - 1) * spacing_mm[1],
                bottom_mm,
            ),
        )

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return math.prod(self.spacing_mm) / 1000.0

    @property
    def mean_spacing_mm(self) -> float:
        """Edge of the cube with a voxel's volume."""
        return math.prod(self.spacing_mm) ** (1.0 / 3.0)

    def slice_position(self, index: int) -> Vector:
        """Centre of the first voxel of a slice (Image Position (Patient))."""
        x, y, z = self.origin_lps
        return x, y, z + index * self.spacing_mm[0]

    def geometry(self, frame_of_reference_uid: str) -> VolumeGeometry:
        """The same grid as the node's own geometry."""
        dz, dy, dx = self.spacing_mm
        x, y, z = self.origin_lps
        matrix = np.array([[0, 0, dx, x], [0, dy, 0, y], [dz, 0, 0, z], [0, 0, 0, 1]], dtype=np.float64)
        return VolumeGeometry.from_matrix(matrix, shape=self.shape, frame_of_reference_uid=frame_of_reference_uid)

    def coordinates(self, box: Box | None = None) -> Coordinates:
        """Voxel centres of the whole grid or of a box of it."""
        parts = box or (slice(None), slice(None), slice(None))
        axes = []
        for axis, origin in enumerate(reversed(self.origin_lps)):
            values = origin + self.spacing_mm[axis] * np.arange(self.shape[axis], dtype=np.float32)
            index: list[slice | None] = [None, None, None]
            index[axis] = parts[axis]
            axes.append(values[tuple(index)].astype(np.float32))
        return Coordinates(x=axes[2], y=axes[1], z=axes[0])

    def box(self, lower: Vector, upper: Vector) -> Box | None:
        """The voxels between two corners in millimetres, one voxel of margin; None where they miss the grid."""
        found = []
        for axis in range(3):
            origin, step = self.origin_lps[2 - axis], self.spacing_mm[axis]
            first = max(0, math.floor((lower[2 - axis] - origin) / step) - 1)
            last = min(self.shape[axis], math.ceil((upper[2 - axis] - origin) / step) + 2)
            if first >= last:
                return None
            found.append(slice(first, last))
        return found[0], found[1], found[2]


def gaussian_blur(volume: FloatVolume, *, fwhm: tuple[float, ...]) -> FloatVolume:
    """Gaussian blur, one FWHM in voxels per axis (0 leaves the axis); edges are continued."""
    result = volume
    for axis, width in enumerate(fwhm):
        sigma = width / _FWHM_PER_SIGMA
        radius = math.ceil(3.0 * sigma)
        if radius == 0:
            continue
        weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        weights /= weights.sum()
        size = result.shape[axis]
        padding = [(radius, radius) if a == axis else (0, 0) for a in range(result.ndim)]
        padded = np.pad(result, padding, mode="edge")
        blurred = np.zeros_like(result, dtype=np.float32)
        term = np.empty_like(blurred)
        for shift, weight in enumerate(weights):
            index = [slice(shift, shift + size) if a == axis else slice(None) for a in range(result.ndim)]
            blurred += np.multiply(padded[tuple(index)], np.float32(weight), out=term)
        result = blurred
    return result


def correlated_noise(rng: np.random.Generator, shape: tuple[int, ...], *, fwhm: tuple[float, ...]) -> FloatVolume:
    """Gaussian noise of mean 0 and standard deviation 1, blurred by `fwhm` voxels per axis."""
    noise = gaussian_blur(rng.standard_normal(shape, dtype=np.float32), fwhm=fwhm)
    noise /= np.float32(noise.std())
    return noise


def double_resolution(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A (row, column) image on pixels of half the size, linearly interpolated, the sum kept."""
    result = image / 4.0
    for axis in range(2):
        repeated = np.repeat(result, 2, axis=axis)
        padding = [(1, 1) if a == axis else (0, 0) for a in range(2)]
        padded = np.pad(repeated, padding, mode="edge")
        size = repeated.shape[axis]
        before, after = (np.take(padded, range(start, start + size), axis=axis) for start in (0, 2))
        result = 0.25 * before + 0.5 * repeated + 0.25 * after
    return result
