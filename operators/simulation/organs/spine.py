"""Discs between neighbouring vertebrae, and the canal behind them with cord, roots and fluid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from operators.simulation.anatomy.bones import LUMBAR, THORACIC, VERTEBRAE, Bone
from operators.simulation.anatomy.pose import PlacedPart, PosedSkeleton
from operators.simulation.matter import Matter
from operators.simulation.organs.lattice import FAR_MM, Field, Lattice, OrganField
from operators.simulation.organs.spine_table import ATLAS_CANAL, BODIES, SACRAL_CANAL, SACRAL_TOP, body_of

FloatArray = npt.NDArray[np.float64]

STEP_MM = 2.0
_INTO_BONE_MM = 1.5
"""A disc fills the hollow of its endplates: bone goes before it."""
_PIECE_MM = 90.0
_WIDER = 1.35
"""Width of canal, sac and cord against their depth (chosen)."""
_SAC_SHARE, _SAC_MM = 0.92, 8.0
"""The dural sac fills this part of the canal, up to this half-depth."""
_CORD_MM = {"cervical": 3.6, "thoracic": 3.2, "conus": 3.8, "cauda": 2.8}
"""Half-depth of the cord and of the bundle of roots below it (chosen near published diameters)."""
_CAUDA_BACK_MM = 2.5
"""Supine, the roots lie in the back of the sac."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Endplate:
    """The plane at the end of a body in the rest frame of its vertebra: z = height + tilt (y - middle)."""

    placed: PlacedPart
    height: float
    tilt: float
    middle: float
    half_depth: float
    half_width: float

    def centre(self) -> FloatArray:
        return np.asarray((self.placed.affine @ [0.0, self.middle, self.height, 1.0])[:3])


def make_spine(skeleton: PosedSkeleton) -> tuple[OrganField, ...]:
    """Discs, cord, fluid and epidural fat in order of precedence."""
    by_bone = {placed.bone: placed for placed in skeleton.parts if placed.bone is not None}
    chain = [bone for bone in VERTEBRAE if bone in by_bone and bone is not Bone.C1]
    discs = []
    for upper, lower in zip(chain, [*chain[1:], Bone.SACRUM], strict=True):
        discs.append(_disc(_lower_end(by_bone[upper], upper), _upper_end(by_bone[lower], lower)))
    return (*discs, *_canal(by_bone))


def _lower_end(placed: PlacedPart, bone: Bone) -> _Endplate:
    body = body_of(bone)
    return _Endplate(
        placed=placed,
        height=body.bottom_mm,
        tilt=body.bottom_tilt,
        middle=(body.front_mm + body.back_mm) / 2,
        half_depth=(body.back_mm - body.front_mm) / 2,
        half_width=body.half_width_mm,
    )


def _upper_end(placed: PlacedPart, bone: Bone) -> _Endplate:
    if bone is Bone.SACRUM:
        (front, low), (back, high) = SACRAL_TOP
        last = BODIES[Bone.L5]
        return _Endplate(
            placed=placed,
            height=(low + high) / 2,
            tilt=(high - low) / (back - front),
            middle=(front + back) / 2,
            half_depth=(back - front) / 2,
            half_width=last.half_width_mm,
        )
    body = body_of(bone)
    return _Endplate(
        placed=placed,
        height=body.top_mm,
        tilt=body.top_tilt,
        middle=(body.front_mm + body.back_mm) / 2,
        half_depth=(body.back_mm - body.front_mm) / 2,
        half_width=body.half_width_mm,
    )


def _disc(above: _Endplate, below: _Endplate) -> OrganField:
    size = float(np.cbrt(abs(np.linalg.det(above.placed.affine[:3, :3]))))
    centre = (above.centre() + below.centre()) / 2
    reach = np.array([1.2, 1.4, 1.0]) * max(above.half_width, above.half_depth) * size + 8.0
    lattice = Lattice.around(centre - reach, centre + reach, step_mm=STEP_MM / 2)
    points = lattice.points()
    field = np.full(lattice.shape, -FAR_MM)
    across = []
    for plate, direction in ((above, 1.0), (below, -1.0)):
        inverse = np.linalg.inv(plate.placed.affine)
        rest = points @ inverse[:3, :3].T + inverse[:3, 3]
        plane = plate.height + plate.tilt * (rest[..., 1] - plate.middle)
        into_bone = direction * (rest[..., 2] - plane)
        np.maximum(field, into_bone - _INTO_BONE_MM, out=field)
        across.append(np.hypot(rest[..., 0] / plate.half_width, (rest[..., 1] - plate.middle) / plate.half_depth))
    rim = ((across[0] + across[1]) / 2 - 1.0) * min(above.half_depth, above.half_width)
    return OrganField.cropped(Matter.DISC, lattice, (np.maximum(field, rim) * size).astype(np.float32))


def _canal(by_bone: dict[Bone, PlacedPart]) -> list[OrganField]:
    """Cord and roots, sac and epidural fat, each in pieces down the spine."""
    line = _Line.of(by_bone)
    found: dict[Matter, list[OrganField]] = {Matter.CORD: [], Matter.CSF: [], Matter.FAT: []}
    bottom, top = line.points[:, 2].min(), line.points[:, 2].max()
    for low in np.arange(bottom, top, _PIECE_MM):
        near = (line.points[:, 2] > low - 15.0) & (line.points[:, 2] < low + _PIECE_MM + 15.0)
        around = line.points[near]
        corner, other = around.min(axis=0) - 16.0, around.max(axis=0) + 16.0
        corner[2], other[2] = low - STEP_MM, min(low + _PIECE_MM, top) + STEP_MM
        lattice = Lattice.around(corner, other, step_mm=STEP_MM)
        for matter, field in line.fields(lattice).items():
            found[matter].append(OrganField.cropped(matter, lattice, field))
    return [organ for organs in found.values() for organ in organs]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Line:
    """The middle of the canal, a millimetre apart, with half-depths of canal and cord and the cord's shift back."""

    points: FloatArray
    canal: FloatArray
    cord: FloatArray
    shift: FloatArray

    @classmethod
    def of(cls, by_bone: dict[Bone, PlacedPart]) -> _Line:
        rows = [_row(placed, bone) for bone, placed in by_bone.items() if bone in VERTEBRAE]
        sacrum = by_bone[Bone.SACRUM]
        scale = float(np.cbrt(abs(np.linalg.det(sacrum.affine[:3, :3]))))
        for number, (y, z) in enumerate(SACRAL_CANAL):
            place = sacrum.affine @ [0.0, y, z, 1.0]
            rows.append([*place[:3], (6.0 - number) * scale, (2.4 - 0.5 * number) * scale, _CAUDA_BACK_MM / 2])
        knots = np.array(sorted(rows, key=lambda row: row[2]))
        # On into the foramen magnum.
        knots = np.concatenate([knots, [knots[-1] + [0.0, -1.0, 14.0, 0.0, 0.0, 0.0]]])
        heights = np.arange(knots[0, 2], knots[-1, 2], 1.0)
        values = PchipInterpolator(knots[:, 2], knots)(heights)
        return cls(points=values[:, :3], canal=values[:, 3], cord=values[:, 4], shift=values[:, 5])

    def fields(self, lattice: Lattice) -> dict[Matter, Field]:
        squeeze = np.array([1.0 / _WIDER, 1.0, 1.0])
        points = lattice.points()
        flat = (points * squeeze).reshape(-1, 3)
        canal = self._outside(flat, self.points * squeeze, self.canal + 0.6)
        sac = self._outside(flat, self.points * squeeze, np.minimum(_SAC_SHARE * self.canal, _SAC_MM))
        behind = self.points + self.shift[:, None] * np.array([0.0, 1.0, 0.0])
        cord = self._outside(flat, behind * squeeze, self.cord)
        shape = lattice.shape
        # Nodes above the line's end are outside.
        end = (points[..., 2] - self.points[-1, 2]).astype(np.float32)
        return {
            Matter.CORD: np.maximum(np.maximum(cord, sac + 0.5).reshape(shape), end),
            Matter.CSF: np.maximum(sac.reshape(shape), end),
            Matter.FAT: np.maximum(canal.reshape(shape), end),
        }

    @staticmethod
    def _outside(points: FloatArray, line: FloatArray, radius: FloatArray) -> Field:
        distance, nearest = cKDTree(line).query(points)
        return np.asarray(distance - radius[nearest], dtype=np.float32)


def _row(placed: PlacedPart, bone: Bone) -> list[float]:
    scale = float(np.cbrt(abs(np.linalg.det(placed.affine[:3, :3]))))
    if bone is Bone.C1:
        y, z = ATLAS_CANAL
        place, half = placed.affine @ [0.0, y, z, 1.0], 8.5
    else:
        body = body_of(bone)
        place = placed.affine @ [0.0, body.canal_mm, (body.bottom_mm + body.top_mm) / 2, 1.0]
        half = body.canal_half_mm
    shift = 0.0
    if bone in LUMBAR and bone is not Bone.L1:
        cord, shift = _CORD_MM["cauda"], _CAUDA_BACK_MM
    elif bone in (Bone.L1, Bone.T12, Bone.T11):
        cord = _CORD_MM["conus"] if bone is not Bone.L1 else _CORD_MM["thoracic"]
    else:
        cord = _CORD_MM["thoracic" if bone in THORACIC else "cervical"]
    return [*(float(value) for value in place[:3]), half * scale, cord * scale, shift * scale]
