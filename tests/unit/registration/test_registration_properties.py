"""What must hold of two scans brought together, wherever the patient lay and whatever the frame's origin is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.registration import se3
from operators.kernels.registration.registration import Registration
from pipelines.follow_up.registration import profile
from tests.unit.registration.phantom import PELVIS, Phantom, inner_points
from tests.unit.registration.test_registration import HIP, MOVES, NOW, registered, scan

FEW = settings(max_examples=4, deadline=None)
TURN = st.floats(-0.12, 0.12)
SHIFT = st.floats(-30.0, 30.0)
VOXEL_MM = NOW.spacing_mm


def _mean_error(result: Registration, prior: Phantom) -> dict[str, float]:
    """Mean distance in mm, by bone, from where the prior has its points."""
    errors = {}
    for name in PELVIS:
        points = 0.8 * inner_points(name) + 0.2 * inner_points(name).mean(axis=0)
        true = prior.motion(name)
        gap = result.field.apply(points) - (points @ true[:3, :3].T + true[:3, 3])
        errors[f"{name.bone.name} {name.side}"] = float(np.linalg.norm(gap, axis=1).mean())
    return errors


@FEW
@given(turns=st.tuples(TURN, TURN, TURN), shifts=st.tuples(SHIFT, SHIFT, SHIFT), seed=st.integers(1, 50))
def test_every_pose_is_found(turns: tuple[float, ...], shifts: tuple[float, ...], seed: int) -> None:
    """A patient who lies elsewhere, a hip and a thigh turned besides: each bone within a third of a voxel, and the way
    back leads where the way there came from."""
    whole = se3.exp(np.array([*turns, *shifts]))
    centre = np.array(NOW.centre_mm) + np.array(shifts)
    then = Phantom(
        frame="1.2.2",
        whole=whole,
        motions=MOVES,
        seed=seed,
        centre_mm=(float(centre[0]), float(centre[1]), float(centre[2])),
        size_mm=(340.0, 190.0, 340.0),
    )
    result = registered(scan(NOW), (then.ct(), then.skeleton()))
    assert isinstance(result, Registration)
    errors = _mean_error(result, then)
    assert max(errors.values()) < VOXEL_MM / 3, errors
    points = inner_points(HIP)
    assert result.field.apply_inverse(result.field.apply(points)) == pytest.approx(points, abs=0.05)


@FEW
@given(origin=st.tuples(*[st.floats(-1500.0, 1500.0)] * 3))
def test_the_origin_of_the_priors_frame_is_arbitrary(origin: tuple[float, float, float]) -> None:
    """The same voxels in a frame of reference that begins elsewhere: the same motions, with the other origin."""
    shifted = np.eye(4)
    shifted[:3, 3] = origin
    then = Phantom(frame="1.2.2", whole=se3.exp(np.array([0.0, 0.03, 0.08, 12.0, -8.0, 30.0])), motions=MOVES, seed=1)
    x, y, z = (float(value) for value in np.array(then.centre_mm) + np.array(origin))
    elsewhere = replace(then, whole=shifted @ then.whole, centre_mm=(x, y, z))
    one, other = (registered(scan(NOW), (item.ct(), item.skeleton())) for item in (then, elsewhere))
    assert isinstance(one, Registration)
    assert isinstance(other, Registration)
    for bone, again in zip(one.bones, other.bones, strict=True):
        assert again.state is bone.state
        assert again.transform.matrix == pytest.approx(shifted @ bone.transform.matrix, abs=0.02)


@settings(max_examples=2, deadline=None)
@given(offset=st.floats(-5.0, 5.0), factor=st.floats(0.97, 1.03))
def test_a_scanner_with_other_hu_gives_the_same_motions(offset: float, factor: float) -> None:
    """Similarity is a correlation: a small error of the prior's HU scale moves no bone by a tenth of a voxel."""
    then = Phantom(frame="1.2.2", whole=se3.exp(np.array([0.0, 0.03, 0.08, 12.0, -8.0, 30.0])), motions=MOVES, seed=1)
    ct = then.ct()
    hu = (ct.work.hu * np.float32(factor) + np.float32(offset)).astype(np.float32)
    other = profile().ct(replace(ct.work, hu=hu), then.geometry)
    one, again = (registered(scan(NOW), (item, then.skeleton())) for item in (ct, other))
    assert isinstance(one, Registration)
    assert isinstance(again, Registration)
    points = inner_points(HIP)
    assert again.field.apply(points) == pytest.approx(one.field.apply(points), abs=VOXEL_MM / 10)
