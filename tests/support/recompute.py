"""Every number of a volumetric SR, computed anew from the SEG and the source images, with code of the test's own.

Masks are read by highdicom, images by pydicom, values scaled here. A measurement that is not
in the tables below fails: no number goes unwitnessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

from bmnode.domain.codes import Code, Concept, Derivation, Finding
from bmnode.domain.results import Measurement
from bmnode.results.reading import Report, ReportedFinding

PEAK_RADIUS_MM = 6.203505
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Scale = Callable[[Dataset], float]
"""What the rescaled values of an instance are multiplied by."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Volume:
    """A series as the test reads it: values (slice, row, column) and steps in millimetres (LPS)."""

    uids: tuple[str, ...]
    values: FloatArray
    steps: FloatArray
    """3 by 3: the way from a voxel to its neighbour, one column an axis of the array."""

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel."""
        return abs(float(np.linalg.det(self.steps))) / 1000.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Region:
    """One segment on its volume."""

    volume: Volume
    mask: BoolArray

    @property
    def inside(self) -> FloatArray:
        """Values of its voxels."""
        return self.volume.values[self.mask]

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume."""
        return float(np.count_nonzero(self.mask)) * self.volume.voxel_ml

    def long_axis_mm(self) -> float:
        """Greatest distance between voxel centres."""
        points = np.argwhere(self.mask) @ self.volume.steps.T
        if len(points) == 1:
            return 0.0
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:
            points = points[:: max(1, len(points) // 2000)] if len(points) > 2000 else points
        return float(pdist(points).max())

    def peaks(self) -> FloatArray:
        """For every voxel of the region the mean of the 1 ml sphere around it."""
        step = self.volume.steps
        reach = int(np.ceil(PEAK_RADIUS_MM / np.linalg.norm(step, axis=0).min()))
        axis = np.arange(-reach, reach + 1)
        grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
        offsets = grid[np.linalg.norm(grid @ step.T, axis=1) <= PEAK_RADIUS_MM]
        centres = np.argwhere(self.mask)
        total, count = np.zeros(len(centres)), np.zeros(len(centres))
        shape = np.asarray(self.volume.values.shape)
        for offset in offsets:
            at = centres + offset
            valid = np.all((at >= 0) & (at < shape), axis=1)
            total[valid] += self.volume.values[tuple(at[valid].T)]
            count[valid] += 1
        return total / count

    def peak_local(self) -> float:
        """The sphere at the hottest voxel."""
        inside = self.inside
        return float(self.peaks()[inside == inside.max()].max())


OF_A_REGION: Mapping[tuple[Code, Code | None], Callable[[Region], float]] = {
    (Concept.VOLUME, None): lambda region: region.volume_ml,
    (Concept.METABOLIC_VOLUME, None): lambda region: region.volume_ml,
    (Concept.LONG_AXIS, None): lambda region: region.long_axis_mm(),
    (Concept.TOTAL_LESION_GLYCOLYSIS, None): lambda region: float(region.inside.mean()) * region.volume_ml,
}
OF_VALUES: Mapping[Code, Callable[[FloatArray], float]] = {
    Derivation.MEAN: lambda values: float(values.mean()),
    Derivation.MAXIMUM: lambda values: float(values.max()),
    Derivation.MINIMUM: lambda values: float(values.min()),
    Derivation.MEDIAN: lambda values: float(np.median(values)),
    Derivation.STANDARD_DEVIATION: lambda values: float(values.std()),
}
TYPE_LIMITS: Mapping[Code, Callable[[float], float]] = {
    Concept.LYTIC_LIMIT: lambda limit: min(limit, 100.0),
    Concept.SCLEROTIC_LIMIT: lambda limit: max(limit, 300.0),
}
"""What of the limits can be told without the reference region: soft tissue at most, 300 HU at least."""
TYPE_SHARES: Mapping[Code, tuple[Code, Callable[[FloatArray, float], BoolArray]]] = {
    Concept.LYTIC_FRACTION: (Concept.LYTIC_LIMIT, np.less),
    Concept.SCLEROTIC_FRACTION: (Concept.SCLEROTIC_LIMIT, np.greater),
}
VALUE_CONCEPTS = frozenset({Concept.ATTENUATION, Concept.SUV_BW, Concept.ADC})


def load_volume(files: Sequence[Path], *, scale: Scale) -> Volume:
    """Read single-frame slices of one series, from the lowest along their normal to the highest."""
    images = [dcmread(path) for path in files]
    orientation = np.asarray(images[0].ImageOrientationPatient, dtype=np.float64)
    normal = np.cross(orientation[:3], orientation[3:])
    images.sort(key=lambda image: float(np.dot(normal, np.asarray(image.ImagePositionPatient, dtype=np.float64))))
    first, last = (np.asarray(images[i].ImagePositionPatient, dtype=np.float64) for i in (0, -1))
    between_rows, between_columns = (float(value) for value in images[0].PixelSpacing)
    steps = np.stack(
        [(last - first) / (len(images) - 1), orientation[3:] * between_rows, orientation[:3] * between_columns], axis=1
    )
    values = [
        (image.pixel_array.astype(np.float64) * float(image.get("RescaleSlope", 1)))
        + float(image.get("RescaleIntercept", 0))
        for image in images
    ]
    return Volume(
        uids=tuple(str(image.SOPInstanceUID) for image in images),
        values=np.stack([value * scale(image) for value, image in zip(values, images, strict=True)]),
        steps=steps,
    )


def load_regions(segmentation: Path, volume: Volume) -> dict[int, Region]:
    """Every segment by its number, on the volume that it was drawn on."""
    seg = hd.seg.segread(segmentation)
    numbers = [int(item.SegmentNumber) for item in seg.SegmentSequence]
    pixels = seg.get_pixels_by_source_instance(
        volume.uids, segment_numbers=numbers, combine_segments=False, assert_missing_frames_are_empty=True
    )
    return {
        number: Region(volume=volume, mask=pixels[..., index].astype(np.bool_)) for index, number in enumerate(numbers)
    }


def expected_of_finding(item: Measurement, region: Region, finding: ReportedFinding) -> float:
    """What a measurement of a finding must be. Raises KeyError for one that has no witness here.

    The limits of a lesion's type are inputs: the report states them, and the shares follow.
    """
    if item.concept in TYPE_LIMITS:
        return TYPE_LIMITS[item.concept](item.value)
    if item.concept in TYPE_SHARES:
        limit_of, beyond = TYPE_SHARES[item.concept]
        (limit,) = (other.value for other in finding.measurements if other.concept == limit_of)
        return 100.0 * float(beyond(region.inside, limit).mean())
    found = OF_A_REGION.get((item.concept, item.derivation))
    if found is not None:
        return found(region)
    if item.concept in VALUE_CONCEPTS and item.derivation == Derivation.PEAK_IN_ROI:
        return region.peak_local() if "LOCAL" in item.method else float(region.peaks().max())
    if item.concept in VALUE_CONCEPTS and item.derivation is not None:
        return OF_VALUES[item.derivation](region.inside)
    raise KeyError(f"{item.concept.meaning} ({item.method}) has no witness")


def expected_of_study(
    item: Measurement,
    report: Report,
    regions: Mapping[int, Region],
    bone: Region | None,
    *,
    suv_factor: float | None = None,
) -> float:
    """What a measurement of the study must be; `suv_factor` is the SUVbw of 1 Bq/ml by the caller's own reckoning.

    Raises KeyError for a measurement that has no witness here.
    """
    lesions = [regions[finding.segment.segment_number] for finding in report.findings if finding.segment]
    total_ml = sum(region.volume_ml for region in lesions)
    plain = {Concept.LESION_COUNT: float(len(report.findings)), Concept.SUV_FACTOR: suv_factor}
    if (known := plain.get(item.concept)) is not None:
        return known
    if item.derivation == Derivation.TOTAL and item.concept in {Concept.VOLUME, Concept.METABOLIC_VOLUME}:
        return total_ml
    if item.concept == Concept.TOTAL_LESION_GLYCOLYSIS:
        return sum(float(region.inside.mean()) * region.volume_ml for region in lesions)
    if bone is not None and item.concept == Concept.BONE_EVALUATED:
        return bone.volume_ml
    if bone is not None and item.concept == Concept.LESION_FRACTION:
        return 100.0 * total_ml / bone.volume_ml
    if bone is not None and item.concept in VALUE_CONCEPTS and item.derivation is not None:
        return OF_VALUES[item.derivation](bone.inside)
    raise KeyError(f"{item.concept.meaning} ({item.method}) has no witness")


def bone_region(segmentation: Path, regions: Mapping[int, Region]) -> Region | None:
    """The evaluated bone, where the SEG has it."""
    seg = hd.seg.segread(segmentation)
    for item in seg.SegmentSequence:
        if item.SegmentedPropertyCategoryCodeSequence[0].CodeValue == Finding.ANATOMICAL_STRUCTURE.value:
            return regions[int(item.SegmentNumber)]
    return None
