"""What other images of an MR study say of a region of the ADC map: fat, opposed phase, high b-value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.codes import Code, Concept, Unit
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.results import Measurement
from bmnode.domain.study import SeriesRole
from operators.graph.contract import NotAssessableError, StudyInput
from operators.kernels import dixon
from operators.kernels.resample import values_on_grid
from operators.readers.volume import ImageVolume, read_volume
from pipelines.volumetric import first_readable

HIGH_B_METHOD = "HIGH_B_REGION_RATIO_V1"

_Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SignalPair:
    """Two images of one Dixon sequence on the ADC map's grid, NaN beyond their field, and the ratio that they give."""

    concept: Code
    method: str
    unit: Code
    factor: float
    ratio: Callable[[_Values, _Values], float | None]
    first: _Values
    second: _Values
    series_uids: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """A ratio that a Dixon sequence may give."""

    label: str
    roles: tuple[SeriesRole, SeriesRole]
    concept: Code
    method: str
    unit: Code
    factor: float
    ratio: Callable[[_Values, _Values], float | None]


_WANTED = (
    _Wanted(
        label="The fat fraction",
        roles=(SeriesRole.DIXON_FAT, SeriesRole.DIXON_WATER),
        concept=Concept.FAT_FRACTION,
        method=dixon.FAT_METHOD,
        unit=Unit.PERCENT,
        factor=100.0,
        ratio=dixon.fat_fraction,
    ),
    _Wanted(
        label="The loss of signal in opposed phase",
        roles=(SeriesRole.OPPOSED_PHASE, SeriesRole.IN_PHASE),
        concept=Concept.OPPOSED_RATIO,
        method=dixon.OPPOSED_METHOD,
        unit=Unit.RATIO,
        factor=1.0,
        ratio=dixon.opposed_ratio,
    ),
)


def read_pairs(study: StudyInput, grid: VolumeGeometry) -> tuple[tuple[SignalPair, ...], tuple[str, ...]]:
    """The pairs that the study has on the map's place, and a sentence for each that it has not."""
    pairs, missing = [], []
    for wanted in _WANTED:
        found = [_on_grid(study, role, grid) for role in wanted.roles]
        (first, first_uid), (second, second_uid) = found
        if first is None or second is None:
            missing.append(f"{wanted.label} was not evaluable: the study has no such images in the map's place.")
            continue
        pairs.append(
            SignalPair(
                concept=wanted.concept,
                method=wanted.method,
                unit=wanted.unit,
                factor=wanted.factor,
                ratio=wanted.ratio,
                first=first,
                second=second,
                series_uids=(first_uid, second_uid),
            )
        )
    return tuple(pairs), tuple(missing)


def _on_grid(study: StudyInput, role: SeriesRole, grid: VolumeGeometry) -> tuple[_Values | None, str]:
    """The role's first readable series on the grid; None where there is none in the map's frame of reference."""
    series = study.role(role)
    if not series:
        return None, ""
    try:
        uid, volume = first_readable(study, series, read=read_volume)
    except NotAssessableError:
        return None, ""
    frame = volume.geometry.frame_of_reference_uid
    if not frame or frame != grid.frame_of_reference_uid:
        return None, ""
    return values_on_grid(volume.array, source=volume.geometry, target=grid), uid


def signal_measurements(mask: CroppedMask, pairs: Sequence[SignalPair]) -> tuple[Measurement, ...]:
    """The ratios of one region; nothing where an image does not cover all of it or holds no signal."""
    found = []
    for pair in pairs:
        first, second = (image[mask.box][mask.values] for image in (pair.first, pair.second))
        if np.isnan(first).any() or np.isnan(second).any():
            continue
        value = pair.ratio(first, second)
        if value is not None:
            found.append(
                Measurement(concept=pair.concept, value=pair.factor * value, unit=pair.unit, method=pair.method)
            )
    return tuple(found)


def high_b_measurement(mask: CroppedMask, region: CroppedMask, high_b: ImageVolume | None) -> tuple[Measurement, ...]:
    """Median signal of the highest b-value in a lesion over that of the evaluated region; nothing without one."""
    if high_b is None:
        return ()
    inside, around = (float(np.median(high_b.array[part.box][part.values])) for part in (mask, region))
    if around <= 0.0:
        return ()
    return (Measurement(concept=Concept.HIGH_B_RATIO, value=inside / around, unit=Unit.RATIO, method=HIGH_B_METHOD),)
