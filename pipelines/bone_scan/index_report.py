"""The index, its regions and the lesion burden as measurements, checks and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from bmnode import __version__
from bmnode.domain.codes import Concept, Derivation, Unit
from bmnode.domain.results import Algorithm, Measurement, QualityCheck, Verdict
from operators.kernels.bone_scan_index import burden as burden_rule
from operators.kernels.bone_scan_index import index as index_rule
from operators.kernels.bone_scan_index.burden import LesionBurden
from operators.kernels.bone_scan_index.index import BoneScanIndex
from operators.kernels.bone_scan_index.involvement import NotEvaluable, RegionFlag
from operators.kernels.scintigraphy import NORMALISED_LEVEL
from pipelines.bone_scan.index import IndexOutcome
from pipelines.bone_scan.sites import INVOLVEMENT, words_of
from pipelines.volumetric import NEIGHBORHOOD

METHOD = f"{index_rule.RULE}_V{index_rule.VERSION}"
BURDEN_METHOD = f"{burden_rule.RULE}_V{burden_rule.VERSION}"
_NAME = "Bone Scan Index"

CAUTIONS = (
    "The Bone Scan Index is that of candidate hot spots above a threshold, not of proven metastases: "
    "degenerative and traumatic uptake that is as hot counts like disease. An index above 0 is no diagnosis.",
    "Two indices of one patient that differ by 0.30 or less lie within repeatability (Anand 2016, measured with other "
    "software); compare only scans of like counts, uptake time and coefficient table.",
    "The regions are those of an atlas of simulated people fitted to each view, not of a model trained on patients.",
)


def index_measurements(outcome: IndexOutcome, burden: LesionBurden | None) -> tuple[Measurement, ...]:
    """The index, its coverage and each region's involved share; area and intensity of the candidates."""
    return (*_of_index(outcome.index), *_of_burden(burden))


def index_algorithms(outcome: IndexOutcome) -> tuple[Algorithm, ...]:
    """With mode, label set and coefficient table; nothing where the index is withheld."""
    index = outcome.index
    if index is None:
        return ()
    parameters = (
        f"mode={index.mode}",
        f"label_set={index.label_set}",
        f"table={index.table_id}",
        f"table_sha256={index.table_sha256}",
        f"table_total={index.table_total_percent:g}",
    )
    return (Algorithm(name=METHOD, version=__version__, family=NEIGHBORHOOD, parameters=parameters),)


def index_checks(outcome: IndexOutcome) -> tuple[QualityCheck, ...]:
    """Whether the index could be taken, and which regions it lacks or holds with a reservation."""
    index = outcome.index
    if index is None:
        return (QualityCheck(name=_NAME, verdict=Verdict.NOT_EVALUABLE, explanation=f"Withheld: {outcome.withheld}"),)
    checks = []
    lacking = [
        words_of(region) for region, reason in index.not_evaluable if reason is not NotEvaluable.NOT_IN_LABEL_SET
    ]
    text = f"Covers {index.coverage:.1%} of {index.table_id}"
    if lacking:
        checks.append((Verdict.WARN, f"{text}; not evaluable: {', '.join(lacking)}."))
    else:
        checks.append(
            (Verdict.PASS, f"{text}: all regions that the views can show; forearms and lower legs are not among them.")
        )
    for flag, words in (
        (RegionFlag.OBSCURED, "30 % or more under activity that was set aside"),
        (RegionFlag.ONE_VIEW, "visible in one view only"),
        (RegionFlag.CUT_BY_EDGE, "cut by the edge of the field"),
        (RegionFlag.PART_MISSING, "known in part"),
        (RegionFlag.CLIPPED, "involved share limited to 100 %"),
    ):
        flagged = [words_of(region) for region, found in index.flagged if found is flag]
        if flagged:
            checks.append((Verdict.WARN, f"{words}: {', '.join(flagged)}.".capitalize()))
    return tuple(QualityCheck(name=_NAME, verdict=verdict, explanation=words) for verdict, words in checks)


def index_sentences(outcome: IndexOutcome, *, lesions_outside: int) -> Sequence[str]:
    """What must be known beside the index."""
    if outcome.index is None:
        return (f"No Bone Scan Index is given: {outcome.withheld}",)
    sentences = list(CAUTIONS)
    dropped = outcome.index.extra_skeletal_pixels
    if dropped:
        sentences.append(
            f"{dropped} pixels of candidates lie beyond the regions of the index "
            "(between bones, in forearms or lower legs) and do not count in it."
        )
    if lesions_outside:
        sentences.append(f"{lesions_outside} candidates lie in forearms or lower legs, which the index does not cover.")
    return sentences


def _of_index(index: BoneScanIndex | None) -> tuple[Measurement, ...]:
    if index is None or index.index_percent is None:
        return ()
    method = f"{METHOD} {index.mode} {index.table_id}"
    shares = tuple(
        Measurement(
            concept=INVOLVEMENT[item.involvement.region],
            value=100.0 * item.involvement.fraction,
            unit=Unit.PERCENT,
            method=method,
        )
        for item in index.regions
        if item.involvement.fraction is not None
    )
    return (
        Measurement(concept=Concept.BONE_SCAN_INDEX, value=index.index_percent, unit=Unit.PERCENT, method=method),
        Measurement(concept=Concept.BONE_SCAN_COVERAGE, value=100.0 * index.coverage, unit=Unit.PERCENT, method=method),
        *shares,
    )


def _of_burden(burden: LesionBurden | None) -> tuple[Measurement, ...]:
    if burden is None:
        return ()
    area = (float(burden.area_px), Unit.PIXELS) if burden.area_cm2 is None else (burden.area_cm2, Unit.CM2)
    found = [
        Measurement(
            concept=Concept.LESION_AREA,
            value=area[0],
            unit=area[1],
            method=BURDEN_METHOD,
            derivation=Derivation.TOTAL,
        )
    ]
    if burden.mean_intensity is not None:
        found.append(
            Measurement(
                concept=Concept.LESION_INTENSITY,
                value=burden.mean_intensity / NORMALISED_LEVEL,
                unit=Unit.RATIO,
                method=BURDEN_METHOD,
                derivation=Derivation.MEAN,
            )
        )
    return tuple(found)
