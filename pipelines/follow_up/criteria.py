"""The criteria engines on a pair: what each needs is taken from both results; what is not known stays unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from bmnode.domain.codes import Code, Concept, Derivation, LesionType
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.results import FindingResult, ResultSet
from bmnode.domain.study import Branch
from operators.kernels import axial_size
from operators.kernels.components import united
from operators.kernels.lesion_matching.contract import LesionEvent, LesionGroup
from operators.kernels.response.bone_change import BoneInputs, LesionPair, LesionState, NewFocus
from operators.kernels.response.bsi_change import BsiChangeInputs, BsiScan, assess_bsi_change
from operators.kernels.response.contract import Assessment
from operators.kernels.response.mda import assess_mda
from operators.kernels.response.metrads import Certainty, MetRadsInputs, assess_metrads
from operators.kernels.response.recip import RecipInputs, assess_recip
from operators.kernels.response.uicc import assess_uicc
from operators.kernels.response.who import assess_who
from pipelines.follow_up.contract import Drawn, Matched
from pipelines.follow_up.percist import assess_pair as assess_percist_pair
from pipelines.follow_up.values import measured, tracer_of

Assessed = Assessment[Any, Any]

BONE_ALONE = "RECIP asks for the volume of the whole body: here it is that of candidates in bone alone."
NO_DATE = "The day on which the present treatment began is not known to the node."
NO_RECIST = "RECIST 1.1 is not assessed: it needs soft-tissue parts of bone lesions, measured at baseline and at nadir."
NO_PCWG3 = "PCWG3 2+2 is not assessed: it needs the day on which treatment began, and the scan before it."
_FOCI: Mapping[Code, NewFocus] = MappingProxyType(
    {
        LesionType.SCLEROTIC: NewFocus.SCLEROTIC,
        LesionType.LYTIC: NewFocus.LYTIC,
        LesionType.MIXED: NewFocus.MIXED,
        LesionType.INDETERMINATE: NewFocus.UNKNOWN,
    }
)


def assessments(matched: Matched) -> tuple[tuple[Assessed, ...], tuple[str, ...]]:
    """What the criteria of the branch say, and sentences on what holds for all of them."""
    branch = matched.registered.pair.result.branch
    engine = _ENGINES.get(branch) if branch is not None else None
    return ((), ()) if engine is None else engine(matched)


def is_new(matched: Matched) -> bool | None:
    """Whether a lesion is new; None where lesions were not compared."""
    return None if matched.groups is None else bool(matched.group(LesionEvent.NEW))


def _ct(matched: Matched) -> tuple[tuple[Assessed, ...], tuple[str, ...]]:
    if matched.groups is None:
        return (), ()
    known = [group for group in matched.groups if group.prior and group.event is not LesionEvent.NOT_ASSESSABLE]
    foci = tuple(_focus(matched.current[group.current[0]].finding) for group in matched.group(LesionEvent.NEW))
    inputs = BoneInputs(
        lesions=tuple(_pair(group, matched) for group in known),
        new_foci=foci,
        weeks_since_treatment_change=None,
    )
    return (assess_mda(inputs), assess_uicc(inputs), assess_who(inputs)), (NO_DATE, NO_RECIST)


def _pair(group: LesionGroup, matched: Matched) -> LesionPair:
    """A group as one lesion: what split or merged is measured as a whole."""
    before = _state([matched.prior[number] for number in group.prior])
    return LesionPair(
        lesion_id=matched.prior[group.prior[0]].finding.tracking_uid,
        before=before,
        after=_state([matched.current[number] for number in group.current]),
    )


def _state(lesions: list[Drawn]) -> LesionState:
    """Axes of all voxels together, and the shares of lytic and sclerotic ones, by volume.

    A lesion of a single line of voxels has an axis of 0 across by the project's measure: a voxel is taken.
    """
    if not lesions:
        return LesionState(long_mm=0.0, short_mm=0.0)
    geometry = lesions[0].geometry
    mask = united(tuple(item.mask for item in lesions), shape=geometry.shape)
    size = axial_size.axial_size(CroppedMask.from_array(mask), geometry)
    voxel = min(geometry.spacing_mm)
    short = max(size.short_mm, voxel)
    return LesionState(
        long_mm=max(size.long_mm, short),
        short_mm=short,
        lytic_fraction=_share(lesions, Concept.LYTIC_FRACTION),
        sclerotic_fraction=_share(lesions, Concept.SCLEROTIC_FRACTION),
    )


def _share(lesions: list[Drawn], concept: Code) -> float | None:
    """Of all voxels together, 0 to 1; None where one lesion's is not known."""
    values = [measured(item.finding.measurements, concept) for item in lesions]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    weights = [item.mask.voxel_count for item in lesions]
    return min(1.0, sum(v * w for v, w in zip(known, weights, strict=True)) / sum(weights) / 100.0)


def _focus(finding: FindingResult) -> NewFocus:
    kinds = [item.value for item in finding.evaluations if item.concept == Concept.LESION_TYPE]
    return _FOCI.get(kinds[0], NewFocus.UNKNOWN) if kinds else NewFocus.UNKNOWN


def _pet(matched: Matched) -> tuple[tuple[Assessed, ...], tuple[str, ...]]:
    pair = matched.registered.pair
    tracers = {tracer_of(pair.study), tracer_of(pair.prior_study)}
    if tracers == {"FDG"}:
        return (assess_percist_pair(matched, new_lesion=is_new(matched)),), ()
    volumes = [measured(item.measurements, Concept.PSMA_VOLUME) for item in (pair.earlier.result_set, pair.result)]
    if len(tracers) > 1 or None in volumes:
        return (), ()
    inputs = RecipInputs(baseline_volume_ml=volumes[0], follow_up_volume_ml=volumes[1], new_lesion=is_new(matched))
    return (assess_recip(inputs),), (BONE_ALONE,)


def _mri(matched: Matched) -> tuple[tuple[Assessed, ...], tuple[str, ...]]:
    pair, new = matched.registered.pair, is_new(matched)
    before, now = (
        measured(item.measurements, Concept.GLOBAL_ADC, Derivation.MEAN)
        for item in (pair.earlier.result_set, pair.result)
    )
    certainty = None if new is None else Certainty.UNEQUIVOCAL if new else Certainty.ABSENT
    inputs = MetRadsInputs(baseline_adc_um2_s=before, follow_up_adc_um2_s=now, new_or_enlarging=certainty)
    return (assess_metrads(inputs),), ()


def _bone_scan(matched: Matched) -> tuple[tuple[Assessed, ...], tuple[str, ...]]:
    pair = matched.registered.pair
    inputs = BsiChangeInputs(
        baseline=_index(pair.earlier.result_set),
        follow_up=_index(pair.result),
        interval_days=float(pair.prior.days_before),
    )
    new = len(matched.group(LesionEvent.NEW))
    counted = () if matched.groups is None else (f"New candidates for bone lesions since the earlier scan: {new}.",)
    return (assess_bsi_change(inputs),), (NO_PCWG3, *counted)


def _index(result: ResultSet) -> BsiScan:
    coverage = measured(result.measurements, Concept.BONE_SCAN_COVERAGE)
    table = [item.method for item in result.measurements if item.concept == Concept.BONE_SCAN_INDEX]
    return BsiScan(
        bsi_percent=measured(result.measurements, Concept.BONE_SCAN_INDEX),
        coverage=None if coverage is None else coverage / 100.0,
        coefficient_table=table[0] if len(table) == 1 else None,
    )


_ENGINES: Mapping[Branch, Callable[[Matched], tuple[tuple[Assessed, ...], tuple[str, ...]]]] = MappingProxyType(
    {Branch.CT: _ct, Branch.PET_CT: _pet, Branch.MRI: _mri, Branch.BONE_SCAN: _bone_scan}
)
