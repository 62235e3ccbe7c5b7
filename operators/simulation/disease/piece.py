"""What a focus is at a place: how deep inside it, in bone or in the flesh beside it, how sclerotic.

Three rules make lesions cut each other and the skeleton without a grid:

- A shape is carried by the part of its bone in which its centre lies deepest, and stays in that part.
- Where shapes of several lesions overlap, a place belongs to the lesion whose centre is nearer in
  units of its own radius in that direction. So confluent lesions keep their own labels and share a border.
  A lesion of less than a fifth of the other's volume keeps all of its own: a focus in infiltrated marrow.
- What lies beyond the bone's surface is flesh: a soft-tissue component, never sclerotic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from operators.simulation.disease.figure import Figure
from operators.simulation.disease.ground import Carrier, Ground
from operators.simulation.patient import Decoy, Lesion, LesionType

FloatArray = npt.NDArray[np.float64]
_BoolArray = npt.NDArray[np.bool_]

CENTRE_TO_EDGE = 0.3
"""A sclerotic lesion loses this part of its density from the centre to the edge (a fall with the square): the mean
is 0.82 of the maximum, as published means and maxima have it (654 and 787 HU, Ulano 2016)."""
_RIM = 0.9
_STEP = 0.06
"""Half the width of the border between lytic and sclerotic, in units of the radius."""
_BLOB_WAVES = 10
_BLOB_MM = (5.0, 18.0)
_SAMPLES = 3000
_GUEST = 0.2
_NEVER = 10.0
"""A relative radius beyond every figure."""


class Layers(NamedTuple):
    """Depths (n,) below the surface of a focus, millimetres of the person, negative outside."""

    bone: FloatArray
    flesh: FloatArray
    relative: FloatArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pattern:
    """Where a lesion is sclerotic.

    Args:
        lesion_type: sclerotic inside, at the rim, or in blobs.
        border: of the relative radius or of the blobs' field, so that the share of the volume is met; None: all alike.
        waves: (n, 3) radians per millimetre of the rest frame, phases: (n,) of the blobs.
    """

    lesion_type: LesionType
    border: float | None
    waves: FloatArray
    phases: FloatArray

    def at(self, points: FloatArray, relative: FloatArray) -> FloatArray:
        """Sclerosis of 0 to 1 at points (n, 3) with these relative radii."""
        if self.lesion_type is LesionType.MIXED:
            if self.border is None:
                return np.ones(len(points))
            return _rise((_blobs(points, self.waves, self.phases) - self.border) / 2.0)
        if self.lesion_type is LesionType.LYTIC:
            return np.zeros(len(points)) if self.border is None else _RIM * _rise(relative - self.border)
        dense = 1.0 - CENTRE_TO_EDGE * np.minimum(relative, 1.0) ** 2
        return dense if self.border is None else dense * (1.0 - 0.8 * _rise(relative - self.border))


def _rise(value: FloatArray) -> FloatArray:
    return np.asarray(np.clip(0.5 + value / (2.0 * _STEP), 0.0, 1.0))


def _blobs(points: FloatArray, waves: FloatArray, phases: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(2.0 / len(waves)) * np.cos(points @ waves.T + phases).sum(axis=1))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Piece:
    """The part of a focus that one part of the skeleton carries.

    Args:
        number: of the focus, from 1.
        carrier: moves with it.
        figures: their union.
        rivals: figures of other lesions that overlap it and share a border with it.
        guests: figures of much smaller lesions within it, which are theirs alone.
        inside_bone: cut to the carrier, but for `soft_mm` of flesh beyond its surface; else the bone does not matter.
        pattern: of the sclerosis; None for decoys.
    """

    number: int
    carrier: Carrier
    figures: tuple[Figure, ...]
    rivals: tuple[Figure, ...]
    guests: tuple[Figure, ...]
    inside_bone: bool
    soft_mm: float
    pattern: Pattern | None

    def layers(self, points: FloatArray) -> Layers:
        """How deep points (n, 3) of the rest frame lie in the focus."""
        depth, relative = _union(self.figures, points)
        if self.rivals:
            depth = np.minimum(depth, self._behind_rivals(points))
        if self.guests:
            depth = np.minimum(depth, -_union(self.guests, points)[0])
        if not self.inside_bone:
            return Layers(bone=depth, flesh=np.full(len(points), -np.inf), relative=relative)
        bone = self.carrier.depth_mm(points)
        flesh = np.minimum(np.minimum(depth, -bone), bone + self.soft_mm) if self.soft_mm > 0 else -np.abs(bone) - 1e3
        return Layers(bone=np.minimum(depth, bone), flesh=flesh, relative=relative)

    def _behind_rivals(self, points: FloatArray) -> FloatArray:
        """Distance from the border with the nearest rival, positive on this side."""
        own, own_slope = _nearest(self.figures, points)
        other, other_slope = _nearest(self.rivals, points)
        return np.asarray((other - own) / (own_slope + other_slope))

    def box(self) -> tuple[FloatArray, FloatArray]:
        """Corners (x, y, z) of a box in the rest frame that holds the piece."""
        boxes = np.array([figure.box() for figure in self.figures])
        low, high = boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)
        if self.inside_bone:
            edge_low, edge_high = self.carrier.box()
            low, high = np.maximum(low, edge_low - self.soft_mm), np.minimum(high, edge_high + self.soft_mm)
        return low, high


def _nearest(figures: Sequence[Figure], points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The smallest relative radius of several figures, with its slope."""
    best, slope = np.full(len(points), _NEVER), np.ones(len(points))
    for figure in figures:
        relative, own_slope = figure.relative(points)
        nearer = relative < best
        best, slope = np.where(nearer, relative, best), np.where(nearer, own_slope, slope)
    return best, slope


def _union(figures: Sequence[Figure], points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Depth in the union of figures, and the smallest relative radius."""
    depth, best = np.full(len(points), -np.inf), np.full(len(points), np.inf)
    for figure in figures:
        relative, slope = figure.relative(points)
        depth = np.maximum(depth, (1.0 - relative) / slope)
        best = np.minimum(best, relative)
    return depth, best


def lesion_pieces(lesions: Sequence[Lesion], ground: Ground) -> list[Piece]:
    """The pieces of all lesions of a patient. Raises ValueError where the person has no such bone."""
    carried = [_carried(lesion, ground) for lesion in lesions]
    pieces = []
    for number, (lesion, groups) in enumerate(zip(lesions, carried, strict=True), start=1):
        for carrier, figures in groups:
            others = [
                found
                for other, theirs in enumerate(carried, start=1)
                if other != number
                for part, found in theirs
                if part is carrier and any(_meet(rival, figure) for rival in found for figure in figures)
            ]
            size = _volume_ml(figures)
            pieces.append(
                Piece(
                    number=number,
                    carrier=carrier,
                    figures=figures,
                    rivals=_joined(found for found in others if _GUEST < _volume_ml(found) / size <= 1.0 / _GUEST),
                    guests=_joined(found for found in others if _volume_ml(found) <= _GUEST * size),
                    inside_bone=True,
                    soft_mm=lesion.soft_tissue_mm,
                    pattern=_pattern(lesion, carrier=carrier, figures=figures),
                )
            )
    return pieces


def _volume_ml(figures: tuple[Figure, ...]) -> float:
    return sum(figure.volume_ml for figure in figures)


def _joined(groups: Iterable[tuple[Figure, ...]]) -> tuple[Figure, ...]:
    return tuple(figure for group in groups for figure in group)


def decoy_pieces(decoys: Sequence[Decoy], ground: Ground) -> list[Piece]:
    """The pieces of all decoys of a patient. Raises ValueError where the person has no such bone."""
    return [
        Piece(
            number=number,
            carrier=carrier,
            figures=figures,
            rivals=(),
            guests=(),
            inside_bone=decoy.inside_bone,
            soft_mm=0.0,
            pattern=None,
        )
        for number, decoy in enumerate(decoys, start=1)
        for carrier, figures in _carried(decoy, ground)
    ]


def _carried(focus: Lesion | Decoy, ground: Ground) -> list[tuple[Carrier, tuple[Figure, ...]]]:
    """The figures of a focus by the part that carries them."""
    groups: dict[str, tuple[Carrier, list[Figure]]] = {}
    for shape in focus.shapes:
        carrier = ground.carrier_at(focus.bone, shape.centre_mm)
        groups.setdefault(carrier.placed.part.name, (carrier, []))[1].append(Figure.of(shape, carrier.stretch))
    return [(carrier, tuple(figures)) for carrier, figures in groups.values()]


def _meet(first: Figure, second: Figure) -> bool:
    (low, high), (other_low, other_high) = first.box(), second.box()
    return bool(np.all(low <= other_high) and np.all(other_low <= high))


def _pattern(lesion: Lesion, *, carrier: Carrier, figures: tuple[Figure, ...]) -> Pattern:
    """A pattern that makes the lesion's sclerotic share of its volume in bone sclerotic."""
    random = np.random.default_rng([lesion.shapes[0].seed, 12])
    size = float(np.cbrt(sum(figure.volume_ml for figure in figures) * 750.0 / np.pi))
    directions = random.normal(size=(_BLOB_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    length = float(np.clip(1.3 * size, *_BLOB_MM))
    waves = directions * (2.0 * np.pi / length) * random.uniform(0.6, 1.3, size=(_BLOB_WAVES, 1)) @ carrier.stretch
    phases = random.uniform(0.0, 2.0 * np.pi, size=_BLOB_WAVES)
    border = None
    share = lesion.sclerotic_share
    points = _in_bone(carrier, figures)
    if len(points) and 0.0 < share < 1.0:
        if lesion.lesion_type is LesionType.MIXED:
            border = float(np.quantile(_blobs(points, waves, phases), 1.0 - share))
        else:
            level = share if lesion.lesion_type is LesionType.SCLEROTIC else 1.0 - share
            border = float(np.quantile(_union(figures, points)[1], level))
    return Pattern(lesion_type=lesion.lesion_type, border=border, waves=waves, phases=phases)


def _in_bone(carrier: Carrier, figures: tuple[Figure, ...]) -> FloatArray:
    """Some thousand points (n, 3) of the rest frame in the figures and in bone."""
    count = _SAMPLES / len(figures)
    points = np.concatenate([figure.lattice(float(np.cbrt(figure.volume_ml * 1000.0 / count))) for figure in figures])
    return np.asarray(points[carrier.depth_mm(points) > 0])
