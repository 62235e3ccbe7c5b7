"""What other images of an MR study say of a region of the ADC map: fat, opposed phase, high b-value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.codes import Code, Concept, Unit
from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from bmnode.domain.results import Measurement
from bmnode.domain.study import SeriesRole
from operators.graph.contract import NotAssessableError, StudyInput
from operators.kernels import dixon
from operators.kernels.resample import values_on_grid
from operators.readers.volume import ImageVolume, read_volume
from pipelines.volumetric import first_readable

HIGH_B_METHOD = "HIGH_B_REGION_RATIO_V1"
MUSCLE_METHOD = "MRI_MUSCLE_V1"

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


def _read_pairs(study: StudyInput, grid: VolumeGeometry) -> tuple[tuple[SignalPair, ...], tuple[str, ...]]:
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


def _of_pairs(mask: CroppedMask, pairs: Sequence[SignalPair]) -> tuple[Measurement, ...]:
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MuscleReference:
    """Muscle of the back, and the images that are held against it, on the ADC map's grid, by what they give."""

    mask: CroppedMask
    images: tuple[tuple[Code, _Values], ...]
    series_uids: tuple[str, ...]


def _read_muscle(
    study: StudyInput, region: BoolArray, grid: VolumeGeometry, *, high_b: ImageVolume | None, minimum_ml: float
) -> tuple[MuscleReference | None, tuple[str, ...]]:
    """The reference with T1 and high b-value image where the study has them, and sentences on what it has not."""
    if np.count_nonzero(region) * grid.voxel_volume_ml < minimum_ml:
        return None, ("Signal ratios to muscle were not evaluable: no muscle of the back was recognised by its ADC.",)
    t1, uid = _on_grid(study, SeriesRole.T1, grid)
    images = [(Concept.HIGH_B_MUSCLE, high_b.array)] if high_b is not None else []
    if t1 is not None:
        images.append((Concept.T1_MUSCLE, t1))
    names = {Concept.HIGH_B_MUSCLE: "high b-value", Concept.T1_MUSCLE: "T1"}
    absent = [name for concept, name in names.items() if concept not in {found for found, _ in images}]
    sentences = [
        f"The {name} signal relative to muscle was not evaluable: no such image fits the map." for name in absent
    ]
    reference = MuscleReference(
        mask=CroppedMask.from_array(region), images=tuple(images), series_uids=() if t1 is None else (uid,)
    )
    return reference, tuple(sentences)


def _of_muscle(mask: CroppedMask, muscle: MuscleReference | None) -> tuple[Measurement, ...]:
    """Median signal of a region over the muscle's; nothing where an image does not cover both."""
    found = []
    if muscle is None:
        return ()
    for concept, image in muscle.images:
        inside, reference = (float(np.median(image[part.box][part.values])) for part in (mask, muscle.mask))
        if np.isfinite(inside) and reference > 0.0:
            found.append(Measurement(concept=concept, value=inside / reference, unit=Unit.RATIO, method=MUSCLE_METHOD))
    return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MarrowImages:
    """What the study has beside the ADC map, on the map's grid, and sentences on what it has not."""

    pairs: tuple[SignalPair, ...]
    muscle: MuscleReference | None
    missing: tuple[str, ...]

    @property
    def series_uids(self) -> tuple[str, ...]:
        """The series that they come from."""
        of_pairs = (uid for pair in self.pairs for uid in pair.series_uids)
        return *of_pairs, *(() if self.muscle is None else self.muscle.series_uids)

    def measure(self, mask: CroppedMask) -> tuple[Measurement, ...]:
        """Every ratio of one region that the images give."""
        return *_of_pairs(mask, self.pairs), *_of_muscle(mask, self.muscle)


def read_images(
    study: StudyInput, muscle: BoolArray, grid: VolumeGeometry, *, high_b: ImageVolume | None, minimum_ml: float
) -> MarrowImages:
    """Dixon images, T1 and muscle of a study on the ADC map's grid; `muscle` counts from `minimum_ml` on."""
    pairs, without = _read_pairs(study, grid)
    reference, unknown = _read_muscle(study, muscle, grid, high_b=high_b, minimum_ml=minimum_ml)
    return MarrowImages(pairs=pairs, muscle=reference, missing=(*without, *unknown))
