"""What a nuclear medicine study is: planar bone scan, SPECT, or something that is not assessed."""

from __future__ import annotations

from collections.abc import Sequence

from bmnode.domain.study import Branch, Classification, EnergyWindow, Reason, Refusal, SeriesHeader, SeriesRole
from bmnode.selection import vocabulary as says
from bmnode.selection.tracers import BONE_TRACERS

TC99M_PEAK_KEV = 140.5
"""Photopeak of Tc-99m."""

PLANAR_TYPES = frozenset({"WHOLE BODY", "STATIC"})
DYNAMIC_TYPES = frozenset({"DYNAMIC", "GATED"})
RECONSTRUCTED_TYPES = frozenset({"RECON TOMO"})
PROJECTION_TYPES = frozenset({"TOMO", "GATED TOMO"})
"""Image Type value 3 of the NM image (PS3.3 C.8.4.9.1.1)."""


def is_planar_export(series: SeriesHeader) -> bool:
    """Planar counts that an old camera exports as Secondary Capture with Modality NM."""
    return series.modality == "NM" and bool(PLANAR_TYPES.intersection(series.image_type))


def has_photopeak(windows: Sequence[EnergyWindow]) -> bool:
    """Whether one of the energy windows holds the photopeak of Tc-99m."""
    return any(window.lower_kev <= TC99M_PEAK_KEV <= window.upper_kev for window in windows)


def decide(series: Sequence[SeriesHeader]) -> Classification | Refusal:
    """The branch of a study's NM series, or why none.

    A whole-body planar scan goes before SPECT, which shows a part of the skeleton; SPECT goes
    before static spot views.
    """
    refusal = _refuse_tracer(series)
    if refusal is not None:
        return refusal
    sections = [item for item in series if RECONSTRUCTED_TYPES.intersection(item.image_type)]
    planar = [item for item in series if _is_delayed_planar(item)]
    if not sections and not planar:
        return _refuse_kind(series)
    bone = [item for item in (*planar, *sections) if _is_bone_study(item, series)]
    if not bone:
        return Refusal(
            reason=Reason.UNSUPPORTED_EXAMINATION,
            explanation="Neither tracer nor protocol says that this nuclear medicine study is a bone scan.",
        )
    whole = [item for item in bone if "WHOLE BODY" in item.image_type]
    if whole:
        spots = [item for item in bone if item in planar and item not in whole]
        return Classification(branch=Branch.BONE_SCAN, roles={SeriesRole.PLANAR: _uids((*whole, *spots))})
    tomographic = [item for item in bone if item in sections]
    if tomographic:
        return _spect(tomographic)
    return Classification(branch=Branch.BONE_SCAN, roles={SeriesRole.PLANAR: _uids(bone)})


def _is_delayed_planar(item: SeriesHeader) -> bool:
    """Whole-body images are the delayed phase whatever the study is called; static ones may be blood pool."""
    return "WHOLE BODY" in item.image_type or ("STATIC" in item.image_type and not says.says_early_phase(item))


def _spect(series: Sequence[SeriesHeader]) -> Classification | Refusal:
    placed = [item for item in series if item.spacing_mm is not None]
    if not placed:
        return Refusal(reason=Reason.MISSING_GEOMETRY, explanation="The SPECT sections state no pixel spacing.")
    # Attenuation-corrected sections first: only they can become SUV.
    placed.sort(key=lambda item: (not {"ATTN", "ACTUAL"} & item.corrected_image, -item.frame_count, item.series_uid))
    return Classification(branch=Branch.SPECT, roles={SeriesRole.EMISSION: _uids(placed)})


def _refuse_tracer(series: Sequence[SeriesHeader]) -> Refusal | None:
    """A refusal where every series that states its tracer states another than a bone tracer."""
    tracers = {item.tracer for item in series if item.tracer}
    if tracers and not tracers & BONE_TRACERS:
        names = ", ".join(sorted(tracers))
        return Refusal(
            reason=Reason.UNSUPPORTED_TRACER,
            explanation=f"Tracer {names}: bone scans with Tc-99m diphosphonates are assessed.",
        )
    nuclides = {item.radionuclide for item in series if item.radionuclide}
    if nuclides and "Tc-99m" not in nuclides:
        names = ", ".join(sorted(nuclides))
        return Refusal(
            reason=Reason.UNSUPPORTED_TRACER, explanation=f"Radionuclide {names}: bone scans with Tc-99m are assessed."
        )
    windows = [window for item in series for window in item.energy_windows]
    if windows and not nuclides and not has_photopeak(windows):
        return Refusal(
            reason=Reason.UNSUPPORTED_TRACER,
            explanation=f"No energy window holds the Tc-99m photopeak at {TC99M_PEAK_KEV} keV.",
        )
    return None


def _refuse_kind(series: Sequence[SeriesHeader]) -> Refusal:
    types = {value for item in series for value in item.image_type}
    if types & DYNAMIC_TYPES or any(says.says_early_phase(item) for item in series):
        explanation = "Dynamic, flow and blood-pool images are not assessed; the delayed whole-body images are missing."
    elif types & PROJECTION_TYPES:
        explanation = "The study holds SPECT projections without reconstructed sections."
    else:
        explanation = "The nuclear medicine images are neither whole-body, static nor reconstructed sections."
    return Refusal(reason=Reason.UNSUPPORTED_EXAMINATION, explanation=explanation)


def _is_bone_study(item: SeriesHeader, series: Sequence[SeriesHeader]) -> bool:
    """A bone tracer, or a bone protocol; a whole-body Tc-99m scan that names nothing else counts too."""
    tracer = item.tracer or next((other.tracer for other in series if other.tracer), None)
    if tracer is not None:
        return tracer in BONE_TRACERS
    if says.says_bone(item):
        return True
    is_technetium = item.radionuclide == "Tc-99m" or has_photopeak(item.energy_windows)
    return "WHOLE BODY" in item.image_type and is_technetium and not says.says_other_nuclear(item)


def _uids(series: Sequence[SeriesHeader]) -> tuple[str, ...]:
    return tuple(item.series_uid for item in series)
