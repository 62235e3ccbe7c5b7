"""Whether an emission image lies on its CT as it is, or would lie on it better when mirrored or turned.

A convention of this project (FUSION_ORIENTATION_V1). Emission and CT of one scanner are aligned by their headers. An
image whose pixels were mirrored or turned behind the header's back fits its CT best when that is undone. Fit is mutual
information (Maes 1997, IEEE Trans Med Imaging 16:187), which needs no model of the tracer.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.coarse_ct import CoarseCt
from operators.kernels.ct_orientation import Agreement
from operators.kernels.morphology import block_factors, block_means
from operators.kernels.orientation import PatientAxes

METHOD = "FUSION_ORIENTATION_V1"
_TISSUE_HU = (-500.0, -150.0, -20.0, 25.0, 70.0, 200.0)
"""Between air and lung, fat, what holds fat and water, organs, contrast medium or spongy bone, and bone."""
_LEVELS = 16
"""Of the emission, with as many voxels each: its unit and its scale do not matter."""
_FEWEST = 2000
"""Voxels of the patient in both images, below which a mutual information says little: about a litre at 8 mm."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FusionLimits:
    """Both images are compared on blocks of `working_mm`; a turn counts where it fits `clear_gain` times better."""

    working_mm: float
    clear_gain: float

    def __post_init__(self) -> None:
        if self.working_mm <= 0.0 or self.clear_gain <= 1.0:
            raise ValueError("blocks must be larger than 0 mm, and a clear gain larger than 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Flips along z, y and x of the patient, after exchanging x and y (a quarter turn is an exchange and a flip)."""

    exchanged: bool
    flips: tuple[bool, bool, bool]

    @property
    def words(self) -> str:
        """What it does, for a report."""
        if self.exchanged:
            seen = ["a quarter turn" if self.flips[1] != self.flips[2] else "a reflection about a diagonal"]
        else:
            seen = [f"{name} exchanged" for name, flip in zip(_NAMES[1:], self.flips[1:], strict=True) if flip]
        return " and ".join([*([f"{_NAMES[0]} exchanged"] if self.flips[0] else []), *seen])


_NAMES = ("head and feet", "front and back", "left and right")
AS_IT_IS = Turn(exchanged=False, flips=(False, False, False))


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """How an emission fits its CT as it is, and under the one of all other turns that fits best, both in nats."""

    other: Turn
    as_it_is: float
    at_other: float

    @property
    def gain(self) -> float:
        """How many times as well it fits as it is as under the best other turn; infinite where that fits not."""
        return self.as_it_is / self.at_other if self.at_other > 0.0 else float("inf")

    def agreement(self, *, limits: FusionLimits) -> Agreement:
        """Whether one of the two fits clearly better; not evaluable where neither does."""
        if self.at_other > limits.clear_gain * self.as_it_is:
            return Agreement.CONTRADICTS
        return Agreement.AGREES if self.as_it_is > limits.clear_gain * self.at_other else Agreement.NOT_EVALUABLE


def judge_fusion(
    emission: npt.NDArray[np.floating], geometry: VolumeGeometry, ct: CoarseCt, *, limits: FusionLimits
) -> Fit | None:
    """How an emission image (slice, row, column; any unit) fits its CT; None where they share too little of a patient.

    Args:
        emission: values on the grid `geometry`, in the CT's frame of reference.
        geometry: of the emission.
        ct: the CT at organ scale.
        limits: on what blocks both are compared.
    """
    axes = PatientAxes.from_geometry(geometry)
    factors = block_factors(axes.spacing_mm, working_mm=limits.working_mm)
    blocks = block_means(np.nan_to_num(np.asarray(axes.turn(emission), dtype=np.float32)), factors)
    hu = _ct_on_blocks(ct, geometry, axes, factors=factors, shape=blocks.shape)
    known = np.isfinite(hu)
    if np.count_nonzero(known & (hu > _TISSUE_HU[0])) < _FEWEST:
        return None
    tissue = np.digitize(np.where(known, hu, -2000.0), _TISSUE_HU)
    levels = _levels(blocks)
    fits = {turn: _mutual_information(tissue[known], _turned(levels, turn)[known]) for turn in _turns(levels.shape)}
    as_it_is = fits.pop(AS_IT_IS)
    other = max(fits, key=lambda turn: fits[turn])
    return Fit(other=other, as_it_is=as_it_is, at_other=fits[other])


def _ct_on_blocks(
    ct: CoarseCt,
    geometry: VolumeGeometry,
    axes: PatientAxes,
    *,
    factors: tuple[int, int, int],
    shape: tuple[int, ...],
) -> npt.NDArray[np.float32]:
    """HU at the blocks of the turned emission, NaN where the CT does not reach."""
    to_index = np.zeros((4, 4))
    to_index[3, 3] = 1.0
    for turned, (axis, flip) in enumerate(zip(axes.axes, axes.flips, strict=True)):
        first = (factors[turned] - 1) / 2.0
        to_index[axis, turned] = -factors[turned] if flip else factors[turned]
        to_index[axis, 3] = geometry.shape[axis] - 1 - first if flip else first
    to_ct = np.linalg.inv(ct.matrix) @ geometry.matrix @ to_index
    values: npt.NDArray[np.float32] = ndimage.affine_transform(
        ct.hu, to_ct[:3, :3], offset=to_ct[:3, 3], output_shape=shape, order=1, mode="constant", cval=np.nan
    )
    return values


def _levels(blocks: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The rank of each block with uptake, in `_LEVELS` steps; 0 at or under a hundredth of the mean."""
    shown = blocks > 0.01 * max(float(blocks.mean()), 0.0)
    if not shown.any():
        return np.zeros(blocks.shape, dtype=np.int64)
    steps = np.quantile(blocks[shown], np.linspace(0.0, 1.0, _LEVELS)[1:-1])
    return np.where(shown, 1 + np.digitize(blocks, steps), 0)


def _turns(shape: tuple[int, ...]) -> list[Turn]:
    exchanges = (False, True) if shape[1] == shape[2] else (False,)
    return [
        Turn(exchanged=exchanged, flips=(z, y, x))
        for exchanged, z, y, x in product(exchanges, (False, True), (False, True), (False, True))
    ]


def _turned(levels: npt.NDArray[np.int64], turn: Turn) -> npt.NDArray[np.int64]:
    order = (0, 2, 1) if turn.exchanged else (0, 1, 2)
    return np.flip(levels.transpose(order), tuple(axis for axis, flip in enumerate(turn.flips) if flip))


def _mutual_information(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float:
    """Of two label images, nats."""
    count = int(other.max()) + 1
    joint = np.bincount(one * count + other, minlength=(len(_TISSUE_HU) + 1) * count).reshape(-1, count) / len(one)
    alone = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    shown = joint > 0.0
    return float(np.sum(joint[shown] * np.log(joint[shown] / alone[shown])))
