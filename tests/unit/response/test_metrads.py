"""MET-RADS-P quantitative bone items, clinical reference 6."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.metrads import Certainty, MetRadsInputs, Rac, SignalChange, assess_metrads

FALLING = SignalChange.FALLING
ADCS = st.floats(min_value=300.0, max_value=2500.0)


def rac(
    before: float | None,
    after: float | None,
    *,
    new: Certainty | None = Certainty.ABSENT,
    high_b: SignalChange | None = None,
) -> Rac:
    """The category of two ADCs in um2/s."""
    return assess_metrads(
        MetRadsInputs(baseline_adc_um2_s=before, follow_up_adc_um2_s=after, new_or_enlarging=new, high_b_signal=high_b)
    ).category


@pytest.mark.parametrize(
    ("before", "after", "high_b", "expected"),
    [
        pytest.param(900, 1450, None, Rac.RAC_1, id="900-1450"),
        pytest.param(900, 1150, None, Rac.RAC_2, id="900-1150: +27.8 %"),
        pytest.param(900, 950, None, Rac.RAC_3, id="900-950"),
        pytest.param(1000, 1400, FALLING, Rac.RAC_1, id="exactly +40 % and falling"),
        pytest.param(1000, 1399, FALLING, Rac.RAC_2, id="just short of +40 %"),
        pytest.param(1000, 1400, SignalChange.UNCHANGED, Rac.RAC_2, id="+40 % without falling, 1400 is not above 1400"),
        pytest.param(1000, 1400, None, Rac.RAC_2, id="+40 %, high-b not known"),
        pytest.param(1000, 1250, None, Rac.RAC_2, id="exactly +25 %"),
        pytest.param(1000, 1249, None, Rac.RAC_3, id="just short of +25 %"),
        pytest.param(1400, 1401, None, Rac.RAC_1, id="from exactly 1400 to above"),
        pytest.param(1500, 1950, None, Rac.RAC_3, id="+30 % above 1400 already"),
        pytest.param(1500, 2100, FALLING, Rac.RAC_1, id="+40 % above 1400 already"),
        pytest.param(1000, 751, None, Rac.RAC_3, id="-24.9 %"),
        pytest.param(1000, 750, None, Rac.NOT_EVALUABLE, id="-25 %: no item covers it"),
    ],
)
def test_worked_cases(before: float, after: float, high_b: SignalChange | None, expected: Rac) -> None:
    """The worked cases and the boundaries: 25 % and 40 % are reached at their value, 1400 is left above it."""
    assert rac(before, after, high_b=high_b) is expected


@pytest.mark.parametrize(
    ("new", "expected"),
    [(Certainty.EQUIVOCAL, Rac.RAC_4), (Certainty.UNEQUIVOCAL, Rac.RAC_5), (None, Rac.NOT_EVALUABLE)],
)
def test_new_lesions_come_before_diffusion(new: Certainty | None, expected: Rac) -> None:
    """New or enlarging lesions decide whatever ADC does, also where ADC is not known."""
    assert rac(900, 1450, new=new) is expected
    assert rac(None, None, new=new) is expected


@pytest.mark.parametrize(("diffuse", "complication"), [(True, None), (None, True)])
def test_complications_are_progression(diffuse: bool | None, complication: bool | None) -> None:
    """Diffuse spread, cord compression or fracture is RAC 5 even if new lesions were not looked for."""
    found = assess_metrads(
        MetRadsInputs(
            baseline_adc_um2_s=900.0,
            follow_up_adc_um2_s=1450.0,
            new_or_enlarging=None,
            became_diffuse=diffuse,
            complication=complication,
        )
    )
    assert found.category is Rac.RAC_5


def test_what_images_cannot_give_is_declared() -> None:
    """Treatment and symptoms are always declared unknown; findings that were not given, too."""
    bare = assess_metrads(
        MetRadsInputs(baseline_adc_um2_s=900.0, follow_up_adc_um2_s=950.0, new_or_enlarging=Certainty.ABSENT)
    )
    full = assess_metrads(
        MetRadsInputs(
            baseline_adc_um2_s=900.0,
            follow_up_adc_um2_s=950.0,
            new_or_enlarging=Certainty.ABSENT,
            high_b_signal=FALLING,
            became_diffuse=False,
            complication=False,
        )
    )
    assert len(bare.unknown) == 4
    assert len(full.unknown) == 1
    assert "not known from the images" in full.unknown[0]


@pytest.mark.parametrize(("before", "after"), [(None, 900.0), (900.0, None), (0.0, 900.0)])
def test_missing_diffusion_abstains(before: float | None, after: float | None) -> None:
    """Without two ADCs there is no category by diffusion."""
    assert rac(before, after) is Rac.NOT_EVALUABLE


@given(before=ADCS, rise=st.floats(0.0, 1.0), more=st.floats(0.0, 1.0))
def test_a_stronger_rise_is_never_worse(before: float, rise: float, more: float) -> None:
    """From a viable lesion, a stronger rise with falling high-b signal never moves towards progression."""
    before = min(before, 1400.0)
    lesser = rac(before, before * (1.0 + rise), high_b=FALLING)
    greater = rac(before, before * (1.0 + rise + more), high_b=FALLING)
    assert greater.value <= lesser.value


def test_a_negative_adc_is_an_error() -> None:
    """A negative ADC is nonsense, not missing input."""
    with pytest.raises(ValueError, match="baseline_adc"):
        rac(-1.0, 900.0)
