"""What is compared: each quantity with its unit, how a report names it, and what its truth is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bmnode.domain.codes import Code, Concept, Derivation, project_code
from bmnode.domain.results import Measurement
from operators.simulation.cohort.protocol_keys import Modality


class Quantity(StrEnum):
    """A measurement of a lesion, or (BSI) of a study."""

    VOLUME = "volume"
    SUV_MAX = "suv_max"
    SUV_MEAN = "suv_mean"
    TLG = "tlg"
    SUV_MEAN_SEEN = "suv_mean_seen"
    TLG_SEEN = "tlg_seen"
    HU_MEAN = "hu_mean"
    ADC_MEAN = "adc_mean"
    BSI = "bsi"
    BSI_SEEN = "bsi_seen"


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """One quantity.

    Args:
        label, unit: for people.
        concept, derivation: how a result set names it.
        is_ratio: whether zero means none, so that a difference in per cent has a meaning.
        truth: a sentence on what it is compared with.
    """

    label: str
    unit: str
    concept: Code
    derivation: Code | None
    is_ratio: bool
    truth: str


_ASSIGNED = "before blur, noise, unevenness and the mixing of tissues in voxels"

DEFINITIONS: Mapping[Quantity, Definition] = MappingProxyType(
    {
        Quantity.VOLUME: Definition(
            label="Volume",
            unit="ml",
            concept=Concept.VOLUME,
            derivation=None,
            is_ratio=True,
            truth="The lesion's own volume, bone and soft tissue together, free of any grid: sampled every 0.3 to "
            "1 mm in the rest frame of its bone.",
        ),
        Quantity.SUV_MAX: Definition(
            label="SUVmax",
            unit="g/ml",
            concept=Concept.SUV_BW,
            derivation=Derivation.MAXIMUM,
            is_ratio=True,
            truth=f"The highest SUVbw that was assigned to a place in the lesion, {_ASSIGNED}.",
        ),
        Quantity.SUV_MEAN: Definition(
            label="SUVmean",
            unit="g/ml",
            concept=Concept.SUV_BW,
            derivation=Derivation.MEAN,
            is_ratio=True,
            truth=f"The mean of the SUVbw assigned over the lesion's own volume, {_ASSIGNED}.",
        ),
        Quantity.TLG: Definition(
            label="TLG",
            unit="g",
            concept=Concept.TOTAL_LESION_GLYCOLYSIS,
            derivation=None,
            is_ratio=True,
            truth="The true SUVmean times the true volume. For tracers other than FDG the same product.",
        ),
        Quantity.SUV_MEAN_SEEN: Definition(
            label="SUVmean, blurred truth",
            unit="g/ml",
            concept=Concept.SUV_BW,
            derivation=Derivation.MEAN,
            is_ratio=True,
            truth="The mean over the true mask of the assigned SUVbw blurred with the image's FWHM, lesion and "
            "surroundings, without noise: what is left is the error of reading and measuring. On true masks alone.",
        ),
        Quantity.TLG_SEEN: Definition(
            label="TLG, blurred truth",
            unit="g",
            concept=Concept.TOTAL_LESION_GLYCOLYSIS,
            derivation=None,
            is_ratio=True,
            truth="That mean times the true volume. On true masks alone.",
        ),
        Quantity.HU_MEAN: Definition(
            label="HU mean",
            unit="HU",
            concept=Concept.ATTENUATION,
            derivation=Derivation.MEAN,
            is_ratio=False,
            truth=f"The mean of the Hounsfield units assigned over the lesion's own volume, {_ASSIGNED}; at 120 kV "
            "without contrast medium.",
        ),
        Quantity.ADC_MEAN: Definition(
            label="ADC mean",
            unit="um2/s",
            concept=Concept.ADC,
            derivation=Derivation.MEAN,
            is_ratio=True,
            truth="The apparent diffusion coefficient assigned to the lesion, one value all over it.",
        ),
        Quantity.BSI: Definition(
            label="BSI",
            unit="%",
            concept=project_code("BSI", "Bone Scan Index"),
            derivation=None,
            is_ratio=True,
            truth="In three dimensions: of each row of the table COEF_SPIERS1968 that a planar skeleton map can "
            "show, the share of its bones' volume that is lesion, times the row's coefficient, summed.",
        ),
        Quantity.BSI_SEEN: Definition(
            label="BSI, projected truth",
            unit="%",
            concept=project_code("BSI", "Bone Scan Index"),
            derivation=None,
            is_ratio=True,
            truth="The same with shares of area: of each row's true shadow that lies under a lesion's true shadow, the "
            "higher of the two views; plain counting, without the rules for single views and for the rim.",
        ),
    }
)

ON_TRUE_MASKS = frozenset({Quantity.SUV_MEAN_SEEN, Quantity.TLG_SEEN})
"""Quantities whose truth is that of the true mask."""
OF_STUDIES = (Quantity.BSI, Quantity.BSI_SEEN)
"""Quantities of a study, not of a lesion."""
_EMISSION = (
    Quantity.VOLUME,
    Quantity.SUV_MAX,
    Quantity.SUV_MEAN,
    Quantity.SUV_MEAN_SEEN,
    Quantity.TLG,
    Quantity.TLG_SEEN,
)
OF_MODALITY: Mapping[Modality, tuple[Quantity, ...]] = MappingProxyType(
    {
        Modality.PLANAR: OF_STUDIES,
        Modality.SPECT: _EMISSION,
        Modality.CT: (Quantity.VOLUME, Quantity.HU_MEAN),
        Modality.MRI: (Quantity.VOLUME, Quantity.ADC_MEAN),
        Modality.PET: _EMISSION,
    }
)


def reported(measurements: Iterable[Measurement], quantity: Quantity) -> float | None:
    """The first measurement that a result names so; None where it has none. Codes are compared, not their words."""
    wanted = DEFINITIONS[quantity]
    for item in measurements:
        if _same(item.concept, wanted.concept) and _same(item.derivation, wanted.derivation):
            return item.value
    return None


def _same(one: Code | None, other: Code | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.value, one.scheme) == (other.value, other.scheme)
