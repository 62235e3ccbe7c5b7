"""Liver and blood pool beside the lesions of a PET/CT, with PSMA spleen and parotid glands: where they were sampled,
and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bmnode.domain.codes import Code, Concept, Derivation, Finding, Measurable, MiPsma, Unit
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import Evaluation, Measurement, QualityCheck, Verdict
from operators.kernels.coarse_ct import CoarseCt
from operators.kernels.components import united
from operators.kernels.measurement import statistics
from operators.kernels.reference_glands import (
    PAROTID_METHOD,
    SPLEEN_METHOD,
    ParotidLimits,
    SpleenLimits,
    parotid_places,
    spleen_places,
)
from operators.kernels.reference_place import (
    BLOOD_METHOD,
    LIVER_METHOD,
    AortaLimits,
    LiverLimits,
    Point,
    aorta_lines,
    liver_places,
)
from operators.kernels.reference_uptake import PlausibleUptake, Reference, first_plausible, sphere, tube
from operators.kernels.response.mipsma import MiPsmaInputs, MiPsmaScore, assess_mipsma
from operators.kernels.response.percist import RULE as PERCIST
from operators.kernels.response.percist import ReferenceUptake, measurability_threshold
from operators.kernels.skeleton_sites.sites import SkeletonMap
from operators.readers.volume import ImageVolume
from pipelines.volumetric import ReferenceRegion

RATIO_TO_LIVER, RATIO_TO_BLOOD = "MAX_OVER_LIVER_MEAN_V1", "MAX_OVER_BLOOD_MEAN_V1"
LEAN_METHOD = "LBM_JANMAHASATIAN"

_LIVER_EXCRETED = frozenset({"PSMA-1007"})
"""Ligands whose score takes the spleen for the liver (PROMISE)."""
_MIPSMA = {
    MiPsmaScore.SCORE_0: MiPsma.SCORE_0,
    MiPsmaScore.SCORE_1: MiPsma.SCORE_1,
    MiPsmaScore.SCORE_2: MiPsma.SCORE_2,
    MiPsmaScore.SCORE_3: MiPsma.SCORE_3,
    MiPsmaScore.NOT_EVALUABLE: MiPsma.NOT_EVALUABLE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganUptake:
    """What is plausible in the two references with one tracer."""

    liver: PlausibleUptake
    blood: PlausibleUptake


@dataclass(frozen=True, kw_only=True, slots=True)
class PlausibleByTracer:
    """By the names of the thresholds."""

    FDG: OrganUptake
    PSMA: OrganUptake
    NaF: OrganUptake


@dataclass(frozen=True, kw_only=True, slots=True)
class GlandLimits:
    """How spleen and parotid glands are placed and checked, with PSMA ligands alone."""

    spleen: SpleenLimits
    parotid: ParotidLimits
    plausible_spleen: PlausibleUptake
    plausible_parotid: PlausibleUptake


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceLimits:
    """How the references are placed and checked; `least_share` is the part of the region that the image must hold."""

    block_mm: float
    least_share: float
    liver: LiverLimits
    aorta: AortaLimits
    plausible: PlausibleByTracer
    glands: GlandLimits


_NO_CT = "the study has no CT to place it on."


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class References:
    """The references; where one is None, the sentence says why, and is empty where the tracer asks for none."""

    liver: Reference | None = None
    blood: Reference | None = None
    spleen: Reference | None = None
    parotid: Reference | None = None
    why_no_liver: str = _NO_CT
    why_no_blood: str = _NO_CT
    why_no_spleen: str = ""
    why_no_parotid: str = ""

    @property
    def regions(self) -> tuple[ReferenceRegion, ...]:
        """As segments."""
        named = (
            ("Liver reference region", Finding.LIVER, self.liver),
            ("Blood pool reference region", Finding.DESCENDING_AORTA, self.blood),
            ("Spleen reference region", Finding.SPLEEN, self.spleen),
            ("Parotid reference region", Finding.PAROTID, self.parotid),
        )
        return tuple(
            ReferenceRegion(label=label, type=kind, mask=found.mask)
            for label, kind, found in named
            if found is not None
        )


def find_references(
    volume: ImageVolume, ct: CoarseCt, *, plausible: OrganUptake, limits: ReferenceLimits
) -> References:
    """Liver sphere and aortic cylinder on the grid of a volume in SUVbw; places by the CT, the first plausible one."""
    geometry, tube_mm = volume.geometry, _TUBE_RADIUS_MM
    places = liver_places(ct, limits=limits.liver)
    liver, why_no_liver = _first_sphere(
        volume, places, radius_mm=limits.liver.radius_mm, least_share=limits.least_share, plausible=plausible.liver
    )
    blood, why_no_blood = first_plausible(
        volume.array,
        geometry,
        (tube(geometry, line, radius_mm=tube_mm) for line in aorta_lines(ct, limits=limits.aorta)),
        least_ml=limits.least_share * math.pi * tube_mm**2 * limits.aorta.length_mm / 1000.0,
        limits=plausible.blood,
    )
    return References(liver=liver, blood=blood, why_no_liver=why_no_liver, why_no_blood=why_no_blood)


_TUBE_RADIUS_MM = 5.0
"""PERCIST 1.0: a cylinder of 1 cm diameter."""


def with_glands(
    found: References,
    volume: ImageVolume,
    ct: CoarseCt | None,
    *,
    skeleton: SkeletonMap | None,
    limits: ReferenceLimits,
) -> References:
    """The references with spleen and parotid glands beside them, which the miPSMA score needs.

    The parotid reference is the spheres of both sides together, or that of the side where one was found.
    """
    if ct is None:
        return replace(found, why_no_spleen=_NO_CT, why_no_parotid=_NO_CT)
    glands = limits.glands
    spleen, why_no_spleen = _first_sphere(
        volume,
        spleen_places(ct, limits=glands.spleen),
        radius_mm=glands.spleen.radius_mm,
        least_share=limits.least_share,
        plausible=glands.plausible_spleen,
    )
    sides = [
        _first_sphere(
            volume,
            places,
            radius_mm=glands.parotid.radius_mm,
            least_share=limits.least_share,
            plausible=glands.plausible_parotid,
        )
        for places in parotid_places(ct, skeleton, limits=glands.parotid)
    ]
    masks = tuple(side.mask for side, _ in sides if side is not None)
    parotid = None
    if masks:
        mask = CroppedMask.from_array(united(masks, shape=volume.geometry.shape))
        parotid = Reference(mask=mask, values=statistics(volume.array, mask))
    return replace(
        found,
        spleen=spleen,
        parotid=parotid,
        why_no_spleen=why_no_spleen,
        why_no_parotid="" if masks else max((why for _, why in sides), key=len),
    )


def _first_sphere(
    volume: ImageVolume, places: Sequence[Point], *, radius_mm: float, least_share: float, plausible: PlausibleUptake
) -> tuple[Reference | None, str]:
    return first_plausible(
        volume.array,
        volume.geometry,
        (sphere(volume.geometry, place, radius_mm=radius_mm) for place in places),
        least_ml=least_share * 4.0 / 3.0 * math.pi * radius_mm**3 / 1000.0,
        limits=plausible,
    )


def reference_measurements(
    references: References, *, lean_share: float | None, tracer_key: str
) -> tuple[Measurement, ...]:
    """Mean and SD of the references, lean mass over weight, and with FDG the limit of PERCIST's measurability."""
    rows: list[Measurement] = []
    for concept, method, found in (
        (Concept.LIVER_REFERENCE, LIVER_METHOD, references.liver),
        (Concept.BLOOD_REFERENCE, BLOOD_METHOD, references.blood),
        (Concept.SPLEEN_REFERENCE, SPLEEN_METHOD, references.spleen),
        (Concept.PAROTID_REFERENCE, PAROTID_METHOD, references.parotid),
    ):
        if found is not None:
            pairs = (
                (Derivation.MEAN, found.values.mean),
                (Derivation.STANDARD_DEVIATION, found.values.standard_deviation),
            )
            rows += [
                Measurement(concept=concept, value=value, unit=Unit.SUV_BW, method=method, derivation=derivation)
                for derivation, value in pairs
            ]
    if lean_share is not None:
        rows.append(Measurement(concept=Concept.LEAN_SHARE, value=lean_share, unit=Unit.RATIO, method=LEAN_METHOD))
    limit = percist_limit(references, lean_share=lean_share, tracer_key=tracer_key)
    if limit is not None:
        rows.append(
            Measurement(concept=Concept.PERCIST_LIMIT, value=limit, unit=Unit.GRAM_PER_ML, method=PERCIST.method)
        )
    return tuple(rows)


def percist_limit(references: References, *, lean_share: float | None, tracer_key: str) -> float | None:
    """SULpeak of measurability from the liver, g/ml; None without liver, lean mass or FDG.

    Whether the liver is diseased is not known, so that the blood pool never takes its place here.
    """
    if tracer_key != "FDG" or references.liver is None or lean_share is None:
        return None
    values = references.liver.values
    liver = ReferenceUptake(mean_sul=values.mean * lean_share, sd_sul=values.standard_deviation * lean_share)
    return measurability_threshold(liver, liver_diseased=False)


def lesion_ratios(references: References, *, suv_max: float) -> tuple[Measurement, ...]:
    """SUVmax over the mean of each reference that was found."""
    return tuple(
        Measurement(
            concept=Concept.LESION_TO_BACKGROUND, value=suv_max / found.values.mean, unit=Unit.RATIO, method=method
        )
        for method, found in ((RATIO_TO_LIVER, references.liver), (RATIO_TO_BLOOD, references.blood))
        if found is not None
    )


def lean_peak(suv_peak: float, *, lean_share: float | None, method: str) -> tuple[Measurement, ...]:
    """SULpeak, where lean mass is known."""
    if lean_share is None:
        return ()
    value = suv_peak * lean_share
    return (
        Measurement(
            concept=Concept.SUV_LBM_JANMA,
            value=value,
            unit=Unit.GRAM_PER_ML,
            method=method,
            derivation=Derivation.PEAK_IN_ROI,
        ),
    )


def lesion_classes(
    references: References, *, suv_mean: float, sul_peak: float | None, limit: float | None, ligand: str | None
) -> tuple[Evaluation, ...]:
    """PERCIST's measurability with FDG, the miPSMA score with a PSMA ligand; nothing where no rule applies."""
    if ligand is not None:
        return (Evaluation(concept=Concept.MIPSMA_SCORE, value=_mipsma(references, suv_mean=suv_mean, ligand=ligand)),)
    if limit is None or sul_peak is None:
        return ()
    measurable = Measurable.YES if sul_peak >= limit else Measurable.NO
    return (Evaluation(concept=Concept.PERCIST_MEASURABLE, value=measurable),)


def _mipsma(references: References, *, suv_mean: float, ligand: str) -> Code:
    inputs = MiPsmaInputs(
        lesion_suv_mean=suv_mean,
        blood_suv_mean=_mean(references.blood),
        parotid_suv_mean=_mean(references.parotid),
        liver_excreted=None if ligand == "PSMA" else ligand in _LIVER_EXCRETED,
        liver_suv_mean=_mean(references.liver),
        spleen_suv_mean=_mean(references.spleen),
    )
    return _MIPSMA[assess_mipsma(inputs).category]


def _mean(found: Reference | None) -> float | None:
    return None if found is None else found.values.mean


def reference_checks(references: References) -> tuple[QualityCheck, ...]:
    """What was found, or why not: a reference that is missing is never replaced by a usual value."""
    rows = (
        ("Liver reference", references.liver, references.why_no_liver),
        ("Blood pool reference", references.blood, references.why_no_blood),
        ("Spleen reference", references.spleen, references.why_no_spleen),
        ("Parotid gland reference", references.parotid, references.why_no_parotid),
    )
    return tuple(
        QualityCheck(name=name, verdict=Verdict.NOT_EVALUABLE, explanation=f"Not measured: {why_not}")
        if found is None
        else QualityCheck(
            name=name,
            verdict=Verdict.PASS,
            explanation=f"SUVbw {found.values.mean:.2f} +- {found.values.standard_deviation:.2f} in "
            f"{found.values.count} voxels.",
        )
        for name, found, why_not in rows
        if found is not None or why_not
    )
