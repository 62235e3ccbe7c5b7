"""The field of blended bones: rigid in bone, invertible everywhere, and the same whatever the order of slices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.bones import Bone
from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.registration import se3
from operators.kernels.registration.bones import SidedBone, pieces_of
from operators.kernels.registration.field import DeformationField
from operators.kernels.registration.polyrigid import Blend, blend
from operators.kernels.registration.skeletal_chain import BoneMotion, BoneState
from operators.kernels.registration.transform import RigidTransform
from pipelines.follow_up.registration import profile
from tests.unit.registration.phantom import PELVIS, Phantom, inner_points, turned

FloatArray = npt.NDArray[np.float64]
NOW, THEN = "1.2.1", "1.2.2"
HIP = SidedBone(bone=Bone.HIP, side=1)
PHANTOM = Phantom()
SKELETON = PHANTOM.skeleton()
PIECES = pieces_of(SKELETON, limits=profile().pieces)


def blended(motions: dict[SidedBone, FloatArray], *, whole: FloatArray | None = None) -> Blend:
    """The field where these bones have motions of their own and the others follow the whole."""
    base = np.eye(4) if whole is None else whole
    bones = [
        BoneMotion(
            name=piece.name,
            state=BoneState.REGISTERED,
            motion=motions.get(piece.name, base),
            parent=None,
            before=0.9,
            after=0.9,
            inside=1.0,
        )
        for piece in PIECES
    ]
    rigid = RigidTransform.from_matrix(base, from_frame=NOW, to_frame=THEN)
    return blend(bones, PIECES, skeleton=SKELETON, whole=rigid, limits=profile().blend)


def moved(points: FloatArray, motion: FloatArray) -> FloatArray:
    """Points (n, 3) by a motion."""
    return np.asarray(points @ motion[:3, :3].T + motion[:3, 3])


@settings(deadline=None, max_examples=8)
@given(st.tuples(*[st.floats(-8.0, 8.0)] * 3), st.tuples(*[st.floats(-4.0, 4.0)] * 3))
def test_bones_stay_rigid_and_nothing_folds(
    degrees: tuple[float, float, float], shift_mm: tuple[float, float, float]
) -> None:
    """Inside a bone the field is the bone's motion, to 0.2 mm; between bones it goes there and back."""
    move = turned(degrees, shift_mm, name=HIP)
    found = blended({HIP: move})
    assert found.negative == 0.0
    assert found.least_determinant >= profile().blend.least_jacobian
    for name in PELVIS:
        inner = 0.8 * (inner_points(name) - inner_points(name).mean(axis=0)) + inner_points(name).mean(axis=0)
        gap = np.linalg.norm(found.field.apply(inner) - moved(inner, move if name == HIP else np.eye(4)), axis=1)
        assert np.median(gap) < 0.2, name.name
    points = np.random.default_rng(0).uniform(-120.0, 120.0, size=(500, 3)) * np.array([1.0, 0.5, 1.0])
    assert found.field.apply_inverse(found.field.apply(points)) == pytest.approx(points, abs=0.02)


@settings(deadline=None, max_examples=8)
@given(st.tuples(*[st.floats(-0.5, 0.5)] * 3), st.tuples(*[st.floats(-300.0, 300.0)] * 3))
def test_bones_that_move_as_one_make_a_rigid_field(
    turn: tuple[float, float, float], shift_mm: tuple[float, float, float]
) -> None:
    """Where every bone moves as the whole does, so does everything between them, and volumes stay."""
    whole = se3.exp(np.array([*turn, *shift_mm]))
    found = blended({}, whole=whole)
    points = np.random.default_rng(1).uniform(-150.0, 150.0, size=(200, 3))
    assert found.field.apply(points) == pytest.approx(moved(points, whole), abs=1e-3)
    assert found.least_determinant == pytest.approx(1.0, abs=1e-3)


def test_a_field_that_would_fold_is_smoothed_until_it_does_not() -> None:
    """Two bones driven through each other by 30 mm: determinants stay positive, and the smoothing is told."""
    found = blended({HIP: turned((0, 0, 0), (-30, 0, 0), name=HIP)})
    assert found.smoothed > 0
    assert found.negative == 0.0
    assert found.least_determinant > 0.0


def test_determinants_are_those_of_the_field() -> None:
    """A field that doubles x and mirrors z has the determinant -2 in every cell, on a turned grid as well."""
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = (4.0, -5.0, 6.0)
    matrix[3, 3] = 1.0
    index = np.moveaxis(np.indices((4, 5, 6)), 0, -1)
    places = index @ matrix[:3, :3].T
    displacement = (places * np.array([1.0, 0.0, -2.0])).astype(np.float32)
    rigid = RigidTransform.identity(from_frame=NOW, to_frame=THEN)
    field = DeformationField(displacement=displacement, matrix=matrix, rigid=rigid)
    assert field.jacobian_determinants() == pytest.approx(np.full((3, 4, 5), -2.0), abs=1e-4)


def test_image_and_mask_of_the_prior_come_into_the_current_frame() -> None:
    """The prior of a patient who lay 20 mm aside, with one hip turned, lies on the current scan after warping."""
    whole = se3.exp(np.array([0.0, 0.0, 0.1, 20.0, -8.0, 12.0]))
    moves = {HIP: turned((0, 6, 0), (0, 3, 0), name=HIP)}
    prior = replace(PHANTOM, motions=moves, whole=whole, seed=1, frame=THEN)
    field = blended({HIP: whole @ moves[HIP]}, whole=whole).field
    target = replace(PHANTOM, frame=NOW).geometry
    hu, bones, _ = prior.scan()
    mask = field.warp_mask(bones > 0, source=prior.geometry, target=target)
    before, now = PHANTOM.scan()[1] > 0, SKELETON.bones > 0
    assert 2.0 * np.count_nonzero(mask & now) / (np.count_nonzero(mask) + np.count_nonzero(now)) > 0.9
    assert np.array_equal(before, now)
    image = field.warp(hu, source=prior.geometry, target=target)
    inside = np.isfinite(image)
    assert 0.5 < inside.mean() < 1.0
    assert np.corrcoef(image[inside], PHANTOM.scan()[0][inside])[0, 1] > 0.97


def test_images_of_other_frames_are_refused() -> None:
    """An image is never warped by a field that belongs to another pair of scans, nor the wrong way round."""
    field = blended({}).field
    hu = PHANTOM.scan()[0]
    now, then = replace(PHANTOM, frame=NOW).geometry, replace(PHANTOM, frame=THEN).geometry
    with pytest.raises(ValueError, match="other frames"):
        field.warp(hu, source=now, target=then)


def test_reordered_grids_change_nothing() -> None:
    """The same prior with slices from above and columns from the left gives the same image."""
    field = blended({HIP: turned((0, 6, 0), (0, 3, 0), name=HIP)}).field
    hu = PHANTOM.scan()[0]
    now, then = replace(PHANTOM, frame=NOW).geometry, replace(PHANTOM, frame=THEN).geometry
    flip = np.diag([-1.0, 1.0, -1.0, 1.0])
    flip[0, 3], flip[2, 3] = then.shape[0] - 1.0, then.shape[2] - 1.0
    turned_about = VolumeGeometry.from_matrix(then.matrix @ flip, shape=then.shape, frame_of_reference_uid=THEN)
    one = field.warp(hu, source=then, target=now)
    other = field.warp(np.ascontiguousarray(hu[::-1, :, ::-1]), source=turned_about, target=now)
    assert np.allclose(one, other, atol=0.05, equal_nan=True)
