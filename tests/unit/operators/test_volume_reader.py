"""A series becomes a volume on a regular grid, or says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from bmnode.domain.study import Reason
from operators.graph.contract import NotAssessableError
from operators.readers.volume import read_stacks, read_volume
from tests.unit.operators.series import (
    add_pixels,
    geometry_of,
    save,
    slice_dataset,
    write_enhanced_ct,
    write_series,
    write_spect,
)

SHAPE = (6, 5, 4)


def ramp(shape: tuple[int, int, int] = SHAPE) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Values that name their voxel."""
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


def edit(path: Path, **attributes: object) -> None:
    """Set (or, with None, delete) attributes of a written file."""
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


def reason_of(files: list[Path]) -> Reason:
    """The reason with which the series is refused."""
    with pytest.raises(NotAssessableError) as caught:
        read_volume(files)
    return caught.value.refusal.reason


def test_slices_are_sorted_by_place_and_rescaled_each_by_its_own_slope(tmp_path: Path) -> None:
    """File order does not matter, and every slice's own slope is used."""
    geometry = geometry_of(SHAPE)
    slopes = [0.5 * (index + 1) for index in range(SHAPE[0])]
    array = ramp() * np.asarray(slopes)[:, None, None]
    files = write_series(tmp_path, array, geometry, modality="PT", slopes=slopes)
    renamed = [path.rename(tmp_path / f"{99 - index}.dcm") for index, path in enumerate(files)]
    volume = read_volume(renamed)
    np.testing.assert_allclose(volume.array, array, rtol=1e-6)
    assert volume.geometry.is_same_grid(geometry)
    assert [path.name for path in volume.slice_paths] == [path.name for path in renamed]


def test_an_oblique_series_keeps_its_geometry(tmp_path: Path) -> None:
    """The affine follows Image Orientation (Patient) for a rotated stack."""
    geometry = geometry_of(SHAPE)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]]
    oblique = type(geometry).from_matrix(
        turn @ geometry.matrix, shape=SHAPE, frame_of_reference_uid=geometry.frame_of_reference_uid
    )
    volume = read_volume(write_series(tmp_path, ramp(), oblique, modality="MR"))
    assert volume.geometry.is_same_grid(oblique, tolerance_mm=1e-2)


def test_enhanced_frames_come_in_slice_order_with_their_own_rescale(tmp_path: Path) -> None:
    """Frames out of order are sorted, and the frame numbers say where each slice came from."""
    geometry = geometry_of(SHAPE)
    order = [3, 0, 5, 1, 4, 2]
    volume = read_volume([write_enhanced_ct(tmp_path, ramp(), geometry, order=order)])
    np.testing.assert_allclose(volume.array, ramp())
    assert volume.geometry.is_same_grid(geometry)
    assert volume.source_frames == tuple(order.index(index) + 1 for index in range(SHAPE[0]))
    assert len(volume.source_instance_uids) == 1


def test_a_tomogram_lies_where_its_detector_and_slice_spacing_say(tmp_path: Path) -> None:
    """A reconstructed NM image takes its first slice's place and steps by the slice spacing."""
    geometry = geometry_of(SHAPE)
    volume = read_volume([write_spect(tmp_path, ramp(), geometry, attributes={})])
    np.testing.assert_allclose(volume.array, ramp())
    assert volume.geometry.is_same_grid(geometry)


def test_a_tomogram_with_negative_slice_spacing_runs_against_the_normal(tmp_path: Path) -> None:
    """NM may state a negative slice spacing; the last frame is then the lowest slice."""
    geometry = geometry_of(SHAPE)
    path = write_spect(tmp_path, ramp(), geometry, attributes={"SpacingBetweenSlices": -3.0})
    volume = read_volume([path])
    np.testing.assert_allclose(volume.array, ramp()[::-1])
    assert volume.geometry.position_lps((SHAPE[0] - 1, 0, 0))[2] == pytest.approx(-70.0)


def test_a_missing_slice_is_named(tmp_path: Path) -> None:
    """A gap makes the grid irregular, and the explanation counts the missing slices."""
    files = write_series(tmp_path, ramp(), geometry_of(SHAPE), modality="CT")
    with pytest.raises(NotAssessableError, match="1 slices are missing") as caught:
        read_volume([*files[:2], *files[3:]])
    assert caught.value.refusal.reason is Reason.IRREGULAR_GEOMETRY


def test_two_slices_at_one_place_are_refused(tmp_path: Path) -> None:
    """Two different images at one position, with nothing to tell them apart, are never mixed."""
    files = write_series(tmp_path, ramp(), geometry_of(SHAPE), modality="CT")
    edit(files[1], ImagePositionPatient=pydicom.dcmread(files[0]).ImagePositionPatient)
    assert reason_of(files) is Reason.IRREGULAR_GEOMETRY


def test_the_same_instance_twice_counts_once(tmp_path: Path) -> None:
    """A second copy of an instance changes nothing."""
    files = write_series(tmp_path, ramp(), geometry_of(SHAPE), modality="CT")
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(files[2].read_bytes())
    assert read_volume([*files, copy]).array.shape == SHAPE


def test_sheared_slices_are_refused(tmp_path: Path) -> None:
    """A tilted gantry gives a sheared grid, which is refused."""
    geometry = geometry_of(SHAPE)
    matrix = geometry.matrix
    matrix[1, 0] = 1.0
    sheared = type(geometry).from_matrix(matrix, shape=SHAPE, frame_of_reference_uid=geometry.frame_of_reference_uid)
    assert reason_of(write_series(tmp_path, ramp(), sheared, modality="CT")) is Reason.IRREGULAR_GEOMETRY


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("PixelSpacing", Reason.MISSING_GEOMETRY),
        ("ImagePositionPatient", Reason.MISSING_GEOMETRY),
        ("ImageOrientationPatient", Reason.MISSING_GEOMETRY),
        ("PixelData", Reason.MISSING_PIXEL_DATA),
        ("Rows", Reason.MISSING_PIXEL_DATA),
    ],
)
def test_what_a_slice_lacks_is_the_reason(tmp_path: Path, attribute: str, reason: Reason) -> None:
    """A slice without place, spacing or pixels refuses the series with that reason."""
    files = write_series(tmp_path, ramp(), geometry_of(SHAPE), modality="CT")
    edit(files[3], **{attribute: None})
    assert reason_of(files) is reason


def test_no_slices_at_all_is_no_images() -> None:
    """An empty series has no images."""
    assert reason_of([]) is Reason.NO_IMAGES


def test_a_truncated_file_is_unreadable(tmp_path: Path) -> None:
    """Pixels that end early cannot be decoded."""
    files = write_series(tmp_path, ramp((6, 64, 64)), geometry_of((6, 64, 64)), modality="CT")
    files[2].write_bytes(files[2].read_bytes()[:-3000])
    assert reason_of(files) in {Reason.UNREADABLE_INPUT, Reason.MISSING_PIXEL_DATA}


def test_two_b_values_at_the_same_places_are_split_not_mixed(tmp_path: Path) -> None:
    """Repeated positions are told apart by b-value; reading them as one volume is refused."""
    geometry = geometry_of(SHAPE)
    files = []
    for b_value, scale in ((50.0, 1.0), (900.0, 2.0)):
        for index in range(SHAPE[0]):
            dataset = slice_dataset(geometry, index, modality="MR", series="diffusion")
            dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID[:50]}.{int(b_value)}"
            dataset.DiffusionBValue = b_value
            add_pixels(dataset, ramp()[index] * scale)
            files.append(save(dataset, tmp_path / f"{b_value:g}-{index}.dcm"))
    assert reason_of(files) is Reason.IRREGULAR_GEOMETRY
    low, high = read_stacks(files)
    assert (low.b_value, high.b_value) == (50.0, 900.0)
    np.testing.assert_allclose(low.array, ramp())
    np.testing.assert_allclose(high.array, 2.0 * ramp())


def test_localizers_are_left_out(tmp_path: Path) -> None:
    """A scout in the series does not disturb its grid."""
    files = write_series(tmp_path, ramp(), geometry_of(SHAPE), modality="CT")
    scout = slice_dataset(geometry_of(SHAPE), 0, modality="CT", series="scout")
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    add_pixels(scout, np.zeros((9, 9)))
    assert read_volume([*files, save(scout, tmp_path / "scout.dcm")]).array.shape == SHAPE
