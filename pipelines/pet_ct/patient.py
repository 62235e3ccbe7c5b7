"""What a tracer's criteria say of the patient as a whole: PSMA volume and pattern, PERCIST's measurable lesions."""

from __future__ import annotations

from collections.abc import Sequence

from bmnode.domain.codes import BonePattern as Pattern
from bmnode.domain.codes import Code, Concept, Derivation, Measurable, Unit
from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.results import Evaluation, Measurement
from operators.kernels.response.percist import RULE as PERCIST
from operators.kernels.response.promise_pattern import BonePattern, PatternInputs, assess_pattern
from operators.kernels.skeleton_sites.sites import SiteLimits, SkeletonMap
from pipelines.volumetric import LesionReport

_PATTERNS = {
    BonePattern.NO_BONE_METASTASIS: Pattern.NONE,
    BonePattern.UNIFOCAL: Pattern.UNIFOCAL,
    BonePattern.OLIGOMETASTATIC: Pattern.OLIGOMETASTATIC,
    BonePattern.DISSEMINATED: Pattern.DISSEMINATED,
    BonePattern.DIFFUSE_MARROW_INVOLVEMENT: Pattern.DIFFUSE_MARROW,
    BonePattern.NOT_EVALUABLE: Pattern.NOT_EVALUABLE,
}
_UNNAMED = "bone"
_RECIP = (
    "RECIP 1.0 takes the PSMA-positive volume of the whole body: the volume given here is that of candidates in bone "
    "alone, and other organs and lymph nodes are not measured."
)


def psma_measurements(lesions: Sequence[LesionReport], *, method: str) -> tuple[Measurement, ...]:
    """PSMA-positive volume and total lesion uptake (mean times volume) of the candidates in bone together."""
    rows = (
        (Concept.PSMA_VOLUME, Concept.METABOLIC_VOLUME, Unit.ML),
        (Concept.PSMA_TOTAL, Concept.TOTAL_LESION_GLYCOLYSIS, Unit.GRAM),
    )
    return tuple(
        Measurement(
            concept=concept,
            value=float(sum(item.value for lesion in lesions for item in lesion.measurements if item.concept == part)),
            unit=unit,
            method=method,
            derivation=Derivation.TOTAL,
        )
        for concept, part, unit in rows
    )


def bone_pattern(
    lesions: Sequence[LesionReport] | None,
    *,
    skeleton: SkeletonMap | None,
    geometry: VolumeGeometry,
    limits: SiteLimits,
) -> tuple[tuple[Evaluation, ...], tuple[str, ...]]:
    """PROMISE's pattern of the candidates, and the sentences that say what it rests on and does not know.

    `lesions` is None where uptake is not localised to bone: then the pattern is not evaluable.
    """
    bones = None if lesions is None else tuple(_bone(lesion, skeleton, geometry, limits) for lesion in lesions)
    found = assess_pattern(PatternInputs(lesion_bones=bones, diffuse_marrow=None))
    sentences = (" ".join(("PROMISE pattern of the candidates:", *found.reasons, *found.unknown)), _RECIP)
    return (Evaluation(concept=Concept.BONE_PATTERN, value=_PATTERNS[found.category]),), sentences


def _bone(lesion: LesionReport, skeleton: SkeletonMap | None, geometry: VolumeGeometry, limits: SiteLimits) -> str:
    if skeleton is None:
        return _UNNAMED
    found = skeleton.site_of(lesion.mask, geometry, limits=limits)
    parts: tuple[Code | None, ...] = (found.laterality, found.site)
    return " ".join(code.meaning.lower() for code in parts if code is not None) or _UNNAMED


def percist_count(lesions: Sequence[LesionReport], *, limit: float | None) -> tuple[Measurement, ...]:
    """How many candidates PERCIST 1.0 can measure; nothing where its limit is not known."""
    if limit is None:
        return ()
    yes = Evaluation(concept=Concept.PERCIST_MEASURABLE, value=Measurable.YES)
    count = sum(yes in lesion.evaluations for lesion in lesions)
    return (Measurement(concept=Concept.PERCIST_COUNT, value=float(count), unit=Unit.COUNT, method=PERCIST.method),)
