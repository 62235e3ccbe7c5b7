"""A person's own shape of every bone: smooth displacements in the rest frame, the same at every scan.

Two fields are added. One runs through the whole skeleton (waves of 20 to 50 cm), so that bones that meet move
together and joints keep their gaps. One is each bone's own (waves about its own length); partners on left and right,
and neighbouring vertebrae and ribs, share most of it. A bone's mean displacement goes into its affine, so what is
left here is its shape alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.simulation.anatomy.bones import Bone, Side
from operators.simulation.anatomy.form_table import FORMS
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.source import Part, Source
from operators.simulation.anatomy.templates import LIMIT, Template

FloatArray = npt.NDArray[np.float64]

_GLOBAL_WAVES, _UNEVEN_WAVES = 18, 6
"""Waves that are mirror images of themselves, left to right, and small ones that are not."""
_GLOBAL_MM = (200.0, 500.0)
_GLOBAL_SD_MM = 1.1
_ASYMMETRY = 0.3
"""Of the global field's amplitude, and of a bone's own against its partner."""
_OWN_WAVES = 8
_OWN_LENGTHS = (0.6, 1.6)
"""Wavelengths of a bone's own field, in lengths of its box."""
_OWN_SD = 0.010
"""Of a bone's own field, against the length of its box."""
_OWN_SD_MM = (0.25, 1.2)
_LEVELS_SHARE = 0.8
"""Of a vertebra's or a rib's own field that it shares with its neighbours."""
_LIMIT_MM = 8.0
"""A bone's surface moves no further against its own middle: the depth fields reach 9 mm beyond it."""
_IN_ROWS = ("vertebra", "rib")
_OF_PAIR, _OF_BONE, _OF_ROW = 1, 2, 3
_ROUNDS = 3
_SKIP_UNITS = -90
"""Nodes further outside are left as they are."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Warp:
    """A sum of products of cosines: where in the source's bone a point of the person's bone is looked up.

    u(p) = sum over m of amplitude_m prod_i cos(wave_mi p_i + phase_mi) - offset; the person's bone at p is the
    source's at p + u(p).

    Args:
        wave, phase: (m, 3) in 1/mm and radians by axis.
        amplitude: (m, 3) millimetres by component.
        offset: (3,) millimetres, takes the bone's mean displacement out.
    """

    wave: FloatArray
    phase: FloatArray
    amplitude: FloatArray
    offset: FloatArray

    def at(self, points: FloatArray) -> FloatArray:
        """u (n, 3) at points (n, 3) of the rest frame."""
        product = np.ones((len(points), len(self.wave)))
        for axis in range(3):
            product *= np.cos(points[:, axis : axis + 1] * self.wave[:, axis] + self.phase[:, axis])
        return np.asarray(product @ self.amplitude - self.offset)

    def on_grid(self, z: FloatArray, y: FloatArray, x: FloatArray) -> npt.NDArray[np.float32]:
        """u on the nodes of three axes: (3, z, y, x), components (x, y, z)."""
        by_axis = [
            np.cos(np.outer(grid, self.wave[:, axis]) + self.phase[:, axis]) for axis, grid in enumerate((x, y, z))
        ]
        plane = (by_axis[1][:, None] * by_axis[0][None]).reshape(len(y) * len(x), -1).astype(np.float32)
        lines = (by_axis[2][None] * self.amplitude.T[:, None]).astype(np.float32)
        field = (lines.reshape(3 * len(z), -1) @ plane.T).reshape(3, len(z), len(y), len(x))
        field -= self.offset.astype(np.float32)[:, None, None, None]
        return field

    def shaped(self, points: FloatArray) -> FloatArray:
        """Where points (n, 3) of the source's bone lie in the person's: p with p + u(p) = point."""
        place = points - self.at(points)
        for _ in range(_ROUNDS - 1):
            place = points - self.at(place)
        return np.asarray(place)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shapes:
    """A person's own shapes by part name.

    Args:
        parts: the source's parts with their vertices where the person has them.
        shifts: (3,) by part: its mean displacement in the rest frame, which its affine holds.
        warps: by part.
    """

    parts: tuple[Part, ...]
    shifts: Mapping[str, FloatArray]
    warps: Mapping[str, Warp]


class ShapedTemplates(Mapping[str, Template]):
    """A person's depth fields by part name, each bent when it is first asked for."""

    def __init__(self, templates: Mapping[str, Template], warps: Mapping[str, Warp]) -> None:
        self._templates, self._warps = templates, warps
        self._made: dict[str, Template] = {}

    def __getitem__(self, name: str) -> Template:
        if name not in self._made:
            template = self._templates[name]
            self._made[name] = _bent(template, self._warps[name]) if name in self._warps else template
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._templates)

    def __len__(self) -> int:
        return len(self._templates)


def shaped_templates(templates: Mapping[str, Template], warps: Mapping[str, Warp]) -> Mapping[str, Template]:
    """The depth fields in a person's shape; those that have it already, or a person without, are given back."""
    if isinstance(templates, ShapedTemplates) or not warps:
        return templates
    return ShapedTemplates(templates, warps)


def shapes(spec: PersonSpec, source: Source) -> Shapes:
    """The person's own shapes; the same at every scan."""
    return _shapes(spec.seed, spec.shape_variation, source)


@lru_cache(maxsize=4)
def _shapes(seed: int, variation: float, source: Source) -> Shapes:
    grown = _grown_parts(source)
    if variation == 0.0:
        return Shapes(parts=grown, shifts={part.name: np.zeros(3) for part in grown}, warps={})
    shared = _global(seed, variation)
    parts, shifts, warps = [], {}, {}
    for part in grown:
        own = None if part.bone is None else _own(part, part.bone, seed=seed, variation=variation)
        warp = shared if own is None else _joined(shared, own)
        kept = part.vertices[part.kept(part.vertices)]
        middle = (kept.min(axis=0) + kept.max(axis=0))[None] / 2
        warp = replace(warp, offset=warp.at(middle)[0])
        shifts[part.name] = -warp.offset
        warps[part.name] = warp = _limited(warp, float(np.linalg.norm(warp.at(kept), axis=1).max()))
        parts.append(replace(part, vertices=warp.shaped(part.vertices)))
    return Shapes(parts=tuple(parts), shifts=shifts, warps=warps)


@lru_cache(maxsize=2)
def _grown_parts(source: Source) -> tuple[Part, ...]:
    """The source's parts with their vertices moved outward as far as their depth fields are."""
    return tuple(
        replace(part, vertices=part.vertices + FORMS[_kind(part)].growth_mm * _normals(part)) for part in source.parts
    )


def _kind(part: Part) -> str:
    return "cartilage" if part.bone is None else part.bone.kind


def _normals(part: Part) -> FloatArray:
    """Outward unit normals of the vertices (n, 3), faces counted by their area."""
    corners = part.vertices[part.faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(part.vertices)
    for corner in range(3):
        np.add.at(total, part.faces[:, corner], area)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9))


def _global(seed: int, variation: float) -> Warp:
    """The field through the whole skeleton."""
    random = np.random.default_rng([seed, 11])
    count = _GLOBAL_WAVES + _UNEVEN_WAVES
    wave = _directions(random, count) * 2 * np.pi / random.uniform(*_GLOBAL_MM, size=(count, 1))
    phase = random.uniform(0.0, 2 * np.pi, size=(count, 3))
    component = np.arange(count) % 3
    symmetric = np.arange(count) < _GLOBAL_WAVES
    phase[symmetric, 0] = np.where(component[symmetric] == 0, -np.pi / 2, 0.0)
    size = random.normal(0.0, 1.0, size=count) * np.where(symmetric, 1.0, _ASYMMETRY)
    # A product of three cosines has a mean square of 1/8; each component has a third of the waves.
    size *= variation * _GLOBAL_SD_MM * np.sqrt(8.0 * 3.0 / _GLOBAL_WAVES)
    amplitude = np.zeros((count, 3))
    amplitude[np.arange(count), component] = size
    return Warp(wave=wave, phase=phase, amplitude=amplitude, offset=np.zeros(3))


def _directions(random: np.random.Generator, count: int) -> FloatArray:
    found = np.abs(random.normal(size=(count, 3)))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def _own(part: Part, bone: Bone, *, seed: int, variation: float) -> Warp:
    """The bone's own field: what it shares with partner and neighbours, and a little of its own."""
    kept = part.vertices[part.kept(part.vertices)]
    low, high = kept.min(axis=0), kept.max(axis=0)
    length = float((high - low).max())
    sd = variation * float(np.clip(_OWN_SD * length, *_OWN_SD_MM))
    left = bone.partner if bone.partner is not None and bone.side is Side.RIGHT else bone
    pieces = [(1.0, [_OF_PAIR, left]), (_ASYMMETRY, [_OF_BONE, bone])]
    if bone.kind in _IN_ROWS:
        shared = [_OF_ROW, _IN_ROWS.index(bone.kind)]
        pieces = [(_LEVELS_SHARE, shared)] + [((1.0 - _LEVELS_SHARE) * share, key) for share, key in pieces]
    total = None
    for share, key in pieces:
        wave = _local(np.random.default_rng([seed, 12, *key]), (low + high) / 2, length=length, sd=share * sd)
        total = wave if total is None else _joined(total, wave)
    assert total is not None
    return _mirrored(total) if bone.side is Side.RIGHT else total


def _local(random: np.random.Generator, centre: FloatArray, *, length: float, sd: float) -> Warp:
    """Drawn about the centre of a left bone; of a right one the centre's mirror image is meant (see `_mirrored`)."""
    centre = centre * [np.sign(centre[0]) if abs(centre[0]) > 1.0 else 1.0, 1.0, 1.0]
    wave = _directions(random, _OWN_WAVES) * 2 * np.pi / (length * random.uniform(*_OWN_LENGTHS, size=(_OWN_WAVES, 1)))
    phase = random.uniform(0.0, 2 * np.pi, size=(_OWN_WAVES, 3)) - wave * centre
    amplitude = random.normal(size=(_OWN_WAVES, 3)) * sd * np.sqrt(8.0 / _OWN_WAVES)
    return Warp(wave=wave, phase=phase, amplitude=amplitude, offset=np.zeros(3))


def _joined(first: Warp, second: Warp) -> Warp:
    return Warp(
        wave=np.concatenate([first.wave, second.wave]),
        phase=np.concatenate([first.phase, second.phase]),
        amplitude=np.concatenate([first.amplitude, second.amplitude]),
        offset=first.offset + second.offset,
    )


def _limited(warp: Warp, greatest_mm: float) -> Warp:
    share = min(1.0, _LIMIT_MM / max(greatest_mm, 1e-9))
    return replace(warp, amplitude=warp.amplitude * share, offset=warp.offset * share)


def _mirrored(warp: Warp) -> Warp:
    sign = np.array([-1.0, 1.0, 1.0])
    return replace(warp, wave=warp.wave * sign, amplitude=warp.amplitude * sign, offset=warp.offset * sign)


def _bent(template: Template, warp: Warp) -> Template:
    """The depth field looked up at p + u(p), at the nodes near the bone."""
    counts, step = template.depth.shape, template.step_mm
    x, y, z = (template.origin_mm[axis] + step * np.arange(counts[2 - axis], dtype=np.float64) for axis in range(3))
    field = warp.on_grid(z, y, x) / np.float32(step)
    near = np.flatnonzero(template.depth.ravel() > _SKIP_UNITS)
    index = np.stack(np.unravel_index(near, counts)).astype(np.float32)
    index += field.reshape(3, -1)[::-1, near]
    found = ndimage.map_coordinates(template.depth.astype(np.float32), index, order=1, mode="nearest")
    depth = template.depth.copy()
    depth.ravel()[near] = np.clip(np.rint(found), -LIMIT, LIMIT).astype(np.int8)
    return replace(template, depth=depth)
