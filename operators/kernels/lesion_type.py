"""CT_TYPE_V1, a convention of this project: lytic, sclerotic or mixed by the share of voxels beyond the bone's HU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.codes import Code, LesionType

METHOD = "CT_TYPE_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneReference:
    """Trabecular HU of the same bone outside lesions."""

    mean_hu: float
    sd_hu: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeLimits:
    """The thresholds of CT_TYPE_V1."""

    deviations: float = 2.0
    lytic_below_hu: float = 100.0
    sclerotic_above_hu: float = 300.0
    share: float = 0.25

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0 or self.deviations <= 0.0:
            raise ValueError("share lies in (0, 1] and deviations are positive")


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedLesion:
    """Shares of lytic and sclerotic voxels, 0 to 1, and the type."""

    lytic_share: float
    sclerotic_share: float
    type: Code


def lytic_limit(reference: BoneReference, limits: TypeLimits) -> float:
    """HU below which a voxel is lytic: mean - 2 SD of the bone, and soft tissue at most."""
    return min(reference.mean_hu - limits.deviations * reference.sd_hu, limits.lytic_below_hu)


def sclerotic_limit(reference: BoneReference, limits: TypeLimits) -> float:
    """HU above which a voxel is sclerotic: mean + 2 SD of the bone, and 300 HU at least."""
    return max(reference.mean_hu + limits.deviations * reference.sd_hu, limits.sclerotic_above_hu)


def type_of(values_hu: npt.NDArray[np.floating], *, reference: BoneReference, limits: TypeLimits) -> TypedLesion:
    """The type of a lesion from its voxels' HU. Raises ValueError where there are none."""
    if values_hu.size == 0:
        raise ValueError("an empty lesion has no type")
    values = values_hu.astype(np.float64)
    lytic = float(np.mean(values < lytic_limit(reference, limits)))
    sclerotic = float(np.mean(values > sclerotic_limit(reference, limits)))
    kinds = {
        (True, False): LesionType.LYTIC,
        (False, True): LesionType.SCLEROTIC,
        (True, True): LesionType.MIXED,
        (False, False): LesionType.INDETERMINATE,
    }
    return TypedLesion(
        lytic_share=lytic,
        sclerotic_share=sclerotic,
        type=kinds[lytic >= limits.share, sclerotic >= limits.share],
    )
