"""The atlas and the names it gives to bone made from itself: moved, turned, sized, cut and mirrored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.ct_orientation import Agreement, Orientation
from operators.kernels.orientation import PatientAxes
from operators.kernels.skeleton_sites.atlas import ATLAS_ID, SkeletonAtlas, shipped_atlas
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.ct.branch import profile

STEP_MM = 4.0
UNKNOWN = Agreement.NOT_EVALUABLE
Bool = npt.NDArray[np.bool_]


def typical(*, low_mm: float, high_mm: float) -> tuple[Bool, npt.NDArray[np.float64]]:
    """Bone that most people of the atlas have between two heights, arms above the head, voxels of 4 mm (z, y, x);
    and each slice's height."""
    atlas = shipped_atlas()
    heights = np.arange(low_mm, high_mm, STEP_MM)
    v, u = np.arange(-180.0, 130.0, STEP_MM), np.arange(-230.0, 231.0, STEP_MM)
    places = np.meshgrid(
        *((values - axis[0]) / (axis[1] - axis[0]) for values, axis in zip((heights, v, u), _axes(atlas), strict=True)),
        indexing="ij",
    )
    return np.asarray(ndimage.map_coordinates(atlas.occupied[0], places, order=1) > 0.4), heights


def _axes(atlas: SkeletonAtlas) -> tuple[npt.NDArray[np.float64], ...]:
    return atlas.heights_mm, atlas.v_mm, atlas.u_mm


def work_of(bone: Bool) -> tuple[WorkingBone, VolumeGeometry]:
    """Bone as a CT's, with the patient all over the field."""
    matrix = np.array([[0.0, 0, STEP_MM, 0], [0, STEP_MM, 0, 0], [STEP_MM, 0, 0, 0], [0, 0, 0, 1]])
    geometry = VolumeGeometry.from_matrix(matrix, shape=bone.shape, frame_of_reference_uid="1.2.3")
    nothing = np.zeros_like(bone)
    return (
        WorkingBone(
            hu=np.where(bone, 400.0, 40.0).astype(np.float32),
            bone=bone,
            canal=nothing,
            contrast=nothing,
            cavity_ml=0.0,
            cavity_share=0.0,
            spacing_mm=(STEP_MM,) * 3,
            axes=PatientAxes.from_geometry(geometry),
            factors=(1, 1, 1),
            full_shape=bone.shape,
            orientation=Orientation(back=UNKNOWN, head=UNKNOWN, sides=UNKNOWN),
        ),
        geometry,
    )


def names_of(bone: Bool) -> SkeletonMap:
    """The map of a bone mask with the CT branch's limits."""
    return AtlasNamer(limits=profile().sites.atlas)(*work_of(bone))


def level_at(skeleton: SkeletonMap, index: int) -> Bone:
    """The vertebra that most voxels of bone in a slice belong to."""
    plane = skeleton.bones[index]
    values, counts = np.unique(plane[(plane >= Bone.C1) & (plane <= Bone.L5)], return_counts=True)
    return Bone(int(values[counts.argmax()]))


def test_the_shipped_atlas_is_the_one_of_the_docs() -> None:
    """Its id, its size and the order of its vertebrae; both sheets name every bone of the trunk."""
    atlas = shipped_atlas()
    assert ATLAS_ID == "SKELETON_ATLAS_SIM_V1"
    assert len(atlas.sha256) == 64
    for sheet in atlas.bones:
        assert {int(bone) for bone in (*VERTEBRAE, Bone.SACRUM, Bone.HIP, Bone.SKULL)} <= set(np.unique(sheet).tolist())


def test_another_file_is_refused() -> None:
    """What is not the atlas is not read, and pickled objects never are."""
    with pytest.raises((ValueError, OSError)):
        SkeletonAtlas.from_bytes(b"not an atlas")


def test_levels_of_chest_to_pelvis_are_right() -> None:
    """In bone that is the atlas' own every vertebra is named at its height, within one slice of its middle."""
    bone, heights = typical(low_mm=-220.0, high_mm=460.0)
    skeleton = names_of(bone)
    for vertebra, centre in zip(VERTEBRAE, shipped_atlas().centre_mm, strict=True):
        if vertebra >= Bone.T1:
            assert level_at(skeleton, int(np.abs(heights - centre).argmin())) == vertebra
    assert frozenset(VERTEBRAE[7:]) <= skeleton.certain


def test_without_an_end_of_the_spine_nothing_has_a_number() -> None:
    """A field from the middle of the loins to the middle of the chest names parts, not levels."""
    bone, _ = typical(low_mm=60.0, high_mm=330.0)
    skeleton = names_of(bone)
    assert skeleton.bones.any()
    assert not any(bone.is_vertebra or bone.is_rib for bone in skeleton.certain)


def test_sides_are_the_patients_and_withheld_near_the_midline() -> None:
    """x runs to the left; within 15 mm of the midline there is no side."""
    bone, _ = typical(low_mm=-220.0, high_mm=460.0)
    skeleton = names_of(bone)
    middle = (bone.shape[2] - 1) / 2.0
    left = np.broadcast_to(np.arange(bone.shape[2]) - middle, bone.shape) * STEP_MM
    named = skeleton.bones > 0
    assert np.all(skeleton.sides[named & (left > 24.0)] == 1)
    assert np.all(skeleton.sides[named & (left < -24.0)] == -1)
    assert np.all(skeleton.sides[named & (np.abs(left) < 6.0)] == 0)


def test_a_mirrored_patient_has_the_same_bones_on_the_other_side() -> None:
    """Bones do not depend on left and right, and no voxel changes to the wrong side."""
    bone, _ = typical(low_mm=-220.0, high_mm=460.0)
    bone[:, :, :20] = False  # the right arm and some ribs are missing
    plain, mirrored = names_of(bone), names_of(np.ascontiguousarray(bone[:, :, ::-1]))
    agree = plain.bones == mirrored.bones[:, :, ::-1]
    assert agree[bone].mean() > 0.97
    assert np.all(plain.sides[bone] * mirrored.sides[:, :, ::-1][bone] <= 0)
    assert np.mean(plain.sides[bone] != 0) > 0.6


@pytest.mark.parametrize("length", [0.9, 1.1])
def test_a_smaller_or_larger_person_has_the_same_levels(length: float) -> None:
    """Sized by a tenth along the body and across it, L3 is still L3."""
    bone, heights = typical(low_mm=-220.0, high_mm=460.0)
    sized = ndimage.zoom(bone.astype(np.float32), length, order=1) > 0.5
    skeleton = names_of(sized)
    for vertebra in (Bone.L4, Bone.L3, Bone.L1, Bone.T11):
        centre = shipped_atlas().centre_mm[VERTEBRAE.index(vertebra)]
        assert level_at(skeleton, round(float(np.abs(heights - centre).argmin()) * length)) == vertebra


def test_a_limb_is_not_named() -> None:
    """A shaft in a wide field is no spine, and the result says why nothing is named."""
    bone = np.zeros((80, 80, 80), dtype=np.bool_)
    rows, columns = np.indices((80, 80))
    ring = np.hypot(rows - 40, columns - 30) * STEP_MM
    bone[:, (ring < 16.0) & (ring > 8.0)] = True
    skeleton = names_of(bone)
    assert not skeleton.bones.any()
    assert "likeness" in skeleton.basis[0]


def test_a_narrow_field_is_not_named() -> None:
    """A field that shows one side only gives no names."""
    bone, _ = typical(low_mm=-220.0, high_mm=460.0)
    skeleton = names_of(np.ascontiguousarray(bone[:, :, 60:110]))
    assert not skeleton.bones.any()
    assert "200 mm wide" in skeleton.basis[0]


def test_an_empty_mask_is_no_error() -> None:
    """No bone, no name."""
    bone, _ = typical(low_mm=0.0, high_mm=200.0)
    skeleton = names_of(np.zeros_like(bone))
    assert not skeleton.bones.any()


def test_limits_are_the_profiles() -> None:
    """What may be named follows the limits: with a gain that nothing reaches, nothing is."""
    bone, _ = typical(low_mm=-220.0, high_mm=460.0)
    strict = replace(profile().sites.atlas, least_gain=1e6)
    assert not AtlasNamer(limits=strict)(*work_of(bone)).bones.any()
