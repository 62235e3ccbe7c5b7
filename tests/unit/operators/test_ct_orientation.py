"""Spine, lungs and liver against the header: what a flip changes, and what it must not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import BoolArray
from operators.graph.contract import NotAssessableError
from operators.kernels.ct_orientation import Agreement, Orientation, judge_orientation
from pipelines.ct.branch import profile
from pipelines.orientation import orientation_check, refuse_contradiction

AGREES, CONTRADICTS, UNKNOWN = Agreement.AGREES, Agreement.CONTRADICTS, Agreement.NOT_EVALUABLE
SIZE_MM = (480.0, 240.0, 360.0)
OPPOSITE = {AGREES: CONTRADICTS, CONTRADICTS: AGREES, UNKNOWN: UNKNOWN}


def trunk(
    spacing_mm: tuple[float, float, float], *, liver_mm: float = 90.0, lungs: bool = True
) -> tuple[np.ndarray, BoolArray, BoolArray]:
    """HU, bone and patient of a trunk (z to the head, y to the back, x to the left), the liver on its right."""
    z, y, x = np.meshgrid(
        *(np.arange(0.0, size, step) for size, step in zip(SIZE_MM, spacing_mm, strict=True)),
        indexing="ij",
        sparse=True,
    )

    def ellipse(ahead: float, left: float, depth: float, width: float, *, share: np.ndarray | float = 1.0) -> BoolArray:
        found: BoolArray = ((y - 120.0 - ahead) / depth) ** 2 + ((x - 180.0 - left) / width) ** 2 <= share
        return found

    body = np.broadcast_to(ellipse(0, 0, 100, 150), (z.size, y.size, x.size)).copy()
    bone = np.broadcast_to(ellipse(55, 0, 22, 20), body.shape).copy()
    hu = np.where(body, np.float32(-60.0), np.float32(-1000.0))
    if lungs:
        grown = np.clip((z - 300.0) / 60.0, -1.0, 1.0)
        hu[ellipse(-10, -75, 65, 45, share=grown) | ellipse(-10, 75, 65, 45, share=grown)] = -800.0
    hu[ellipse(-20, -80, 60, liver_mm / 2) & (z > 150) & (z < 300)] = 60.0
    hu[bone] = 400.0
    return hu.astype(np.float32), bone, body


def judge(hu: np.ndarray, bone: BoolArray, body: BoolArray, *, spacing_mm: tuple[float, float, float]) -> Orientation:
    """By the CT branch's own limits."""
    return judge_orientation(hu, bone, body, spacing_mm=spacing_mm, limits=profile().skeleton.orientation)


steps = st.sampled_from([2.5, 3.0, 4.0, 5.0])
axes = st.sets(st.sampled_from([0, 1, 2]))


@settings(max_examples=8, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), flips=axes)
def test_a_flip_turns_its_own_verdict_alone(spacing: tuple[float, float, float], flips: set[int]) -> None:
    """Whatever the sampling: back to front, head to feet and left to right are each seen, whichever come together.

    With the feet on top the liver's place is not known, and none is claimed.
    """
    parts = tuple(np.flip(part, tuple(flips)) for part in trunk(spacing))
    found = judge(*parts, spacing_mm=spacing)
    assert found.back is (CONTRADICTS if 1 in flips else AGREES)
    assert found.head is (CONTRADICTS if 0 in flips else AGREES)
    if 0 not in flips:
        assert found.sides is (CONTRADICTS if 2 in flips else AGREES)


@settings(max_examples=8, deadline=None)
@given(spacing=st.tuples(steps, steps, steps), flips=axes, turns=st.sampled_from([1, 3]))
def test_a_quarter_turn_is_seen_and_nothing_else_judged(
    spacing: tuple[float, float, float], flips: set[int], turns: int
) -> None:
    """A trunk that is deeper than broad was turned, whichever way and however sampled: no side is then believed."""
    parts = tuple(np.rot90(np.flip(part, tuple(flips)), k=turns, axes=(1, 2)) for part in trunk(spacing))
    found = judge(*parts, spacing_mm=(spacing[0], spacing[2], spacing[1]))
    assert found == Orientation(back=UNKNOWN, head=UNKNOWN, sides=UNKNOWN, turn=CONTRADICTS)
    assert judge(*trunk(spacing), spacing_mm=spacing).turn is AGREES


def test_a_field_as_deep_as_it_is_broad_is_no_quarter_turn() -> None:
    """A small field of view that cuts the sides off is neither a turn nor a proof against one."""
    spacing = (4.0, 4.0, 4.0)
    parts = tuple(part[:, :, 20:70] for part in trunk(spacing))
    assert judge(*parts, spacing_mm=spacing).turn is UNKNOWN


def test_without_lungs_nothing_is_said_of_head_and_sides() -> None:
    """A field of view that shows no landmark is not evaluable: neither a pass nor a refusal."""
    found = judge(*trunk((4.0, 4.0, 4.0), lungs=False), spacing_mm=(4.0, 4.0, 4.0))
    assert found == Orientation(back=AGREES, head=UNKNOWN, sides=UNKNOWN, turn=AGREES)


def test_lungs_that_end_at_once_say_nothing() -> None:
    """Where a part of the chest is lost from the patient's mask, a broad shoulder above it makes no contradiction."""
    hu, bone, body = trunk((4.0, 4.0, 4.0))
    hu[:95], bone[:95], body[:95] = hu[94:95], bone[94:95], body[94:95]
    hu[100:] = np.where(hu[100:] < -500.0, np.float32(-60.0), hu[100:])
    found = judge(hu, bone, body, spacing_mm=(4.0, 4.0, 4.0))
    assert (found.head, found.sides) == (UNKNOWN, UNKNOWN)


def test_a_field_that_ends_within_the_lungs_takes_no_heart_for_a_liver() -> None:
    """Without the base of the lungs the largest organ is the heart, on the left: no side is judged by it."""
    spacing = (4.0, 4.0, 4.0)
    hu, bone, body = trunk(spacing)
    hu[85:115, 12:40, 50:70] = 60.0
    whole = judge(hu, bone, body, spacing_mm=spacing)
    chest = judge(hu[85:], bone[85:], body[85:], spacing_mm=spacing)
    assert (whole.sides, chest.sides) == (AGREES, UNKNOWN)


def test_a_small_liver_decides_nothing() -> None:
    """Less soft tissue than a liver's is no ground for a refusal."""
    found = judge(*trunk((4.0, 4.0, 4.0), liver_mm=24.0), spacing_mm=(4.0, 4.0, 4.0))
    assert found.sides is UNKNOWN


@pytest.mark.parametrize("name", ["back", "head", "sides", "turn"])
def test_one_contradiction_refuses(name: str) -> None:
    """Any direction that the anatomy contradicts is enough."""
    agreed = {"back": AGREES, "head": AGREES, "sides": AGREES, "turn": AGREES}
    refuse_contradiction(Orientation(**agreed))
    with pytest.raises(NotAssessableError):
        refuse_contradiction(Orientation(**{**agreed, name: CONTRADICTS}))


def test_check_names_what_was_not_judged() -> None:
    """The reader is told which directions rest on the header alone."""
    said = orientation_check(Orientation(back=AGREES, head=UNKNOWN, sides=UNKNOWN))
    assert "Anatomy confirms front and back." in said.explanation
    assert "Not evaluable in this field of view: head and feet, left and right" in said.explanation
