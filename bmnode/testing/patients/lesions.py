"""Lesions: ellipsoids cut to their bone, painted into a volume, and told as truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.testing.patients.anatomy import Anatomy, BodyModel, coverage
from bmnode.testing.patients.grid import Box, Coordinates, FloatVolume, Grid
from bmnode.testing.patients.skeleton import Bone
from bmnode.testing.patients.solids import Ellipsoid
from bmnode.testing.patients.spec import ImagePoint, LesionKind, LesionSpec, LesionTruth, Side, Vector

_TRUTH_STEP_MM = 1.0
_MIDLINE_MM = 5.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lesion:
    """A lesion placed in one patient's bone."""

    spec: LesionSpec
    bone: Bone
    anatomy: Anatomy

    @classmethod
    def place(cls, spec: LesionSpec, *, anatomy: Anatomy) -> Lesion:
        """Place a lesion. Raises ValueError where the bone does not exist or the lesion misses it."""
        lesion = cls(spec=spec, bone=anatomy.find(spec.bone, side=spec.side), anatomy=anatomy)
        if lesion.volume_ml() == 0.0:
            raise ValueError(f"the lesion of {spec.side} {spec.bone} lies outside its bone")
        return lesion

    @property
    def _ellipsoid(self) -> Ellipsoid:
        anchor = self.anatomy.anchor_lps(self.bone)
        x, y, z = (a + o for a, o in zip(anchor, self.spec.offset_mm, strict=True))
        return Ellipsoid(center=(x, y, z), radii=self.spec.radii_mm)

    def depth(self, at: Coordinates) -> FloatVolume:
        """Depth in the lesion, in millimetres: in the ellipsoid and in the bone."""
        return np.minimum(self._ellipsoid.depth(at), self.anatomy.bone_depth(self.bone, at=at))

    def box(self, grid: Grid) -> Box | None:
        """The voxels that may hold it."""
        lower, upper = self._ellipsoid.bounds
        return grid.box(lower, upper)

    def volume_ml(self) -> float:
        """Its volume inside bone, integrated at 1 mm."""
        return float(np.count_nonzero(self.depth(self._fine_coordinates()) > 0)) * _TRUTH_STEP_MM**3 / 1000.0

    def center_lps(self) -> Vector:
        """Centroid of the part inside bone."""
        at = self._fine_coordinates()
        inside = self.depth(at) > 0
        k, j, i = np.nonzero(inside)
        x, y, z = at.x.ravel()[i].mean(), at.y.ravel()[j].mean(), at.z.ravel()[k].mean()
        return float(x), float(y), float(z)

    def voxel_count(self, grid: Grid) -> int:
        """How many voxel centres of a grid lie in it."""
        box = self.box(grid)
        return 0 if box is None else int(np.count_nonzero(self.depth(grid.coordinates(box)) > 0))

    def blend(self, volume: FloatVolume, *, grid: Grid, value: float) -> None:
        """Replace what the volume holds where the lesion is, by partial volume at its rim."""
        box = self.box(grid)
        if box is not None:
            share = coverage(self.depth(grid.coordinates(box)), grid=grid)
            volume[box] += share * (np.float32(value) - volume[box])

    def _fine_coordinates(self) -> Coordinates:
        lower, upper = (np.array(corner) for corner in self._ellipsoid.bounds)
        shape = np.ceil((upper - lower) / _TRUTH_STEP_MM).astype(int) + 1
        x, y, z = (float(value) for value in lower)
        step = _TRUTH_STEP_MM
        return Grid(
            shape=(int(shape[2]), int(shape[1]), int(shape[0])), spacing_mm=(step, step, step), origin_lps=(x, y, z)
        ).coordinates()


def place_lesions(specs: tuple[LesionSpec, ...], *, anatomy: Anatomy) -> tuple[Lesion, ...]:
    """Every lesion in its bone."""
    return tuple(Lesion.place(spec, anatomy=anatomy) for spec in specs)


def blend_all(
    volume: FloatVolume, *, lesions: tuple[Lesion, ...], model: BodyModel, kinds: frozenset[LesionKind]
) -> None:
    """Paint the lesions of the given kinds with their own values."""
    for lesion in lesions:
        if lesion.spec.kind in kinds:
            lesion.blend(volume, grid=model.grid, value=lesion.spec.value)


def truth_of(lesion: Lesion, *, grid: Grid, unit: str, image_points: tuple[ImagePoint, ...] = ()) -> LesionTruth:
    """What was put in."""
    center = lesion.center_lps()
    return LesionTruth(
        bone=lesion.bone.name,
        side=_side(lesion.bone, center),
        kind=lesion.spec.kind,
        center_lps=center,
        volume_ml=lesion.volume_ml(),
        voxel_count=lesion.voxel_count(grid),
        value=lesion.spec.value,
        unit=unit,
        image_points=image_points,
    )


def _side(bone: Bone, center: Vector) -> Side:
    if bone.side is not Side.MIDLINE or abs(center[0]) < _MIDLINE_MM:
        return bone.side
    return Side.LEFT if center[0] > 0 else Side.RIGHT
