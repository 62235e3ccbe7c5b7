"""UICC, WHO and MDA, clinical reference 5.3."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.bone_change import BoneInputs, BoneResponse, LesionPair, LesionState, NewFocus
from operators.kernels.response.contract import Assessment
from operators.kernels.response.mda import assess_mda
from operators.kernels.response.uicc import assess_uicc
from operators.kernels.response.who import assess_who

R = BoneResponse
Engine = Callable[[BoneInputs], Assessment[BoneResponse, BoneInputs]]
ENGINES = (assess_mda, assess_who, assess_uicc)
SIZES = st.floats(min_value=5.0, max_value=100.0)


def pair(
    before: tuple[float, float],
    after: tuple[float, float] | None,
    *,
    lytic: tuple[float, float] | None = None,
    sclerotic: tuple[float, float] | None = None,
    name: str = "a",
) -> LesionPair:
    """One lesion, sizes in mm, shares (before, after)."""

    def state(size: tuple[float, float], index: int) -> LesionState:
        return LesionState(
            long_mm=size[0],
            short_mm=size[1],
            lytic_fraction=lytic[index] if lytic else None,
            sclerotic_fraction=sclerotic[index] if sclerotic else None,
        )

    return LesionPair(lesion_id=name, before=state(before, 0), after=None if after is None else state(after, 1))


def inputs(
    *lesions: LesionPair,
    new: tuple[NewFocus, ...] | None = (),
    weeks: float | None = 12.0,
    held: float | None = None,
) -> BoneInputs:
    """Inputs at twelve weeks unless said otherwise."""
    return BoneInputs(lesions=lesions, new_foci=new, weeks_since_treatment_change=weeks, weeks_response_held=held)


STABLE = pair((40, 30), (40, 30))
HALVED = pair((40, 30), (20, 13))


@pytest.mark.parametrize(
    ("after", "by_sum", "by_product", "sum_percent", "product_percent"),
    [
        pytest.param((56, 40), R.PD, R.PD, 37.1, 86.7, id="40x30-56x40"),
        pytest.param((20, 13), R.PR, R.PR, -52.9, -78.3, id="40x30-20x13"),
        pytest.param((52, 30), R.SD, R.PD, 17.1, 30.0, id="40x30-52x30: the rule decides"),
        pytest.param((50, 37.5), R.PD, R.PD, 25.0, 56.25, id="sum exactly +25 %"),
        pytest.param((50, 30), R.SD, R.PD, 14.3, 25.0, id="product exactly +25 %"),
        pytest.param((20, 15), R.PR, R.PR, -50.0, -75.0, id="sum exactly -50 %"),
        pytest.param((30, 20), R.SD, R.PR, -28.6, -50.0, id="product exactly -50 %"),
        pytest.param((49.9, 30), R.SD, R.SD, 14.1, 24.75, id="product just short of +25 %"),
    ],
)
def test_worked_sizes(
    after: tuple[float, float], by_sum: R, by_product: R, sum_percent: float, product_percent: float
) -> None:
    """The worked cases by sum and by product; exactly 25 % is PD and exactly 50 % is PR under all three."""
    case = inputs(pair((40, 30), after))
    by_mda, by_who, by_uicc = (engine(case) for engine in ENGINES)
    assert (by_mda.category, by_who.category, by_uicc.category) == (by_sum, by_product, by_product)
    assert by_mda.figure("sum_of_diameters_change") == pytest.approx(sum_percent, abs=0.05)
    assert by_who.figure("product_of_diameters_change") == pytest.approx(product_percent, abs=0.05)
    assert (by_mda.rule.method, by_who.rule.method) == ("MDA_SUM_2004", "WHO_PRODUCT_1979")


def test_partial_fill_in_at_the_same_size() -> None:
    """A lytic lesion that turns sclerotic at the same size is MDA PR, and complete fill-in is CR."""
    partly = pair((40, 30), (40, 30), lytic=(0.6, 0.1), sclerotic=(0.0, 0.5))
    wholly = pair((40, 30), (40, 30), lytic=(0.6, 0.05), sclerotic=(0.0, 0.8))
    assert assess_mda(inputs(partly)).category is R.PR
    assert assess_mda(inputs(wholly)).category is R.CR
    assert assess_mda(inputs(wholly, pair((40, 30), (40, 30), name="b"))).category is R.PR
    assert assess_uicc(inputs(wholly)).category is R.CR
    assert assess_who(inputs(wholly)).category is R.SD


def test_less_dense_blastic_lesion_is_partial_response() -> None:
    """A blastic lesion that loses half its sclerosis at the same size is MDA PR."""
    fading = pair((40, 30), (40, 30), lytic=(0.0, 0.0), sclerotic=(0.8, 0.4))
    assert assess_mda(inputs(fading)).category is R.PR


def test_spreading_lysis_is_not_called_stable() -> None:
    """Lysis that spreads inside the same outline is left to the reader, not called SD."""
    spreading = pair((40, 30), (40, 30), lytic=(0.1, 0.35), sclerotic=(0.5, 0.5))
    assert assess_mda(inputs(spreading)).category is R.NOT_EVALUABLE


@pytest.mark.parametrize("weeks", [0.0, 8.0, 12.0, 24.0])
@pytest.mark.parametrize("lesion", [STABLE, HALVED], ids=["others stable", "others responding"])
def test_new_sclerosis_alone_is_flare_inside_the_window(weeks: float, lesion: LesionPair) -> None:
    """Up to week 24, included, new sclerosis alone is PR by MDA and never PD by any rule."""
    case = inputs(lesion, new=(NewFocus.SCLEROTIC,), weeks=weeks)
    found = assess_mda(case)
    assert found.category is R.PR
    assert found.flare_possible
    assert "flare possible" in found.reasons[0]
    for engine in (assess_who, assess_uicc):
        assert engine(case).category is R.NOT_EVALUABLE
        assert engine(case).flare_possible


@pytest.mark.parametrize("engine", ENGINES)
def test_where_flare_ends(engine: Engine) -> None:
    """After the window new sclerosis is a new lesion; at an unknown time the engine abstains."""
    assert engine(inputs(STABLE, new=(NewFocus.SCLEROTIC,), weeks=24.1)).category is R.PD
    unknown = engine(inputs(STABLE, new=(NewFocus.SCLEROTIC,), weeks=None))
    assert unknown.category is R.NOT_EVALUABLE
    assert unknown.flare_possible


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("focus", [focus for focus in NewFocus if focus is not NewFocus.SCLEROTIC])
def test_other_new_foci_are_progression_in_the_window(engine: Engine, focus: NewFocus) -> None:
    """Flare excuses sclerosis only, also where both appear, and not growth beside it."""
    assert engine(inputs(HALVED, new=(NewFocus.SCLEROTIC, focus), weeks=8.0)).category is R.PD
    grown = pair((40, 30), (56, 40), name="b")
    assert engine(inputs(HALVED, grown, new=(NewFocus.SCLEROTIC,), weeks=8.0)).category is R.PD


@pytest.mark.parametrize("engine", ENGINES)
def test_a_growing_lesion_is_not_hidden_by_shrinking_ones(engine: Engine) -> None:
    """Progression is judged lesion by lesion."""
    grown = pair((10, 10), (20, 20), name="b")
    assert engine(inputs(HALVED, grown)).category is R.PD


def test_uicc_says_mixed_or_failure() -> None:
    """UICC tells mixed response from failure."""
    grown = pair((10, 10), (20, 20), name="b")
    assert "mixed" in assess_uicc(inputs(HALVED, grown)).reasons[0]
    assert "failure" in assess_uicc(inputs(grown)).reasons[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_not_assessed_abstains(engine: Engine) -> None:
    """A lesion not seen again, no lesion at all, or new lesions not looked for: no category."""
    assert engine(inputs(HALVED, pair((10, 10), None, name="b"))).category is R.NOT_EVALUABLE
    assert engine(inputs()).category is R.NOT_EVALUABLE
    assert engine(inputs(HALVED, new=None)).category is R.NOT_EVALUABLE
    assert engine(inputs(pair((40, 30), (56, 40)), new=None)).category is R.PD


@pytest.mark.parametrize(("weeks", "expected"), [(None, R.NOT_EVALUABLE), (7.9, R.NOT_EVALUABLE), (8.0, R.SD)])
def test_who_waits_for_no_change(weeks: float | None, expected: R) -> None:
    """WHO says no change from week 8 on, week 8 included."""
    assert assess_who(inputs(STABLE, weeks=weeks)).category is expected
    assert assess_mda(inputs(STABLE, weeks=weeks)).category is R.SD


def test_who_asks_for_four_weeks() -> None:
    """A WHO response that was not held for 4 weeks says so."""
    assert "not yet confirmed" in assess_who(inputs(HALVED)).unknown[0]
    assert "not yet confirmed" in assess_who(inputs(HALVED, held=3.9)).unknown[0]
    assert assess_who(inputs(HALVED, held=4.0)).unknown == ()


def test_uicc_wants_calcification() -> None:
    """A lytic lesion is UICC CR only with calcification; one that was not lytic may just vanish."""
    gone_lytic = pair((40, 30), (0, 0), lytic=(0.6, 0.0), sclerotic=(0.0, 0.0))
    assert assess_uicc(inputs(gone_lytic)).category is R.PR
    assert assess_uicc(inputs(pair((40, 30), (0, 0)))).category is R.CR
    assert assess_who(inputs(gone_lytic)).category is R.CR


@given(sizes=st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=4), factor=st.floats(0.05, 20.0))
def test_scale_and_unit_change_nothing(sizes: list[tuple[float, float]], factor: float) -> None:
    """Sizes in another unit give the same category."""

    def case(scale: float) -> BoneInputs:
        return inputs(
            *(
                pair((b * scale, b * scale / 2), (a * scale, a * scale / 2), name=str(index))
                for index, (b, a) in enumerate(sizes)
            )
        )

    assert all(engine(case(1.0)).category is engine(case(factor)).category for engine in ENGINES)


@given(sizes=st.lists(st.tuples(SIZES, SIZES), min_size=2, max_size=5), data=st.data())
def test_order_of_lesions_is_irrelevant(sizes: list[tuple[float, float]], data: st.DataObject) -> None:
    """The same lesions in another order give the same category."""
    lesions = [pair((b, b), (a, a), name=str(index)) for index, (b, a) in enumerate(sizes)]
    shuffled = data.draw(st.permutations(lesions))
    assert all(engine(inputs(*lesions)).category is engine(inputs(*shuffled)).category for engine in ENGINES)


@given(before=SIZES, after=SIZES, more=st.floats(0.0, 50.0))
def test_larger_is_never_better(before: float, after: float, more: float) -> None:
    """A larger lesion never has a better category."""
    order = [R.CR, R.PR, R.SD, R.PD]
    for engine in ENGINES:
        small = engine(inputs(pair((before, before), (after, after)))).category
        large = engine(inputs(pair((before, before), (after + more, after + more)))).category
        assert order.index(small) <= order.index(large)


def test_nonsense_is_an_error() -> None:
    """Negative or crossed diameters, shares over 1 and lesions without a baseline size are refused."""
    with pytest.raises(ValueError, match="negative"):
        LesionState(long_mm=-1.0, short_mm=0.0)
    with pytest.raises(ValueError, match="no longer"):
        LesionState(long_mm=10.0, short_mm=11.0)
    with pytest.raises(ValueError, match="0 to 1"):
        LesionState(long_mm=10.0, short_mm=10.0, lytic_fraction=1.1)
    with pytest.raises(ValueError, match="baseline"):
        pair((0, 0), (10, 10))
    with pytest.raises(ValueError, match="distinct"):
        inputs(STABLE, HALVED)
