"""Lesions and decoys on a grid of any spacing and orientation.

Each focus is a function of place (`piece`). Voxels near a surface are sampled at points about
a millimetre apart, each of which counts by its own depth as if it were a thin slab, so that
a focus of 5 mm keeps its volume on voxels of 4 mm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Tissue
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.templates import Template
from operators.simulation.anatomy.voxels import AnatomyVolume
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.piece import Piece, decoy_pieces, lesion_pieces
from operators.simulation.patient import Patient
from operators.simulation.scene import ByteArray

FloatArray = npt.NDArray[np.float64]
_IndexArray = npt.NDArray[np.intp]

_SAMPLE_MM = (0.7, 1.35)
_SAMPLES_A_RADIUS = 3.0
"""Samples of a voxel near a surface lie at most this far apart, in small foci a third of the radius."""
_FIELD_MM = 1.0
"""How wrong a depth away from the surface may be."""
_CHUNK = 400_000
"""Voxels that are evaluated at once, to bound memory."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Foci:
    """Lesions and decoys on a grid, as `Scene` describes them; all uint8 (slice, row, column)."""

    lesions: ByteArray
    lesion_fraction: ByteArray
    sclerosis: ByteArray
    decoys: ByteArray
    decoy_fraction: ByteArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Patch:
    """Voxels that hold a part of a piece: index (n, 3), parts of the voxel in bone and in flesh, sclerosis."""

    index: _IndexArray
    bone: FloatArray
    flesh: FloatArray
    sclerosis: FloatArray


def draw_foci(
    patient: Patient, *, skeleton: PosedSkeleton, anatomy: AnatomyVolume, templates: Mapping[str, Template]
) -> Foci:
    """Put a patient's lesions and decoys on the grid of their anatomy.

    A lesion takes no more of a voxel than its bone fills, nothing of a voxel whose centre lies in
    another bone, and its flesh no more than bone leaves of the body; a decoy outside bone is cut to the body.

    Raises:
        ValueError: a focus lies in a bone that the person does not have.
    """
    ground = Ground.of(skeleton, templates)
    lesions = _Layer.empty(anatomy.geometry)
    for piece in lesion_pieces(patient.lesions, ground):
        for patch in _patches(piece, anatomy.geometry):
            lesions.add(piece, patch, anatomy)
    decoys = _Layer.empty(anatomy.geometry)
    for piece in decoy_pieces(patient.decoys, ground):
        for patch in _patches(piece, anatomy.geometry):
            decoys.add(piece, patch, anatomy)
    return Foci(
        lesions=lesions.labels,
        lesion_fraction=lesions.fraction,
        sclerosis=lesions.sclerosis,
        decoys=decoys.labels,
        decoy_fraction=decoys.fraction,
    )


@dataclass(kw_only=True, slots=True)
class _Layer:
    labels: ByteArray
    fraction: ByteArray
    sclerosis: ByteArray
    in_bone: ByteArray

    @classmethod
    def empty(cls, geometry: VolumeGeometry) -> _Layer:
        labels, fraction, sclerosis, in_bone = (np.zeros(geometry.shape, dtype=np.uint8) for _ in range(4))
        return cls(labels=labels, fraction=fraction, sclerosis=sclerosis, in_bone=in_bone)

    def add(self, piece: Piece, patch: _Patch, anatomy: AnatomyVolume) -> None:
        """Where two foci share a voxel the larger part names it; the parts add up, in bone to no more than the bone."""
        at = tuple(patch.index.T)
        inside = anatomy.tissue[at] != Tissue.OUTSIDE
        if piece.inside_bone:
            bone = anatomy.bone_fraction[at] / 255.0
            taken = self.in_bone[at] / 255.0
            elsewhere = (anatomy.bones[at] != 0) & (anatomy.bones[at] != piece.carrier.bone)
            solid = np.where(elsewhere, 0.0, np.clip(patch.bone, 0.0, bone - taken))
            self.in_bone[at] = np.rint(255.0 * (taken + solid)).astype(np.uint8)
            flesh = np.where(inside & ~elsewhere, np.minimum(patch.flesh, 1.0 - bone), 0.0)
        else:
            solid, flesh = np.where(inside, patch.bone, 0.0), np.zeros(len(inside))
        more = np.rint(255.0 * (solid + flesh)).astype(np.int64)
        share = solid / np.maximum(solid + flesh, 1e-9) * patch.sclerosis
        before = self.fraction[at].astype(np.int64)
        larger = more > before
        named = tuple(patch.index[larger].T)
        self.labels[named] = piece.number
        self.sclerosis[named] = np.rint(255.0 * share[larger]).astype(np.uint8)
        self.fraction[at] = np.minimum(before + more, 255).astype(np.uint8)


def _patches(piece: Piece, geometry: VolumeGeometry) -> Iterator[_Patch]:
    """The voxels of a piece, some slices at a time."""
    to_rest = np.linalg.inv(piece.carrier.placed.affine) @ geometry.matrix
    first, last = _box(piece, to_rest, geometry.shape)
    if np.any(first >= last):
        return
    per_slice = int(np.prod(last[1:] - first[1:]))
    step = max(1, _CHUNK // per_slice)
    for start in range(first[0], last[0], step):
        stop = min(start + step, last[0])
        index = np.indices((stop - start, *(last[1:] - first[1:]))).reshape(3, -1).T + np.array([start, *first[1:]])
        patch = _patch(piece, index, to_rest, spacing_mm=geometry.spacing_mm)
        if len(patch.index):
            yield patch


def _box(piece: Piece, to_rest: FloatArray, shape: tuple[int, int, int]) -> tuple[_IndexArray, _IndexArray]:
    """First and last (exclusive) voxel of each axis that the piece can touch."""
    low, high = piece.box()
    corners = np.where(np.array(list(np.ndindex(2, 2, 2))) == 0, low, high)
    from_rest = np.linalg.inv(to_rest)
    index = corners @ from_rest[:3, :3].T + from_rest[:3, 3]
    first = np.clip(np.floor(index.min(axis=0) - 0.5), 0, shape).astype(np.intp)
    return first, np.clip(np.ceil(index.max(axis=0) + 1.5), 0, shape).astype(np.intp)


def _patch(piece: Piece, index: _IndexArray, to_rest: FloatArray, *, spacing_mm: tuple[float, float, float]) -> _Patch:
    """Parts of these voxels: whole inside, none outside, sampled in between."""
    points = index @ to_rest[:3, :3].T + to_rest[:3, 3]
    layers = piece.layers(points)
    reach = float(np.linalg.norm(spacing_mm)) / 2.0 + _FIELD_MM
    near = (layers.bone > -reach) | (layers.flesh > -reach)
    index, points = index[near], points[near]
    depth, flesh_depth, relative = (values[near] for values in layers)
    bone, flesh = (depth > 0).astype(np.float64), (flesh_depth > 0).astype(np.float64)
    dense = piece.pattern.at(points, relative) if piece.pattern else np.ones(len(points))
    edge = np.flatnonzero((np.abs(depth) < reach) | (np.abs(flesh_depth) < reach))
    smallest = min(min(figure.shape.radii_mm) for figure in piece.figures)
    offsets = _offsets(spacing_mm, apart_mm=float(np.clip(smallest / _SAMPLES_A_RADIUS, *_SAMPLE_MM)))
    width = float(np.cbrt(np.prod(spacing_mm) / len(offsets)))
    steps = offsets @ to_rest[:3, :3].T
    for chosen in np.array_split(edge, max(1, len(edge) * len(offsets) // _CHUNK)):
        samples = (points[chosen][:, None] + steps).reshape(-1, 3)
        found = piece.layers(samples)
        parts, fleshy = (_slab(values, width).reshape(-1, len(offsets)) for values in (found.bone, found.flesh))
        bone[chosen], flesh[chosen] = parts.mean(axis=1), fleshy.mean(axis=1)
        if piece.pattern:
            pattern = piece.pattern.at(samples, found.relative).reshape(-1, len(offsets))
            dense[chosen] = (pattern * parts).sum(axis=1) / np.maximum(parts.sum(axis=1), 1e-9)
    held = bone + flesh > 0
    return _Patch(index=index[held], bone=bone[held], flesh=flesh[held], sclerosis=dense[held])


def _slab(depth: FloatArray, width: float) -> FloatArray:
    """Part of a small cube inside a surface, as if it were a slab along the depth."""
    return np.asarray(np.clip(0.5 + depth / width, 0.0, 1.0))


def _offsets(spacing_mm: tuple[float, float, float], *, apart_mm: float) -> FloatArray:
    """Where a voxel is sampled (n, 3), in voxels from its centre."""
    counts = [max(1, int(np.ceil(step / apart_mm))) for step in spacing_mm]
    axes = [(np.arange(count) + 0.5) / count - 0.5 for count in counts]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
