"""From named bone to a lesion's site."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.bones import Bone
from bmnode.domain.codes import Laterality, Site, SiteCertainty
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.skeleton_sites.sites import NOT_NAMED, SiteLimits, SkeletonMap, named

LIMITS = SiteLimits(majority=0.6, side_majority=0.95, reach_mm=12.0)
ALL = frozenset(Bone)


def bones(*values: Bone) -> npt.NDArray[np.uint8]:
    """Votes for bones."""
    return np.array(values, dtype=np.uint8)


def sides(*values: int) -> npt.NDArray[np.int8]:
    """Votes for sides."""
    return np.array(values, dtype=np.int8)


def test_a_majority_names_the_bone() -> None:
    """Seven voxels of ten in L3 name L3, which has no side."""
    site = named(bones(*[Bone.L3] * 7, *[Bone.L4] * 3), sides(*[1] * 10), certain=ALL, limits=LIMITS)
    assert (site.site, site.laterality, site.certainty) == (Bone.L3.code, None, SiteCertainty.BONE)


def test_a_lesion_in_two_vertebrae_is_named_by_their_part() -> None:
    """Half in T8 and half in T9 is thoracic spine; half in T12 and half in L1 is spine."""
    both = named(bones(*[Bone.T8] * 5, *[Bone.T9] * 5), sides(*[0] * 10), certain=ALL, limits=LIMITS)
    assert (both.site, both.certainty) == (Site.THORACIC_SPINE, SiteCertainty.PART)
    across = named(bones(*[Bone.T12] * 5, *[Bone.L1] * 5), sides(*[0] * 10), certain=ALL, limits=LIMITS)
    assert (across.site, across.certainty) == (Site.SPINE, SiteCertainty.REGION)


def test_a_number_that_is_not_known_is_not_named() -> None:
    """Without an anchor a rib is a rib, with its side."""
    site = named(bones(*[Bone.RIB_7] * 10), sides(*[-1] * 10), certain=(), limits=LIMITS)
    assert (site.site, site.laterality, site.certainty) == (Site.RIB, Laterality.RIGHT, SiteCertainty.PART)


def test_bones_of_different_regions_are_not_named() -> None:
    """A lesion half in a rib and half in the scapula has no name."""
    assert named(bones(Bone.RIB_5, Bone.SCAPULA), sides(1, 1), certain=ALL, limits=LIMITS) == NOT_NAMED


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_a_side_is_named_only_where_nearly_all_agree(left: int, right: int, middle: int) -> None:
    """A side that is named has 95 % of the voxels, whatever the mixture."""
    count = left + right + middle
    votes = sides(*[1] * left, *[-1] * right, *[0] * middle)
    site = named(bones(*[Bone.FEMUR] * count), votes, certain=ALL, limits=LIMITS)
    expected = (
        Laterality.LEFT
        if count and left >= 0.95 * count
        else Laterality.RIGHT
        if count and right >= 0.95 * count
        else None
    )
    assert site.laterality == expected


@given(st.lists(st.sampled_from(list(Bone)), min_size=1, max_size=30), st.randoms())
def test_the_name_does_not_depend_on_the_voxels_order(votes: list[Bone], random: object) -> None:
    """The same voxels in another order give the same name."""
    other = sorted(votes, reverse=True)
    side = sides(*[1] * len(votes))
    assert named(bones(*votes), side, certain=ALL, limits=LIMITS) == named(
        bones(*other), side, certain=ALL, limits=LIMITS
    )


def skeleton() -> SkeletonMap:
    """The left femur at x of 30 to 49 mm and the right one at -50 to -31 mm, 2 mm voxels about the origin."""
    labels, side = np.zeros((10, 10, 60), dtype=np.uint8), np.zeros((10, 10, 60), dtype=np.int8)
    labels[..., 45:55], side[..., 45:55] = Bone.FEMUR, 1
    labels[..., 5:15], side[..., 5:15] = Bone.FEMUR, -1
    matrix = np.array([[0.0, 0, 2, -60], [0, 2, 0, -10], [2, 0, 0, -10], [0, 0, 0, 1]])
    return SkeletonMap(bones=labels, sides=side, matrix=matrix, certain=ALL, method="TEST")


def lesion(x_mm: float, *, mirrored: bool) -> tuple[CroppedMask, VolumeGeometry]:
    """A cube of 12 mm about (x, 0, 0) on a grid of 3 mm whose columns run to the left, or to the right."""
    step = -3.0 if mirrored else 3.0
    matrix = np.array([[0.0, 0, step, 90 if mirrored else -90], [0, 3, 0, -12], [3, 0, 0, -12], [0, 0, 0, 1]])
    geometry = VolumeGeometry.from_matrix(matrix, shape=(9, 9, 61), frame_of_reference_uid="1.2.3")
    k, j, i = np.indices(geometry.shape)
    x = matrix[0, 2] * i + matrix[0, 3]
    inside = (np.abs(x - x_mm) <= 6.0) & (np.abs(3 * k - 12) <= 6) & (np.abs(3 * j - 12) <= 6)
    return CroppedMask.from_array(inside), geometry


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("x_mm", "side"), [(40.0, Laterality.LEFT), (-40.0, Laterality.RIGHT)])
def test_sides_follow_the_patient_not_the_array(x_mm: float, side: object, *, mirrored: bool) -> None:
    """A grid whose columns run the other way gives the same side."""
    mask, geometry = lesion(x_mm, mirrored=mirrored)
    site = skeleton().site_of(mask, geometry, limits=LIMITS)
    assert (site.site, site.laterality) == (Bone.FEMUR.code, side)


def test_a_lesion_beside_the_bone_takes_its_name_and_one_far_away_none() -> None:
    """Uptake that spills beyond the mask counts for the bone within 12 mm."""
    near, geometry = lesion(57.0, mirrored=False)
    assert skeleton().site_of(near, geometry, limits=LIMITS).site == Bone.FEMUR.code
    far, geometry = lesion(84.0, mirrored=False)
    assert skeleton().site_of(far, geometry, limits=LIMITS) == NOT_NAMED
