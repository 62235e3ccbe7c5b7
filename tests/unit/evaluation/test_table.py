"""Records to rows: what is compared, what is counted apart, and what misses its target."""

from __future__ import annotations

import dataclasses

import pytest

from bmnode.domain.evaluations import AccuracyRow, Masks, MeasurementReport, Verdict
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.quantities import DEFINITIONS, OF_MODALITY, Quantity
from pipelines.evaluation.records import LesionRecord, StudyRecord
from pipelines.evaluation.table import NO_VALUE, NOT_FOUND, REFUSED, accuracy_rows, detection_rows
from pipelines.evaluation.targets import TARGETS, WITHOUT_TARGET, Group, Target, target_of

TRUE = {
    Quantity.VOLUME: 5.0,
    Quantity.SUV_MAX: 10.0,
    Quantity.SUV_MEAN: 8.0,
    Quantity.TLG: 40.0,
    Quantity.SUV_MEAN_SEEN: 6.0,
    Quantity.TLG_SEEN: 30.0,
    Quantity.HU_MEAN: 300.0,
    Quantity.ADC_MEAN: 900.0,
}

BOUNDS_ALONE = (Quantity.SUV_MEAN, Quantity.TLG)
"""What physics bounds loosely; their rows against the truth as an image can show it are the sharp ones."""


def lesion(name: str = "one", **changes: object) -> LesionRecord:
    """A large lesion that was measured exactly and not found."""
    record = LesionRecord(
        name=name, diameter_mm=21.0, resolutions=4.0, is_shown=True, why_not="", true=TRUE, given=TRUE
    )
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]  # fields by name


def study(*lesions: LesionRecord, modality: Modality = Modality.PET, **changes: object) -> StudyRecord:
    """A study that was assessed."""
    record = StudyRecord(key="k", patient=1, modality=modality, refusal="", lesions=lesions)
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]  # fields by name


def row(rows: tuple[AccuracyRow, ...], quantity: Quantity, group: Group, masks: Masks = Masks.TRUE) -> AccuracyRow:
    """The one row of a quantity."""
    label = DEFINITIONS[quantity].label
    (found,) = (item for item in rows if (item.quantity, item.group, item.masks) == (label, group.value, masks))
    return found


def measured(target: Target, *, error: float) -> AccuracyRow:
    """The row of a target where every lesion is off by the same, in per cent or in the unit."""
    true = TRUE | {Quantity.BSI: 2.0, Quantity.BSI_SEEN: 2.0}
    value = true[target.quantity]
    given = true | {target.quantity: value * (1.0 + error / 100.0) if target.in_percent else value + error}
    if target.group is Group.PATIENTS:
        records = [study(modality=target.modality, true=true, given=given, found={})] * 5
    else:
        records = [study(*[lesion(given=given)] * 5, modality=target.modality)]
    return row(accuracy_rows(records), target.quantity, target.group)


def test_every_modality_has_targets_for_all_it_measures() -> None:
    """No quantity is shown without being judged or a reason why not, and no target is for a row that does not exist."""
    wanted = {
        (modality, quantity)
        for modality, all_of in OF_MODALITY.items()
        for quantity in all_of
        if quantity not in WITHOUT_TARGET
    }
    assert {(target.modality, target.quantity) for target in TARGETS} == wanted
    assert len({(target.modality, target.quantity, target.group) for target in TARGETS}) == len(TARGETS)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.modality}-{target.quantity}")
def test_the_middle_of_a_target_meets_it(target: Target) -> None:
    """An error in the middle of the range is within, one beyond either end misses."""
    assert measured(target, error=(target.low + target.high) / 2.0).verdict is Verdict.MET
    assert measured(target, error=target.high + 0.1).verdict is Verdict.MISSED
    assert measured(target, error=target.low - 0.1).verdict is Verdict.MISSED


@pytest.mark.parametrize("factor", [0.8, 1.2])
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.modality}-{target.quantity}")
def test_a_measurement_that_is_off_by_a_fifth_misses(target: Target, factor: float) -> None:
    """A factor of 0.8 or 1.2 in the code of any measurement does not pass for the error of images."""
    if target.quantity in BOUNDS_ALONE:
        return
    middle = (target.low + target.high) / 2.0
    value = TRUE.get(target.quantity, 2.0)
    measured_value = factor * (value * (1.0 + middle / 100.0) if target.in_percent else value + middle)
    error = 100.0 * (measured_value / value - 1.0) if target.in_percent else measured_value - value
    assert measured(target, error=error).verdict is Verdict.MISSED


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.modality}-{target.quantity}")
def test_limits_that_are_too_wide_miss(target: Target) -> None:
    """A bias in range does not make up for a spread beyond the target's."""
    if target.half_width is None:
        return
    middle = measured(target, error=(target.low + target.high) / 2.0)
    wide = 1.01 * target.half_width / 1.96
    part = "percent" if target.in_percent else "absolute"
    found = getattr(middle, part)
    assert target.verdict(dataclasses.replace(middle, **{part: dataclasses.replace(found, sd=wide)})) is Verdict.MISSED


def test_what_is_not_evaluable_is_counted_apart() -> None:
    """Lesions that are cut, not found, refused or without a value are in no figure and all counted."""
    cut = lesion("cut", why_not="cut by the field", given={Quantity.VOLUME: 0.0})
    silent = lesion("silent", given={Quantity.VOLUME: 5.0}, found={Quantity.VOLUME: 5.0})
    rows = accuracy_rows([study(lesion(), cut, silent), study(lesion(), refusal="missing_calibration")])
    volume = row(rows, Quantity.VOLUME, Group.ALL)
    assert (volume.n, volume.not_evaluable) == (3, {"cut by the field": 1})
    assert volume.absolute is not None
    assert volume.absolute.bias == 0.0
    assert row(rows, Quantity.SUV_MAX, Group.ALL).not_evaluable == {"cut by the field": 1, NO_VALUE: 1}
    found = row(rows, Quantity.VOLUME, Group.ALL, Masks.FOUND)
    assert (found.n, found.not_evaluable) == (1, {"cut by the field": 1, NOT_FOUND: 1, REFUSED: 1})


def test_nothing_to_compare_is_not_zero() -> None:
    """A modality without lesions has no bias, and its targets are not evaluable, not met."""
    rows = accuracy_rows([study()])
    found = row(rows, Quantity.SUV_MEAN, Group.LARGE)
    assert (found.n, found.absolute, found.percent, found.verdict) == (0, None, None, Verdict.NOT_EVALUABLE)


def test_small_lesions_are_not_among_the_large() -> None:
    """The group of three resolutions and more leaves out a lesion of 2.9."""
    rows = accuracy_rows([study(lesion(), lesion("small", resolutions=2.9))])
    assert (row(rows, Quantity.VOLUME, Group.ALL).n, row(rows, Quantity.VOLUME, Group.LARGE).n) == (2, 1)


def test_patients_without_disease_have_no_per_cent() -> None:
    """A true index of zero is compared in its unit; a difference in per cent of nothing is not made."""
    healthy = study(modality=Modality.PLANAR, true={Quantity.BSI: 0.0}, given={Quantity.BSI: 0.0})
    ill = study(modality=Modality.PLANAR, true={Quantity.BSI: 2.0}, given={Quantity.BSI: 2.5}, found={})
    found = row(accuracy_rows([healthy, ill]), Quantity.BSI, Group.PATIENTS)
    assert found.absolute is not None
    assert found.percent is not None
    assert (found.absolute.n, found.percent.n, found.percent.bias) == (2, 1, 25.0)


def test_detection_counts_by_size() -> None:
    """Lesions without a voxel are not asked for; false candidates are counted for all sizes together."""
    records = [
        study(
            lesion(found={}),
            lesion("small", diameter_mm=8.0),
            lesion("none", is_shown=False),
            candidates=4,
            parts=1,
            false=2,
        ),
        study(refusal="no_images"),
    ]
    rows = {item.size: item for item in detection_rows(records)}
    assert [(size, item.lesions, item.found) for size, item in rows.items()] == [
        ("under 10 mm", 1, 0),
        ("10 to 20 mm", 0, 0),
        ("20 mm and more", 1, 1),
        ("all", 2, 1),
    ]
    whole = rows["all"]
    assert (whole.sensitivity, whole.false_per_study, whole.parts, whole.refused) == (0.5, 2.0, 1, 1)
    assert rows["10 to 20 mm"].sensitivity is None
    assert rows["10 to 20 mm"].false_per_study is None


def report(*rows: AccuracyRow) -> MeasurementReport:
    """A report of these rows."""
    return MeasurementReport(cohort="c", seed=1, patients=5, pipeline="1", rows=rows, detection=())


def test_one_missed_target_fails_the_run() -> None:
    """The run is met only where no target is missed and one was judged: nothing judged is no success."""
    target = TARGETS[0]
    met, missed = measured(target, error=(target.low + target.high) / 2.0), measured(target, error=1e6)
    assert report(met).is_met
    assert not report(met, missed).is_met
    assert not report().is_met
    assert not report(dataclasses.replace(met, target="", verdict=Verdict.REPORTED)).is_met
    assert "targets 2: met 1, missed 1, not evaluable 0;" in report(met, missed).summary


def test_targets_are_found_by_their_row() -> None:
    """A row of another group has no target."""
    first = TARGETS[0]
    assert target_of(first.modality, first.quantity, first.group) is first
    assert target_of(Modality.PLANAR, Quantity.BSI, Group.LARGE) is None
