"""What vendors, sites and accidents do to a study on its way into DICOM."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from operators.simulation.protocols.limits import Ranges, check_ranges

HABIT_RANGES: Ranges = {
    "duplicate_slices": (0, 20),
    "missing_slices": (0, 20),
    "resent_instances": (0, 20),
}


class Vendor(StrEnum):
    """Whose habits an object shows. PLAIN is the standard and nothing else."""

    PLAIN = "plain"
    GE = "ge"
    PHILIPS = "philips"
    SIEMENS = "siemens"


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """Options of the DICOM writers; the default is a plain, complete study.

    Args:
        vendor: private tags and units (Philips PET in counts with (7053,1000); GE's (0009,100D)).
        per_slice_slopes: every PET or MR slice has a Rescale Slope of its own.
        enhanced: enhanced multi-frame objects where the standard has them and readers know them (CT, MR, PET).
        missing_optional: optional attributes (Patient's Size, Series Description) are absent, those of type 2 empty.
        duplicate_slices: how many slices of the first volume come again as instances of their own.
        missing_slices: how many slices of the first volume, never the ends, do not come at all.
        resent_instances: how many files of a series come twice, byte by byte the same.
        feet_first: the patient went in feet first; slices are sorted from the head, planar views are upside down.
        late_series_time: PET's Series Time is that of a later reconstruction, not of the scan.
        posterior_first: the posterior view is the first frame.
        single_views: planar views are instances of one frame each.
        missing_view_codes: no view codes; Image ID names the view where an instance has one.
    """

    vendor: Vendor = Vendor.PLAIN
    per_slice_slopes: bool = False
    enhanced: bool = False
    missing_optional: bool = False
    duplicate_slices: int = 0
    missing_slices: int = 0
    resent_instances: int = 0
    feet_first: bool = False
    late_series_time: bool = False
    posterior_first: bool = False
    single_views: bool = False
    missing_view_codes: bool = False

    def __post_init__(self) -> None:
        check_ranges(self, HABIT_RANGES)
