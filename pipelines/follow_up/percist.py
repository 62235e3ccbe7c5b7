"""PERCIST 1.0 on a pair of FDG PETs: SULpeak, liver and blood pool as both reports have them."""

from __future__ import annotations

from bmnode.domain.codes import Code, Concept, Derivation
from bmnode.domain.results import FindingResult, ResultSet
from operators.graph.contract import StudyInput
from operators.kernels.response.contract import Assessment
from operators.kernels.response.percist import (
    LesionPeak,
    PercistCategory,
    PercistInputs,
    PercistScan,
    ReferenceUptake,
    assess_percist,
)
from pipelines.follow_up.contract import Drawn, Matched
from pipelines.follow_up.values import is_same_scanner, measured, uptake_minutes


def assess_pair(matched: Matched, *, new_lesion: bool | None) -> Assessment[PercistCategory, PercistInputs]:
    """The category by the hottest candidate of each scan. Uptake beyond bone is no candidate of the node."""
    pair = matched.registered.pair
    return assess_percist(
        PercistInputs(
            baseline=_scan(pair.earlier.result_set, matched.prior, pair.prior_study),
            follow_up=_scan(pair.result, matched.current, pair.study),
            new_lesion=new_lesion,
            same_scanner_and_reconstruction=is_same_scanner(pair.study, pair.prior_study),
        )
    )


def _scan(result: ResultSet, lesions: tuple[Drawn, ...], study: StudyInput) -> PercistScan:
    peaks = [peak for item in lesions if (peak := _sul_peak(item.finding)) is not None]
    return PercistScan(
        lesions=tuple(LesionPeak(sul_peak=peak) for peak in peaks),
        liver=_reference(result, Concept.LIVER_REFERENCE),
        blood_pool=_reference(result, Concept.BLOOD_REFERENCE),
        uptake_minutes=uptake_minutes(study),
        tlg_ml=measured(result.measurements, Concept.TOTAL_LESION_GLYCOLYSIS, Derivation.TOTAL),
    )


def _sul_peak(finding: FindingResult) -> float | None:
    return measured(finding.measurements, Concept.SUV_LBM_JANMA, Derivation.PEAK_IN_ROI)


def _reference(result: ResultSet, concept: Code) -> ReferenceUptake | None:
    """In SUL: SUVbw times lean body mass over weight."""
    share = measured(result.measurements, Concept.LEAN_SHARE)
    mean = measured(result.measurements, concept, Derivation.MEAN)
    spread = measured(result.measurements, concept, Derivation.STANDARD_DEVIATION)
    if share is None or mean is None or spread is None:
        return None
    return ReferenceUptake(mean_sul=share * mean, sd_sul=share * spread)
