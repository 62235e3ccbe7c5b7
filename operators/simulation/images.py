"""What the physics hands to the DICOM writers: arrays in physical units, with their place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry

FloatArray = npt.NDArray[np.float32]


class Content(StrEnum):
    """What a volume's numbers are, with their unit."""

    HU = "hu"
    ACTIVITY_BQML = "activity_bqml"
    """At the reference time of its protocol (`decay_corrected_to`; SPECT: start of the acquisition)."""
    COUNTS = "counts"
    T1 = "t1"
    STIR = "stir"
    T2_FS = "t2_fs"
    DIXON_FAT = "dixon_fat"
    DIXON_WATER = "dixon_water"
    DWI = "dwi"
    """Trace-weighted signal at `b_value`."""
    ADC_UM2_S = "adc_um2_s"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Volume:
    """One volume of one series.

    Args:
        values: float32 (slice, row, column).
        content: what they are.
        b_value: of DWI.
        station: 1, 2, ... where stations are series of their own; 0 where there is only one.
    """

    values: FloatArray
    geometry: VolumeGeometry
    content: Content
    b_value: int | None = None
    station: int = 0

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or self.values.shape != self.geometry.shape:
            raise ValueError("a volume's values are float32 and have its grid's shape")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarScan:
    """Whole-body views; the first axis is (ANT, POST), rows go down from the head.

    ANT shows the patient's right on the left side of the image, POST the patient's left.

    Args:
        photopeak: counts (2, row, column), whole numbers unless noise was switched off.
        scatter: of the lower window, or None.
        pixel_mm: of rows and columns.
        to_pixel: (2, 2, 4): (row, column) = to_pixel[view] @ (x, y, z, 1), LPS millimetres.
    """

    photopeak: FloatArray
    scatter: FloatArray | None
    pixel_mm: float
    to_pixel: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarTruth:
    """Where things lie on a planar scan, geometrically (no blur); axes as `PlanarScan`.

    Args:
        lesions: bool (lesion, 2, row, column): the shadow of every lesion.
        bones: uint8 (2, row, column): the bone that gives each pixel most of its bone counts, 0 without bone.
    """

    lesions: npt.NDArray[np.bool_]
    bones: npt.NDArray[np.uint8]
