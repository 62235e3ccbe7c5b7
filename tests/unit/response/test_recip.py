"""RECIP 1.0, clinical reference 4.6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.recip import RecipCategory, RecipInputs, assess_recip

C = RecipCategory
VOLUMES = st.floats(min_value=0.1, max_value=5000.0)


def category(before: float | None, after: float | None, new: bool | None) -> RecipCategory:
    """The category of two volumes in mL."""
    return assess_recip(RecipInputs(baseline_volume_ml=before, follow_up_volume_ml=after, new_lesion=new)).category


@pytest.mark.parametrize(
    ("before", "after", "new", "expected"),
    [
        pytest.param(100, 70, False, C.PR, id="100-70 no: exactly -30 % is PR"),
        pytest.param(100, 69, True, C.SD, id="100-69 yes"),
        pytest.param(100, 120, True, C.PD, id="100-120 yes: exactly +20 % is PD"),
        pytest.param(100, 119.9, True, C.SD, id="100-119.9 yes"),
        pytest.param(100, 140, False, C.SD, id="100-140 no"),
        pytest.param(100, 0, False, C.CR, id="100-0 no"),
        pytest.param(50, 36, False, C.SD, id="50-36 no: -28 %"),
        pytest.param(100, 70.1, False, C.SD, id="just short of -30 %"),
        pytest.param(100, 0, True, C.SD, id="nothing segmented but a lesion is new"),
    ],
)
def test_worked_cases(before: float, after: float, new: bool, expected: RecipCategory) -> None:
    """The worked cases and the boundaries, which belong to PR and PD."""
    assert category(before, after, new) is expected


@pytest.mark.parametrize(
    ("after", "expected"), [(100, C.SD), (119.9, C.SD), (120, C.NOT_EVALUABLE), (70, C.NOT_EVALUABLE)]
)
def test_new_lesions_matter_only_beyond_the_limits(after: float, expected: RecipCategory) -> None:
    """Not knowing of new lesions abstains only where they would decide."""
    assert category(100, after, None) is expected


@pytest.mark.parametrize(("before", "after"), [(None, 10.0), (10.0, None), (0.0, 10.0), (0.0, 0.0)])
def test_missing_volumes_abstain(before: float | None, after: float | None) -> None:
    """No volume, or none at baseline, has no percent change."""
    assert category(before, after, True) is C.NOT_EVALUABLE


@given(before=VOLUMES, after=VOLUMES, new=st.booleans(), factor=st.floats(1e-3, 1e3))
def test_scale_and_unit_change_nothing(before: float, after: float, new: bool, factor: float) -> None:
    """Volumes in another unit give the same category."""
    assert category(before, after, new) is category(before * factor, after * factor, new)


@given(before=VOLUMES, after=VOLUMES, more=VOLUMES, new=st.booleans())
def test_more_volume_or_new_lesions_are_never_better(before: float, after: float, more: float, new: bool) -> None:
    """A larger volume, or a new lesion at the same volume, never gives a better category."""
    order = [C.CR, C.PR, C.SD, C.PD]
    assert order.index(category(before, after, new)) <= order.index(category(before, after + more, new))
    assert order.index(category(before, after, False)) <= order.index(category(before, after, True))


def test_a_negative_volume_is_an_error() -> None:
    """A negative volume is nonsense, not missing input."""
    with pytest.raises(ValueError, match="baseline_volume_ml"):
        category(-1.0, 1.0, False)
