"""Where in a bone a lesion lies, and which shape the bone gives it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from operators.simulation.anatomy.bones import VERTEBRAE
from operators.simulation.disease.figure import Figure
from operators.simulation.disease.ground import Carrier
from operators.simulation.patient import Shape, Vector

FloatArray = npt.NDArray[np.float64]

_LONGEST = 3.0
"""A lesion is at most this much longer than thick before it is cut to its bone."""
_TILT_DEG = 10.0
_FITS = 3
_MOST_GROWTH = 2.5
"""A shape is enlarged at most by this, along its longest axis, to reach its volume in a thin bone."""
_COVERING = 2.45
"""Semi-axes of an ellipsoid that covers a bone, in standard deviations of its points (2.24 has the same moments)."""
_PROXIMAL = 0.35
"""Part of a long bone, from its upper end, that holds red marrow in adults."""
_SHALLOW = 0.35
_DEEP = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What lesion is to be placed.

    Args:
        diameter_mm: of the ball that has its volume.
        roughness: of the surface.
        shallow: near the bone's surface, round rather than along the bone: it will leave the bone.
    """

    diameter_mm: float
    roughness: float
    shallow: bool = False


def place(carrier: Carrier, wish: Wish, random: np.random.Generator) -> Shape:
    """A shape somewhere in a bone's part, fitted to the volume it is to have there."""
    nodes = carrier.nodes()
    centre = _draw_centre(carrier, nodes, wish, random)
    return shape_at(carrier, centre, wish, random=random)


def shape_at(carrier: Carrier, centre: FloatArray, wish: Wish, *, random: np.random.Generator) -> Shape:
    """A shape about a place (3,) of the rest frame: long where the bone is long, with the wished volume in bone."""
    nodes = carrier.nodes()
    radius = wish.diameter_mm / 2.0
    axes, spread = _local_axes(carrier, nodes, centre, radius=max(radius, 4.0))
    longer = np.ones(3) if wish.shallow else np.clip(spread / spread[2], 1.0, _LONGEST)
    longer = longer * np.exp(random.normal(0.0, 0.1, size=3))
    radii = radius * longer / float(np.cbrt(np.prod(longer)))
    tilt = Rotation.from_rotvec(np.radians(random.normal(0.0, _TILT_DEG, size=3)))
    turn = (tilt * Rotation.from_matrix(axes)).as_rotvec(degrees=True)
    made = Shape(
        centre_mm=_vector(centre),
        radii_mm=_vector(radii),
        turn_deg=_vector(turn),
        roughness=wish.roughness,
        seed=int(random.integers(2**31)),
    )
    if wish.shallow:
        return made
    return with_volume(made, carrier, wanted_ml=np.pi / 6.0 * wish.diameter_mm**3 / 1000.0)


def volume_in_bone_ml(shape: Shape, carrier: Carrier, nodes: FloatArray | None = None) -> float:
    """Volume of a shape within a part, to the resolution of the part's depth field."""
    points = carrier.nodes() if nodes is None else nodes
    figure = Figure.of(shape, carrier.stretch)
    low, high = figure.box()
    margin = carrier.template.step_mm
    close = points[np.all((points > low - margin) & (points < high + margin), axis=1)]
    within = np.clip(0.5 + figure.depth_mm(close) / margin, 0.0, 1.0)
    return float(within.sum()) * carrier.node_ml


def with_volume(shape: Shape, carrier: Carrier, *, wanted_ml: float) -> Shape:
    """The shape enlarged or shrunk until it has a volume in its bone, or the bone gives no more.

    Growth goes along the longest axis where the others meet the bone's surface already.
    """
    nodes = carrier.nodes()
    radii = np.array(shape.radii_mm)
    order = np.argsort(-radii)
    most = radii[order[0]] * _MOST_GROWTH
    made = shape
    for _ in range(_FITS):
        ratio = wanted_ml / max(volume_in_bone_ml(made, carrier, nodes), 1e-4)
        if abs(ratio - 1.0) < 0.03:
            break
        powers = np.full(3, 1.0 / 3.0) if ratio < 1.0 else np.array([0.6, 0.2, 0.2])[np.argsort(order)]
        radii = np.clip(radii * np.clip(ratio, 0.02, 4.0) ** powers, 0.5, max(most, 0.5))
        made = Shape(
            centre_mm=shape.centre_mm,
            radii_mm=_vector(radii),
            turn_deg=shape.turn_deg,
            roughness=shape.roughness,
            seed=shape.seed,
        )
    return made


def covering(carrier: Carrier, *, proximal_only: bool, roughness: float, seed: int) -> Shape:
    """A shape over most of a part, or over its upper third."""
    nodes = carrier.nodes()
    if proximal_only:
        nodes = nodes[_from_top(carrier, nodes) < _PROXIMAL]
    centre = nodes.mean(axis=0)
    axes, spread = _principal((nodes - centre) @ carrier.stretch)
    return Shape(
        centre_mm=_vector(_nearest_in(nodes, centre)),
        radii_mm=_vector(np.maximum(_COVERING * spread, 3.0)),
        turn_deg=_vector(Rotation.from_matrix(axes).as_rotvec(degrees=True)),
        roughness=roughness,
        seed=seed,
    )


def _nearest_in(nodes: FloatArray, place: FloatArray) -> FloatArray:
    """The node next to a place: the middle of a bent bone lies outside it."""
    return np.asarray(nodes[int(np.argmin(np.linalg.norm(nodes - place, axis=1)))])


def _draw_centre(carrier: Carrier, nodes: FloatArray, wish: Wish, random: np.random.Generator) -> FloatArray:
    depth = carrier.node_depths()
    deepest = float(depth.max())
    if wish.shallow:
        weight = (depth < _SHALLOW * deepest + 1.0).astype(np.float64)
    else:
        weight = (depth >= min(_DEEP * deepest, _SHALLOW * wish.diameter_mm)).astype(np.float64)
    weight *= _preference(carrier, nodes)
    found = nodes[int(random.choice(len(nodes), p=weight / weight.sum()))]
    return np.asarray(found + random.uniform(-0.4, 0.4, size=3) * carrier.template.step_mm)


def _preference(carrier: Carrier, nodes: FloatArray) -> FloatArray:
    """How often a place of a bone is reached against another [P]: where the red marrow lies."""
    if carrier.bone in VERTEBRAE:
        deep = (nodes[:, 1] - nodes[:, 1].min()) / np.ptp(nodes[:, 1])
        body = np.where(deep < 0.22, 0.8, 1.2)
        pedicle = np.abs(nodes[:, 0] - nodes[:, 0].mean()) > 6.0
        behind = np.where((deep < 0.6) & pedicle, 1.1, 0.3)
        return np.where(deep < 0.45, body, behind)
    if carrier.bone.kind in ("femur", "humerus"):
        down = _from_top(carrier, nodes)
        return np.where(down < _PROXIMAL, 1.0, np.where(down > 0.85, 0.15, 0.08))
    if carrier.bone.kind == "skull":
        high = (nodes[:, 2] - nodes[:, 2].min()) / np.ptp(nodes[:, 2])
        forward = (nodes[:, 1] - nodes[:, 1].min()) / np.ptp(nodes[:, 1])
        return np.where(high > 0.5, 1.0, np.where(forward < 0.35, 0.05, 0.4))
    return np.ones(len(nodes))


def _from_top(carrier: Carrier, nodes: FloatArray) -> FloatArray:
    """Where places (n, 3) lie along a long bone: 0 is its upper end."""
    along = carrier.template.along(nodes)
    return along if carrier.template.axis[2] < 0 else 1.0 - along


def _local_axes(
    carrier: Carrier, nodes: FloatArray, centre: FloatArray, *, radius: float
) -> tuple[FloatArray, FloatArray]:
    """Principal axes (3, 3 columns) of the bone within a distance of a place, and its extent along them."""
    offsets = (nodes - centre) @ carrier.stretch
    near = offsets[np.linalg.norm(offsets, axis=1) < 1.4 * radius]
    if len(near) < 8:
        return np.eye(3), np.ones(3)
    return _principal(near)


def _principal(offsets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Right-handed principal axes as columns, the longest first, and the standard deviations along them."""
    values, vectors = np.linalg.eigh(np.cov(offsets.T))
    axes = vectors[:, ::-1]
    if np.linalg.det(axes) < 0:
        axes = axes * np.array([1.0, 1.0, -1.0])
    return axes, np.sqrt(np.maximum(values[::-1], 1e-6))


def _vector(values: FloatArray) -> Vector:
    x, y, z = (round(float(value), 4) for value in values)
    return x, y, z
