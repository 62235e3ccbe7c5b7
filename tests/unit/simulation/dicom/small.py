"""Small images of every modality, written with any habit: arrays with a gradient and one bright voxel, no physics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.dicom.ct import write_ct
from operators.simulation.dicom.header import StudyHeader
from operators.simulation.dicom.mri import write_mri
from operators.simulation.dicom.pet import write_pet
from operators.simulation.dicom.planar import write_planar
from operators.simulation.dicom.series import WrittenSeries
from operators.simulation.dicom.spect import write_spect
from operators.simulation.images import Content, PlanarScan, Volume
from operators.simulation.protocols.ct import Contrast, CtProtocol
from operators.simulation.protocols.habits import Habits, Vendor
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol, SpectUnit

FRAME_UID = "1.2.3.4"
SHAPE = (14, 10, 12)
SPACING_MM = (4.0, 2.5, 2.0)
BRIGHT = (9, 2, 8)
"""Index of the voxel that is brighter than all others."""
PERSON = PersonSpec(seed=5, sex=Sex.MALE, height_cm=181.3, weight_kg=86.45)
HEADER = StudyHeader.drawn(
    PERSON, key="tests 5", study="one", start=datetime(2025, 3, 4, 9, 5, 7, 250000, UTC), description="Examination"
)
ROWS, COLUMNS = 40, 20


class Kind(StrEnum):
    """One examination of each sort."""

    PLANAR = "planar"
    SPECT = "spect"
    SPECT_COUNTS = "spect_counts"
    CT = "ct"
    PET = "pet"
    MRI = "mri"


HABITS = {
    "plain": Habits(),
    "ge": Habits(vendor=Vendor.GE, per_slice_slopes=True, late_series_time=True),
    "philips": Habits(vendor=Vendor.PHILIPS),
    "siemens": Habits(vendor=Vendor.SIEMENS, per_slice_slopes=True),
    "missing_optional": Habits(missing_optional=True),
    "accidents": Habits(duplicate_slices=2, missing_slices=1, resent_instances=2),
    "feet_first": Habits(feet_first=True),
    "enhanced": Habits(enhanced=True),
    "enhanced_sparing": Habits(enhanced=True, missing_optional=True, feet_first=True, vendor=Vendor.SIEMENS),
    "other_views": Habits(posterior_first=True, single_views=True, missing_view_codes=True, late_series_time=True),
}

PLANES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "axial": ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
    "coronal": ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
    "sagittal": ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
}
"""Directions of rows' and columns' steps."""


def grid(plane: str = "axial", *, turn_deg: float = 0.0, shape: tuple[int, int, int] = SHAPE) -> VolumeGeometry:
    """A grid around (12, -30, 420), its slices along rows' directions x columns' directions, turned about x."""
    down, across = (np.array(direction) for direction in PLANES[plane])
    angle = np.deg2rad(turn_deg)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    steps = turn @ np.stack([np.cross(across, down), down, across], axis=1) * np.array(SPACING_MM)
    matrix = np.eye(4)
    matrix[:3, :3] = steps
    matrix[:3, 3] = np.array([12.0, -30.0, 420.0]) - steps @ (np.array(shape) / 2.0)
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid=FRAME_UID)


def volume(
    content: Content, *, geometry: VolumeGeometry | None = None, b_value: int | None = None, station: int = 0
) -> Volume:
    """Values of the size that the content has, different in every voxel, the brightest at `BRIGHT`."""
    geometry = geometry or grid()
    low, high = {Content.HU: (-1000.0, 1500.0), Content.ADC_UM2_S: (400.0, 2600.0)}.get(content, (0.0, 2.0e4))
    random = np.random.default_rng([5, b_value or 0])
    values = random.uniform(low, low + 0.5 * (high - low), geometry.shape)
    values[BRIGHT] = high
    return Volume(
        values=(values * np.exp(-(b_value or 0) / 1000.0)).astype(np.float32),
        geometry=geometry,
        content=content,
        b_value=b_value,
        station=station,
    )


def scan(*, scatter: bool = False) -> PlanarScan:
    """Counts with one hot pixel on the patient's left, at row 6 and LPS x = +12 mm."""
    random = np.random.default_rng(3)
    counts = random.poisson(3.0, (2, ROWS, COLUMNS)).astype(np.float32)
    to_pixel = np.zeros((2, 2, 4))
    to_pixel[:, 0] = (0.0, 0.0, -0.5, 20.0)
    to_pixel[0, 1], to_pixel[1, 1] = (0.5, 0.0, 0.0, 9.5), (-0.5, 0.0, 0.0, 9.5)
    for view in range(2):
        row, column = to_pixel[view] @ np.array([HOT_LPS[0], HOT_LPS[1], HOT_LPS[2], 1.0])
        counts[view, round(row), round(column)] = 200.0
    low = random.poisson(1.0, counts.shape).astype(np.float32)
    return PlanarScan(photopeak=counts, scatter=low if scatter else None, pixel_mm=2.0, to_pixel=to_pixel)


HOT_LPS = (13.0, -40.0, 28.0)
"""Where the hot pixel of `scan` comes from."""


def mri_volumes(geometry: VolumeGeometry | None = None) -> list[Volume]:
    """Every content that MR has."""
    plain = [Content.T1, Content.STIR, Content.T2_FS, Content.DIXON_FAT, Content.DIXON_WATER]
    return [
        *(volume(content, geometry=geometry) for content in plain),
        *(volume(Content.DWI, geometry=geometry, b_value=b) for b in (50, 400, 900)),
        volume(Content.ADC_UM2_S, geometry=geometry),
    ]


def write(
    folder: Path, kind: Kind, *, habits: Habits, geometry: VolumeGeometry | None = None
) -> tuple[WrittenSeries, ...]:
    """Write one examination."""
    if kind is Kind.PLANAR:
        protocol = PlanarProtocol(scatter_window=True)
        return (write_planar(folder, header=HEADER, scan=scan(scatter=True), protocol=protocol, habits=habits),)
    if kind is Kind.SPECT:
        image = volume(Content.ACTIVITY_BQML, geometry=geometry)
        return (write_spect(folder, header=HEADER, volume=image, protocol=SpectProtocol(), habits=habits),)
    if kind is Kind.SPECT_COUNTS:
        counts = SpectProtocol(unit=SpectUnit.COUNTS)
        image = volume(Content.COUNTS, geometry=geometry)
        return (write_spect(folder, header=HEADER, volume=image, protocol=counts, habits=habits),)
    if kind is Kind.CT:
        image = volume(Content.HU, geometry=geometry)
        ct = CtProtocol(contrast=Contrast.PORTAL_VENOUS)
        return (write_ct(folder, header=HEADER, volume=image, protocol=ct, habits=habits),)
    if kind is Kind.PET:
        image = volume(Content.ACTIVITY_BQML, geometry=geometry)
        return (write_pet(folder, header=HEADER, volume=image, protocol=PetProtocol(), habits=habits),)
    return write_mri(folder, header=HEADER, volumes=mri_volumes(geometry), protocol=MrProtocol(), habits=habits)


def paths(series: Sequence[WrittenSeries]) -> list[Path]:
    """Every file."""
    return [path for item in series for path in item.files]


def half_step(values: npt.NDArray[np.floating], slopes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Half a stored step for every slice, with the float32 rounding of the values."""
    step = np.asarray(slopes, dtype=np.float64).reshape(-1, 1, 1)
    return np.asarray(0.5 * step + np.abs(values) * 1e-6, dtype=np.float64)
