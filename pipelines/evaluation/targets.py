"""What the measurements have to reach on the true masks of simulated lesions. All of it is the project's choice [P].

With the true mask given, what is left is the image's error and the measurement's. Large lesions are those of
three resolutions or more across (`records.LesionRecord.resolutions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bmnode.domain.evaluations import AccuracyRow, Agreement, Verdict
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.quantities import DEFINITIONS, Quantity

LARGE_RESOLUTIONS = 3.0


class Group(StrEnum):
    """Which lesions a row is of."""

    ALL = "all"
    LARGE = "3 resolutions and more"
    PATIENTS = "patients"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The range of a bias, and how far 1.96 standard deviations may reach; of true masks alone.

    Args:
        low, high: of the bias, ends included; in per cent of the true value where `in_percent`, else in its unit.
        half_width: of the limits of agreement, in the same unit; None leaves it open.
        reason: why this much.
    """

    modality: Modality
    quantity: Quantity
    group: Group
    low: float
    high: float
    in_percent: bool
    reason: str
    half_width: float | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.half_width is not None and self.half_width <= 0.0):
            raise ValueError(f"{self.modality} {self.quantity}: the range is empty")

    @property
    def words(self) -> str:
        """As tables show it."""
        unit = "%" if self.in_percent else DEFINITIONS[self.quantity].unit
        limits = "" if self.half_width is None else f", 1.96 SD up to {self.half_width:g} {unit}"
        return f"bias {self.low:+g} to {self.high:+g} {unit}{limits}"

    def verdict(self, row: AccuracyRow) -> Verdict:
        """How the row stands. The limits are judged where two lesions or more were compared."""
        found: Agreement | None = row.percent if self.in_percent else row.absolute
        if found is None:
            return Verdict.NOT_EVALUABLE
        wide = self.half_width is not None and found.sd is not None and 1.96 * found.sd > self.half_width
        return Verdict.MISSED if wide or not self.low <= found.bias <= self.high else Verdict.MET


_P, _Q, _G = Modality, Quantity, Group
_SIZE = (
    "the mask of voxels that are lesion by half loses (voxel / diameter) squared of a ball's volume, 11 % at three "
    "voxels across, and more of rough and thin lesions; nothing gains by it"
)
_PEAK = (
    "a ball of three FWHM keeps 99 % of its maximum, flat lesions less, and noise raises the highest of many voxels by "
    "about as much"
)
_SEEN = "resolution is in the truth already: what is left is noise, unevenness and the mixing of tissues"
_EDGE = (
    "a uniform ball of three FWHM in a cold surround has lost 33 % of its mean within its own outline, one of six FWHM "
    "17 %; flat lesions lose more, and no lesion of three FWHM to six keeps all"
)
_TOTAL = "the loss of the mean and the loss of the volume together"

TARGETS: tuple[Target, ...] = (
    Target(
        modality=_P.PLANAR,
        quantity=_Q.BSI_SEEN,
        group=_G.PATIENTS,
        low=-10.0,
        high=10.0,
        in_percent=True,
        half_width=20.0,
        reason="the same shadows, counted plainly: only the rules for single views and for the rim differ",
    ),
    *(
        Target(
            modality=modality,
            quantity=quantity,
            group=group,
            low=low,
            high=high,
            in_percent=True,
            half_width=half_width,
            reason=reason,
        )
        for modality in (_P.SPECT, _P.PET)
        for quantity, group, low, high, half_width, reason in (
            (_Q.VOLUME, _G.LARGE, -15.0, 5.0, None, _SIZE),
            (_Q.SUV_MAX, _G.LARGE, -15.0, 10.0, None, _PEAK),
            (_Q.SUV_MEAN, _G.LARGE, -40.0, -5.0, None, _EDGE),
            (_Q.SUV_MEAN_SEEN, _G.ALL, -10.0, 10.0, 30.0, _SEEN),
            (_Q.TLG, _G.LARGE, -50.0, -5.0, None, _TOTAL),
            (_Q.TLG_SEEN, _G.LARGE, -20.0, 5.0, None, f"{_SEEN}; and {_SIZE}"),
        )
    ),
    Target(modality=_P.CT, quantity=_Q.VOLUME, group=_G.LARGE, low=-15.0, high=5.0, in_percent=True, reason=_SIZE),
    Target(
        modality=_P.CT,
        quantity=_Q.HU_MEAN,
        group=_G.LARGE,
        low=-60.0,
        high=20.0,
        in_percent=False,
        reason="sclerosis stands up to 600 HU above the marrow around it, lysis 100 HU below: a tenth of the mask in "
        "voxels that are half surround costs up to 60 HU, and gains far less",
    ),
    Target(modality=_P.MRI, quantity=_Q.VOLUME, group=_G.LARGE, low=-15.0, high=5.0, in_percent=True, reason=_SIZE),
    Target(
        modality=_P.MRI,
        quantity=_Q.ADC_MEAN,
        group=_G.LARGE,
        low=-12.0,
        high=5.0,
        in_percent=True,
        reason="a fifth of the mask lies in voxels that are half surround, and marrow has half a lesion's ADC",
    ),
)


WITHOUT_TARGET = {
    Quantity.BSI: "a planar index counts area: of a lesion of diameter d in a bone of depth D the share of area is "
    "D / d times that of volume or so, and no bound follows from physics; the row shows by how much"
}
"""Quantities that are shown and not judged, and why."""


def target_of(modality: Modality, quantity: Quantity, group: Group) -> Target | None:
    """The target of a row, or None."""
    for target in TARGETS:
        if (target.modality, target.quantity, target.group) == (modality, quantity, group):
            return target
    return None
