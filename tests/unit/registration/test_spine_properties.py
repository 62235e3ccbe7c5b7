"""Two ADC maps brought together: what the motion must not depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.registration.spine import SpineMap, align_spines
from tests.unit.registration.test_spine import LIMITS, SHAPE, spine

FEW = settings(max_examples=2, deadline=None)
HERE = (0.0, 0.0, 0.0)


def stored(plain: SpineMap, *, order: tuple[int, ...], flips: frozenset[int]) -> SpineMap:
    """The same map with its axes in another order and direction."""
    matrix = plain.geometry.matrix
    for axis in flips:
        matrix[:3, 3] += matrix[:3, axis] * (SHAPE[axis] - 1)
        matrix[:3, axis] *= -1.0
    matrix[:3, :3] = matrix[:3, list(order)]
    adc = np.ascontiguousarray(np.flip(plain.adc, tuple(flips)).transpose(order))
    region = np.ascontiguousarray(np.flip(plain.region, tuple(flips)).transpose(order))
    geometry = VolumeGeometry.from_matrix(
        matrix,
        shape=(adc.shape[0], adc.shape[1], adc.shape[2]),
        frame_of_reference_uid=plain.geometry.frame_of_reference_uid,
    )
    return SpineMap(adc=adc, region=region, geometry=geometry)


@FEW
@given(order=st.permutations((0, 1, 2)), flips=st.frozensets(st.sampled_from([0, 1, 2])))
def test_however_a_map_is_stored_the_motion_is_the_same(order: list[int], flips: frozenset[int]) -> None:
    """Sagittal against axial, from either end: the motion is that of the patient."""
    now, then = spine(HERE), spine((8.0, -6.0, 13.0))
    found = align_spines(now, stored(then, order=tuple(order), flips=flips), limits=LIMITS)
    assert found is not None
    assert found.motion[:3, 3] == pytest.approx([8.0, -6.0, 13.0], abs=1.0)
    assert found.motion[:3, :3] == pytest.approx(np.eye(3), abs=0.02)


@FEW
@given(x=st.floats(-10.0, 10.0), z=st.floats(-24.0, 24.0))
def test_forth_and_back_are_one_motion(x: float, z: float) -> None:
    """From the second to the first map it is the inverse."""
    now, then = spine(HERE), spine((x, 4.0, z))
    forth, back = align_spines(now, then, limits=LIMITS), align_spines(then, now, limits=LIMITS)
    assert forth is not None
    assert back is not None
    assert forth.motion[:3, 3] == pytest.approx([x, 4.0, z], abs=1.0)
    assert (back.motion @ forth.motion)[:3, 3] == pytest.approx([0.0, 0.0, 0.0], abs=1.5)


def test_a_map_of_another_scale_gives_the_same_motion() -> None:
    """Correlation knows no unit: half the ADC in both maps and half the limit change nothing."""
    factor = 0.5
    maps = [
        replace(item, adc=(item.adc * factor).astype(np.float32)) for item in (spine(HERE), spine((5.0, 3.0, -9.0)))
    ]
    found = align_spines(*maps, limits=replace(LIMITS, highest_um2_s=LIMITS.highest_um2_s * factor))
    assert found is not None
    assert found.motion[:3, 3] == pytest.approx([5.0, 3.0, -9.0], abs=1.0)
