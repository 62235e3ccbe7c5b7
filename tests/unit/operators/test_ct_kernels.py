"""Bone, its canal, contrast medium and candidates on a synthetic trunk with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import WorkingBone, segment_bone
from operators.kernels.canal import find_canal
from operators.kernels.ct_candidates import Candidate, find_candidates
from operators.kernels.morphology import dilate
from operators.kernels.resample import bone_on_grid, covered
from pipelines.ct.branch import profile
from tests.unit.operators.phantoms import CANAL_CENTRE_MM, SHAPE, Array, Mask, ball, disc, grid, trunk_ct
from tests.unit.operators.series import FRAME_UID

CENTRE = (75.0, 130.0, 140.0)


def segmented(hu: Array, geometry: VolumeGeometry) -> WorkingBone:
    """Bone with the branch's own thresholds."""
    return segment_bone(hu.astype(np.float32), geometry, profile=profile().skeleton)


def found(hu: Array, geometry: VolumeGeometry) -> list[Candidate]:
    """Candidates with the branch's own thresholds."""
    return find_candidates(segmented(hu, geometry), limits=profile().candidates, types=profile().typing)


def dice(one: Mask, other: Mask) -> float:
    """Overlap of two masks."""
    return 2.0 * float((one & other).sum()) / float(one.sum() + other.sum())


def on_grid(work: WorkingBone, candidate: Candidate) -> Mask:
    """A candidate on the CT's own grid."""
    return work.to_grid(candidate.mask.to_array())


def test_bone_holds_its_marrow_and_neither_canal_nor_table() -> None:
    """The mask agrees with the truth; the table and the canal are not in it."""
    hu, geometry, truth = trunk_ct()
    work = segmented(hu, geometry)
    bone = work.to_grid(work.bone)
    _, _, y, x = grid()
    assert dice(bone, truth) > 0.93
    assert not bone[:, 104:106].any()
    assert not (bone & disc(y, x, CANAL_CENTRE_MM, (6.0, 8.0))).any()


def test_the_mask_follows_the_patient_when_the_grid_is_flipped() -> None:
    """A CT stored head first and front to back gives the same bone."""
    hu, geometry, _ = trunk_ct()
    matrix = geometry.matrix
    for axis in (0, 1):
        matrix[:3, 3] += matrix[:3, axis] * (SHAPE[axis] - 1)
        matrix[:3, axis] *= -1.0
    flipped = VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid=FRAME_UID)
    straight, turned = segmented(hu, geometry), segmented(hu[::-1, ::-1].copy(), flipped)
    assert dice(straight.to_grid(straight.bone), turned.to_grid(turned.bone)[::-1, ::-1]) > 0.99


def test_a_healthy_spine_has_no_candidates() -> None:
    """Cortex, marrow and canal alone give nothing."""
    hu, geometry, _ = trunk_ct()
    assert found(hu, geometry) == []


@pytest.mark.parametrize(("lesion_hu", "radius_mm"), [(750.0, 9.0), (45.0, 9.0)])
def test_a_lesion_in_the_marrow_is_found_where_it_is(lesion_hu: float, radius_mm: float) -> None:
    """A sclerotic and a lytic ball inside the vertebra are each found once, with most of their volume."""
    hu, geometry, _ = trunk_ct()
    truth = ball(CENTRE, radius_mm)
    hu[truth] = lesion_hu + np.random.default_rng(1).normal(scale=60.0, size=int(truth.sum()))
    work = segmented(hu, geometry)
    (candidate,) = found(hu, geometry)
    assert dice(on_grid(work, candidate), truth) > 0.7
    assert candidate.reference.mean_hu == pytest.approx(180.0, abs=30.0)


def test_a_vessel_beside_the_spine_is_no_bone_and_no_candidate() -> None:
    """An even tube of contrast medium is taken out, and nothing is found in it."""
    hu, geometry, truth = trunk_ct()
    _, _, y, x = grid()
    vessel = disc(y, x, (90.0, 130.0), (13.0, 13.0))
    hu[vessel] = 320.0 + np.random.default_rng(2).normal(scale=20.0, size=int(vessel.sum()))
    work = segmented(hu, geometry)
    bone = work.to_grid(work.bone)
    assert float((bone & vessel).sum()) < 0.05 * float(vessel.sum())
    assert dice(bone, truth) > 0.9
    assert found(hu, geometry) == []


def test_a_lytic_lesion_keeps_its_volume_up_to_the_cortex() -> None:
    """What reaches the cortex is measured up to it, though it is only found under it."""
    hu, geometry, _ = trunk_ct()
    truth = ball((75.0, 122.0, 140.0), 9.0)
    hu[truth] = 45.0 + np.random.default_rng(1).normal(scale=15.0, size=int(truth.sum()))
    work = segmented(hu, geometry)
    (candidate,) = found(hu, geometry)
    assert float(on_grid(work, candidate).sum()) == pytest.approx(float(truth.sum()), rel=0.15)


def flat_bone(hu: Array, *, half_mm: float) -> Mask:
    """Put a plate with cortex beside the vertebra, like an iliac wing; returns where its marrow is."""
    _, _, y, x = grid()
    plate: Mask = (np.abs(x - 194.0) <= half_mm) & (np.abs(y - 125.0) <= 40.0)
    hu[plate] = 1000.0
    marrow = (np.abs(x - 194.0) <= half_mm - 2.0) & (np.abs(y - 125.0) <= 38.0)
    hu[marrow] = 180.0 + np.random.default_rng(9).normal(scale=15.0, size=int(marrow.sum()))
    return marrow


def vessel(hu: Array) -> None:
    """Put an even tube of contrast medium in front of the spine."""
    _, _, y, x = grid()
    tube = disc(y, x, (60.0, 100.0), (13.0, 13.0))
    hu[tube] = 320.0 + np.random.default_rng(2).normal(scale=20.0, size=int(tube.sum()))


@pytest.mark.parametrize("half_mm", [9.0, 10.0])
def test_an_even_focus_that_fills_a_flat_bone_is_found_beside_contrast_medium(half_mm: float) -> None:
    """Bone in its plane alone suffices, and where it is wide enough for a blood pool, cortex tells it from one."""
    hu, geometry, _ = trunk_ct()
    truth = flat_bone(hu, half_mm=half_mm) & ball((75.0, 125.0, 194.0), 15.0)
    vessel(hu)
    assert found(hu, geometry) == []
    hu[truth] = 560.0 + np.random.default_rng(7).normal(scale=15.0, size=int(truth.sum()))
    work = segmented(hu, geometry)
    assert work.contrast.any()
    (candidate,) = found(hu, geometry)
    assert dice(on_grid(work, candidate), truth) > 0.7


def test_a_dense_node_that_reaches_into_a_thick_bone_is_no_candidate() -> None:
    """Half surrounded by bone is enough in a flat bone only, where the focus holds the bone's middle."""
    hu, geometry, _ = trunk_ct()
    node = ball((75.0, 108.0, 140.0), 12.0)
    hu[node] = 750.0 + np.random.default_rng(1).normal(scale=100.0, size=int(node.sum()))
    assert found(hu, geometry) == []


def test_the_canal_of_a_leaning_spine_does_not_cut_into_the_vertebrae() -> None:
    """In slices that show the canal it is what they show; slices without it are bridged."""
    shape, spacing_mm = (30, 60, 60), (2.0, 2.0, 2.0)
    hu = np.full(shape, 40.0, dtype=np.float32)
    rows, columns = np.indices(shape[1:])
    truth = np.zeros(shape, dtype=np.bool_)
    bone = np.zeros(shape, dtype=np.bool_)
    for index in range(shape[0]):
        middle = 42 - index // 2
        hole = np.hypot(rows - middle, columns - 30) <= 4
        bone[index] = (np.abs(columns - 30) <= 12) & (rows >= middle - 25) & (rows <= middle + 8)
        hu[index][bone[index]] = 300.0
        if index not in (14, 15):
            hu[index][hole] = 20.0
            truth[index] = hole
    limits = profile().skeleton.canal
    canal = find_canal(hu, bone, np.ones(shape, dtype=np.bool_), spacing_mm=spacing_mm, limits=limits)
    assert canal.any(axis=(1, 2)).all()
    shown = np.ones(shape[0], dtype=np.bool_)
    shown[13:17] = False  # the margin of the bridged slices reaches their neighbours
    allowed = dilate(truth, radius_mm=limits.margin_mm, spacing_mm=spacing_mm)
    assert not (canal & ~allowed)[shown].any()


def test_a_dense_node_that_touches_the_spine_is_no_candidate() -> None:
    """What is not surrounded by bone is none, however dense it is."""
    hu, geometry, _ = trunk_ct()
    node = ball((75.0, 88.0, 140.0), 21.0)
    hu[node] = 700.0 + np.random.default_rng(4).normal(scale=120.0, size=int(node.sum()))
    assert found(hu, geometry) == []


def test_dense_joints_behind_the_canal_are_not_searched() -> None:
    """Sclerosis behind the canal is left to the reader; without a canal the same ball is a candidate."""
    hu, geometry, _ = trunk_ct()
    _, _, y, x = grid()
    for shrink, value in ((0.0, 700.0), (4.0, 180.0)):
        behind = disc(y, x, (186.0, 140.0), (22.0 - shrink, 28.0 - shrink)) & ~disc(y, x, CANAL_CENTRE_MM, (8.0, 11.0))
        hu[behind] = value + np.random.default_rng(8).normal(scale=15.0, size=int(behind.sum()))
    joint = ball((75.0, 186.0, 140.0), 9.0)
    hu[joint] = 750.0 + np.random.default_rng(6).normal(scale=100.0, size=int(joint.sum()))
    assert found(hu, geometry) == []
    hu[disc(y, x, CANAL_CENTRE_MM, (8.0, 11.0))] = 180.0
    assert len(found(hu, geometry)) == 1


def test_bone_beside_metal_is_not_searched() -> None:
    """A screw hides the lesion beside it instead of adding one."""
    hu, geometry, _ = trunk_ct()
    hu[ball(CENTRE, 8.0)] = 750.0
    hu[ball((75.0, 130.0, 156.0), 4.0)] = 3000.0
    assert found(hu, geometry) == []


def test_a_trunk_without_bone_has_an_empty_mask() -> None:
    """Soft tissue alone gives no bone."""
    hu, geometry, _ = trunk_ct(table=False)
    work = segmented(np.minimum(hu, 60.0), geometry)
    assert not work.bone.any()


@pytest.mark.parametrize("turned", [False, True])
def test_bone_lies_at_the_same_place_on_another_grid(turned: bool) -> None:
    """On a coarser, shifted and flipped grid the bone's volume and centre stay, however the CT is stored."""
    hu, geometry, _ = trunk_ct()
    hu[:14] = -1000.0  # nothing symmetric: the lower slices are empty
    if turned:
        matrix = geometry.matrix
        for axis in (0, 1):
            matrix[:3, 3] += matrix[:3, axis] * (SHAPE[axis] - 1)
            matrix[:3, axis] *= -1.0
        geometry = VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid=FRAME_UID)
        hu = hu[::-1, ::-1].copy()
    work = segmented(hu, geometry)
    matrix = np.zeros((4, 4))
    matrix[2, 0], matrix[1, 1], matrix[0, 2], matrix[3, 3] = -4.0, 4.0, 4.0, 1.0
    matrix[:3, 3] = (-48.0, -50.0, 82.0)
    target = VolumeGeometry.from_matrix(matrix, shape=(40, 55, 70), frame_of_reference_uid=FRAME_UID)
    mask, original = bone_on_grid(work, source=geometry, target=target), work.to_grid(work.bone)
    assert mask.sum() * target.voxel_volume_ml == pytest.approx(original.sum() * geometry.voxel_volume_ml, rel=0.12)
    centre = target.matrix @ [*np.argwhere(mask).mean(axis=0), 1.0]
    expected = geometry.matrix @ [*np.argwhere(original).mean(axis=0), 1.0]
    np.testing.assert_allclose(centre[:3], expected[:3], atol=0.8)
    assert covered(source=geometry, target=target).sum() == 38
