"""Which branch a study takes, or why none: one pure function, used by the node and by the graph (design section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bmnode.domain.study import (
    Branch,
    Classification,
    Plane,
    Reason,
    Refusal,
    SeriesHeader,
    SeriesRole,
    StudyHeaders,
)
from bmnode.selection import nuclear
from bmnode.selection import vocabulary as says
from bmnode.selection.age import ADULT_YEARS
from bmnode.selection.tracers import PET_TRACERS, contradiction

MIN_CT_SLICES = 10
"""Fewer slices show no bone from end to end; localizers and biopsy checks end here."""
MIN_PET_SLICES = 10
THIN_SLICE_MM = 3.0
"""Slices up to this are thin enough that the kernel matters more than the thickness (clinical reference 5.1)."""
PET_NUCLIDES = frozenset({"F-18", "Ga-68", "Cu-64"})
"""Radionuclides of the tracers that the PET/CT branch assesses; Ge-68 is a phantom's."""

_Decision = Classification | Refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class _Candidate:
    modality: str
    decide: Callable[[Sequence[SeriesHeader], Sequence[SeriesHeader]], _Decision]
    final: bool
    """Whether a refusal ends the search: emission decides for the CT beside it."""


def classify(headers: StudyHeaders) -> Classification:
    """The branch with the series it uses, or the refusal with its reason.

    Emission comes first: PET, then nuclear medicine, then MR, then CT. The CT of a hybrid study
    goes with the emission series of its frame of reference and is never assessed in its place.
    """
    refusal = _refuse_study(headers)
    if refusal is not None:
        return Classification(refusal=refusal)
    images = [series for series in headers.series if series.frame_count and not _is_picture(series)]
    first_refusal: Refusal | None = None
    for candidate in _CANDIDATES:
        own = [series for series in images if series.modality == candidate.modality]
        if not own:
            continue
        decision = candidate.decide(own, images)
        if isinstance(decision, Classification):
            return decision
        first_refusal = first_refusal or decision
        if candidate.final:
            break
    return Classification(
        refusal=first_refusal
        or Refusal(
            reason=Reason.NO_IMAGES, explanation="The study holds only screen captures and no images to measure."
        )
    )


def _is_picture(series: SeriesHeader) -> bool:
    # Old gamma cameras export planar counts as Secondary Capture: those stay, judged by their Image Type.
    return says.is_screen(series) and not nuclear.is_planar_export(series)


def _refuse_study(headers: StudyHeaders) -> Refusal | None:
    """What rules a study out before any branch looks at it."""
    refusal = _refuse_patient(headers)
    if refusal is not None:
        return refusal
    if not headers.series and headers.unreadable_files:
        return Refusal(
            reason=Reason.UNREADABLE_INPUT,
            explanation=f"None of the study's {headers.unreadable_files} files could be read as DICOM.",
        )
    images = [series for series in headers.series if series.modality not in says.NON_IMAGE_MODALITIES]
    if not images:
        return Refusal(reason=Reason.NO_IMAGES, explanation="The study holds no image series.")
    supported = [series for series in images if series.modality in says.IMAGE_MODALITIES]
    if not supported:
        found = ", ".join(sorted({series.modality or "none stated" for series in images}))
        return Refusal(
            reason=Reason.UNSUPPORTED_MODALITY,
            explanation=f"Modality {found}: only NM, CT, MR and PT images are assessed.",
        )
    if not any(series.frame_count for series in supported):
        return Refusal(reason=Reason.MISSING_PIXEL_DATA, explanation="The images of the study carry no pixel data.")
    return None


def _refuse_patient(headers: StudyHeaders) -> Refusal | None:
    if headers.patient_count > 1:
        return Refusal(
            reason=Reason.SEVERAL_PATIENTS,
            explanation=f"The study holds images under {headers.patient_count} different patient IDs.",
        )
    if headers.is_minor:
        return Refusal(
            reason=Reason.PAEDIATRIC,
            explanation=f"The patient is under {ADULT_YEARS} years of age; bmnode is for adults.",
        )
    return None


# --- the branches, in the order in which they are asked ---------------------------------


def _nuclear(own: Sequence[SeriesHeader], images: Sequence[SeriesHeader]) -> _Decision:
    decision = nuclear.decide(own)
    if isinstance(decision, Refusal) or decision.branch is not Branch.SPECT:
        return decision
    emission = decision.roles[SeriesRole.EMISSION]
    return Classification(branch=Branch.SPECT, roles=_with_anatomy(emission, images))


def _pet(own: Sequence[SeriesHeader], images: Sequence[SeriesHeader]) -> _Decision:
    usable = [series for series in own if not says.is_projection(series) and not says.is_localizer(series)]
    if not usable:
        return Refusal(
            reason=Reason.UNSUPPORTED_EXAMINATION, explanation="The PET study holds only projections, no slices."
        )
    if all(says.shows_head_only(series) or says.shows_heart_only(series) for series in usable):
        return Refusal(
            reason=Reason.UNSUPPORTED_EXAMINATION, explanation="A brain or heart PET shows no skeleton to assess."
        )
    refusal = _refuse_pet_tracer(usable)
    if refusal is not None:
        return refusal
    placed = [series for series in usable if _has_grid(series) and series.frame_count >= MIN_PET_SLICES]
    if not placed:
        return Refusal(
            reason=Reason.MISSING_GEOMETRY,
            explanation=f"No PET series has {MIN_PET_SLICES} slices with spacing, position and orientation.",
        )
    # Uncorrected images look alike but give no SUV: the attenuation-corrected series goes first.
    placed.sort(key=lambda series: ("ATTN" not in series.corrected_image, -series.frame_count, series.series_uid))
    emission = tuple(series.series_uid for series in placed)
    return Classification(branch=Branch.PET_CT, roles=_with_anatomy(emission, images))


def _refuse_pet_tracer(usable: Sequence[SeriesHeader]) -> Refusal | None:
    """A refusal where the tracer is another than the branch can measure, or the headers disagree on it."""
    tracer = next((series.tracer for series in usable if series.tracer), None)
    nuclide = next((series.radionuclide for series in usable if series.radionuclide), None)
    if tracer is not None and tracer not in PET_TRACERS:
        return Refusal(
            reason=Reason.UNSUPPORTED_TRACER,
            explanation=f"Tracer {tracer}: FDG, sodium fluoride and PSMA ligands are assessed.",
        )
    if nuclide is not None and nuclide not in PET_NUCLIDES:
        return Refusal(
            reason=Reason.UNSUPPORTED_TRACER,
            explanation=f"Radionuclide {nuclide}: tracers labelled with F-18, Ga-68 or Cu-64 are assessed.",
        )
    named = frozenset[str]().union(*(series.named_tracers for series in usable))
    disagreement = contradiction(named, tracer=tracer, nuclide=nuclide)
    return None if disagreement is None else Refusal(reason=Reason.UNSUPPORTED_TRACER, explanation=disagreement)


def _mri(own: Sequence[SeriesHeader], _images: Sequence[SeriesHeader]) -> _Decision:
    usable = [series for series in own if not says.is_localizer(series) and not says.is_projection(series)]
    if usable and all(says.shows_head_only(series) or says.shows_heart_only(series) for series in usable):
        return Refusal(
            reason=Reason.UNSUPPORTED_EXAMINATION, explanation="A brain or heart MR shows no marrow to assess."
        )
    adc = [series for series in usable if says.is_adc(series)]
    diffusion = [series for series in usable if says.is_diffusion(series) and series not in adc]
    if not adc and not diffusion:
        return Refusal(
            reason=Reason.MISSING_DIFFUSION,
            explanation="The MR study holds no diffusion-weighted series and no ADC map, on which marrow is measured.",
        )
    if not adc and not any(series.b_values for series in diffusion):
        return Refusal(
            reason=Reason.MISSING_DIFFUSION,
            explanation="The diffusion series state no b-values and there is no ADC map; no diffusion can be measured.",
        )
    if not any(_has_grid(series) for series in (*adc, *diffusion)):
        return Refusal(
            reason=Reason.MISSING_GEOMETRY,
            explanation="The diffusion series lack pixel spacing, position or orientation.",
        )
    rest = [series for series in usable if series not in adc and series not in diffusion and _has_grid(series)]
    by_b = sorted(diffusion, key=lambda series: (-len(series.b_values), -series.frame_count, series.series_uid))
    roles = {
        SeriesRole.ADC: _uids(_most_slices(adc)),
        SeriesRole.DIFFUSION: _uids([series for series in by_b if _has_grid(series)]),
        SeriesRole.T1: _uids(_most_slices([series for series in rest if says.is_t1(series)])),
        SeriesRole.FLUID_SENSITIVE: _uids(_most_slices([series for series in rest if says.is_fluid_sensitive(series)])),
        **{
            role: _uids(_most_slices([series for series in rest if says.dixon_role(series) is role]))
            for role in (
                SeriesRole.DIXON_WATER,
                SeriesRole.DIXON_FAT,
                SeriesRole.IN_PHASE,
                SeriesRole.OPPOSED_PHASE,
            )
        },
    }
    return Classification(branch=Branch.MRI, roles={role: series for role, series in roles.items() if series})


def _ct(own: Sequence[SeriesHeader], _images: Sequence[SeriesHeader]) -> _Decision:
    slices = [series for series in own if not says.is_localizer(series) and not says.is_projection(series)]
    if not slices:
        return Refusal(
            reason=Reason.UNSUPPORTED_EXAMINATION, explanation="The CT study holds only localizers and projections."
        )
    body = [series for series in slices if not says.shows_head_only(series) and not says.shows_heart_only(series)]
    if not body:
        return Refusal(
            reason=Reason.UNSUPPORTED_EXAMINATION,
            explanation="A CT of the head or the heart alone is not assessed for bone metastases.",
        )
    placed = [series for series in body if _has_grid(series)]
    if not placed:
        return Refusal(
            reason=Reason.MISSING_GEOMETRY,
            explanation="No CT series states pixel spacing, position and orientation of its slices.",
        )
    enough = [series for series in placed if series.frame_count >= MIN_CT_SLICES and series.plane is not Plane.OBLIQUE]
    if not enough:
        return Refusal(
            reason=Reason.UNSUPPORTED_EXAMINATION,
            explanation=f"No CT series has {MIN_CT_SLICES} or more slices in one of the body's planes.",
        )
    return Classification(branch=Branch.CT, roles={SeriesRole.ANATOMY: _uids(sorted(enough, key=_ct_preference))})


_CANDIDATES = (
    _Candidate(modality="PT", decide=_pet, final=True),
    _Candidate(modality="NM", decide=_nuclear, final=True),
    _Candidate(modality="MR", decide=_mri, final=False),
    _Candidate(modality="CT", decide=_ct, final=False),
)


# --- what they share -------------------------------------------------------------------


def _has_grid(series: SeriesHeader) -> bool:
    return series.spacing_mm is not None and series.has_position


def _uids(series: Sequence[SeriesHeader]) -> tuple[str, ...]:
    return tuple(item.series_uid for item in series)


def _most_slices(series: Sequence[SeriesHeader]) -> list[SeriesHeader]:
    placed = [item for item in series if _has_grid(item)]
    return sorted(placed, key=lambda item: (-item.frame_count, item.series_uid))


def _ct_preference(series: SeriesHeader) -> tuple[bool, bool, int, float, int, str]:
    """Sort key: axial before reformatted, thin before thick, soft kernel before sharp, then thinnest, then longest."""
    thickness = series.slice_thickness_mm if series.slice_thickness_mm else float("inf")
    return (
        series.plane is not Plane.AXIAL,
        thickness > THIN_SLICE_MM,
        says.kernel_rank(series.convolution_kernel),
        thickness,
        -series.frame_count,
        series.series_uid,
    )


def _with_anatomy(emission: tuple[str, ...], images: Sequence[SeriesHeader]) -> dict[SeriesRole, tuple[str, ...]]:
    """The emission series with the CT of its own frame of reference, preferred first; without it, emission alone."""
    frame = next(series.frame_of_reference_uid for series in images if series.series_uid == emission[0])
    anatomy = [
        series
        for series in images
        if series.modality == "CT"
        and frame is not None
        and series.frame_of_reference_uid == frame
        and _has_grid(series)
        and series.frame_count >= MIN_CT_SLICES
        and not says.is_localizer(series)
        and not says.is_projection(series)
    ]
    roles = {SeriesRole.EMISSION: emission}
    if anatomy:
        roles[SeriesRole.ANATOMY] = _uids(sorted(anatomy, key=_ct_preference))
    return roles
