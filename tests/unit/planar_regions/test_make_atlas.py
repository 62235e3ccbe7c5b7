"""The making of an atlas, on people whose bones are known because they are made from the shipped one."""

from __future__ import annotations

import numpy as np
import pytest

from operators.kernels.planar_regions.atlas import PlanarAtlas, shipped_atlas
from operators.kernels.planar_regions.parts import NUMBERED_PARTS, PART_NUMBERS, PlanarPart, mirrored
from operators.simulation.anatomy.bones import Bone
from pipelines.bone_scan.profile import load
from pipelines.training.bone_scan.make_atlas import make_atlas
from pipelines.training.bone_scan.simulated import SimulatedViews, part_of_bone, parts_of_bones

PIXEL_MM = 4.8


def bones_of(parts: np.ndarray) -> np.ndarray:
    """A map of parts as a map of bones, one bone for each part."""
    table = np.zeros(len(PART_NUMBERS) + 1, dtype=np.uint8)
    for bone in Bone:
        table[PART_NUMBERS[part_of_bone(bone)]] = bone
    return np.asarray(table[parts], dtype=np.uint8)


def person() -> SimulatedViews:
    """Somebody who looks as the shipped atlas does, in both views; the posterior one is mirrored."""
    atlas = shipped_atlas()
    counts, bones = [], []
    for is_posterior in (False, True):
        look = np.pad(20.0 * atlas.look_of(is_posterior=is_posterior) ** 2, ((16, 16), (16, 16)))
        parts = np.pad(atlas.chances[int(is_posterior)].argmax(axis=0).astype(np.uint8), ((16, 16), (16, 16)))
        flip = slice(None, None, -1 if is_posterior else 1)
        counts.append(look[:, flip])
        bones.append(bones_of(parts)[:, flip])
    return SimulatedViews(counts=np.stack(counts).astype(np.float32), bones=np.stack(bones), pixel_mm=PIXEL_MM)


@pytest.fixture(scope="module")
def made() -> PlanarAtlas:
    """The atlas of one such person."""
    return make_atlas([person()], profile=load(), atlas_id="X", source="one person")


def test_the_atlas_of_one_person_is_that_person(made: PlanarAtlas) -> None:
    """Parts lie where the person has them, in both views and on their own sides."""
    shipped = shipped_atlas()
    for view in (0, 1):
        found, truth = (atlas.chances[view].argmax(axis=0) for atlas in (made, shipped))
        for part in (PlanarPart.SKULL, PlanarPart.PELVIS_LEFT, PlanarPart.FEMUR_RIGHT, PlanarPart.LUMBAR_SPINE):
            one, other = found == PART_NUMBERS[part], truth == PART_NUMBERS[part]
            assert 2 * np.count_nonzero(one & other) > 0.7 * (np.count_nonzero(one) + np.count_nonzero(other)), part


def test_the_atlas_prefers_no_side(made: PlanarAtlas) -> None:
    """A made atlas is its own mirror image but for rounding."""
    for view in (0, 1):
        parts = made.chances[view].argmax(axis=0).astype(np.uint8)
        assert np.count_nonzero(mirrored(parts) != parts) < 0.02 * np.count_nonzero(parts)


def test_nobody_makes_no_atlas() -> None:
    """An atlas without people is refused."""
    with pytest.raises(ValueError, match="one person"):
        make_atlas([], profile=load(), atlas_id="X", source="nobody")


def test_every_bone_has_a_part_of_its_side() -> None:
    """Each bone of the simulator belongs to one part, on the bone's own side; every part has a bone."""
    reached = set()
    for bone in Bone:
        part = part_of_bone(bone)
        reached.add(part)
        side = None if bone.side is None else bone.side.value
        assert (part.is_left, part.is_right) == (side == "left", side == "right")
    assert reached == set(PlanarPart)
    every = np.array([[int(bone) for bone in Bone]], dtype=np.uint8)
    assert [NUMBERED_PARTS[int(number)] for number in parts_of_bones(every)[0]] == [part_of_bone(bone) for bone in Bone]
