"""Figures of learned models: by their definitions, with what is not evaluable kept apart, beside the thresholds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.evaluations import Verdict
from bmnode.domain.model_evaluations import CohortCount, ModelReport, ModelRow
from bmnode.models.bundle import Bundle
from bmnode.models.layout import CARD
from pipelines.evaluation.models.curves import Detection, area_under_curve, correlation, mean, sensitivity_at
from pipelines.evaluation.models.goals import CONSPICUOUS, Quantity
from pipelines.evaluation.models.into_bundle import put_in
from pipelines.evaluation.models.records import FoundCandidate, ScanRecord, WayRecord
from pipelines.evaluation.models.table import rows_of
from tests.support.bundles import write_bundle

_SCORES = st.lists(st.floats(0.0, 1.0), max_size=12)


def _way(score: float, *, index: float | None = 1.0, dice: float = 0.5) -> WayRecord:
    """One candidate in the anterior view, and one part of the skeleton in each."""
    found = FoundCandidate(view=0, score=score, lesions=(0,))
    parts = ({"skull": dice}, {"skull": dice})
    return WayRecord(not_used="", candidates=(found,), parts=parts, lesions=(dice, None), index=index)


def _record(patient: int) -> ScanRecord:
    """A scan with one lesion in the anterior view, found by both ways."""
    return ScanRecord(
        key="k",
        patient=patient,
        shown=((0,), ()),
        conspicuous=((0,), ()),
        index=2.0,
        thresholds=_way(3.0),
        model=_way(0.9, dice=0.95),
        has_model=True,
    )


def _row(rows: tuple[ModelRow, ...], quantity: Quantity, view: str, group: str) -> ModelRow:
    (row,) = [item for item in rows if (item.quantity, item.view, item.group) == (quantity.value, view, group)]
    return row


def test_sensitivity_counts_what_stands_above_the_false_ones() -> None:
    """Two views with false candidates at 5 and 3: with half a false one a view, lesions above 3 are found."""
    detection = Detection(hits=(6.0, 4.0, 2.0, None), false=(5.0, 3.0), views=2)
    found = {most: sensitivity_at(detection, most_false=most).value for most in (0.0, 0.5, 1.0)}
    assert found == {0.0: 0.25, 0.5: 0.5, 1.0: 0.75}


def test_a_lesion_that_scores_like_the_false_one_too_many_is_not_found() -> None:
    """A level takes both or neither: of equal scores none is chosen by luck."""
    detection = Detection(hits=(3.0,), false=(3.0,), views=1)
    assert sensitivity_at(detection, most_false=0.0).value == 0.0


@given(hits=st.lists(st.none() | st.floats(0.0, 1.0), min_size=1, max_size=12), false=_SCORES)
def test_more_false_candidates_never_cost_sensitivity(hits: list[float | None], false: list[float]) -> None:
    """And no sensitivity is higher than that of all candidates together."""
    detection = Detection(hits=tuple(hits), false=tuple(false), views=3)
    found = [sensitivity_at(detection, most_false=most).value or 0.0 for most in (0.0, 0.5, 1.0, 2.0, 100.0)]
    assert found == sorted(found)
    assert found[-1] == pytest.approx(sum(hit is not None for hit in hits) / len(hits))


def test_the_area_is_the_chance_of_the_higher_score() -> None:
    """Hanley and McNeil's example values: ties count half; an area of 1 has no interval by their formula."""
    assert area_under_curve([2.0, 1.0], [1.0, 0.0]).value == pytest.approx(0.875)
    perfect = area_under_curve([2.0, 3.0], [1.0])
    assert (perfect.value, perfect.interval) == (1.0, None)
    assert area_under_curve([1.0], []).value is None


@given(
    diseased=st.lists(st.floats(0, 9), min_size=1, max_size=8),
    healthy=st.lists(st.floats(0, 9), min_size=1, max_size=8),
)
def test_the_area_of_the_others_is_the_rest(diseased: list[float], healthy: list[float]) -> None:
    """Changing the classes changes the area to what it lacked of 1."""
    one, other = area_under_curve(diseased, healthy), area_under_curve(healthy, diseased)
    assert one.value is not None
    assert other.value == pytest.approx(1.0 - one.value)
    if one.interval is not None:
        assert one.interval[0] <= one.value <= one.interval[1]


def test_what_does_not_vary_has_no_correlation() -> None:
    """Nor have two pairs; neither is 0. Of four pairs on a line but one the interval holds the value."""
    assert correlation([(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]).value is None
    assert correlation([(1.0, 1.0), (2.0, 2.0)]).value is None
    found = correlation([(1.0, 1.1), (2.0, 1.9), (3.0, 3.3), (4.0, 3.9)])
    assert found.value is not None
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert mean([]).value is None


def test_both_ways_stand_side_by_side() -> None:
    """The model's figure is judged where it reaches the target and exceeds the thresholds'."""
    rows = rows_of([_record(1), _record(2)], cohort="few", judged=True)
    dice = _row(rows, Quantity.SKELETON_DICE, "ANT", "all")
    assert dice.model is not None
    assert (dice.thresholds.value, dice.model.value) == (0.5, 0.95)
    assert dice.verdict is Verdict.MET
    worse = rows_of([dataclasses.replace(_record(1), model=_way(0.9, dice=0.3))], cohort="few", judged=True)
    assert _row(worse, Quantity.SKELETON_DICE, "ANT", "all").verdict is Verdict.MISSED


def test_one_candidate_may_find_two_lesions() -> None:
    """In a projection they lie upon each other; a lesion that nothing touches is missed, whatever else is found."""
    wide = FoundCandidate(view=0, score=3.0, lesions=(0, 1))
    record = dataclasses.replace(
        _record(1),
        shown=((0, 1, 2), ()),
        conspicuous=((0, 1, 2), ()),
        thresholds=dataclasses.replace(_way(3.0), candidates=(wide,)),
    )
    row = _row(rows_of([record], cohort="few", judged=True), Quantity.SENSITIVITY_ONE, "ANT", CONSPICUOUS)
    assert row.thresholds.value == pytest.approx(2 / 3)


def test_as_good_as_thresholds_is_not_good_enough() -> None:
    """A model that reaches the target where thresholds do as well has not earned its place."""
    same = dataclasses.replace(_record(1), thresholds=_way(3.0, dice=0.95))
    assert _row(rows_of([same], cohort="few", judged=True), Quantity.SKELETON_DICE, "ANT", "all").verdict is (
        Verdict.MISSED
    )


def test_without_a_model_every_target_is_open() -> None:
    """Nothing is met by nobody; and a cohort that is not judged has no targets."""
    plain = dataclasses.replace(_record(1), model=None, has_model=False)
    judged = rows_of([plain], cohort="few", judged=True)
    assert {row.verdict for row in judged} == {Verdict.NOT_EVALUABLE, Verdict.REPORTED}
    assert {row.verdict for row in rows_of([plain], cohort="few", judged=False)} == {Verdict.REPORTED}


def test_a_refused_scan_is_in_no_figure() -> None:
    """Neither its lesions as missed, nor its patient as healthy."""
    refused = dataclasses.replace(_record(2), thresholds=None, model=None, refusal="bone_not_found")
    rows = rows_of([_record(1), refused], cohort="few", judged=True)
    assert _row(rows, Quantity.SENSITIVITY_ONE, "ANT", CONSPICUOUS).thresholds.n == 1
    assert _row(rows, Quantity.INDEX_R, "both", "all").thresholds.value is None


def test_a_bundle_carries_its_evaluation(tmp_path: Path) -> None:
    """Report and card have the figures, beside the thresholds'; the bundle is whole, and another one than before."""
    folder = write_bundle(tmp_path / "bundle")
    before = Bundle.from_folder(folder)
    rows = rows_of([_record(1), _record(2)], cohort="few", judged=True)
    count = CohortCount(name="few", seed=5, patients=2, refused=0, not_used=1)
    report = ModelReport(model=str(before.id), pipeline="1+0", cohorts=(count,), rows=rows)
    after = put_in(folder, report)
    (dice,) = [
        item for item in after.evaluation.figures if item.quantity.startswith("few: skeleton Dice, mean of parts, A")
    ]
    assert (dice.value, dice.thresholds, dice.n) == (0.95, 0.5, 2)
    card = (folder / CARD).read_text(encoding="utf-8")
    assert "| few | skeleton Dice, mean of parts | ANT | 0.950" in card
    assert "## Limits" in card
    assert after.digest != before.digest
    with pytest.raises(ValueError, match="of another"):
        put_in(folder, dataclasses.replace(report, model="another 1.0.0"))
