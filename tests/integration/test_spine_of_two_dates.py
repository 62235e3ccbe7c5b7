"""A real patient's ADC maps of two dates, four months apart, come to lie on each other; T2 images bear it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
from scipy import ndimage

from benchmarks.spine_pair import region_overlap, spine_map
from bmnode.domain.geometry import CroppedMask
from operators.kernels.lesion_matching.places import voxel_places
from operators.kernels.registration.rigid_fit import Fit, correlation
from operators.kernels.registration.spine import SpineMap, align_spines
from pipelines.follow_up.registration import profile
from tests.support.real_data import unpack

FloatArray = npt.NDArray[np.float64]
sitk: Any = SimpleITK
"""Its annotations are incomplete."""
NOW, THEN = "SCAN_001", "SCAN_002"


def t2_likeness(folder: Path, now: SpineMap, motion: FloatArray) -> float:
    """Correlation of the T2 images, which the registration has not seen, within 20 mm of the current region."""
    near = ndimage.distance_transform_edt(~now.region, sampling=now.geometry.spacing_mm) <= 20.0
    places = voxel_places(CroppedMask.from_array(near), now.geometry)
    values = []
    for name, points in ((NOW, places), (THEN, places @ motion[:3, :3].T + motion[:3, 3])):
        image = sitk.ReadImage(str(folder / f"{name}_T2.nii.gz"))
        index = (points - np.array(image.GetOrigin())) / np.array(image.GetSpacing())
        array = ndimage.gaussian_filter(sitk.GetArrayFromImage(image).astype(np.float32), (0.0, 2.0, 2.0))
        values.append(ndimage.map_coordinates(array, index[:, ::-1].T, order=1, mode="constant", cval=np.nan))
    known = np.isfinite(values[0]) & np.isfinite(values[1])
    return correlation(values[0][known].astype(np.float64), values[1][known].astype(np.float64))


@pytest.fixture(scope="module")
def pair(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[SpineMap, SpineMap, Fit]:
    """Both dates and the motion from the later to the earlier."""
    folder, tmp_path = shared_data / "cmbcrc_mr_longitudinal", tmp_path_factory.mktemp("pair")
    now, then = (
        spine_map(
            [path for path in unpack(folder / f"{name}_ADC_dicom.tar.xz", tmp_path / name) if path.suffix == ".dcm"]
        )
        for name in (NOW, THEN)
    )
    found = align_spines(now, then, limits=profile().spine)
    assert found is not None
    return now, then, found


def test_vertebral_regions_overlap_better_than_before(pair: tuple[SpineMap, SpineMap, Fit]) -> None:
    """The regions, each found on its own map, hardly touch in the scanner's frames and overlap by more than half."""
    now, then, found = pair
    before, after = region_overlap(now, then, np.eye(4)), region_overlap(now, then, found.motion)
    assert before < 0.1
    assert after > 0.6


def test_images_that_were_not_used_agree(pair: tuple[SpineMap, SpineMap, Fit], shared_data: Path) -> None:
    """T2 of both dates is more alike about the spine after registration, and less so most of a vertebra away.

    Its own best place lies about 10 mm further up: to less than that the place along the spine is not known.
    """
    now, _, found = pair
    folder = shared_data / "cmbcrc_mr_longitudinal"
    after = t2_likeness(folder, now, found.motion)
    assert after > t2_likeness(folder, now, np.eye(4)) + 0.2
    for shift in (-20.0, 30.0):
        other = found.motion.copy()
        other[2, 3] += shift
        assert t2_likeness(folder, now, other) < after
