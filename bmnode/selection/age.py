"""Whether a patient is under age: the one thing about the patient that decides whether a study is assessed."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from bmnode.selection.attributes import text

ADULT_YEARS = 18
"""Under this age nothing is assessed: growth plates take up tracer, and no threshold was set on children
(clinical reference 11)."""
_UNITS_A_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
"""Of an AS value (PS3.5 6.2)."""
_DATES = ("PatientBirthDate", "StudyDate")


def is_minor(dataset: Dataset) -> bool | None:
    """Whether Patient's Age (0010,1010), or birth date and study date, say under 18; None where neither tells.

    Where the two disagree, the younger counts.
    """
    stated = [years for years in (_stated_years(dataset), _counted_years(dataset)) if years is not None]
    return min(stated) < ADULT_YEARS if stated else None


def _stated_years(dataset: Dataset) -> float | None:
    match = re.fullmatch(r"([0-9]{1,3})([DWMY])", text(dataset, "PatientAge") or "")
    # De-identification writes zeros (000Y), which no age is: that of a newborn is written in days.
    return None if match is None or not int(match.group(1)) else int(match.group(1)) / _UNITS_A_YEAR[match.group(2)]


def _counted_years(dataset: Dataset) -> float | None:
    """Whole years between two DA values; None where one is missing or the birth comes after the study."""
    born, seen = (re.fullmatch(r"([0-9]{4})([0-9]{4})", text(dataset, key) or "") for key in _DATES)
    if born is None or seen is None:
        return None
    years = int(seen.group(1)) - int(born.group(1)) - (seen.group(2) < born.group(2))
    return float(years) if years >= 0 else None
