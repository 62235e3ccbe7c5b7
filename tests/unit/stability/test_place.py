"""Where a lesion lies beside the canal, and the interval of SINS that follows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.codes import Code, LesionType
from bmnode.domain.geometry import BoolArray
from operators.kernels.stability.place import PlaceLimits, spine_place
from operators.kernels.stability.sins import Level, Posterolateral
from pipelines.ct.stability import sins_interval

LIMITS = PlaceLimits(beside_mm=40.0, ahead_mm=45.0, behind_mm=60.0, posterior_ml=0.2)
SPACING_MM = (2.0, 2.0, 2.0)
SHAPE = (20, 100, 100)


def box(*sides: tuple[int, int]) -> BoolArray:
    """A box of voxels."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


CANAL = box((0, 20), (50, 58), (46, 54))


@pytest.mark.parametrize(
    ("lesion", "expected"),
    [
        (box((5, 10), (35, 45), (45, 55)), Posterolateral.NONE),
        (box((5, 10), (40, 60), (58, 64)), Posterolateral.UNILATERAL),
        (box((5, 10), (54, 70), (40, 60)), Posterolateral.BILATERAL),
        (box((5, 10), (35, 45), (85, 95)), None),
        (box((5, 10), (5, 15), (45, 55)), None),
    ],
    ids=["body", "left pedicle", "arch", "rib", "sternum"],
)
def test_place_beside_the_canal(lesion: BoolArray, expected: Posterolateral | None) -> None:
    """Before the canal, beside it, on both sides; too far away it is not known to be in the spine."""
    assert spine_place(lesion, CANAL, spacing_mm=SPACING_MM, limits=LIMITS) is expected
    mirrored = spine_place(lesion[:, :, ::-1], CANAL[:, :, ::-1], spacing_mm=SPACING_MM, limits=LIMITS)
    assert mirrored is expected


@st.composite
def lesions(draw: st.DrawFn) -> BoolArray:
    """A box anywhere around the canal, and half of the time a second one."""
    mask = np.zeros(SHAPE, dtype=np.bool_)
    for _ in range(draw(st.integers(1, 2))):
        sides = [
            (draw(st.integers(low, high)), draw(st.integers(2, 12))) for low, high in ((0, 15), (20, 80), (20, 80))
        ]
        mask |= box(*((first, first + size) for first, size in sides))
    return mask


@settings(max_examples=60, deadline=None)
@given(lesion=lesions(), flips=st.sets(st.sampled_from([0, 2])))
def test_sides_and_ends_are_treated_alike(lesion: BoolArray, flips: set[int]) -> None:
    """Left and right, head and feet may change places: what is one-sided stays one-sided."""
    turned = tuple(np.flip(part, tuple(flips)) for part in (lesion, CANAL))
    found = spine_place(*turned, spacing_mm=SPACING_MM, limits=LIMITS)
    assert found is spine_place(lesion, CANAL, spacing_mm=SPACING_MM, limits=LIMITS)


@settings(max_examples=30, deadline=None)
@given(lesion=lesions(), mixed=st.permutations(range(SHAPE[0])))
def test_the_order_of_slices_does_not_matter(lesion: BoolArray, mixed: list[int]) -> None:
    """Each slice is read against its own canal."""
    found = spine_place(lesion[mixed], CANAL[mixed], spacing_mm=SPACING_MM, limits=LIMITS)
    assert found is spine_place(lesion, CANAL, spacing_mm=SPACING_MM, limits=LIMITS)


@settings(max_examples=30, deadline=None)
@given(lesion=lesions(), times=st.integers(2, 3))
def test_thinner_slices_change_nothing(lesion: BoolArray, times: int) -> None:
    """Volumes are millilitres: each slice cut into two or three gives the same answer."""
    thin = tuple(np.repeat(part, times, axis=0) for part in (lesion, CANAL))
    found = spine_place(*thin, spacing_mm=(SPACING_MM[0] / times, *SPACING_MM[1:]), limits=LIMITS)
    assert found is spine_place(lesion, CANAL, spacing_mm=SPACING_MM, limits=LIMITS)


def test_without_canal_nothing_is_known_of_the_place() -> None:
    """A field of view without canal shows no spine to this rule."""
    lesion = box((5, 10), (35, 45), (45, 55))
    assert spine_place(lesion, np.zeros_like(CANAL), spacing_mm=SPACING_MM, limits=LIMITS) is None


@pytest.mark.parametrize(
    ("kind", "found", "level", "low", "high"),
    [
        (LesionType.SCLEROTIC, Posterolateral.NONE, None, 0, 13),
        (LesionType.LYTIC, Posterolateral.UNILATERAL, None, 3, 15),
        (LesionType.INDETERMINATE, Posterolateral.NONE, None, 0, 15),
        (LesionType.LYTIC, Posterolateral.NONE, Level.L1, 5, 15),
        (LesionType.SCLEROTIC, Posterolateral.NONE, Level.T5, 1, 11),
    ],
)
def test_a_known_level_narrows_the_interval(
    kind: Code, found: Posterolateral, level: Level | None, low: int, high: int
) -> None:
    """Type and place are known, alignment and the body's height are not; a level takes its own points alone."""
    points = sins_interval(kind, posterolateral=found, levels=() if level is None else (level,))
    assert (points.low, points.high) == (low, high)
