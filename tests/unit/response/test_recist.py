"""RECIST 1.1 for bone, clinical reference 5.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.response.recist import (
    BoneAppearance,
    Candidate,
    NonTarget,
    RecistCategory,
    RecistInputs,
    RecistTimePoint,
    TargetDiameter,
    assess_recist,
    select_targets,
    volume_equivalent_percent,
)

C = RecistCategory
SIZES = st.floats(min_value=10.0, max_value=200.0)


def candidate(name: str = "a", size: float | None = 60.0, *, look: BoneAppearance = BoneAppearance.LYTIC) -> Candidate:
    """A lesion at baseline."""
    return Candidate(lesion_id=name, appearance=look, soft_tissue_mm=size)


def point(
    *sizes: float | None, new: bool | None = False, non_target: NonTarget = NonTarget.NONE, names: str = "ab"
) -> RecistTimePoint:
    """A later scan of the lesions a, b."""
    diameters = tuple(
        TargetDiameter(lesion_id=name, diameter_mm=size) for name, size in zip(names, sizes, strict=False)
    )
    return RecistTimePoint(diameters=diameters, new_lesion=new, non_target=non_target)


def category(*points: RecistTimePoint, base: float = 60.0) -> RecistCategory:
    """The category at the last scan of one target."""
    return assess_recist(RecistInputs(candidates=(candidate(size=base),), time_points=points)).category


@pytest.mark.parametrize(
    ("base", "nadir", "now", "expected"),
    [
        pytest.param(60, 60, 42, C.PR, id="60-60-42"),
        pytest.param(60, 30, 36, C.PD, id="60-30-36"),
        pytest.param(20, 20, 24, C.SD, id="20-20-24: 20 % but 4 mm"),
        pytest.param(60, 40, 48, C.PD, id="60-40-48"),
        pytest.param(25, 25, 30, C.PD, id="exactly 20 % and exactly 5 mm"),
        pytest.param(60, 60, 42.01, C.SD, id="just short of 30 %"),
        pytest.param(60, 60, 71.9, C.SD, id="just short of 20 %"),
        pytest.param(60, 60, 0, C.CR, id="gone"),
        pytest.param(60, 0, 3, C.PD, id="reappeared"),
    ],
)
def test_worked_cases(base: float, nadir: float, now: float, expected: RecistCategory) -> None:
    """The worked cases (base, nadir, now) and the boundaries, which belong to PR and PD."""
    assert category(point(nadir), point(now), base=base) is expected


@pytest.mark.parametrize(
    ("look", "size", "slice_mm", "expected"),
    [
        (BoneAppearance.LYTIC, 10.0, None, True),
        (BoneAppearance.MIXED, 10.0, 5.0, True),
        (BoneAppearance.LYTIC, 9.99, None, False),
        (BoneAppearance.LYTIC, 13.0, 7.0, False),
        (BoneAppearance.LYTIC, 14.0, 7.0, True),
        (BoneAppearance.BLASTIC, 40.0, None, False),
        (BoneAppearance.UNKNOWN, 40.0, None, False),
        (BoneAppearance.LYTIC, None, None, False),
    ],
)
def test_measurability(look: BoneAppearance, size: float | None, slice_mm: float | None, expected: bool) -> None:
    """Measurable is a lytic or mixed lesion whose soft part has 10 mm, exactly 10 included."""
    found = Candidate(lesion_id="a", appearance=look, soft_tissue_mm=size, slice_thickness_mm=slice_mm)
    assert found.measurable is expected


@pytest.mark.parametrize(("diameter", "volume"), [(20.0, 72.8), (-30.0, -65.7)])
def test_volume_equivalents(diameter: float, volume: float) -> None:
    """The thresholds for volumes of spheres."""
    assert volume_equivalent_percent(diameter) == pytest.approx(volume, abs=0.05)


def test_blastic_disease_abstains_or_rests_on_what_is_seen() -> None:
    """Without a measurable lesion there is no PR or SD, but a new lesion is still PD."""
    bone_only = (candidate(look=BoneAppearance.BLASTIC),)

    def verdict(later: RecistTimePoint) -> RecistCategory:
        return assess_recist(RecistInputs(candidates=bone_only, time_points=(later,))).category

    assert verdict(point()) is C.NOT_EVALUABLE
    assert verdict(point(non_target=NonTarget.PRESENT)) is C.NON_CR_NON_PD
    assert verdict(point(non_target=NonTarget.GONE)) is C.CR
    assert verdict(point(new=True)) is C.PD


def test_missing_measurements_abstain_unless_progression_is_seen() -> None:
    """A target without a size hides response, never progression."""
    both = (candidate("a", 30.0), candidate("b", 30.0))

    def verdict(later: RecistTimePoint) -> RecistCategory:
        return assess_recist(RecistInputs(candidates=both, time_points=(later,))).category

    assert verdict(point(10.0, None)) is C.NOT_EVALUABLE
    assert verdict(point(10.0)) is C.NOT_EVALUABLE
    assert verdict(point(80.0, None)) is C.PD
    assert verdict(point(10.0, None, new=True)) is C.PD
    assert verdict(point(10.0, 10.0, new=None)) is C.NOT_EVALUABLE
    assert verdict(point(0.0, 0.0, non_target=NonTarget.PRESENT)) is C.PR


def test_incomplete_scan_is_no_nadir() -> None:
    """A scan on which one target was not measured does not become the smallest sum."""
    both = (candidate("a", 30.0), candidate("b", 30.0))
    found = assess_recist(RecistInputs(candidates=both, time_points=(point(20.0, None), point(30.0, 30.0))))
    assert found.category is C.SD
    assert any("smallest sum" in sentence for sentence in found.unknown)


def test_two_targets_an_organ_five_in_all() -> None:
    """The skeleton is one organ: of its lesions the two largest count."""
    bones = [candidate(str(size), float(size)) for size in (11, 30, 20)]
    assert [item.lesion_id for item in select_targets(bones)] == ["30", "20"]
    many = [
        Candidate(lesion_id=f"{organ}{index}", appearance=BoneAppearance.LYTIC, soft_tissue_mm=20.0, organ=organ)
        for organ in ("bone", "liver", "lung")
        for index in (1, 2, 3)
    ]
    assert len(select_targets(many)) == 5


@given(base=SIZES, nadir=SIZES, now=SIZES, factor=st.floats(min_value=1.0, max_value=50.0))
def test_scale_changes_nothing_once_five_millimetres_are_passed(
    base: float, nadir: float, now: float, factor: float
) -> None:
    """Larger lesions in the same proportions keep CR, PR and PD; SD may become PD by the 5 mm alone."""
    small = category(point(nadir), point(now), base=base)
    large = category(point(nadir * factor), point(now * factor), base=base * factor)
    assert large is small or (small is not C.PD and large is C.PD)


@given(now=SIZES, more=st.floats(min_value=0.0, max_value=100.0))
def test_larger_is_never_better(now: float, more: float) -> None:
    """A larger sum never gives a better category."""
    order = [C.CR, C.PR, C.SD, C.PD]
    assert order.index(category(point(now))) <= order.index(category(point(now + more)))


@given(sizes=st.lists(SIZES, min_size=1, max_size=6), data=st.data())
def test_order_of_lesions_is_irrelevant(sizes: list[float], data: st.DataObject) -> None:
    """The same lesions in another order give the same targets."""
    lesions = [candidate(str(index), size) for index, size in enumerate(sizes)]
    assert select_targets(data.draw(st.permutations(lesions))) == select_targets(lesions)


def test_nonsense_is_an_error() -> None:
    """Negative sizes, unknown or doubled lesions and a course without follow-up are refused."""
    with pytest.raises(ValueError, match="negative"):
        candidate(size=-1.0)
    with pytest.raises(ValueError, match="baseline lesions"):
        RecistInputs(candidates=(candidate(),), time_points=(point(1.0, names="z"),))
    with pytest.raises(ValueError, match="distinct"):
        RecistInputs(candidates=(candidate(), candidate()), time_points=(point(1.0),))
    with pytest.raises(ValueError, match="after baseline"):
        RecistInputs(candidates=(candidate(),), time_points=())
