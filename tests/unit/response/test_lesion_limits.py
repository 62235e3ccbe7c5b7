"""Per-lesion limits of agreement, clinical reference 4.7 and 8.4 (L-1)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.lesion_limits import (
    FDG_QIBA2016,
    NAF_LIN2016,
    LesionInputs,
    LesionResponse,
    Limits,
    UptakeMetric,
    assess_lesion,
    within_limits,
)

R = LesionResponse
M = UptakeMetric
VALUES = st.floats(min_value=0.1, max_value=1000.0)


def lesion(before: float | None, after: float | None, metric: UptakeMetric = M.SUV_TOTAL) -> LesionInputs:
    """A lesion of a NaF scan."""
    return LesionInputs(tracer="NaF", metric=metric, baseline_value=before, follow_up_value=after)


def response(inputs: LesionInputs) -> LesionResponse:
    """Its category by Lin 2016."""
    return assess_lesion(inputs, table=NAF_LIN2016).category


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(100.0, 50.0, R.IPR, id="L-1 .50"),
        pytest.param(100.0, 63.0, R.ISD, id="L-1 .63"),
        pytest.param(100.0, 171.0, R.ISD, id="L-1 1.71"),
        pytest.param(100.0, 172.0, R.IPD, id="L-1 1.72"),
        pytest.param(100.0, None, R.ICR, id="L-1 absent"),
        pytest.param(None, 100.0, R.IPD, id="L-1 new"),
    ],
)
def test_worked_case(before: float | None, after: float | None, expected: LesionResponse) -> None:
    """L-1: both limits belong to iSD."""
    assert response(lesion(before, after)) is expected


@pytest.mark.parametrize(
    ("metric", "lower", "upper", "patient_lower", "patient_upper"),
    [(M.SUV_MAX, 0.76, 1.32, 0.79, 1.26), (M.SUV_MEAN, 0.88, 1.14, 0.89, 1.10), (M.SUV_TOTAL, 0.63, 1.71, 0.70, 1.44)],
)
def test_table_is_that_of_the_paper(
    metric: UptakeMetric, lower: float, upper: float, patient_lower: float, patient_upper: float
) -> None:
    """The limits of Lin 2016 a lesion and a patient, and each decides at its own value."""
    assert NAF_LIN2016.lesion[metric] == Limits(lower=lower, upper=upper)
    assert NAF_LIN2016.patient[metric] == Limits(lower=patient_lower, upper=patient_upper)
    ratios = (lower - 0.001, lower, upper, upper + 0.001)
    assert [response(lesion(10.0, 10.0 * ratio, metric)) for ratio in ratios] == [R.IPR, R.ISD, R.ISD, R.IPD]


@pytest.mark.parametrize(
    ("after", "expected"), [(7.1, R.IPR), (7.2, R.ISD), (13.9, R.ISD), (14.0, R.IPD), (None, R.ICR)]
)
def test_fdg_changes_beyond_28_and_39_percent(after: float | None, expected: LesionResponse) -> None:
    """Clinical reference 4.7: on FDG a SUVmax that falls by 28 % or rises by 39 % is still within repeatability."""
    inputs = LesionInputs(tracer="FDG", metric=M.SUV_MAX, baseline_value=10.0, follow_up_value=after)
    assert assess_lesion(inputs, table=FDG_QIBA2016).category is expected


def test_a_patient_repeats_better_than_a_lesion() -> None:
    """A patient's SUVtotal ratio of 1.6 is a change where that of one lesion is none."""
    assert within_limits(1.6, limits=NAF_LIN2016.lesion[M.SUV_TOTAL])
    assert not within_limits(1.6, limits=NAF_LIN2016.patient[M.SUV_TOTAL])


def test_outside_the_study_it_abstains() -> None:
    """Another tracer, a site that was not evaluable, a small lesion or none at all: no category."""
    case = lesion(100.0, 50.0)
    assert response(replace(case, tracer="FDG")) is R.NOT_EVALUABLE
    assert response(replace(case, tracer=None)) is R.NOT_EVALUABLE
    assert response(replace(case, follow_up_site_evaluable=False)) is R.NOT_EVALUABLE
    assert response(replace(lesion(None, 5.0), baseline_site_evaluable=False)) is R.NOT_EVALUABLE
    assert response(replace(case, baseline_volume_ml=1.5)) is R.NOT_EVALUABLE
    assert response(replace(case, baseline_volume_ml=1.6)) is R.IPR
    assert response(lesion(None, None)) is R.NOT_EVALUABLE


def test_unknown_volume_is_said() -> None:
    """A ratio without the lesion's volume says that small lesions repeat less well."""
    assert assess_lesion(lesion(100.0, 50.0), table=NAF_LIN2016).unknown
    known = replace(lesion(100.0, 50.0), baseline_volume_ml=5.0)
    assert not assess_lesion(known, table=NAF_LIN2016).unknown


@given(before=VALUES, after=VALUES, factor=st.floats(1e-3, 1e3), metric=st.sampled_from(UptakeMetric))
def test_scale_and_unit_change_nothing(before: float, after: float, factor: float, metric: UptakeMetric) -> None:
    """Uptake in another unit gives the same category."""
    assert response(lesion(before, after, metric)) is response(lesion(before * factor, after * factor, metric))


@given(before=VALUES, after=VALUES, more=VALUES, metric=st.sampled_from(UptakeMetric))
def test_more_uptake_is_never_better(before: float, after: float, more: float, metric: UptakeMetric) -> None:
    """More uptake never gives a better category."""
    order = [R.IPR, R.ISD, R.IPD]
    lesser, greater = response(lesion(before, after, metric)), response(lesion(before, after + more, metric))
    assert order.index(lesser) <= order.index(greater)


def test_nonsense_is_an_error() -> None:
    """A value of zero is neither uptake nor absence; limits on one side of 1 are none."""
    with pytest.raises(ValueError, match="absent is None"):
        lesion(0.0, 1.0)
    with pytest.raises(ValueError, match="both sides"):
        Limits(lower=1.1, upper=1.2)
