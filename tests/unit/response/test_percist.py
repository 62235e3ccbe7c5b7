"""PERCIST 1.0, clinical reference 4.5."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.percist import (
    LesionPeak,
    PercistCategory,
    PercistInputs,
    PercistScan,
    ReferenceUptake,
    assess_percist,
    incomparable,
    measurability_threshold,
)

C = PercistCategory
LIVER = ReferenceUptake(mean_sul=1.2, sd_sul=0.1)
"""A liver under which 2.4 is measurable: the threshold is 2.0."""
PEAKS = st.floats(min_value=2.0, max_value=30.0)


def scan(
    *peaks: float, tlg: float | None = 100.0, minutes: float | None = 60.0, liver: ReferenceUptake | None = LIVER
) -> PercistScan:
    """A scan with lesions in bone."""
    return PercistScan(
        lesions=tuple(LesionPeak(sul_peak=peak) for peak in peaks), liver=liver, uptake_minutes=minutes, tlg_ml=tlg
    )


def inputs(before: PercistScan, after: PercistScan, *, new: bool | None = False) -> PercistInputs:
    """Two scans of one scanner."""
    return PercistInputs(
        baseline=before,
        follow_up=after,
        new_lesion=new,
        residual_above_background=True,
        same_scanner_and_reconstruction=True,
    )


@pytest.mark.parametrize(
    ("before", "after", "tlg", "new", "expected"),
    [
        pytest.param(5.0, 3.4, 100.0, False, C.PMR, id="5.0-3.4"),
        pytest.param(2.4, 1.65, 100.0, False, C.SMD, id="2.4-1.65: -31 % but -0.75"),
        pytest.param(4.0, 5.3, 100.0, False, C.PMD, id="4.0-5.3"),
        pytest.param(2.5, 3.2, 100.0, False, C.SMD, id="2.5-3.2: +28 %"),
        pytest.param(6.0, 6.1, 180.0, False, C.PMD, id="6.0-6.1 TLG +80 %"),
        pytest.param(6.0, 2.0, 100.0, True, C.PMD, id="6-2 and new"),
        pytest.param(5.0, 3.5, 100.0, False, C.PMR, id="exactly -30 %"),
        pytest.param(5.0, 3.7, 100.0, False, C.SMD, id="-26 % of baseline, though 35 % of the follow-up"),
        pytest.param(2.6, 1.8, 100.0, False, C.PMR, id="exactly -0.8"),
        pytest.param(4.0, 5.2, 100.0, False, C.PMD, id="exactly +30 %"),
        pytest.param(2.4, 3.2, 100.0, False, C.PMD, id="exactly +0.8"),
        pytest.param(2.4, 3.19, 100.0, False, C.SMD, id="just short of +0.8"),
        pytest.param(6.0, 6.0, 175.0, False, C.PMD, id="TLG exactly +75 %"),
        pytest.param(6.0, 6.0, 174.9, False, C.SMD, id="TLG just short of +75 %"),
        pytest.param(6.0, 3.0, 180.0, False, C.PMD, id="TLG outweighs a fall"),
    ],
)
def test_truth_table(before: float, after: float, tlg: float, new: bool, expected: PercistCategory) -> None:
    """The truth table and the boundaries: a change of exactly 30 %, 0.8 SUL or 75 % counts."""
    assert assess_percist(inputs(scan(before), scan(after, tlg=tlg), new=new)).category is expected


@pytest.mark.parametrize(
    ("mean", "sd", "diseased", "expected"), [(2.0, 0.2, False, 3.40), (1.6, 0.15, True, 3.50)], ids=["liver", "blood"]
)
def test_measurability_threshold(mean: float, sd: float, diseased: bool, expected: float) -> None:
    """The worked cases of liver and blood pool."""
    reference = ReferenceUptake(mean_sul=mean, sd_sul=sd)
    assert measurability_threshold(reference, liver_diseased=diseased) == pytest.approx(expected)


def test_exactly_measurable_is_measurable() -> None:
    """A lesion at the threshold is measurable, one below it is not, and a new lesion is PMD regardless."""
    liver = ReferenceUptake(mean_sul=2.0, sd_sul=0.2)
    at, below = scan(3.4, liver=liver), scan(3.39, liver=liver)
    assert assess_percist(inputs(at, at)).category is C.SMD
    abstained = assess_percist(inputs(below, at))
    assert abstained.category is C.NOT_EVALUABLE
    assert "measurability" in abstained.reasons[0]
    assert assess_percist(inputs(below, at, new=True)).category is C.PMD


def test_diseased_liver_uses_the_blood_pool() -> None:
    """With a diseased liver, threshold and comparability come from the blood pool alone."""
    blood = ReferenceUptake(mean_sul=1.6, sd_sul=0.15)
    before = replace(scan(3.5, liver=None), blood_pool=blood)
    case = replace(inputs(before, before), liver_diseased=True)
    assert assess_percist(case).category is C.SMD
    assert assess_percist(case).figure("measurability_threshold") == pytest.approx(3.5)
    assert assess_percist(replace(case, liver_diseased=False)).category is C.NOT_EVALUABLE
    cool = replace(scan(1.5, liver=None), blood_pool=blood)
    assert assess_percist(replace(case, follow_up=cool, residual_above_background=False)).category is C.CMR


@pytest.mark.parametrize(
    ("first", "second", "comparable"),
    [
        pytest.param(1.2, 1.44, True, id="exactly 20 %"),
        pytest.param(1.2, 1.45, False, id="over 20 %"),
        pytest.param(2.0, 2.29, True, id="under 0.3"),
        pytest.param(2.0, 2.3, False, id="exactly 0.3"),
        pytest.param(2.0, 1.7, False, id="exactly -0.3"),
    ],
)
def test_liver_comparability(first: float, second: float, comparable: bool) -> None:
    """The liver may differ by 20 %, included, and by less than 0.3 SUL, excluded."""
    before = scan(9.0, liver=ReferenceUptake(mean_sul=first, sd_sul=0.1))
    after = scan(9.0, liver=ReferenceUptake(mean_sul=second, sd_sul=0.1))
    assert (incomparable(inputs(before, after)) == ()) is comparable
    assert assess_percist(inputs(before, after)).evaluable is comparable


@pytest.mark.parametrize(
    ("first", "second", "comparable"),
    [(50, 65, True), (50, 65.1, False), (55, 70, True), (49.9, 60, False), (60, 70.1, False), (60, None, False)],
)
def test_uptake_time_comparability(first: float, second: float | None, comparable: bool) -> None:
    """Both uptake times lie in 50 to 70 minutes and 15 minutes apart at most, all ends included."""
    assert assess_percist(inputs(scan(9.0, minutes=first), scan(9.0, minutes=second))).evaluable is comparable


@pytest.mark.parametrize("same", [False, None])
def test_another_scanner_does_not_compare(same: bool | None) -> None:
    """Another or an unknown scanner abstains; a new lesion is PMD all the same."""
    case = replace(inputs(scan(9.0), scan(3.0)), same_scanner_and_reconstruction=same)
    assert assess_percist(case).category is C.NOT_EVALUABLE
    assert assess_percist(replace(case, new_lesion=True)).category is C.PMD


def test_complete_response_needs_both_conditions() -> None:
    """CMR is below the liver and like the surroundings; unknown surroundings give PMR and say so."""
    case = inputs(scan(6.0), scan(1.1))
    assert assess_percist(replace(case, residual_above_background=False)).category is C.CMR
    assert assess_percist(case).category is C.PMR
    open_question = assess_percist(replace(case, residual_above_background=None))
    assert open_question.category is C.PMR
    assert any("CMR" in sentence for sentence in open_question.unknown)
    at_liver = replace(case, follow_up=scan(1.2), residual_above_background=False)
    assert assess_percist(at_liver).category is C.PMR


def test_nothing_left_to_measure() -> None:
    """An empty follow-up is CMR only if a reader says that nothing stands out."""
    case = inputs(scan(6.0), scan())
    assert assess_percist(replace(case, residual_above_background=False)).category is C.CMR
    assert assess_percist(case).category is C.NOT_EVALUABLE
    assert assess_percist(inputs(scan(), scan(6.0))).category is C.NOT_EVALUABLE


def test_unknown_new_lesions() -> None:
    """Progression by numbers stands without knowing of new lesions, response does not."""
    assert assess_percist(inputs(scan(4.0), scan(6.0), new=None)).category is C.PMD
    assert assess_percist(inputs(scan(6.0), scan(3.0), new=None)).category is C.NOT_EVALUABLE


def test_unknown_glycolysis_is_said() -> None:
    """Without total lesion glycolysis the category says that it was not known."""
    found = assess_percist(inputs(scan(6.0, tlg=None), scan(6.0)))
    assert found.category is C.SMD
    assert any("glycolysis is not known" in sentence for sentence in found.unknown)


def test_hottest_lesion_need_not_be_the_same() -> None:
    """The hottest lesion of each scan decides; the secondary sum takes two an organ and five in all."""
    assert assess_percist(inputs(scan(8.0, 3.0), scan(2.0, 5.0))).category is C.PMR
    assert scan(5.0, 4.0, 3.0).secondary_sum == 9.0
    many = tuple(LesionPeak(sul_peak=1.0, organ=organ) for organ in "aabbccc")
    assert PercistScan(lesions=many, liver=LIVER, uptake_minutes=60.0).secondary_sum == 5.0


@given(before=PEAKS, after=PEAKS, more=st.floats(0.0, 20.0))
def test_hotter_is_never_better(before: float, after: float, more: float) -> None:
    """A hotter follow-up never gives a better category."""
    order = [C.CMR, C.PMR, C.SMD, C.PMD]
    cool, hot = (assess_percist(inputs(scan(before), scan(value))).category for value in (after, after + more))
    assert order.index(cool) <= order.index(hot)


@given(peaks=st.lists(PEAKS, min_size=1, max_size=6), data=st.data())
def test_order_of_lesions_is_irrelevant(peaks: list[float], data: st.DataObject) -> None:
    """The same lesions in another order give the same category and sums."""
    shuffled = data.draw(st.permutations(peaks))
    assert assess_percist(inputs(scan(*peaks), scan(5.0))).figures == (
        assess_percist(inputs(scan(*shuffled), scan(5.0))).figures
    )


@given(before=st.floats(5.0, 20.0), after=st.floats(5.0, 20.0), factor=st.floats(1.0, 10.0))
def test_scale_of_high_uptake_changes_nothing(before: float, after: float, factor: float) -> None:
    """Where 30 % is more than 0.8 SUL, the ratio alone decides."""
    case, scaled = inputs(scan(before), scan(after)), inputs(scan(before * factor), scan(after * factor))
    assert assess_percist(case).category is assess_percist(scaled).category


def test_negative_uptake_is_an_error() -> None:
    """A negative SUL or time is nonsense, not missing input."""
    with pytest.raises(ValueError, match="sul_peak"):
        LesionPeak(sul_peak=-1.0)
    with pytest.raises(ValueError, match="uptake_minutes"):
        scan(5.0, minutes=-1.0)
