"""What is measured on one candidate of a CT: HU, type, size, cortex beside it, what lies outside bone, stability."""

from __future__ import annotations

from dataclasses import dataclass

from bmnode.domain.codes import Concept, Derivation, Localisation, NotEvaluable, Unit
from bmnode.domain.geometry import BoolArray, CroppedMask
from bmnode.domain.results import Evaluation, Measurement
from operators.kernels import cortex, lesion_type
from operators.kernels.axial_size import axial_size
from operators.kernels.lesion_type import BoneReference, TypedLesion, type_of
from operators.kernels.measurement import statistics
from operators.kernels.skeleton_sites.sites import NamedSite
from operators.readers.volume import ImageVolume
from pipelines.ct.profile import profile
from pipelines.ct.stability import Stability, stability_evaluations, stability_measurements
from pipelines.volumetric import (
    LesionReport,
    axial_measurements,
    size_measurements,
    spread_measurements,
    value_measurements,
)

HU_METHOD = "CT_HU_V1"
REFERENCE_METHOD = "CT_REFERENCE_V1"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FoundLesion:
    """A candidate on the CT's own grid.

    Args:
        reference: the trabecular bone that it was held against.
        site: the bone that it lies in, as exactly as that is known.
        stability: what the scores of stability ask of its place.
    """

    mask: CroppedMask
    reference: BoneReference
    site: NamedSite
    stability: Stability


def describe_lesion(lesion: FoundLesion, *, volume: ImageVolume, bone: BoolArray, sound: BoolArray) -> LesionReport:
    """Every number of a candidate, on the volume's grid.

    `bone` is the evaluated bone with all candidates, `sound` the bone as it was segmented, without what a candidate
    has outside it.
    """
    mask, geometry = lesion.mask, volume.geometry
    typed = _typed(lesion, volume)
    values = statistics(volume.array, mask)
    return LesionReport(
        mask=mask,
        measurements=(
            *size_measurements(mask, geometry),
            *axial_measurements(mask, geometry),
            *value_measurements(values, concept=Concept.ATTENUATION, unit=Unit.HU, method=HU_METHOD),
            *spread_measurements(volume.array, mask, concept=Concept.ATTENUATION, unit=Unit.HU, method=HU_METHOD),
            *_reference(lesion.reference),
            *_type(lesion.reference, typed),
            *_cortex(mask, volume, bone),
            *soft_tissue(mask, sound, volume),
            *stability_measurements(lesion.stability, typed.type, long_mm=axial_size(mask, geometry).long_mm),
        ),
        evaluations=(
            Evaluation(concept=Concept.LESION_TYPE, value=typed.type),
            Evaluation(concept=Concept.LOCALISATION, value=Localisation.IN_BONE),
            *(() if _beyond(mask, sound) else (_SOFT_TISSUE_UNKNOWN,)),
            *stability_evaluations(lesion.stability),
        ),
        site=lesion.site,
    )


_SOFT_TISSUE_UNKNOWN = Evaluation(concept=Concept.SOFT_TISSUE, value=NotEvaluable.DRAWN_IN_BONE)


def _beyond(mask: CroppedMask, sound: BoolArray) -> bool:
    return bool((mask.values & ~sound[mask.box]).any())


def soft_tissue(mask: CroppedMask, sound: BoolArray, volume: ImageVolume) -> tuple[Measurement, ...]:
    """Volume and axial long axis of what a lesion has outside the segmented bone; nothing where it was drawn in bone
    alone, of which nothing is known."""
    if not _beyond(mask, sound):
        return ()
    part = cortex.outside_bone(mask.to_array(), sound, volume.geometry)
    if part is None:
        raise ValueError("a mask that reaches beyond bone has a part outside it")
    return (
        Measurement(concept=Concept.SOFT_TISSUE, value=part.volume_ml, unit=Unit.ML, method=cortex.OUTSIDE_METHOD),
        Measurement(
            concept=Concept.SOFT_TISSUE_LONG, value=part.long_axis_mm, unit=Unit.MM, method=cortex.OUTSIDE_METHOD
        ),
    )


def _typed(lesion: FoundLesion, volume: ImageVolume) -> TypedLesion:
    values = volume.array[lesion.mask.box][lesion.mask.values]
    return type_of(values, reference=lesion.reference, limits=profile().typing)


def _reference(reference: BoneReference) -> tuple[Measurement, ...]:
    return tuple(
        Measurement(
            concept=Concept.REFERENCE_HU, value=value, unit=Unit.HU, method=REFERENCE_METHOD, derivation=derivation
        )
        for derivation, value in (
            (Derivation.MEAN, reference.mean_hu),
            (Derivation.STANDARD_DEVIATION, reference.sd_hu),
        )
    )


def _type(reference: BoneReference, typed: TypedLesion) -> tuple[Measurement, ...]:
    limits = profile().typing
    return tuple(
        Measurement(concept=concept, value=value, unit=unit, method=lesion_type.METHOD)
        for concept, value, unit in (
            (Concept.LYTIC_LIMIT, lesion_type.lytic_limit(reference, limits), Unit.HU),
            (Concept.SCLEROTIC_LIMIT, lesion_type.sclerotic_limit(reference, limits), Unit.HU),
            (Concept.LYTIC_FRACTION, 100.0 * typed.lytic_share, Unit.PERCENT),
            (Concept.SCLEROTIC_FRACTION, 100.0 * typed.sclerotic_share, Unit.PERCENT),
        )
    )


def _cortex(mask: CroppedMask, volume: ImageVolume, bone: BoolArray) -> tuple[Measurement, ...]:
    """Nothing where no surface of bone lies beside the lesion: there is no cortex to judge."""
    share = cortex.open_cortex_share(volume.array, bone, mask, volume.geometry, limits=profile().cortex)
    if share is None:
        return ()
    return (Measurement(concept=Concept.OPEN_CORTEX, value=100.0 * share, unit=Unit.PERCENT, method=cortex.METHOD),)
