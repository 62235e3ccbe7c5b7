"""The figures of the CT branch's README: candidates on real CTs without known metastases, and at expert boxes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import WorkingBone, segment_bone
from operators.kernels.ct_candidates import Candidate, find_candidates
from pipelines.ct.branch import profile

pytestmark = pytest.mark.real_data

WITHOUT_KNOWN_METASTASES = {
    "totalsegmentator_examples/example_ct.nii.gz": 5,
    "totalsegmentator_examples/example_ct_sm.nii.gz": 0,
    "totalsegmentator_examples/aorta_report__ct_cropped.nii.gz": 1,
    "totalsegmentator_examples/pulmonary_report__models__ct_cropped.nii.gz": 1,
    "lidc_0314_chest_ct/LIDC-IDRI-0314_1.5mm.nii.gz": 1,
    "crlm_abdomen_ct/CRLM-CT-1004.nii.gz": 1,
    "sts_ct_pet_mr/STS_001/CT_image.nii.gz": 0,
    "sts_ct_pet_mr/STS_008/CT_image.nii.gz": 1,
    "sts_ct_pet_mr/STS_015/CT_image.nii.gz": 3,
    "sts_ct_pet_mr/STS_026/CT_image.nii.gz": 1,
    "sts_ct_pet_mr/STS_036/CT_image.nii.gz": 2,
}
TYPES = {2: "<u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 512: "<u2"}
"""NIfTI-1 datatype codes."""


def candidates(path: Path) -> tuple[WorkingBone, list[Candidate]]:
    """Bone and candidates of a NIfTI-1 file in HU, with the branch's own thresholds."""
    if not path.is_file():
        pytest.skip(f"{path.name} is absent")
    raw = gzip.decompress(path.read_bytes())
    size = [int(n) for n in np.frombuffer(raw, dtype="<i2", count=3, offset=42)]
    kind = TYPES[int(np.frombuffer(raw, dtype="<i2", count=1, offset=70)[0])]
    start, slope, intercept = (float(n) for n in np.frombuffer(raw, dtype="<f4", count=3, offset=108))
    values = np.frombuffer(raw, dtype=kind, count=int(np.prod(size)), offset=int(start)).astype(np.float32)
    if np.isfinite(slope) and slope != 0.0:
        values = values * np.float32(slope) + np.float32(intercept)
    hu = values.reshape(size[::-1])
    assert int(np.frombuffer(raw, dtype="<i2", count=1, offset=254)[0]) > 0, "the file has no sform"
    matrix = np.eye(4)
    matrix[:3] = np.frombuffer(raw, dtype="<f4", count=12, offset=280).reshape(3, 4)
    matrix[:2] *= -1.0  # NIfTI's RAS to LPS
    geometry = VolumeGeometry.from_matrix(matrix[:, [2, 1, 0, 3]], shape=hu.shape, frame_of_reference_uid="1.2.3")
    work = segment_bone(hu, geometry, profile=profile().skeleton)
    return work, find_candidates(work, limits=profile().candidates, types=profile().typing)


@pytest.mark.parametrize(("name", "count"), WITHOUT_KNOWN_METASTASES.items())
def test_candidates_without_known_metastases_are_as_many_as_the_readme_says(
    shared_data: Path, name: str, count: int
) -> None:
    """A change that marks more or fewer places on real CTs changes the README with it."""
    assert len(candidates(shared_data / name)[1]) == count


def test_expert_boxes_are_marked_as_the_readme_says(shared_data: Path) -> None:
    """None of the four boxes holds a candidate's voxel; two candidates lie outside."""
    folder = shared_data / "blds_ct_bone_mets"
    boxes = json.loads((folder / "boxes.json").read_text(encoding="utf-8")) if folder.is_dir() else []
    if not boxes:
        pytest.skip("the BLDS patches are absent")
    marked, outside = 0, 0
    for image in sorted({box["image"] for box in boxes}):
        work, found = candidates(folder / image)
        held = [box for box in boxes if box["image"] == image]
        hits = [[_holds(work.to_grid(item.mask.to_array()), box) for box in held] for item in found]
        marked += int(np.any(hits, axis=0).sum()) if hits else 0
        outside += sum(not any(row) for row in hits)
    assert (marked, outside) == (0, 2)


def _holds(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], box: dict[str, list[float]]) -> bool:
    """Whether a voxel of the mask (slice, row, column) lies in a box of 1 mm voxels."""
    distance = np.abs(np.argwhere(mask) - np.asarray(box["center_voxel"][::-1]))
    return bool(np.all(distance <= np.asarray(box["size_mm"][::-1]) / 2.0, axis=1).any())
