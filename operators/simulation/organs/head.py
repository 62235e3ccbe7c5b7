"""The organs of the head, where the skull holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.pose import PlacedPart, PosedSkeleton
from operators.simulation.matter import Matter
from operators.simulation.organs import head_table as table
from operators.simulation.organs.cavity import surface_of
from operators.simulation.organs.lattice import Field, Lattice, OrganField, solved
from operators.simulation.organs.reference import target_ml
from operators.simulation.organs.workshop import Workshop
from operators.simulation.patient import Patient

FloatArray = npt.NDArray[np.float64]

STEP_MM = 2.0
_MARGIN_MM = 14.0
_TURNS, _TILTS = 48, 24


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Head:
    """The head's organs.

    Args:
        outer: outside the cranial cavity, in order of precedence.
        inner: inside it: what is left of the cavity is fluid.
    """

    outer: tuple[OrganField, ...]
    inner: tuple[OrganField, ...]


def make_head(patient: Patient, *, skeleton: PosedSkeleton) -> Head:
    """Make the organs of a patient's head."""
    skull = next(placed for placed in skeleton.parts if placed.bone is Bone.SKULL)
    points = np.concatenate([skull.vertices_lps, skeleton.vertices(Bone.MANDIBLE)])
    lattice = Lattice.around(points.min(axis=0) - _MARGIN_MM, points.max(axis=0) + _MARGIN_MM, step_mm=STEP_MM)
    inverse = np.linalg.inv(skull.affine)
    rest = (lattice.points() @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.float32)
    size = float(np.cbrt(abs(np.linalg.det(skull.affine[:3, :3]))))

    outer = Workshop(lattice=lattice, rest=rest, size=size, taken=lattice.empty())
    outer.add(Matter.AIRWAY, outer.drawn(table.AIRWAYS))
    for kind, shapes in (
        ("eye", table.EYES),
        ("lacrimal", table.LACRIMALS),
        ("parotid", table.PAROTIDS),
        ("submandibular", table.SUBMANDIBULARS),
    ):
        for side, shape in zip(("LEFT", "RIGHT"), shapes, strict=True):
            matter = Matter[f"{kind.upper()}_{side}"]
            outer.add(matter, outer.drawn([shape]), target_ml=target_ml(patient, kind) / 2)
    outer.add(Matter.FAT, outer.drawn(table.ORBITS), gap_mm=0.0)

    lattice, rest = _thinned(lattice, rest)
    inner = Workshop(lattice=lattice, rest=rest, size=size, taken=lattice.empty())
    inner.add(Matter.CSF, inner.drawn(table.VENTRICLES, smooth_mm=2.0))
    inner.keep(Matter.BRAIN, _brain(lattice, rest, skull, inner.taken, target_ml=target_ml(patient, "brain")))
    return Head(outer=tuple(outer.organs), inner=tuple(inner.organs))


def _thinned(lattice: Lattice, rest: npt.NDArray[np.float32]) -> tuple[Lattice, npt.NDArray[np.float32]]:
    """Every second node: enough for the brain."""
    part = np.ascontiguousarray(rest[::2, ::2, ::2])
    shape = (part.shape[0], part.shape[1], part.shape[2])
    return Lattice(origin_mm=lattice.origin_mm, step_mm=2 * lattice.step_mm, shape=shape), part


def _brain(
    lattice: Lattice, rest: npt.NDArray[np.float32], skull: PlacedPart, taken: Field, *, target_ml: float
) -> Field:
    """As much of the inside of the skull as the brain needs, at most all but a film of fluid."""
    inverse = np.linalg.inv(skull.affine)
    samples = surface_of(skull) @ inverse[:3, :3].T + inverse[:3, 3]
    radius, turn, tilt = _spherical(samples)
    nearest = np.full((_TILTS, _TURNS), np.inf)
    np.minimum.at(nearest, (np.rint(tilt).astype(int), np.rint(turn).astype(int) % _TURNS), radius)
    known = np.isfinite(nearest)
    mode = ("nearest", "wrap")
    weight = ndimage.gaussian_filter(known.astype(float), 0.8, mode=mode)
    smooth = ndimage.gaussian_filter(np.where(known, nearest, 0.0), 0.8, mode=mode) / np.maximum(weight, 1e-6)
    radius, turn, tilt = _spherical(rest)
    wrapped = np.concatenate([smooth, smooth[:, :1]], axis=1)
    inside = ndimage.map_coordinates(wrapped, [tilt, turn], order=1, mode="nearest") - table.WALL_MM
    size = float(np.cbrt(abs(np.linalg.det(skull.affine[:3, :3]))))
    cavity = ((radius - inside) * size).astype(np.float32)
    return solved(lattice, cavity, np.maximum(cavity + table.CSF_MM, -taken), target_ml=target_ml)


def _spherical(points: npt.NDArray[np.floating]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distance from the brain's centre, turn about z (0 to _TURNS) and tilt from z (0 to _TILTS - 1)."""
    relative = points - np.array(table.BRAIN_CENTRE)
    radius = np.linalg.norm(relative, axis=-1)
    turn = np.mod(np.arctan2(relative[..., 1], relative[..., 0]) / (2 * np.pi) * _TURNS, _TURNS)
    tilt = np.arccos(np.clip(relative[..., 2] / np.maximum(radius, 1e-6), -1.0, 1.0)) / np.pi * (_TILTS - 1)
    return radius, turn, tilt
