"""Coded concepts of a comparison with an earlier scan: what became of a lesion, changes, categories of criteria."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bmnode.domain.codes import Code, project_code


class FollowUp:
    """What is said of a lesion, or of the whole study, against the earlier scan."""

    EVENT = project_code("LESION-EVENT", "What became of the lesion since the earlier scan")
    REPEATABILITY = project_code("REPEATABILITY", "Change of the lesion against published repeatability")
    COMPARISON = project_code("COMPARISON", "Comparison with an earlier scan")
    FLARE = project_code("FLARE", "Healing flare")


NOT_COMPARED = "The earlier scan was not compared with: "
"""How the sentence of a report begins that says why."""


class Compared:
    """Values of `FollowUp.COMPARISON`."""

    LESIONS = project_code("CMP-LESIONS", "Compared lesion by lesion")
    TOTALS = project_code("CMP-TOTALS", "Compared in totals of the study alone")
    REFUSED = project_code("CMP-REFUSED", "Not compared, see the limitations")


class Event:
    """Values of `FollowUp.EVENT`."""

    PERSISTENT = project_code("EV-PERSISTENT", "Persistent")
    NEW = project_code("EV-NEW", "New")
    DISAPPEARED = project_code("EV-GONE", "No longer found")
    SPLIT = project_code("EV-SPLIT", "Split")
    MERGED = project_code("EV-MERGED", "Merged")
    COMPLEX = project_code("EV-COMPLEX", "Several lesions became several others")
    NOT_ASSESSABLE = project_code("EV-NE", "Not assessable: not shown by both scans")


class Repeatability:
    """Values of `FollowUp.REPEATABILITY`: of the whole lesion, by the criterion whose limits hold for it."""

    RESPONSE = project_code("LOA-IPR", "Fell by more than repeatability (iPR)")
    STABLE = project_code("LOA-ISD", "Within repeatability (iSD)")
    PROGRESSION = project_code("LOA-IPD", "Rose by more than repeatability, or new (iPD)")
    GONE = project_code("LOA-ICR", "No longer found (iCR)")
    NOT_KNOWN = project_code("LOA-NE", "Not evaluable: no published limits hold")


class Change:
    """Changes since the earlier scan, in percent of the earlier value or in the quantity's own unit."""

    DAYS = project_code("DAYS-SINCE", "Days since the earlier scan")
    VOLUME = project_code("CH-VOLUME", "Change of volume since the earlier scan")
    LONG_AXIS = project_code("CH-LONG-AXIS", "Change of the long axis since the earlier scan")
    SUV_MAX = project_code("CH-SUV-MAX", "Change of SUVmax since the earlier scan")
    SUV_MEAN = project_code("CH-SUV-MEAN", "Change of SUVmean since the earlier scan")
    SUV_PEAK = project_code("CH-SUV-PEAK", "Change of SUVpeak since the earlier scan")
    TLG = project_code("CH-TLG", "Change of total lesion glycolysis since the earlier scan")
    UPTAKE_RATIO = project_code("CH-RATIO-MAX", "Change of the highest uptake ratio since the earlier scan")
    HU = project_code("CH-HU-MEAN", "Difference of mean attenuation to the earlier scan")
    ADC = project_code("CH-ADC-MEAN", "Change of mean ADC since the earlier scan")
    BSI = project_code("CH-BSI", "Difference of the Bone Scan Index to the earlier scan")


_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "RECIST": "RECIST",
        "MDA_SUM": "MDA",
        "WHO_PRODUCT": "WHO",
        "UICC_PRODUCT": "UICC",
        "PERCIST": "PERCIST",
        "RECIP": "RECIP",
        "MET-RADS-P_BONE": "METRADS",
        "BSI_CHANGE": "BSI",
    }
)
"""Names of criteria in codes, which hold 16 characters."""
_CATEGORY: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "NOT_EVALUABLE": ("NE", "Not evaluable"),
        "non-CR/non-PD": ("NCNP", "non-CR/non-PD"),
        "INCREASED": ("UP", "Increased"),
        "DECREASED": ("DOWN", "Decreased"),
        "WITHIN_REPEATABILITY": ("SAME", "Within repeatability"),
    }
)
"""Categories whose own words are no code."""


def criterion_code(rule: str, version: str) -> Code:
    """The concept of a criterion's category, e.g. "Response by PERCIST 1.0". Raises KeyError for an unknown rule."""
    return project_code(f"R-{_SHORT[rule]}", f"Response by {rule.replace('_', ' ')} {version}")


def category_code(rule: str, category: str) -> Code:
    """A criterion's category in its own words. Raises KeyError for an unknown rule."""
    short, meaning = _CATEGORY.get(category, (category.replace(" ", "-"), category))
    return project_code(f"{_SHORT[rule]}-{short}", meaning)
