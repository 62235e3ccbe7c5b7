"""The collapse of one vertebra of a spine whose vertebrae are outlined, or why it is not evaluable."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.geometry import BoolArray
from operators.kernels.morphology import Spacing
from operators.kernels.stability.body_heights import HeightLimits, OutlinedBody, outlined_body
from operators.kernels.stability.collapse import MILD_FROM, Collapse, collapse, sound_neighbours

_MEASURED = VERTEBRAE[VERTEBRAE.index(Bone.C3) : VERTEBRAE.index(Bone.L5) + 1]
"""C1 has no body, that of C2 bears the dens."""


class Unmeasured(StrEnum):
    """Why a vertebra's collapse is not evaluable."""

    NOT_OUTLINED = "not_outlined"
    THICK_SLICES = "thick_slices"
    CUT = "cut"
    NO_NEIGHBOUR = "no_neighbour"


@dataclass(frozen=True, kw_only=True, slots=True)
class CollapseLimits:
    """When a collapse is measured.

    Slices lie at most `thickest_mm` apart: a fifth of a height, Genant's mildest fracture, must span two. Of two
    neighbours whose heights differ by more than the share `alike` only the taller is a reference, and one is not
    enough: heights change along the spine, by as much as a mild fracture in places.
    """

    heights: HeightLimits
    thickest_mm: float
    alike: float

    def __post_init__(self) -> None:
        if self.thickest_mm <= 0.0 or not 0.0 < self.alike < 1.0:
            raise ValueError("slices have a distance, and bodies are alike to a share between 0 and 1")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OutlinedSpine:
    """Vertebrae (z, y, x; values of `Bone`) on the grid of the canal.

    Args:
        outlined: the bones whose borders are those of the image.
        diseased: every lesion that was found; a vertebra that holds one is no reference.
    """

    bones: npt.NDArray[np.uint8]
    outlined: frozenset[Bone]
    diseased: BoolArray
    canal: BoolArray
    spacing_mm: Spacing


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyCollapse:
    """What was measured of a vertebra's body.

    Args:
        found: against its neighbours.
        noise_fraction: a loss that may be none: less than Genant's mildest fracture, of which bodies differ by nature,
            or one slice of the reference's height where that is more.
        involved_fraction: share of the body that is lesion, 0 to 1.
    """

    found: Collapse
    noise_fraction: float
    involved_fraction: float


def body_collapse(vertebra: Bone, spine: OutlinedSpine, *, limits: CollapseLimits) -> BodyCollapse | Unmeasured:
    """The collapse of one vertebra against the two beside it, outlined, without lesion and alike."""
    if vertebra not in spine.outlined or vertebra not in _MEASURED:
        return Unmeasured.NOT_OUTLINED
    if spine.spacing_mm[0] > limits.thickest_mm:
        return Unmeasured.THICK_SLICES
    own = _body(vertebra, spine, limits=limits)
    if own is None:
        return Unmeasured.CUT
    index = _MEASURED.index(vertebra)
    beside = [_MEASURED[other] for other in (index - 1, index + 1) if 0 <= other < len(_MEASURED)]
    sound = [
        body.heights
        for bone in beside
        if bone in spine.outlined and not (spine.diseased & (spine.bones == bone)).any()
        for body in (_body(bone, spine, limits=limits),)
        if body is not None
    ]
    references = sound_neighbours(tuple(sound), alike=limits.alike)
    if len(references) < 2:
        return Unmeasured.NO_NEIGHBOUR
    lowest = min(sum(heights) / len(references) for heights in zip(*(r.in_order for r in references), strict=True))
    return BodyCollapse(
        found=collapse(own.heights, neighbours=references),
        noise_fraction=min(max(spine.spacing_mm[0] / lowest, MILD_FROM), 0.49),
        involved_fraction=float(np.mean(spine.diseased[own.mask])),
    )


def _body(bone: Bone, spine: OutlinedSpine, *, limits: CollapseLimits) -> OutlinedBody | None:
    return outlined_body(spine.bones == bone, spine.canal, spacing_mm=spine.spacing_mm, limits=limits.heights)
