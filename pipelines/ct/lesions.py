"""What is measured on one candidate of a CT: HU, type, size, cortex beside it, and the imaging part of SINS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bmnode.domain.codes import Code, Concept, Derivation, Localisation, Unit
from bmnode.domain.geometry import BoolArray, CroppedMask
from bmnode.domain.results import Evaluation, Measurement
from operators.kernels import cortex, lesion_type
from operators.kernels.lesion_type import BoneReference, TypedLesion, type_of
from operators.kernels.measurement import statistics
from operators.kernels.stability import sins
from operators.kernels.stability.scoring import Matrix, Points
from operators.kernels.stability.sins import Level, Posterolateral, SinsFindings
from operators.readers.volume import ImageVolume
from pipelines.ct.profile import profile
from pipelines.volumetric import (
    LesionReport,
    axial_measurements,
    size_measurements,
    spread_measurements,
    value_measurements,
)

HU_METHOD = "CT_HU_V1"
REFERENCE_METHOD = "CT_REFERENCE_V1"
SINS_METHOD = f"{sins.RULE} ({sins.VERSION})"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FoundLesion:
    """A candidate on the CT's own grid.

    Args:
        reference: the trabecular bone that it was held against.
        posterolateral: its part beside and behind the spinal canal; None where it is not known to lie in the spine.
        level: its vertebra, where that is known.
    """

    mask: CroppedMask
    reference: BoneReference
    posterolateral: Posterolateral | None
    level: Level | None = None


def describe_lesion(lesion: FoundLesion, *, volume: ImageVolume, bone: BoolArray) -> LesionReport:
    """Every number of a candidate; `bone` is the evaluated bone on the volume's grid."""
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
            *_sins(lesion, typed.type),
        ),
        evaluations=(
            Evaluation(concept=Concept.LESION_TYPE, value=typed.type),
            Evaluation(concept=Concept.LOCALISATION, value=Localisation.IN_BONE),
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


def sins_interval(kind: Code, *, posterolateral: Posterolateral, level: Level | None) -> Points:
    """All that the imaging part of SINS may be, for a lesion in the spine.

    Alignment and the vertebral body are not evaluable without segmented vertebrae. What was found beside the canal is
    the least that there is: posterior elements are not searched for sclerosis, so that more is always possible.
    """

    def imaging(found: Posterolateral) -> Points:
        findings = SinsFindings(
            level=level, lesion=Matrix.from_lesion_type(kind), alignment=None, body=None, posterolateral=found
        )
        return sins.sins(findings).imaging

    return Points(low=imaging(posterolateral).low, high=imaging(Posterolateral.BILATERAL).high)


def _sins(lesion: FoundLesion, kind: Code) -> tuple[Measurement, ...]:
    if lesion.posterolateral is None:
        return ()
    points = sins_interval(kind, posterolateral=lesion.posterolateral, level=lesion.level)
    return tuple(
        Measurement(concept=concept, value=float(value), unit=Unit.SCORE, method=SINS_METHOD)
        for concept, value in ((Concept.SINS_LOWEST, points.low), (Concept.SINS_HIGHEST, points.high))
    )


def stability_sentences(lesions: Sequence[FoundLesion]) -> tuple[str, ...]:
    """What the reader must know of the scores: what they could not know, and of which lesions nothing is said."""
    in_spine = [str(index) for index, item in enumerate(lesions, start=1) if item.posterolateral is not None]
    elsewhere = [str(index) for index, item in enumerate(lesions, start=1) if item.posterolateral is None]
    sentences = []
    if in_spine:
        level = "" if all(item.level for item in lesions if item.posterolateral is not None) else "level, "
        sentences.append(
            f"Review of stability: SINS may reach {sins.REVIEW_FROM} for lesions in the spine ({', '.join(in_spine)}); "
            f"{level}alignment, height of the vertebral body and pain were not evaluable and take their whole range."
        )
    if elsewhere:
        sentences.append(
            f"SINS and Mirels' score were not evaluated for lesions {', '.join(elsewhere)}: they are not known to lie "
            "in the spine, and which long bone holds them is not known."
        )
    return tuple(sentences)
