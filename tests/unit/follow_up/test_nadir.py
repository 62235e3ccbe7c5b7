"""The nadir is the smallest burden that the node knows, by one method in one unit; what it cannot know is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.codes import Concept, Unit
from bmnode.domain.results import BurdenPoint, Measurement
from bmnode.results.pictures import compose_burden
from pipelines.follow_up.assess import assess_pair
from pipelines.follow_up.nadir import NO_BASELINE, NO_NADIR, nadir_of, sentences
from tests.unit.follow_up.pairs import matched_of, result_of

VOLUME = Measurement(concept=Concept.VOLUME, value=30.0, unit=Unit.ML, method="VOXEL_COUNT_V1")


def past(month: int, *measurements: Measurement) -> BurdenPoint:
    return BurdenPoint(studied_on=date(2025, month, 1), measurements=measurements)


def of(value: float) -> Measurement:
    return replace(VOLUME, value=value)


def test_the_smallest_earlier_value_is_named_with_its_day() -> None:
    """Of 40, 20 and 25 ml it is 20; 30 ml today is 50 % more. One study without the number is counted as such."""
    history = [past(1, of(40.0)), past(3, of(20.0)), past(5, of(25.0)), past(7)]
    baseline, nadir = sentences(history, [VOLUME])
    assert baseline == NO_BASELINE
    assert "20 ml on 2025-03-01, the smallest in the earlier studies known to the node (3)" in nadir
    assert "now 30 ml (+50 %). In 1 more it was not evaluable." in nadir


def test_another_method_or_unit_is_no_nadir() -> None:
    """Numbers that cannot be compared are not, and the report says that the nadir is not known."""
    others = [replace(of(1.0), method="OTHER_V1"), replace(of(1.0), unit=Unit.PERCENT)]
    assert sentences([past(1, *others)], [VOLUME]) == (NO_BASELINE, NO_NADIR)
    assert sentences([past(1, of(1.0), of(2.0))], [VOLUME])[1] == NO_NADIR
    assert sentences([past(1, of(1.0))], [])[1] == NO_NADIR


def test_a_nadir_of_nothing_has_no_percent() -> None:
    """After a study with 0 ml no change in percent is defined, and none is printed."""
    assert "now 30 ml." in sentences([past(1, of(0.0))], [VOLUME])[1]


@given(st.lists(st.floats(0.0, 1e4), min_size=1, max_size=6))
def test_the_order_of_studies_does_not_matter(values: list[float]) -> None:
    """The smallest is the smallest, and of equal ones the latest."""
    history = [past(month, of(value)) for month, value in enumerate(values, 1)]
    found, turned = nadir_of(history, [VOLUME]), nadir_of(history[::-1], [VOLUME])
    assert found == turned
    assert found is not None
    assert found.value == min(values)
    assert found.studied_on.month == max(n for n, value in enumerate(values, 1) if value == min(values))


def test_three_studies_are_drawn_over_time() -> None:
    """Two earlier studies and the present one are a history that the pictures show, and the nadir stands in words."""
    matched = matched_of(result_of("1.2.10", [], suv_max=[]), result_of("1.2.20", [], suv_max=[]), [])
    pair = matched.registered.pair
    pair = replace(
        pair, history=(past(1, of(40.0)), past(9, of(20.0))), result=replace(pair.result, measurements=(VOLUME,))
    )
    found = assess_pair(replace(matched, registered=replace(matched.registered, pair=pair)))
    assert [point.measurements[0].value for point in found.history] == [40.0, 20.0, 30.0]
    assert len(list(compose_burden(found.history))) == 1
    assert any("20 ml on 2025-09-01" in sentence for sentence in found.limitations)
