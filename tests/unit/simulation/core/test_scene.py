"""A scene keeps what it was given and reads its own fractions right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.simulation.anatomy.bones import Bone
from operators.simulation.scene import ARRAYS, Scene
from tests.unit.simulation.core import phantom


def test_a_saved_scene_comes_back_whole(tmp_path: Path) -> None:
    """Every array, name, appearance, the grid and the person survive the file."""
    scene = phantom.scene()
    scene.save(tmp_path / "deeper" / "scene.npz")
    back = Scene.load(tmp_path / "deeper" / "scene.npz")
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(back, name), getattr(scene, name), err_msg=name)
    assert back.geometry == scene.geometry
    assert back.lesion_appearances == scene.lesion_appearances
    assert back.decoy_appearances == scene.decoy_appearances
    assert (back.lesion_names, back.decoy_names, back.person) == (scene.lesion_names, scene.decoy_names, scene.person)
    assert [path.name for path in (tmp_path / "deeper").iterdir()] == ["scene.npz"]


def test_every_array_is_listed_once() -> None:
    """The list of arrays names all byte arrays of a scene, so that none is lost in a file."""
    scene = phantom.scene()
    held = {name for name in Scene.__slots__ if isinstance(getattr(scene, name), np.ndarray)}
    assert held == set(ARRAYS)


def test_labels_hold_the_voxels_of_which_half_is_lesion() -> None:
    """A voxel of two fifths lesion is not in the truth's label map; a whole one is."""
    labels = phantom.scene().lesion_labels
    assert labels[1, 1, 0] == 1
    assert labels[1, 1, 1] == 0
    assert np.count_nonzero(labels) == 1


def test_a_bones_volume_counts_partial_voxels() -> None:
    """One whole voxel and a fifth of another, of 0.12 mL each."""
    assert phantom.scene().bone_volume_ml(Bone.L3) == pytest.approx(1.2 * 0.12)
    assert phantom.scene().bone_labels[0, 0].tolist() == [Bone.L3, 0, 0, 0]


def test_a_scene_of_the_wrong_shape_is_refused() -> None:
    """An array of another grid is named in the refusal."""
    with pytest.raises(ValueError, match="sclerosis"):
        phantom.scene(sclerosis=np.zeros((2, 3, 5), dtype=np.uint8))
