"""What is true of every lesion, free of any grid: volumes, places and sizes from fine sampling in the rest frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.templates import Template
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.piece import Piece, lesion_pieces
from operators.simulation.patient import Lesion, LesionType, Patient, Vector

FloatArray = npt.NDArray[np.float64]

_SCLEROTIC = 0.5
"""A place counts as sclerotic from here on, on the scale of 0 to 1."""
_FINEST_POINTS = 4000
_MOST_POINTS = 150_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionFacts:
    """One lesion of one patient.

    Args:
        name, bone, lesion_type: as the patient has them.
        centre_lps: centre of mass (x, y, z), millimetres, as the patient lies in the scan.
        volume_ml: in bone and flesh together.
        flesh_share: part of the volume beyond the bone's surface.
        sclerotic_share: part of the volume in bone whose sclerosis is 0.5 or more.
        mean_sclerosis: over the whole volume, 0 where it is flesh: what is linear in the sclerosis (HU, SUV) has
            its mean there.
        sclerosis_range: the lowest and the highest in it.
        diameters_mm: lengths of the three principal axes of an ellipsoid with the same second moments, longest first.
    """

    name: str
    bone: Bone
    lesion_type: LesionType
    centre_lps: Vector
    volume_ml: float
    flesh_share: float
    sclerotic_share: float
    mean_sclerosis: float
    sclerosis_range: tuple[float, float]
    diameters_mm: Vector


def lesion_facts(
    patient: Patient, *, skeleton: PosedSkeleton, templates: Mapping[str, Template]
) -> tuple[LesionFacts, ...]:
    """The facts of a patient's lesions, in the patient's order.

    Each is sampled on a lattice of 0.3 to 1 mm, coarser where it is larger than a child's fist. Places that lie
    deeper in another bone than in the lesion's own count for nobody. Skin does not cut the flesh here.

    Raises:
        ValueError: a lesion lies in a bone that the person does not have.
    """
    return facts_of(patient.lesions, Ground.of(skeleton, templates))


def facts_of(lesions: Sequence[Lesion], ground: Ground) -> tuple[LesionFacts, ...]:
    """The same for lesions on their own; where they lie is by the posture that the ground is in."""
    samples: dict[int, list[_Sample]] = {}
    for piece in lesion_pieces(lesions, ground):
        samples.setdefault(piece.number, []).append(_sample(piece, ground))
    facts = []
    for number, lesion in enumerate(lesions, start=1):
        volume, flesh, dense, centre, diameters = _together(samples[number])
        mean, ends = _sclerosis(samples[number])
        facts.append(
            LesionFacts(
                name=lesion.name,
                bone=lesion.bone,
                lesion_type=lesion.lesion_type,
                centre_lps=centre,
                volume_ml=volume,
                flesh_share=flesh,
                sclerotic_share=dense,
                mean_sclerosis=mean,
                sclerosis_range=ends,
                diameters_mm=diameters,
            )
        )
    return tuple(facts)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Sample:
    """Points (n, 3) in LPS, the volume of bone and flesh each stands for (ml), and the sclerosis of its bone."""

    points: FloatArray
    bone_ml: FloatArray
    flesh_ml: FloatArray
    sclerosis: FloatArray


def _sample(piece: Piece, ground: Ground) -> _Sample:
    """A lattice over the piece."""
    low, high = piece.box()
    size_mm = np.maximum((high - low) * np.linalg.norm(piece.carrier.stretch, axis=0), 1e-3)
    spacing = float(np.clip(np.cbrt(np.prod(size_mm) / _FINEST_POINTS), 0.3, 1.0))
    spacing = max(spacing, float(np.cbrt(np.prod(size_mm) / _MOST_POINTS)))
    counts = np.ceil(size_mm / spacing).astype(int) + 1
    step = (high - low) / counts
    index = np.indices(counts).reshape(3, -1).T
    rest = low + (index + 0.5) * step
    cell_mm3 = float(np.prod(step)) * abs(float(np.linalg.det(piece.carrier.stretch)))
    width = float(np.cbrt(cell_mm3))
    layers = piece.layers(rest)
    bone, flesh = (np.clip(0.5 + depth / width, 0.0, 1.0) for depth in (layers.bone, layers.flesh))
    held = bone + flesh > 0
    rest, bone, flesh = rest[held], bone[held], flesh[held]
    points = piece.carrier.to_lps(rest)
    free = ~_in_another(points, piece, ground)
    sclerosis = piece.pattern.at(rest, layers.relative[held]) if piece.pattern else np.ones(len(rest))
    return _Sample(
        points=points,
        bone_ml=bone * free * cell_mm3 / 1000.0,
        flesh_ml=flesh * free * cell_mm3 / 1000.0,
        sclerosis=sclerosis,
    )


def _in_another(points: FloatArray, piece: Piece, ground: Ground) -> npt.NDArray[np.bool_]:
    """Which points (n, 3) in LPS lie deeper in another bone than in the piece's own."""
    taken = np.zeros(len(points), dtype=np.bool_)
    if not len(points):
        return taken
    own = np.maximum(piece.carrier.depth_mm(piece.carrier.to_rest(points)), 0.0)
    first, last = points.min(axis=0), points.max(axis=0)
    for other in ground.carriers:
        low, high = other.box_lps()
        if other.bone is piece.carrier.bone or np.any(low > last) or np.any(high < first):
            continue
        close = np.flatnonzero(np.all((points >= low) & (points <= high), axis=1))
        if len(close):
            taken[close] |= other.depth_mm(other.to_rest(points[close])) > own[close]
    return taken


def _together(samples: list[_Sample]) -> tuple[float, float, float, Vector, Vector]:
    """Volume, shares of flesh and of sclerosis, centre and diameters of all pieces of a lesion."""
    points = np.concatenate([sample.points for sample in samples])
    bone, flesh, sclerosis = (
        np.concatenate([getattr(sample, name) for sample in samples]) for name in ("bone_ml", "flesh_ml", "sclerosis")
    )
    weights = bone + flesh
    volume = float(weights.sum())
    if volume <= 0:
        nowhere = (float("nan"),) * 3
        return 0.0, 0.0, 0.0, nowhere, (0.0, 0.0, 0.0)
    centre = weights @ points / volume
    spread = (points - centre).T * weights @ (points - centre) / volume
    lengths = 2.0 * np.sqrt(5.0 * np.clip(np.linalg.eigvalsh(spread)[::-1], 0.0, None))
    return (
        volume,
        float(flesh.sum()) / volume,
        float(bone @ (sclerosis >= _SCLEROTIC)) / max(float(bone.sum()), 1e-12),
        (float(centre[0]), float(centre[1]), float(centre[2])),
        (float(lengths[0]), float(lengths[1]), float(lengths[2])),
    )


def _sclerosis(samples: list[_Sample]) -> tuple[float, tuple[float, float]]:
    """The mean over bone and flesh, and the ends of what occurs; flesh has none."""
    bone, flesh, sclerosis = (
        np.concatenate([getattr(sample, name) for sample in samples]) for name in ("bone_ml", "flesh_ml", "sclerosis")
    )
    volume = float(bone.sum() + flesh.sum())
    if volume <= 0:
        return 0.0, (0.0, 0.0)
    there = [*sclerosis[bone > 0], *([0.0] if flesh.any() else [])]
    return float(bone @ sclerosis) / volume, (float(min(there)), float(max(there)))
