"""Epidural spinal cord compression from masks, after Bilsky et al. (J Neurosurg Spine 2010;13:324).

The grades are published for a reader's eye on axial T2; the rule that takes them from masks,
`BILSKY_MASKS`, is a convention of this project (clinical reference 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray, VolumeGeometry

RULE = "BILSKY_MASKS"
VERSION = "1 (grades of Bilsky 2010)"
NOT_FROM_IMAGES = ("pain", "neurological signs")

SAC_LOSS = 0.05
"""Loss of the sac's area from which it counts as indented."""
CORD_LOSS = 0.10
"""Loss of the cord's area from which it counts as compressed."""
_TOUCH = 1e-9
_EIGHT = np.ones((3, 3), dtype=np.bool_)


class Grade(IntEnum):
    """Bilsky's grades in order; `label` is how they are written."""

    BONE_ONLY = 0
    EPIDURAL = 1
    SAC_DEFORMED = 2
    CORD_ABUTTED = 3
    CORD_COMPRESSED = 4
    CORD_COMPRESSED_NO_CSF = 5

    @property
    def label(self) -> str:
        """0, 1a, 1b, 1c, 2 or 3."""
        return ("0", "1a", "1b", "1c", "2", "3")[self]


HIGH_GRADE = Grade.CORD_COMPRESSED


class EpiduralFlag(StrEnum):
    """What a reader must know about a grade."""

    NO_CANAL = "no_canal"
    """Tumour lies in slices without a canal mask: whether it is epidural is not known there."""
    NO_REFERENCE = "no_reference"
    """No slice free of epidural tumour shows the sac or the cord: a loss of area is not known."""
    ONE_SIDED_REFERENCE = "one_sided_reference"
    """The reference for an area lies above or below the tumour only."""
    NO_CORD = "no_cord"
    """The cord is not in the mask beside the tumour: below the conus, or squeezed beyond recognition."""
    CONTRADICTORY = "contradictory"
    """The cord is touched or smaller, yet the sac is not: the masks need a look."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SpinalMasks:
    """Masks (slice, row, column) on one grid of axial slices.

    Args:
        tumour: the tumour, in bone or out of it.
        canal: all that the bony canal holds, the sac included.
        sac: all within the dura, the cord included.
        cord: the spinal cord.
        csf: cerebrospinal fluid that is visible; None takes the sac without cord and tumour.
        geometry: their grid; the slice axis runs along the patient within 45 degrees.

    Raises ValueError where shapes or types differ or the slices are not axial.
    """

    tumour: BoolArray
    canal: BoolArray
    sac: BoolArray
    cord: BoolArray
    geometry: VolumeGeometry
    csf: BoolArray | None = None

    def __post_init__(self) -> None:
        given = (self.tumour, self.canal, self.sac, self.cord) + (() if self.csf is None else (self.csf,))
        if any(mask.shape != self.geometry.shape or mask.dtype != np.bool_ for mask in given):
            raise ValueError("spinal masks are bool arrays on their geometry's grid")
        normal = self.geometry.matrix[:3, 0] / np.linalg.norm(self.geometry.matrix[:3, 0])
        if abs(float(normal[2])) < np.sqrt(0.5):
            raise ValueError("Bilsky's grades are read on axial slices")

    @property
    def fluid(self) -> BoolArray:
        """Visible cerebrospinal fluid."""
        return self.sac & ~self.cord & ~self.tumour if self.csf is None else self.csf


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceGrade:
    """One slice: its index, its grade as an interval, and what led there; None where it is not known.

    `sac_loss` and `cord_loss` are the shares of area lost against the nearest slices without
    epidural tumour; negative where the area is larger.
    """

    index: int
    low: Grade
    high: Grade
    sac_loss: float | None
    cord_loss: float | None
    touches_cord: bool | None
    csf_visible: bool
    flags: tuple[EpiduralFlag, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EpiduralGrade:
    """The worst slice's grade as an interval; `grade` is None where the masks leave it open.

    `worst` is the slice that sets the interval's upper end, None where no tumour lies in the canal
    or beside it. `distance_mm` is its index along the patient's axis, from the first slice.
    """

    low: Grade
    high: Grade
    worst: SliceGrade | None
    distance_mm: float | None
    flags: tuple[EpiduralFlag, ...]
    notice: str | None
    rule: str = RULE
    version: str = VERSION
    not_from_images: tuple[str, ...] = NOT_FROM_IMAGES

    @property
    def grade(self) -> Grade | None:
        """The grade where it is known."""
        return self.low if self.low is self.high else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Areas:
    """Pixels of a structure slice by slice, and which slices may serve as a reference."""

    pixels: npt.NDArray[np.int64]
    free: BoolArray

    def loss(self, index: int) -> tuple[float | None, bool]:
        """Share of the area lost in a slice, and whether the reference lies on both sides of it.

        The reference is interpolated between the nearest free slices above and below: a sac that
        tapers along the spine loses nothing by that.
        """
        usable = np.flatnonzero(self.free & (self.pixels > 0))
        if usable.size == 0:
            return None, False
        reference = float(np.interp(index, usable, self.pixels[usable]))
        return 1.0 - float(self.pixels[index]) / reference, bool(usable[0] < index < usable[-1])


def grade_of(*, indented: bool, touched: bool, compressed: bool, csf_visible: bool) -> Grade:
    """The grade of a slice with tumour in the canal, by the rule's questions in order."""
    if not indented:
        return Grade.EPIDURAL
    if not touched:
        return Grade.SAC_DEFORMED
    if not compressed:
        return Grade.CORD_ABUTTED
    return Grade.CORD_COMPRESSED if csf_visible else Grade.CORD_COMPRESSED_NO_CSF


def epidural_grade(masks: SpinalMasks) -> EpiduralGrade:
    """Bilsky's grade of the worst slice.

    Cord contact is a tumour pixel among a cord pixel's eight neighbours in the slice, or on it. What a slice
    cannot tell leaves all grades that it could have, and the result becomes an interval.
    """
    slices = tuple(_slices(masks))
    if not slices:
        return EpiduralGrade(
            low=Grade.BONE_ONLY, high=Grade.BONE_ONLY, worst=None, distance_mm=None, flags=(), notice=None
        )
    worst = max(slices, key=lambda item: (item.high, item.low))
    low, high = max(item.low for item in slices), worst.high
    flags = tuple(flag for flag in EpiduralFlag if any(flag in item.flags for item in slices))
    return EpiduralGrade(
        low=low,
        high=high,
        worst=worst,
        distance_mm=worst.index * masks.geometry.spacing_mm[0],
        flags=flags,
        notice=_notice(low, high, contradictory=EpiduralFlag.CONTRADICTORY in flags),
    )


def _slices(masks: SpinalMasks) -> Iterator[SliceGrade]:
    """Every slice whose tumour is in the canal, or may be."""
    epidural = _by_slice(masks.tumour & masks.canal) > 0
    blind = (_by_slice(masks.tumour) > 0) & (_by_slice(masks.canal) == 0)
    free = ~epidural & ~blind
    sac = _Areas(pixels=_by_slice(masks.sac), free=free)
    cord = _Areas(pixels=_by_slice(masks.cord), free=free)
    for index in np.flatnonzero(epidural):
        yield _graded(int(index), masks, sac=sac, cord=cord)
    for index in np.flatnonzero(blind):
        yield SliceGrade(
            index=int(index),
            low=Grade.BONE_ONLY,
            high=Grade.CORD_COMPRESSED_NO_CSF,
            sac_loss=None,
            cord_loss=None,
            touches_cord=None,
            csf_visible=False,
            flags=(EpiduralFlag.NO_CANAL,),
        )


def _by_slice(mask: BoolArray) -> npt.NDArray[np.int64]:
    return np.asarray(mask.sum(axis=(1, 2)), dtype=np.int64)


def _graded(index: int, masks: SpinalMasks, *, sac: _Areas, cord: _Areas) -> SliceGrade:
    has_cord = cord.pixels[index] > 0
    sac_loss, sac_both = sac.loss(index)
    # without a cord in the slice its loss is not 100 %: it may end above
    cord_loss, cord_both = cord.loss(index) if has_cord else (None, True)
    touched = _touches(masks.tumour[index], masks.cord[index]) if has_cord else None
    indented = None if sac_loss is None else sac_loss >= SAC_LOSS - _TOUCH
    compressed = None if cord_loss is None else cord_loss >= CORD_LOSS - _TOUCH
    csf = bool(masks.fluid[index].any())
    grades = [
        grade_of(indented=a, touched=b, compressed=c, csf_visible=csf)
        for a, b, c in product(_open(indented), _open(touched), _open(compressed))
    ]
    conditions = {
        EpiduralFlag.NO_REFERENCE: sac_loss is None or (has_cord and cord_loss is None),
        EpiduralFlag.ONE_SIDED_REFERENCE: (sac_loss is not None and not sac_both)
        or (cord_loss is not None and not cord_both),
        EpiduralFlag.NO_CORD: not has_cord,
        EpiduralFlag.CONTRADICTORY: indented is False and bool(touched or compressed),
    }
    return SliceGrade(
        index=index,
        low=min(grades),
        high=max(grades),
        sac_loss=sac_loss,
        cord_loss=cord_loss,
        touches_cord=touched,
        csf_visible=csf,
        flags=tuple(flag for flag, holds in conditions.items() if holds),
    )


def _open(answer: bool | None) -> Iterable[bool]:
    """The answers that are possible."""
    return (False, True) if answer is None else (answer,)


def _touches(tumour: BoolArray, cord: BoolArray) -> bool:
    return bool((ndimage.binary_dilation(tumour, structure=_EIGHT) & cord).any())


def _notice(low: Grade, high: Grade, *, contradictory: bool) -> str | None:
    if low >= HIGH_GRADE:
        span = low.label if low is high else f"{low.label} to {high.label}"
        return f"Review: possible high-grade epidural spinal cord compression, Bilsky {span} by {RULE}."
    if high >= HIGH_GRADE:
        return (
            f"Review: high-grade epidural spinal cord compression is not excluded, Bilsky {low.label} to {high.label}."
        )
    if contradictory:
        return f"Review: the masks of cord and sac contradict each other, Bilsky {high.label} by {RULE} is uncertain."
    return None
