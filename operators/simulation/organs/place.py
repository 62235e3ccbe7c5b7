"""Which matter fills every voxel that is not bone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Tissue
from operators.simulation.anatomy.outline import Outline
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.voxels import AnatomyVolume
from operators.simulation.matter import Matter
from operators.simulation.organs.breast import make_breasts
from operators.simulation.organs.head import make_head
from operators.simulation.organs.lattice import Field, OrganField
from operators.simulation.organs.septa import make_septa
from operators.simulation.organs.spine import make_spine
from operators.simulation.organs.trunk import make_trunk
from operators.simulation.patient import Patient
from operators.simulation.scene import ByteArray

BoolArray = npt.NDArray[np.bool_]

_OF_TISSUE = {
    Tissue.OUTSIDE: Matter.AIR,
    Tissue.FAT: Matter.FAT,
    Tissue.CARTILAGE: Matter.CARTILAGE,
    Tissue.SKULL_CAVITY: Matter.CSF,
}
_SLAB_SLICES = 32
_SKIN_MM = 1.7
"""Mass of the skin over the body's surface: 3.3 kg on 1.9 m2 (ICRP 89)."""


class _Canvas:
    def __init__(self, *, geometry: VolumeGeometry, placed: ByteArray) -> None:
        self.geometry = geometry
        self.placed = placed

    def fill(self, organs: tuple[OrganField, ...], free: BoolArray) -> None:
        """Give each organ the voxels inside its surface that are still free."""
        for organ in organs:
            self.paint(organ, free, inside=lambda values: values < 0)

    def paint(self, organ: OrganField, free: BoolArray, *, inside: Callable[[Field], BoolArray]) -> None:
        """Give one organ the free voxels where the condition on its field holds."""
        box = organ.box(self.geometry)
        if box is None:
            return
        for first in range(box[0].start, box[0].stop, _SLAB_SLICES):
            slab = (slice(first, min(first + _SLAB_SLICES, box[0].stop)), box[1], box[2])
            if not free[slab].any():
                continue
            chosen = inside(organ.on_grid(self.geometry, slab)) & free[slab]
            self.placed[slab][chosen] = organ.matter
            free[slab][chosen] = False

    def cover(self, body: Outline, tissue: ByteArray) -> None:
        """Turn the outermost layer of the fat and lean tissue to skin."""
        for first in range(0, self.geometry.shape[0], _SLAB_SLICES):
            slab = slice(first, min(first + _SLAB_SLICES, self.geometry.shape[0]))
            soft = (tissue[slab] == Tissue.FAT) | (tissue[slab] == Tissue.LEAN)
            if soft.any():
                depth = -body.on_grid(body.skin, self.geometry, slices=slab)
                self.placed[slab][soft & (depth < _SKIN_MM)] = Matter.SKIN


@dataclass(frozen=True, kw_only=True, slots=True)
class _Inputs:
    """What the organs are made from; equal inputs have equal digests."""

    digest: str
    patient: Patient = field(compare=False)
    skeleton: PosedSkeleton = field(compare=False)
    body: Outline = field(compare=False)

    @classmethod
    def of(cls, patient: Patient, skeleton: PosedSkeleton, body: Outline) -> _Inputs:
        key = hashlib.sha256(f"{patient.person.digest}\n{patient.physiology!r}\n{body.origin_mm!r}".encode())
        for placed in skeleton.parts:
            key.update(placed.affine.tobytes())
        key.update(body.skin.tobytes())
        return cls(digest=key.hexdigest(), patient=patient, skeleton=skeleton, body=body)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Organs:
    """All organs of a patient, free of any grid, in order of precedence."""

    cavity_of_skull: tuple[OrganField, ...]
    soft: tuple[OrganField, ...]
    breasts: tuple[OrganField, ...]
    septa: OrganField


@lru_cache(maxsize=2)
def _organs(inputs: _Inputs) -> _Organs:
    """Made once for all grids of a patient: CT and PET of one study, image and truth."""
    patient, skeleton, body = inputs.patient, inputs.skeleton, inputs.body
    head = make_head(patient, skeleton=skeleton)
    trunk = make_trunk(patient, skeleton=skeleton, body=body)
    return _Organs(
        cavity_of_skull=head.inner,
        soft=(*make_spine(skeleton), *head.outer, *trunk.organs, trunk.cavity),
        breasts=make_breasts(patient, skeleton=skeleton, body=body),
        septa=make_septa(patient, body),
    )


def place_organs(patient: Patient, *, skeleton: PosedSkeleton, body: Outline, anatomy: AnatomyVolume) -> ByteArray:
    """The value of `Matter` in every voxel, uint8 (slice, row, column).

    Organs are made in LPS, whatever the grid, each in the room that those before it leave. A voxel
    whose centre lies in bone is muscle: what is in it beside the bone.
    """
    table = np.full(256, Matter.MUSCLE, dtype=np.uint8)
    for tissue, matter in _OF_TISSUE.items():
        table[tissue.value] = matter
    canvas = _Canvas(geometry=anatomy.geometry, placed=np.asarray(table[anatomy.tissue]))
    organs = _organs(_Inputs.of(patient, skeleton, body))
    canvas.fill(organs.cavity_of_skull, anatomy.tissue == Tissue.SKULL_CAVITY)
    # In the very lean the glands of head and neck lie in the thin fat under the skin.
    free = (anatomy.tissue == Tissue.LEAN) | (anatomy.tissue == Tissue.FAT)
    canvas.fill((*organs.soft, *organs.breasts), free)
    free &= anatomy.tissue == Tissue.LEAN
    canvas.paint(organs.septa, free, inside=lambda values: np.abs(values) < 1.0)
    canvas.cover(body, anatomy.tissue)
    return canvas.placed
