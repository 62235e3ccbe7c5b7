"""The patient's mask on CT: lean chests, limbs apart from the trunk, cut fields; no table, foam or blanket."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.bone import body_mask
from pipelines.ct.branch import profile
from tests.unit.operators.phantoms import Array, Mask

SPACING_MM = (2.0, 2.0, 2.0)
SHAPE = (60, 120, 200)


def ellipse(centre: tuple[float, float], radii: tuple[float, float]) -> Mask:
    """An ellipse in every slice; millimetres from the first row and column."""
    _, y, x = np.indices(SHAPE) * 2.0
    inside: Mask = ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1.0
    return inside


def chest(*, wall_mm: float = 8.0) -> tuple[Array, Mask]:
    """HU of a chest with lungs, heart, spine, ribs in a thin wall and a hollow table, and who is under the skin."""
    patient = ellipse((100.0, 200.0), (80.0, 120.0))
    hu = np.full(SHAPE, -1000.0)
    hu[patient] = 30.0
    inner = ellipse((100.0, 200.0), (80.0 - wall_mm, 120.0 - wall_mm))
    hu[inner] = -820.0
    hu[ellipse((100.0, 205.0), (45.0, 35.0))] = 40.0
    hu[ellipse((150.0, 200.0), (30.0, 40.0))] = 40.0
    hu[ellipse((150.0, 200.0), (15.0, 18.0))] = 300.0
    rib = patient & ~ellipse((100.0, 200.0), (74.0, 114.0)) & (np.arange(SHAPE[0]) % 10 < 4)[:, None, None]
    hu[rib] = 500.0
    hu[:, 92:94, 30:170] = 200.0
    hu[:, 94:112, 30:170] = -930.0
    hu[:, 112:114, 30:170] = 200.0
    within = ellipse((100.0, 200.0), (77.0, 117.0))
    return hu + np.random.default_rng(4).normal(scale=10.0, size=SHAPE), within


def outlined(hu: Array) -> Mask:
    """The mask with the branch's own thresholds."""
    return body_mask(hu.astype(np.float32), spacing_mm=SPACING_MM, profile=profile().skeleton)


@pytest.mark.parametrize("wall_mm", [6.0, 8.0, 12.0, 24.0, 40.0])
def test_a_chest_is_whole_however_thin_its_wall(wall_mm: float) -> None:
    """Lean and obese alike: ribs and lungs are in the mask, the table with its foam is not."""
    hu, patient = chest(wall_mm=wall_mm)
    mask = outlined(hu)
    assert mask[patient].mean() > 0.99
    assert not mask[:, 96:].any()


@settings(max_examples=8)
@given(flips=st.tuples(st.booleans(), st.booleans()), wall_mm=st.floats(6.0, 40.0))
def test_the_mask_follows_a_patient_who_is_turned(flips: tuple[bool, bool], wall_mm: float) -> None:
    """Head to feet or left to right: the same mask, turned."""
    hu, _ = chest(wall_mm=wall_mm)
    axes = tuple(axis for axis, flip in zip((0, 2), flips, strict=True) if flip)
    assert np.array_equal(np.flip(outlined(hu), axes), outlined(np.flip(hu, axes)))


def test_a_chest_that_the_field_cuts_keeps_its_wall() -> None:
    """Lungs that reach the image's edge are not enclosed, and hold the wall before them all the same."""
    hu, patient = chest()
    cut = slice(60, 140)
    assert outlined(hu[:, :, cut])[patient[:, :, cut]].mean() > 0.99


def test_arms_apart_from_the_trunk_belong_to_the_patient() -> None:
    """A forearm on each side is kept, bone and all."""
    hu, _ = chest(wall_mm=24.0)
    arms = ellipse((110.0, 30.0), (25.0, 20.0)) | ellipse((110.0, 370.0), (25.0, 20.0))
    hu[arms] = 30.0
    hu[ellipse((110.0, 30.0), (8.0, 8.0)) | ellipse((110.0, 370.0), (8.0, 8.0))] = 900.0
    assert outlined(hu)[arms].mean() > 0.9


@pytest.mark.parametrize(("inside", "with_bone"), [(60.0, False), (900.0, True)])
def test_equipment_beside_the_patient_does_not(inside: float, with_bone: bool) -> None:
    """A bag of fluid without bone, and a block denser than any limb, are no part of the patient."""
    hu, _ = chest(wall_mm=24.0)
    thing = ellipse((110.0, 30.0), (25.0, 20.0))
    hu[thing] = inside
    assert bool((hu[thing] > 150.0).any()) is with_bone
    assert not outlined(hu)[thing].any()


def test_a_blanket_over_a_lean_chest_is_no_lung() -> None:
    """Airy cloth before the chest, as wide as a lung, is left out."""
    hu, patient = chest()
    hu[:, 0:10, 40:160] = -850.0
    assert not outlined(hu)[:, :8].any()
    assert outlined(hu)[patient].mean() > 0.99


def test_nothing_has_no_outline() -> None:
    """Air alone gives an empty mask."""
    assert not outlined(np.full(SHAPE, -1000.0)).any()
