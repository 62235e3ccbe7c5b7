"""Bones of a real CT against a label map that the atlas has never seen (TotalSegmentator's, not manual)."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import segment_bone
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from pipelines.ct.branch import profile
from pipelines.training.site_accuracy import Tally, places

pytestmark = pytest.mark.real_data

FOLDER = "totalsegmentator_examples"
LABELS: dict[int, tuple[Bone, int]] = {
    25: (Bone.SACRUM, 0),
    75: (Bone.FEMUR, 1),
    76: (Bone.FEMUR, -1),
    77: (Bone.HIP, 1),
    78: (Bone.HIP, -1),
}
"""Of the task `total`: bone and side. Vertebrae run from L5 (27) up to C1 (50)."""
LABELS |= {27 + index: (bone, 0) for index, bone in enumerate(reversed(VERTEBRAE))}
LABELS |= {92 + index: (Bone(Bone.RIB_1 + index), 1) for index in range(12)}
LABELS |= {104 + index: (Bone(Bone.RIB_1 + index), -1) for index in range(12)}


def _read(path: Path) -> tuple[npt.NDArray[np.float32], VolumeGeometry]:
    if not path.is_file():
        pytest.skip(f"{path.name} is absent")
    image = nibabel.loadsave.load(path)
    array = np.ascontiguousarray(np.asarray(image.dataobj, dtype=np.float32).transpose(2, 1, 0))  # type: ignore[attr-defined]  # nibabel's load returns a base class
    matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine  # type: ignore[attr-defined]  # nibabel's load returns a base class
    shape = (array.shape[0], array.shape[1], array.shape[2])
    return array, VolumeGeometry.from_matrix(matrix[:, [2, 1, 0, 3]], shape=shape, frame_of_reference_uid="1.2.3")


@pytest.fixture(scope="module")
def tally(shared_data: Path) -> Tally:
    """All places of the abdomen and pelvis together."""
    hu, geometry = _read(shared_data / FOLDER / "example_ct.nii.gz")
    labels, _ = _read(shared_data / FOLDER / "example_seg_fast_force_split.nii.gz")
    bones, sides = np.zeros(hu.shape, dtype=np.uint8), np.zeros(hu.shape, dtype=np.int8)
    for value, (bone, side) in LABELS.items():
        bones[labels == value], sides[labels == value] = bone, side
    work = segment_bone(hu, geometry, profile=profile().skeleton)
    skeleton = AtlasNamer(limits=profile().sites.atlas)(work, geometry)
    return sum(places(skeleton, geometry, (bones, sides)).values(), start=Tally(kind="all"))


def test_no_side_is_wrong(tally: Tally) -> None:
    """A side is right or withheld."""
    assert tally.wrong_side == 0
    assert tally.right_side > 0.5 * tally.count


def test_names_are_mostly_exact_and_seldom_wrong(tally: Tally) -> None:
    """The figures of the docs: most places have their own bone's name, few another's."""
    assert tally.exact >= 0.75 * tally.count
    assert tally.wrong + tally.neighbour <= 0.15 * tally.count
