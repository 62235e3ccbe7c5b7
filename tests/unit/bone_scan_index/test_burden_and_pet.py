"""BSLA, BSLI, BSLC, and the three-dimensional PET index."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone_scan_index.burden import LesionView, lesion_burden
from operators.kernels.bone_scan_index.pet_index import BoneVolume, pet_index, pet_index_from_masks
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel

NUMBER = {label: number for number, label in BS80K_SIDED.numbers.items()}


def lesions(*, pixel_mm: tuple[float, float] | None = (2.0, 2.5)) -> LesionView:
    """Two lesions: 4 px of 3000 that touch by a corner only, 2 px of 1500 apart."""
    counts = np.full((10, 12), 1000.0)
    counts[[1, 2, 3, 4], [1, 2, 3, 4]] = 3000.0
    counts[8, 8:10] = 1500.0
    return LesionView(lesions=counts > 1200.0, normalised=counts, pixel_mm=pixel_mm)


def test_burden_of_one_view() -> None:
    """Area, mean normalised intensity and the 8-connected count."""
    found = lesion_burden((lesions(),))
    assert found.area_px == 6
    assert found.area_cm2 == pytest.approx(6 * 2.0 * 2.5 / 100)
    assert found.mean_intensity == pytest.approx((4 * 3000 + 2 * 1500) / 6)
    assert found.lesion_count == 2


def test_a_lesion_seen_twice_is_counted_by_who_paired_it() -> None:
    """Two views give no count before they are paired; the number of pairs must fit what the views show."""
    both = (lesions(), lesions())
    assert lesion_burden(both).lesion_count is None
    assert lesion_burden(both, paired_lesions=2).lesion_count == 2
    for impossible in (1, 5):
        with pytest.raises(ValueError, match="do not fit"):
            lesion_burden(both, paired_lesions=impossible)


def test_without_spacing_there_is_no_area_in_cm2() -> None:
    """Pixels stay pixels; and without a lesion there is no intensity."""
    found = lesion_burden((lesions(), lesions(pixel_mm=None)))
    assert (found.area_px, found.area_cm2) == (12, None)
    empty = LesionView(lesions=np.zeros((3, 3), dtype=np.bool_), normalised=np.ones((3, 3)), pixel_mm=(1.0, 1.0))
    none = lesion_burden((empty,))
    assert (none.area_px, none.mean_intensity, none.lesion_count) == (0, None, 0)


@pytest.mark.parametrize("axis", [0, 1])
def test_burden_does_not_depend_on_orientation(axis: int) -> None:
    """A flipped view has the same burden."""
    view = lesions()
    flipped = LesionView(
        lesions=np.flip(view.lesions, axis), normalised=np.flip(view.normalised, axis), pixel_mm=view.pixel_mm
    )
    assert lesion_burden((flipped,)) == lesion_burden((view,))


def test_petix_1() -> None:
    """12, 30 and 8 ml hot in 2500 ml of skeleton: 2.000 %."""
    found = pet_index(
        {
            BoneLabel.THORACIC_SPINE: BoneVolume(bone_ml=900.0, hot_ml=12.0),
            BoneLabel.PELVIS: BoneVolume(bone_ml=1200.0, hot_ml=30.0),
            BoneLabel.RIBS: BoneVolume(bone_ml=400.0, hot_ml=8.0),
        }
    )
    assert found.index_percent == pytest.approx(2.0, abs=1e-12)
    assert BoneLabel.STERNUM in found.not_evaluable
    assert len(found.evaluated) + len(found.not_evaluable) == 10


def test_the_pet_index_without_bone_is_not_evaluable() -> None:
    """No segmented bone gives no index, and bones that the publication does not use are refused."""
    assert pet_index({}).index_percent is None
    assert pet_index({BoneLabel.RIBS: BoneVolume(bone_ml=0.0, hot_ml=0.0)}).index_percent is None
    with pytest.raises(ValueError, match="skull"):
        pet_index({BoneLabel.SKULL: BoneVolume(bone_ml=1.0, hot_ml=0.0)})
    with pytest.raises(ValueError, match="larger than the bone"):
        BoneVolume(bone_ml=1.0, hot_ml=2.0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), axis=st.integers(0, 2), scale=st.floats(0.5, 5.0))
def test_the_pet_index_does_not_depend_on_grid(seed: int, axis: int, scale: float) -> None:
    """Flips, axis order, voxel size and finer sampling leave the index; only the volumes follow the voxel."""
    random = np.random.default_rng(seed)
    bones = random.integers(0, 17, size=(6, 7, 8))
    hot = random.random(bones.shape) < 0.3
    found = pet_index_from_masks(hot, bones, grid((6, 7, 8)))
    larger = pet_index_from_masks(np.flip(hot, axis), np.flip(bones, axis), grid((6, 7, 8), step=2.0 * scale))
    turned = pet_index_from_masks(hot.T, bones.T, grid((8, 7, 6)))
    finer_hot, finer_bones = np.repeat(hot, 2, axis=axis), np.repeat(bones, 2, axis=axis)
    doubled = [6, 7, 8]
    doubled[axis] *= 2
    split = pet_index_from_masks(finer_hot, finer_bones, grid((doubled[0], doubled[1], doubled[2])))
    for other in (larger, turned, split):
        assert other.index_percent == pytest.approx(found.index_percent)
    assert larger.bone_ml == pytest.approx(found.bone_ml * scale**3)


def test_hot_voxels_outside_the_publications_bones_do_not_count() -> None:
    """Skull, neck and limbs are neither in the numerator nor in the denominator."""
    bones = np.zeros((2, 2, 5), dtype=np.int16)
    bones[..., 1], bones[..., 2], bones[..., 3] = (
        NUMBER[BoneLabel.SKULL],
        NUMBER[BoneLabel.FEMUR_LEFT],
        NUMBER[BoneLabel.SACRUM],
    )
    hot = np.ones(bones.shape, dtype=np.bool_)
    hot[0, 0, 3] = False
    found = pet_index_from_masks(hot, bones, grid((2, 2, 5), step=10.0))
    assert found.index_percent == pytest.approx(75.0)
    assert found.hot_ml == pytest.approx(3.0)
    assert found.bone_ml == pytest.approx(4.0)
    for wrong in (99, -1):
        with pytest.raises(ValueError, match="does not name"):
            pet_index_from_masks(hot, np.full(bones.shape, wrong), grid((2, 2, 5)))


def grid(shape: tuple[int, int, int], *, step: float = 2.0) -> VolumeGeometry:
    """Cubic voxels."""
    return VolumeGeometry.from_matrix(np.diag([step, step, step, 1.0]), shape=shape, frame_of_reference_uid="1.2.3")
