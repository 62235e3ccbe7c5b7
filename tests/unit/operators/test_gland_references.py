"""Spleen and parotid glands: placed by rule on simple bodies, taken by uptake, honestly missing; scores 2 and 3."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.bones import Bone
from bmnode.domain.codes import MiPsma
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.coarse_ct import CoarseCt
from operators.kernels.measurement import statistics
from operators.kernels.reference_glands import parotid_places, spleen_places
from operators.kernels.reference_place import Point
from operators.kernels.reference_uptake import Reference
from operators.kernels.skeleton_sites.sites import SkeletonMap
from operators.readers.volume import ImageVolume
from pipelines.pet_ct.branch import profile
from pipelines.pet_ct.references import References, lesion_classes, reference_checks, with_glands
from tests.unit.operators.test_references import CANAL, SHAPE, torso

LIMITS = profile().reference
SPLEEN_CENTRE, SPLEEN_RADII = np.array([300.0, 175.0, 185.0]), np.array([26.0, 36.0, 44.0])
KIDNEY_CENTRE, KIDNEY_RADII = np.array([246.0, 190.0, 150.0]), np.array([28.0, 28.0, 50.0])
GLAND_RADII = np.array([11.0, 17.0, 24.0])
NECK_MM = 160.0
"""Height of the middle of C1 and C2 in `head`."""


def axes(ct: CoarseCt) -> npt.NDArray[np.float64]:
    """LPS of every block (z, y, x, 3)."""
    index = np.stack(np.meshgrid(*map(np.arange, ct.hu.shape), indexing="ij"), axis=-1)
    return np.asarray(index[..., ::-1] * 4.0, dtype=np.float64)


Mask = npt.NDArray[np.bool_]


def within(places: npt.NDArray[np.float64], centre: npt.NDArray[np.float64], radii: npt.NDArray[np.float64]) -> Mask:
    """Whether places (..., 3) lie in an ellipsoid."""
    inside: Mask = np.sum(((places - centre) / radii) ** 2, axis=-1) <= 1.0
    return inside


def belly() -> CoarseCt:
    """The torso of the liver's tests with spleen and left kidney in its fat."""
    ct = torso()
    at = axes(ct)
    hu = ct.hu.copy()
    for centre, radii, value in ((KIDNEY_CENTRE, KIDNEY_RADII, 30.0), (SPLEEN_CENTRE, SPLEEN_RADII, 48.0)):
        hu[within(at, centre, radii) & (ct.hu > -950.0)] = value
    return replace(ct, hu=hu, lung=ct.lung & (hu < -500.0))


def gland_centre(side: float) -> npt.NDArray[np.float64]:
    """LPS of a parotid gland, 56 mm beside the canal and 20 mm before it."""
    return np.array([CANAL[1] + side * 56.0, CANAL[0] - 20.0, NECK_MM - 8.0])


def head(*, glands: bool = True) -> tuple[CoarseCt, SkeletonMap]:
    """A neck of muscle in a little fat, with canal, two vertebrae, a jaw and the glands behind it."""
    ct = torso()
    at = axes(ct)
    hu = np.full(SHAPE, -1000.0, dtype=np.float32)
    middle = np.array([CANAL[1], CANAL[0] - 30.0, 0.0])
    across = np.sum(((at - middle)[..., :2] / np.array([82.0, 92.0])) ** 2, axis=-1)
    hu[across <= 1.0] = -90.0
    hu[across <= 0.82] = 55.0
    side_mm, ahead_mm = np.abs(at[..., 0] - CANAL[1]), CANAL[0] - at[..., 1]
    jaw = (np.abs(side_mm - 46.0) <= 5.0) & (ahead_mm >= 38.0) & (ahead_mm <= 75.0) & (at[..., 2] <= NECK_MM + 10.0)
    vertebrae = (np.abs(at[..., 2] - NECK_MM) <= 16.0) & (side_mm <= 22.0) & (np.abs(ahead_mm) <= 20.0) & ~ct.canal
    hu[jaw | vertebrae] = 500.0
    if glands:
        for side in (-1.0, 1.0):
            hu[within(at, gland_centre(side), GLAND_RADII) & ~jaw] = 12.0
    bones = np.zeros(SHAPE, dtype=np.uint8)
    bones[vertebrae] = np.where(at[..., 2][vertebrae] >= NECK_MM, Bone.C1, Bone.C2)
    skeleton = SkeletonMap(
        bones=bones, sides=np.zeros(SHAPE, dtype=np.int8), matrix=ct.matrix, certain=frozenset(), method="TEST"
    )
    return replace(ct, hu=hu, bone=jaw | vertebrae, lung=np.zeros(SHAPE, dtype=np.bool_)), skeleton


def pet(ct: CoarseCt, uptake: npt.NDArray[np.floating]) -> ImageVolume:
    """An image on the blocks of a CT."""
    to_lps = ct.matrix.copy()
    geometry = VolumeGeometry.from_matrix(to_lps, shape=SHAPE, frame_of_reference_uid="1.2.3")
    return ImageVolume(array=uptake.astype(np.float32), geometry=geometry, source_instance_uids=("1.2",))


def test_the_first_spleen_sphere_lies_in_the_spleen() -> None:
    """A sphere of 2 cm that the spleen encloses, though the kidney is as deep; none without the left lung."""
    place = np.array(spleen_places(belly(), limits=LIMITS.glands.spleen)[0])
    assert within(place, SPLEEN_CENTRE, SPLEEN_RADII - 10.0)
    ct = belly()
    right_only = replace(ct, lung=ct.lung & (axes(ct)[..., 0] < CANAL[1]))
    assert spleen_places(right_only, limits=LIMITS.glands.spleen) == ()


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**16), shift=st.integers(-5, 5))
def test_noise_and_place_in_the_field_do_not_matter(seed: int, shift: int) -> None:
    """A noisy CT whose field begins elsewhere gives places in spleen and glands as well.

    4 HU is much for blocks of 8 mm; with 10 HU one gland in thirty-five was missed by a few millimetres.
    """
    noise = np.random.default_rng(seed).normal(scale=4.0, size=SHAPE).astype(np.float32)
    moved = np.array([[1, 0, 0, 0], [0, 1, 0, -shift], [0, 0, 1, 0], [0, 0, 0, 1.0]])

    def shifted(ct: CoarseCt) -> CoarseCt:
        rolled = {name: np.roll(getattr(ct, name), shift, axis=1) for name in ("bone", "canal", "lung")}
        return replace(ct, hu=np.roll(ct.hu, shift, axis=1) + noise, matrix=ct.matrix @ moved, **rolled)

    place = np.array(spleen_places(shifted(belly()), limits=LIMITS.glands.spleen)[0])
    assert within(place, SPLEEN_CENTRE, SPLEEN_RADII - 8.0)
    ct, skeleton = head()
    for side, places in zip(
        (-1.0, 1.0), parotid_places(shifted(ct), skeleton, limits=LIMITS.glands.parotid), strict=True
    ):
        assert any(within(np.array(place), gland_centre(side), GLAND_RADII) for place in places)


def in_glands(uptake: float, *, muscle: float = 0.7) -> ImageVolume:
    """The head's PET: glands over muscle."""
    ct, _ = head()
    at = axes(ct)
    glands = within(at, gland_centre(-1.0), GLAND_RADII) | within(at, gland_centre(1.0), GLAND_RADII)
    return pet(ct, np.where(glands, uptake, muscle))


def test_the_parotid_reference_is_that_of_both_glands() -> None:
    """Its mean is that of the glands, and its voxels lie in both; the spleen, out of the field, has its reason."""
    ct, skeleton = head()
    found = with_glands(References(), in_glands(16.0), ct, skeleton=skeleton, limits=LIMITS)
    assert found.parotid is not None
    assert 13.0 <= found.parotid.values.mean <= 16.0
    columns = (np.argwhere(found.parotid.mask.values) + np.asarray(found.parotid.mask.origin))[:, 2] * 4.0
    assert columns.min() < CANAL[1] < columns.max()
    assert found.spleen is None
    assert "no place for it was found" in found.why_no_spleen
    named = {check.name: check.verdict.value for check in reference_checks(found)}
    assert (named["Spleen reference"], named["Parotid gland reference"]) == ("not_evaluable", "pass")


def test_muscle_is_no_parotid_gland() -> None:
    """Without uptake as in a gland there is no reference, and the check says why; without C1 and C2 no place."""
    ct, skeleton = head()
    cold = with_glands(References(), in_glands(0.8), ct, skeleton=skeleton, limits=LIMITS)
    assert cold.parotid is None
    assert "not plausible" in cold.why_no_parotid
    nameless = replace(skeleton, bones=np.zeros_like(skeleton.bones))
    assert parotid_places(ct, nameless, limits=LIMITS.glands.parotid) == ((), ())
    assert parotid_places(ct, None, limits=LIMITS.glands.parotid) == ((), ())
    alone = with_glands(References(), in_glands(16.0), None, skeleton=None, limits=LIMITS)
    assert "no CT" in alone.why_no_parotid


def test_mirrored_bodies_have_mirrored_glands() -> None:
    """The rule knows no side: a body flipped in its array and its places gives each side's places to the other."""
    ct, skeleton = head()
    right, left = parotid_places(ct, skeleton, limits=LIMITS.glands.parotid)
    flipped = replace(ct, **{name: getattr(ct, name)[:, :, ::-1] for name in ("hu", "bone", "canal", "lung")})
    mirrored = replace(skeleton, bones=np.ascontiguousarray(skeleton.bones[:, :, ::-1]))
    across = (SHAPE[2] - 1) * 4.0

    def heights(places: tuple[Point, ...]) -> list[tuple[float, float, float]]:
        return sorted((round(across - x, 3), y, z) for x, y, z in places)

    other_right, other_left = parotid_places(flipped, mirrored, limits=LIMITS.glands.parotid)
    assert len(other_left) == len(right) > 0
    assert heights(other_left)[0][1:] == pytest.approx(sorted(right)[0][1:], abs=40.0)
    assert len(other_right) == len(left)


def reference(mean: float) -> Reference:
    """A region of one voxel."""
    mask = CroppedMask.from_array(np.ones((1, 1, 1), dtype=np.bool_))
    return Reference(mask=mask, values=statistics(np.full((1, 1, 1), mean), mask))


@pytest.mark.parametrize(
    ("ligand", "suv_mean", "expected"),
    [
        ("PSMA-11", 1.2, MiPsma.SCORE_0),
        ("PSMA-11", 1.5, MiPsma.SCORE_1),
        ("PSMA-11", 5.0, MiPsma.SCORE_2),
        ("PSMA-11", 14.9, MiPsma.SCORE_2),
        ("PSMA-11", 15.0, MiPsma.SCORE_3),
        ("PSMA-1007", 5.0, MiPsma.SCORE_1),
        ("PSMA-1007", 9.0, MiPsma.SCORE_2),
        ("PSMA-1007", 15.0, MiPsma.SCORE_3),
    ],
)
def test_scores_two_and_three_are_told(ligand: str, suv_mean: float, expected: object) -> None:
    """From the liver on, or with a ligand that the liver excretes from the spleen on, the parotid gland decides."""
    every = References(liver=reference(5.0), blood=reference(1.5), spleen=reference(9.0), parotid=reference(15.0))
    (item,) = lesion_classes(every, suv_mean=suv_mean, sul_peak=None, limit=None, ligand=ligand)
    assert item.value == expected
    without = replace(every, parotid=None)
    (item,) = lesion_classes(without, suv_mean=suv_mean, sul_peak=None, limit=None, ligand=ligand)
    assert item.value == (expected if suv_mean < 5.0 or expected == MiPsma.SCORE_1 else MiPsma.NOT_EVALUABLE)
