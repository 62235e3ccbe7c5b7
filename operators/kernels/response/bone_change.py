"""What the three bone-specific criteria (UICC, WHO, MDA) share: lesions in two diameters, new foci, the flare rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from operators.kernels.response.contract import (
    NOT_EVALUABLE,
    Figure,
    Verdict,
    check_amount,
    check_distinct,
    check_fraction,
    percent_change,
    reaches,
)

PARTIAL_DECREASE_PERCENT = 50.0
"""Hamaoka 2004, Hayashi 2013 table 1: "at least 50 % decrease"; exactly 50 % is PR."""
PROGRESSION_INCREASE_PERCENT = 25.0
"""Hamaoka 2004: exactly 25 % is PD, as exactly 50 % is PR: "between" leaves out both ends."""
FLARE_WINDOW_WEEKS = 24.0
"""Project convention: until here after a treatment change, week 24 included, new sclerosis alone is never PD."""
LYTIC_SHARE = 0.25
"""Project convention CT_TYPE_V1: share of lytic voxels from which on a lesion is lytic."""
FILLED_IN_SHARE = 0.05
"""Project convention: with this share of lytic voxels or less, a lytic lesion has filled in completely."""

FLARE = "New sclerotic focus - flare possible."


class BoneResponse(StrEnum):
    """Terms that the three criteria share; SD is "no change" in the WHO's words."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NOT_EVALUABLE = NOT_EVALUABLE


class NewFocus(StrEnum):
    """A focus that was not there before, by its look."""

    SCLEROTIC = "sclerotic"
    LYTIC = "lytic"
    MIXED = "mixed"
    MARROW = "marrow"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionState:
    """Greatest diameter and its perpendicular, 0 where gone, and the shares of lytic and sclerotic voxels."""

    long_mm: float
    short_mm: float
    lytic_fraction: float | None = None
    sclerotic_fraction: float | None = None

    def __post_init__(self) -> None:
        check_amount("long_mm", self.long_mm)
        check_amount("short_mm", self.short_mm)
        if self.short_mm > self.long_mm or (self.short_mm == 0.0) != (self.long_mm == 0.0):
            raise ValueError("short_mm is no longer than long_mm, and both are 0 where the lesion is gone")
        check_fraction("lytic_fraction", self.lytic_fraction)
        check_fraction("sclerotic_fraction", self.sclerotic_fraction)

    @property
    def gone(self) -> bool:
        """Whether nothing is left to measure."""
        return self.long_mm == 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionPair:
    """One lesion before and now; `after` is None where its site could not be assessed."""

    lesion_id: str
    before: LesionState
    after: LesionState | None

    def __post_init__(self) -> None:
        if self.before.gone:
            raise ValueError("a lesion has a size at baseline; what is new is a new focus")

    @property
    def filled_in(self) -> bool:
        """Whether a lytic lesion has filled in completely with sclerosis."""
        before, after = self.before, self.after
        if after is None or before.lytic_fraction is None or after.lytic_fraction is None:
            return False
        return (
            reaches(before.lytic_fraction, LYTIC_SHARE)
            and reaches(FILLED_IN_SHARE, after.lytic_fraction)
            and (after.sclerotic_fraction or 0.0) > 0.0
        )

    @property
    def cleared(self) -> bool:
        """Whether the lesion is gone or has filled in."""
        return self.after is not None and (self.after.gone or self.filled_in)

    @property
    def lysis_spread(self) -> bool:
        """Whether the share of lytic voxels rose by a quarter of the lesion or more."""
        if self.after is None or self.before.lytic_fraction is None or self.after.lytic_fraction is None:
            return False
        return reaches(self.after.lytic_fraction - self.before.lytic_fraction, LYTIC_SHARE)


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneInputs:
    """Lesions at two time points. `new_foci` is None where new lesions were not looked for, weeks None if not known."""

    lesions: tuple[LesionPair, ...]
    new_foci: tuple[NewFocus, ...] | None
    weeks_since_treatment_change: float | None
    weeks_response_held: float | None = None
    """How long the response was seen before this scan."""

    def __post_init__(self) -> None:
        check_distinct("lesion identifiers", (item.lesion_id for item in self.lesions))
        check_amount("weeks_since_treatment_change", self.weeks_since_treatment_change)
        check_amount("weeks_response_held", self.weeks_response_held)

    @property
    def complete(self) -> bool:
        """Whether there are lesions and each was assessed again."""
        return bool(self.lesions) and all(item.after is not None for item in self.lesions)

    @property
    def only_sclerosis_is_new(self) -> bool:
        """Whether there are new foci and all of them are sclerotic."""
        return bool(self.new_foci) and all(focus is NewFocus.SCLEROTIC for focus in self.new_foci or ())

    @property
    def past_flare(self) -> bool | None:
        """Whether the flare window is over; None where the time is not known."""
        weeks = self.weeks_since_treatment_change
        return None if weeks is None else not reaches(FLARE_WINDOW_WEEKS, weeks)

    @property
    def new_lesion(self) -> bool:
        """Whether a new focus counts as a new lesion: any that is not sclerotic, and sclerosis after the window."""
        return bool(self.new_foci) and (not self.only_sclerosis_is_new or self.past_flare is True)


def sum_mm(state: LesionState) -> float:
    """Sum of the two diameters in mm, the size of the MDA criteria."""
    return state.long_mm + state.short_mm


def product_mm2(state: LesionState) -> float:
    """Product of the two diameters in mm2, the size of the WHO criteria."""
    return state.long_mm * state.short_mm


def obstacle(inputs: BoneInputs) -> str | None:
    """Why no category without progression can be stated, None where it can."""
    if not inputs.complete:
        return "There is no lesion, or one could not be assessed again."
    if inputs.new_foci is None:
        return "New lesions were not looked for."
    return None


def obstacle_or_flare(inputs: BoneInputs) -> Verdict[BoneResponse] | None:
    """Abstains as `obstacle`, and for new sclerosis: UICC and WHO have no word for healing flare."""
    reason = obstacle(inputs) or (FLARE if inputs.only_sclerosis_is_new else None)
    if reason is None:
        return None
    return Verdict(category=BoneResponse.NOT_EVALUABLE, reasons=(reason,), flare_possible=inputs.only_sclerosis_is_new)


def any_grew(lesions: Sequence[LesionPair], *, size: Callable[[LesionState], float]) -> bool:
    """Whether a lesion grew to progression: one that grows is not hidden by others that shrink."""
    return any(grew(percent_change(size(item.before), size(item.after))) for item in lesions if item.after is not None)


def total_change(lesions: Sequence[LesionPair], *, size: Callable[[LesionState], float]) -> float | None:
    """Change in percent of the total size of the lesions that were assessed twice."""
    seen = [(size(item.before), size(item.after)) for item in lesions if item.after is not None]
    return percent_change(sum(before for before, _ in seen), sum(after for _, after in seen))


def shrank(change: float | None) -> bool:
    """Whether a change in percent is a partial response."""
    return change is not None and reaches(-change, PARTIAL_DECREASE_PERCENT)


def grew(change: float | None) -> bool:
    """Whether a change in percent is progression."""
    return change is not None and reaches(change, PROGRESSION_INCREASE_PERCENT)


def size_figures(change: float | None, *, name: str) -> tuple[Figure, ...]:
    """The change as a figure, empty where it is not defined."""
    return () if change is None else (Figure(name=name, value=change, unit="%"),)
