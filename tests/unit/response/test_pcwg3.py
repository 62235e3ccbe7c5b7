"""PCWG3 2+2, clinical reference 7.1."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.contract import Assessment
from operators.kernels.response.pcwg3 import BoneScan, Pcwg3Category, Pcwg3Inputs, assess_pcwg3

C = Pcwg3Category
Course = list[tuple[int, str]]
"""(week, lesions present as letters)."""


def assess(course: Course, *, superscans: tuple[int, ...] = ()) -> Assessment[Pcwg3Category, Pcwg3Inputs]:
    """The assessment of a course in weeks."""
    scans = tuple(
        BoneScan(day=7 * week, lesion_ids=frozenset(lesions), superscan=week in superscans) for week, lesions in course
    )
    return assess_pcwg3(Pcwg3Inputs(scans=scans))


def dated_week(found: Assessment[Pcwg3Category, Pcwg3Inputs]) -> float | None:
    """The week of progression, confirmed or not."""
    day = found.figure("progression_day") or found.figure("unconfirmed_progression_day")
    return None if day is None else day / 7


@pytest.mark.parametrize(
    ("course", "expected", "week"),
    [
        pytest.param([(0, "a"), (9, "abcd"), (17, "abcdef")], C.PD, 9, id="P1"),
        pytest.param([(0, "a"), (9, "abcd"), (17, "abcde")], C.NON_PD, None, id="P2"),
        pytest.param([(0, "a"), (9, "ab"), (17, "abcd"), (25, "abcd")], C.PD, 17, id="P3"),
        pytest.param([(0, "a"), (9, "ab"), (17, "abc"), (25, "abcd"), (33, "abcd")], C.PD, 25, id="P4"),
        pytest.param([(0, "a"), (17, "abc"), (25, "ab")], C.NON_PD, None, id="P5 first scan at 17"),
        pytest.param([(0, "a"), (9, "a"), (17, "abc"), (25, "ab")], C.NON_PD, None, id="P5 with a scan at 9"),
    ],
)
def test_truth_table(course: Course, expected: Pcwg3Category, week: float | None) -> None:
    """The truth table, with progression dated at the scan that first showed the lesions."""
    found = assess(course)
    assert found.category is expected
    assert dated_week(found) == week


@pytest.mark.parametrize(
    ("course", "expected", "week", "flare"),
    [
        pytest.param([(0, "a"), (9, "abcd")], C.PDU, 9, True, id="P1 so far"),
        pytest.param([(0, "a"), (9, "ab"), (17, "abcd")], C.PDU, 17, False, id="P3 so far"),
        pytest.param([(0, "a"), (9, "abcd"), (14, "abcdef")], C.PDU, 9, True, id="next scan too early to confirm"),
        pytest.param([(0, "a"), (12, "abc")], C.PDU, 12, True, id="week 12 is in the flare window"),
        pytest.param([(0, "a"), (13, "abc")], C.PDU, 13, False, id="week 13 is not"),
    ],
)
def test_unconfirmed(course: Course, expected: Pcwg3Category, week: float, flare: bool) -> None:
    """Progression without its confirming scan is PDu, a possible flare in the first 12 weeks only."""
    found = assess(course)
    assert (found.category, dated_week(found), found.flare_possible) == (expected, week, flare)


@pytest.mark.parametrize(
    ("course", "expected", "week"),
    [
        pytest.param([(0, "a"), (9, "abc"), (15, "abcde")], C.PD, 9, id="six weeks exactly confirm"),
        pytest.param([(0, "a"), (9, "abc"), (14, "abcde"), (15, "abcde")], C.PD, 9, id="early scan, then six weeks"),
        pytest.param([(0, "a"), (13, "abc"), (19, "abc")], C.PD, 13, id="late first scan needs persistence alone"),
        pytest.param([(0, "a"), (9, "abc"), (17, "abcd"), (25, "abcde"), (33, "abcde")], C.PD, 25, id="after flare"),
        pytest.param([(0, "a"), (9, "a"), (17, "abc"), (25, "abd"), (33, "abd")], C.PD, 25, id="another pair persists"),
        pytest.param([(0, "ab"), (9, ""), (17, "ab"), (25, "ab")], C.NON_PD, None, id="known at A, back after B"),
        pytest.param([(0, "a"), (9, "a"), (17, "ab"), (25, "ac"), (33, "ad")], C.NON_PD, None, id="one at a time"),
        pytest.param([(-8, ""), (-1, "abc"), (9, "abc")], C.NON_PD, None, id="A is the last before"),
    ],
)
def test_more_courses(course: Course, expected: Pcwg3Category, week: float | None) -> None:
    """Confirmation, references and dating over any number of scans."""
    found = assess(course)
    assert (found.category, dated_week(found)) == (expected, week)


def test_flare_is_named_afterwards() -> None:
    """A first scan whose lesions were not followed by more is reported as flare."""
    assert any("flare" in reason for reason in assess([(0, "a"), (9, "abcd"), (17, "abcde")]).reasons)


def test_superscan_abstains_unless_progression_came_before() -> None:
    """On a superscan lesions cannot be counted; progression confirmed before it stands."""
    course = [(0, "a"), (9, "abcd"), (17, "abcdef"), (25, "a")]
    assert assess(course, superscans=(25,)).category is C.PD
    for week in (0, 9, 17):
        found = assess(course, superscans=(week,))
        assert found.category is C.NOT_EVALUABLE
        assert "Superscan" in found.reasons[0]
        assert found.figures == ()


@pytest.mark.parametrize("course", [[], [(0, "a")], [(9, "a"), (17, "abc")]])
def test_without_a_reference_it_abstains(course: Course) -> None:
    """The rule needs a scan before treatment and one during it."""
    assert assess(course).category is C.NOT_EVALUABLE


def test_scans_out_of_order_are_an_error() -> None:
    """Two scans of one day or going back in time are nonsense."""
    with pytest.raises(ValueError, match="order of time"):
        assess([(9, "a"), (9, "a")])


LESIONS = st.frozensets(st.sampled_from("abcdefgh"))
COURSES = st.lists(st.tuples(st.integers(3, 12), LESIONS), min_size=1, max_size=6)


def at(steps: list[tuple[int, frozenset[str]]], names: dict[str, str] | None = None) -> Pcwg3Inputs:
    """Scans with these weeks between them after a baseline with lesion a."""
    weeks = accumulate(gap for gap, _ in steps)
    rename = names or {name: name for name in "abcdefgh"}
    later = [
        BoneScan(day=7 * week, lesion_ids=frozenset(rename[name] for name in found))
        for week, (_, found) in zip(weeks, steps, strict=True)
    ]
    return Pcwg3Inputs(scans=(BoneScan(day=0, lesion_ids=frozenset(rename["a"])), *later))


@given(steps=COURSES, names=st.permutations("abcdefgh"))
def test_names_of_lesions_are_irrelevant(steps: list[tuple[int, frozenset[str]]], names: list[str]) -> None:
    """Other identifiers for the same lesions change nothing."""
    renamed = assess_pcwg3(at(steps, dict(zip("abcdefgh", names, strict=True))))
    found = assess_pcwg3(at(steps))
    assert (found.category, found.figures, found.flare_possible) == (
        renamed.category,
        renamed.figures,
        renamed.flare_possible,
    )


@given(steps=COURSES, more=st.tuples(st.integers(3, 12), LESIONS))
def test_confirmed_progression_is_final(
    steps: list[tuple[int, frozenset[str]]], more: tuple[int, frozenset[str]]
) -> None:
    """A further scan never takes back or redates later a progression that was confirmed."""
    before, after = assess_pcwg3(at(steps)), assess_pcwg3(at([*steps, more]))
    if before.category is C.PD:
        assert after.category is C.PD
        assert (after.figure("progression_day") or 0.0) <= (before.figure("progression_day") or 0.0)


@given(steps=COURSES)
def test_without_two_new_lesions_nothing_progresses(steps: list[tuple[int, frozenset[str]]]) -> None:
    """Scans that show baseline lesions and at most one more are never PD or PDu."""
    few = [(gap, found & {"a", "b"}) for gap, found in steps]
    assert assess_pcwg3(at(few)).category is C.NON_PD
