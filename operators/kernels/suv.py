"""Standardised uptake values of PET: from stored activity to SUVbw, or the reason why not.

The decision order is that of the QIBA vendor-neutral pseudo-code with PS3.3 C.8.9, with
back-computation of the decay reference only where scan start times are missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from bmnode.errors import BmnodeError
from operators.kernels.body_size import Body, body_surface_m2, reference_mass_kg
from operators.kernels.decay import HALF_LIFE_S, decay_constant, decayed, frame_decay_factor, mean_activity_time_s

METHOD = "PET_SUV_QIBA_V1"

_MEGABECQUEREL_BELOW = 1e5
"""A dose below this many Bq was written in MBq: real headers cluster near 4e2 and 4e8."""
_GRAMS_ABOVE_KG = 1000.0
_CENTIMETRES_ABOVE_M = 3.0
_HALF_LIFE_TOLERANCE = 0.02
_PLAUSIBLE_HALF_LIVES = 10.0
"""An uptake time longer than this many half-lives leaves a thousandth of the dose: dates do not fit together."""
_PLAUSIBLE_DOSE_BQ = (15e6, 1500e6)
"""Project rule: what adults are given for a PET of bone. Outside, the number is in another unit (mCi, kBq)."""
_PLAUSIBLE_SUV = (0.05, 200.0)
"""Project rule, for the 99th percentile of what is above 0. Bodies have an SUV of 1 on average: an image a thousand
times lower was SUV before it was scaled, one far above is in another unit than its header says."""
_SAMPLE = 1_000_000
_HELD_SHARE = 1.5
"""Project rule: SUV summed over volume is what the field holds of the injected activity, times the weight. It cannot
be more than all; half as much again is left for calibration and noise."""
_PLAUSIBLE_WEIGHT_KG = (2.0, 400.0)
_PLAUSIBLE_HEIGHT_M = (0.4, 2.6)
"""Project rules: outside, the number is in another unit or a placeholder."""
_UNSUPPORTED_UNITS = ("CPS", "PROPCNTS", "PROPCPS", "1CM")


class SuvNotComputableError(BmnodeError):
    """The series does not carry what an SUV needs. Correct the scanner's protocol or export."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PetSlice:
    """Timing of one slice."""

    acquired_at: datetime | None
    duration_s: float | None
    frame_reference_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PetSeries:
    """What the headers of a PET series say; times are local, doses as written.

    `weight` and `height` as written (kg and m expected), `dose` as written (Bq expected). `injected_clock` tells
    that of `injected_at` only the time of day is known: its date is that of the decay reference, or the day before.
    An `enhanced` image (PS3.3 A.56) writes the dose in MBq and dates its decay correction, `decay_corrected_at`.
    """

    units: str
    suv_type: str = ""
    corrected: frozenset[str] = frozenset()
    decay_correction: str = ""
    series_type: tuple[str, ...] = ()
    rescale_intercepts: frozenset[float] = frozenset({0.0})
    weight: float | None = None
    height: float | None = None
    sex: str | None = None
    dose: float | None = None
    half_life_s: float | None = None
    radionuclide: str | None = None
    injected_at: datetime | None = None
    injected_clock: bool = False
    series_at: datetime | None = None
    ge_scan_at: datetime | None = None
    philips_suv_factor: float | None = None
    philips_activity_factor: float | None = None
    slices: tuple[PetSlice, ...] = ()
    enhanced: bool = False
    decay_corrected_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SuvScale:
    """What the rescaled values of each slice are multiplied with to give SUVbw, and what was assumed.

    `per_bq_ml` is that factor in g/Bq where the values are Bq/ml and one factor holds for every slice.
    `uptake_time_s` runs from the injection to the start of the scan; None where a moment is not known.
    """

    factors: tuple[float, ...]
    per_bq_ml: float | None = None
    notes: tuple[str, ...] = ()
    uptake_time_s: float | None = None


def suv_scale(series: PetSeries) -> SuvScale:
    """The SUVbw scale of every slice, in slice order. Raises SuvNotComputableError with the reason."""
    _require_corrected(series)
    body, notes = _body(series)
    if series.units == "GML":
        return _finished(series, factor=_gml_factor(series.suv_type, body), notes=notes)
    if series.units == "CM2ML":
        return _finished(series, factor=_surface_factor(series.suv_type, body), notes=notes)
    if series.units == "CNTS":
        return _counts_scale(series, body=body, notes=notes)
    if series.units == "BQML":
        scale = _activity_scale(series, body=body, per_unit=1.0, notes=notes)
        return replace(scale, per_bq_ml=scale.factors[0] if len(set(scale.factors)) == 1 else None)
    known = series.units in _UNSUPPORTED_UNITS
    detail = f"The units {series.units!r} of the image give no SUV." if known or series.units else "Units are missing."
    raise SuvNotComputableError(detail)


def require_plausible(suv: npt.NDArray[np.floating]) -> None:
    """Raises SuvNotComputableError where an image cannot be SUVbw as a whole; an empty image is not judged."""
    sample = suv.ravel()[:: max(1, suv.size // _SAMPLE)]
    positive = sample[sample > 0.0]
    if positive.size == 0:
        return
    high = float(np.percentile(positive, 99.0))
    if high < _PLAUSIBLE_SUV[0]:
        raise SuvNotComputableError("The values are far too low for their unit; SUV may have been applied already.")
    if high > _PLAUSIBLE_SUV[1]:
        raise SuvNotComputableError("The values are far too high for their unit.")


def require_conserved(suv: npt.NDArray[np.floating], series: PetSeries, *, voxel_volume_ml: float) -> None:
    """Raises SuvNotComputableError where the image (SUVbw) holds more activity than the patient was given.

    A dose of 20 mCi that is read as 20 MBq is plausible in itself; the image that it leads to is not.
    """
    body, _ = _body(series)
    share = float(suv.sum(dtype=np.float64)) * voxel_volume_ml / (1000.0 * body.weight_kg)
    if share > _HELD_SHARE:
        raise SuvNotComputableError(
            f"The image holds {share:.1f} times the injected activity; the dose may be written in another unit."
        )


def suv_factor_of_type(series: PetSeries, *, suv_type: str) -> float:
    """What SUVbw is multiplied with to give the SUV of an SUV Type (0054,1006): LBM, LBMJAMES128, LBMJANMA, IBW, BSA.

    In g/ml; for BSA in cm2/ml. Raises SuvNotComputableError where weight, height or sex is missing.
    """
    body, _ = _body(series)
    if suv_type == "BSA":
        return 1.0 / _surface_factor(suv_type, body)
    try:
        return reference_mass_kg(body, suv_type=suv_type) / body.weight_kg
    except ValueError as error:
        raise SuvNotComputableError(f"{error}.") from error


def _finished(series: PetSeries, *, factor: float, notes: tuple[str, ...]) -> SuvScale:
    """One factor for every slice of a series whose values are SUV, or were made so without dose and decay."""
    return SuvScale(factors=(factor,) * max(len(series.slices), 1), notes=notes, uptake_time_s=_uptake_s(series))


def _counts_scale(series: PetSeries, *, body: Body, notes: tuple[str, ...]) -> SuvScale:
    """Philips: the factor to SUV stands above the factor to Bq/ml; a factor of 0 counts as absent."""
    for factor in (series.philips_suv_factor, series.philips_activity_factor):
        if factor and factor < 0.0:
            raise SuvNotComputableError("The factor that turns counts into activity is negative.")
    if series.philips_suv_factor:
        return _finished(series, factor=series.philips_suv_factor, notes=notes)
    if not series.philips_activity_factor:
        raise SuvNotComputableError("The image holds counts without the factors that turn them into activity.")
    return _activity_scale(series, body=body, per_unit=series.philips_activity_factor, notes=notes)


def _require_corrected(series: PetSeries) -> None:
    if "ATTN" not in series.corrected:
        raise SuvNotComputableError("The image is not corrected for attenuation.")
    if "DECY" not in series.corrected and series.decay_correction != "NONE":
        raise SuvNotComputableError("The image is not corrected for decay, though its Decay Correction is not NONE.")
    if "REPROJECTION" in series.series_type:
        raise SuvNotComputableError("The series is a reprojection, not a reconstruction.")
    if series.rescale_intercepts != {0.0}:
        raise SuvNotComputableError("The rescale intercept of a PET image must be 0.")


def _body(series: PetSeries) -> tuple[Body, tuple[str, ...]]:
    if not series.weight or series.weight < 0.0:
        raise SuvNotComputableError("The patient's weight is missing.")
    notes = []
    weight, height = series.weight, series.height or None
    if weight > _GRAMS_ABOVE_KG:
        weight /= 1000.0
        notes.append("The weight was read as grams.")
    if not _PLAUSIBLE_WEIGHT_KG[0] <= weight <= _PLAUSIBLE_WEIGHT_KG[1]:
        raise SuvNotComputableError("The patient's weight is not plausible.")
    if height is not None and height > _CENTIMETRES_ABOVE_M:
        height /= 100.0
        notes.append("The height was read as centimetres.")
    if height is not None and not _PLAUSIBLE_HEIGHT_M[0] <= height <= _PLAUSIBLE_HEIGHT_M[1]:
        height = None
        notes.append("The height is not plausible and was not used.")
    return Body(weight_kg=weight, height_m=height, sex=series.sex), tuple(notes)


def _gml_factor(suv_type: str, body: Body) -> float:
    if suv_type in {"", "BW"}:
        return 1.0
    try:
        return body.weight_kg / reference_mass_kg(body, suv_type=suv_type)
    except ValueError as error:
        raise SuvNotComputableError(f"The image cannot be turned into SUVbw: {error}.") from error


def _surface_factor(suv_type: str, body: Body) -> float:
    if suv_type not in {"", "BSA"} or body.height_m is None:
        raise SuvNotComputableError("SUV by body surface area needs SUV type BSA and the patient's height.")
    return body.weight_kg * 1000.0 / (body_surface_m2(body.weight_kg, body.height_m) * 1e4)


def _activity_scale(series: PetSeries, *, body: Body, per_unit: float, notes: tuple[str, ...]) -> SuvScale:
    dose, dose_notes = _dose_bq(series)
    notes += dose_notes
    grams = body.weight_kg * 1000.0
    if series.decay_correction == "ADMIN":
        return _finished(series, factor=per_unit * grams / dose, notes=notes)
    half_life_s = _half_life_s(series)
    if series.decay_correction == "NONE":
        factors = tuple(
            per_unit * grams / dose * _undo_decay(series, item, half_life_s=half_life_s) for item in series.slices
        )
        return SuvScale(factors=factors, notes=notes, uptake_time_s=_uptake_s(series))
    if series.decay_correction != "START":
        raise SuvNotComputableError("Decay Correction is neither START, ADMIN nor NONE.")
    reference, how = _decay_reference(series, half_life_s=half_life_s)
    elapsed_s = _elapsed_s(series, until=reference, half_life_s=half_life_s)
    factor = per_unit * grams / decayed(dose, elapsed_s=elapsed_s, half_life_s=half_life_s)
    waited_s = _uptake_s(series) if series.enhanced else elapsed_s
    return SuvScale(factors=(factor,) * max(len(series.slices), 1), notes=(*notes, how), uptake_time_s=waited_s)


def _dose_bq(series: PetSeries) -> tuple[float, tuple[str, ...]]:
    if not series.dose or series.dose < 0.0:
        raise SuvNotComputableError("The injected dose is missing.")
    in_mbq = series.dose < _MEGABECQUEREL_BELOW
    dose = series.dose * 1e6 if in_mbq else series.dose
    if not _PLAUSIBLE_DOSE_BQ[0] <= dose <= _PLAUSIBLE_DOSE_BQ[1]:
        raise SuvNotComputableError(
            f"An injected dose of {dose / 1e6:g} MBq is not plausible; it may be written in another unit."
        )
    as_it_should = in_mbq is series.enhanced
    return dose, () if as_it_should else (f"The injected dose was read as {'MBq' if in_mbq else 'Bq'}.",)


def _half_life_s(series: PetSeries) -> float:
    known = HALF_LIFE_S.get(series.radionuclide or "")
    if not series.half_life_s or series.half_life_s < 0.0:
        if known is None:
            raise SuvNotComputableError("Neither the half-life nor a known radionuclide is given.")
        return known
    if known is not None and abs(series.half_life_s / known - 1.0) > _HALF_LIFE_TOLERANCE:
        raise SuvNotComputableError(f"The half-life does not fit the radionuclide {series.radionuclide}.")
    return series.half_life_s


def _undo_decay(series: PetSeries, item: PetSlice, *, half_life_s: float) -> float:
    """lambda T / (1 - exp(-lambda T)) times the decay from the injection to the frame's start."""
    if item.acquired_at is None or item.duration_s is None:
        raise SuvNotComputableError("An image without decay correction needs acquisition time and frame duration.")
    elapsed_s = _elapsed_s(series, until=item.acquired_at, half_life_s=half_life_s)
    during = frame_decay_factor(duration_s=item.duration_s, half_life_s=half_life_s)
    return during * math.exp(decay_constant(half_life_s) * elapsed_s)


def _decay_reference(series: PetSeries, *, half_life_s: float) -> tuple[datetime, str]:
    """The moment that START refers to, and how it was found."""
    if series.enhanced:
        if series.decay_corrected_at is None:
            raise SuvNotComputableError("The moment that decay correction refers to is not given.")
        return series.decay_corrected_at, "Decay reference: the decay correction time."
    acquired = [item.acquired_at for item in series.slices if item.acquired_at is not None]
    if series.series_at is not None and acquired and all(series.series_at <= moment for moment in acquired):
        return series.series_at, "Decay reference: series time."
    if series.ge_scan_at is not None:
        return series.ge_scan_at, "Decay reference: the manufacturer's scan time."
    computed = [moment for item in series.slices if (moment := _back_computed(item, half_life_s=half_life_s))]
    if computed:
        return min(computed), "Decay reference: back-computed from the frame reference time."
    if not acquired:
        raise SuvNotComputableError("The moment that decay correction refers to is not given.")
    return min(acquired), "Decay reference: earliest acquisition time, for want of a better one."


def _back_computed(item: PetSlice, *, half_life_s: float) -> datetime | None:
    if item.acquired_at is None or item.duration_s is None or item.frame_reference_s is None:
        return None
    mean_s = mean_activity_time_s(duration_s=item.duration_s, half_life_s=half_life_s)
    return item.acquired_at + timedelta(seconds=mean_s - item.frame_reference_s)


def _elapsed_s(series: PetSeries, *, until: datetime, half_life_s: float) -> float:
    if series.injected_at is None:
        raise SuvNotComputableError("The time of injection is missing.")
    elapsed_s = (until - _injected_before(series.injected_at, until=until, clock=series.injected_clock)).total_seconds()
    if elapsed_s < 0.0:
        raise SuvNotComputableError("The injection is dated after the scan.")
    if elapsed_s > _PLAUSIBLE_HALF_LIVES * half_life_s:
        raise SuvNotComputableError("The injection is dated more than ten half-lives before the scan.")
    return elapsed_s


def _injected_before(injected_at: datetime, *, until: datetime, clock: bool) -> datetime:
    """The moment of injection; of a time of day alone, the last one before `until`.

    So a series dated by a reconstruction of a later day, or a scan after midnight, takes the right day.
    """
    if not clock:
        return injected_at
    moment = datetime.combine(until.date(), injected_at.timetz())
    return moment if moment <= until else moment - timedelta(days=1)


def _uptake_s(series: PetSeries) -> float | None:
    """From the injection to the first acquisition, None where either is not known or they contradict."""
    acquired = [item.acquired_at for item in series.slices if item.acquired_at is not None]
    if series.injected_at is None or not acquired:
        return None
    first = min(acquired)
    waited_s = (first - _injected_before(series.injected_at, until=first, clock=series.injected_clock)).total_seconds()
    return waited_s if waited_s >= 0.0 else None
