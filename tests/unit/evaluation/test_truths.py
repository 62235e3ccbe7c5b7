"""True values by their definitions, and labels on the image's own voxels."""

from __future__ import annotations

import math
from itertools import permutations, product

import numpy as np
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone_scan_index.regions import BoneLabel
from operators.simulation.anatomy.bones import Bone
from operators.simulation.truth.label_maps import LabelMap
from pipelines.evaluation.truths import CUT, DECOY, NO_VOXEL, diameter_mm, label_of, on_grid, why_not

MATRIX = np.array([[0.0, 0.0, 2.0, -30.0], [0.0, 2.5, 0.0, 12.0], [-4.0, 0.0, 0.0, 70.0], [0.0, 0.0, 0.0, 1.0]])


def geometry(matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]], shape: tuple[int, int, int]) -> VolumeGeometry:
    """A grid of one frame of reference."""
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid="1.2.3")


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("turns", list(product([1, -1], repeat=3)))
def test_labels_follow_any_order_of_axes(order: tuple[int, int, int], turns: tuple[int, int, int]) -> None:
    """However an image numbers its slices, rows and columns, each voxel keeps the label of its place in LPS."""
    shape = (4, 5, 6)
    values = np.arange(120, dtype=np.uint8).reshape(shape)
    labels = LabelMap(values=values, geometry=geometry(MATRIX, shape))
    to_label = np.zeros((4, 4))
    to_label[3, 3] = 1.0
    for axis, (source, turn) in enumerate(zip(order, turns, strict=True)):
        to_label[source, axis] = turn
        to_label[source, 3] = 0 if turn > 0 else shape[source] - 1
    image = geometry(MATRIX @ to_label, (shape[order[0]], shape[order[1]], shape[order[2]]))
    found = on_grid(labels, image)
    assert found.shape == image.shape
    for index in np.ndindex(image.shape):
        there = np.rint(np.linalg.inv(labels.geometry.matrix) @ [*image.position_lps(index), 1.0])[:3].astype(int)
        assert found[index] == values[tuple(there)]


def test_a_part_of_the_field_is_cut_out() -> None:
    """An image without the first slices has the labels of the slices that it has."""
    values = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    matrix = MATRIX.copy()
    matrix[:3, 3] += matrix[:3, 0]
    found = on_grid(LabelMap(values=values, geometry=geometry(MATRIX, (4, 5, 6))), geometry(matrix, (3, 5, 6)))
    assert np.array_equal(found, values[1:])


@pytest.mark.parametrize("shift", [0.5, 4.0 * 2])
def test_other_voxels_are_refused(shift: float) -> None:
    """A truth that would have to be resampled, or does not reach far enough, is no truth for the image."""
    labels = LabelMap(values=np.zeros((4, 5, 6), dtype=np.uint8), geometry=geometry(MATRIX, (4, 5, 6)))
    matrix = MATRIX.copy()
    matrix[2, 3] += shift
    with pytest.raises(ValueError, match="truth"):
        on_grid(labels, geometry(matrix, (4, 5, 6)))


def test_why_a_lesion_cannot_be_compared() -> None:
    """Each reason by itself: no voxel, at the edge of the field, under a benign change; else none."""
    decoys = np.zeros((5, 5, 5), dtype=np.uint8)
    mask = np.zeros((5, 5, 5), dtype=np.bool_)
    assert why_not(mask, decoys) == NO_VOXEL
    mask[2, 2, 2:4] = True
    assert why_not(mask, decoys) == ""
    decoys[2, 2, 3] = 7
    assert why_not(mask, decoys) == DECOY
    mask[2, 2, 4] = True
    assert why_not(mask, decoys) == CUT


def test_diameter_is_that_of_the_ball() -> None:
    """A ball of 20 mm holds 4.19 ml."""
    assert diameter_mm(4.0 / 3.0 * math.pi * 10.0**3 / 1000.0) == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("bone", "label"),
    [
        (Bone.C7, BoneLabel.CERVICAL_SPINE),
        (Bone.T1, BoneLabel.THORACIC_SPINE),
        (Bone.L6, BoneLabel.LUMBAR_SPINE),
        (Bone.COCCYX, BoneLabel.SACRUM),
        (Bone.MANDIBLE, BoneLabel.SKULL),
        (Bone.RIB_12_LEFT, BoneLabel.RIBS),
        (Bone.HIP_RIGHT, BoneLabel.PELVIS),
        (Bone.SCAPULA_LEFT, BoneLabel.SCAPULA_LEFT),
        (Bone.FEMUR_RIGHT, BoneLabel.FEMUR_RIGHT),
        (Bone.TIBIA_LEFT, None),
        (Bone.ULNA_RIGHT, None),
        (Bone.PATELLA_LEFT, None),
    ],
)
def test_bones_have_the_labels_of_the_planar_map(bone: Bone, label: BoneLabel | None) -> None:
    """Sides are the patient's; below elbow and knee the map shows nothing."""
    assert label_of(bone) is label


def test_every_label_of_the_planar_map_has_a_bone() -> None:
    """No region of the index is left without bones."""
    assert {label_of(bone) for bone in Bone} - {None} == set(BoneLabel)
