"""Segmentations hold the voxels, on the frames, at the places of their source."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.pixels.utils import pack_bits
from pydicom.uid import ExplicitVRLittleEndian

from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.results import ResultSet, Segmentation
from bmnode.errors import ResultError
from bmnode.results.bits import pack_frames, unpack_frame
from bmnode.results.grid import slice_sources
from bmnode.results.instance import save
from bmnode.results.reading import frame_mask, read_segments, segment_frames, voxel_volume_ml
from bmnode.results.recompute import Values, recompute_segments
from bmnode.results.seg import DEFLATE_FROM_BYTES, transfer_syntax
from bmnode.results.seg_parts import segments_overlap
from bmnode.results.sources import SourceStudy
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

MAKERS: dict[str, Callable[[Path], sources.SourceSeries]] = {
    "ct": lambda folder: sources.classic_slices(folder, sources.CT, "CT"),
    "oblique_pt": lambda folder: sources.classic_slices(folder, sources.PT, "PT", oblique=True),
    "mr": lambda folder: sources.classic_slices(folder, sources.MR, "MR"),
    "enhanced_mr": sources.enhanced_mr,
    "spect_recon": sources.spect_recon,
}


@dataclasses.dataclass(frozen=True)
class Written:
    """A source, its result set and the segmentation made of it."""

    series: sources.SourceSeries
    result_set: ResultSet
    path: Path

    @property
    def segmentation(self) -> Segmentation:
        """What was to be written."""
        return self.result_set.segmentations[0]


@pytest.fixture(scope="module", params=sorted(MAKERS))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A segmentation of each kind of source."""
    root = tmp_path_factory.mktemp(str(request.param))
    series = MAKERS[request.param](root / "in")
    result_set = result_sets.volumetric(series)
    objects = write_results(result_set, source_files=series.files, out_dir=root / "out", context=CONTEXT)
    return Written(series, result_set, objects[-1].path)


def test_highdicom_reads_every_voxel_by_its_source(written: Written) -> None:
    """The masks come back from an independent reader, addressed by source instance or frame."""
    seg = hd.seg.segread(written.path)
    geometry = written.segmentation.geometry
    if len(written.series.instance_uids) > 1:
        pixels = seg.get_pixels_by_source_instance(
            list(written.series.instance_uids), assert_missing_frames_are_empty=True
        )
    else:
        study = SourceStudy.from_files(written.series.files, study_uid=written.series.study_uid)
        frames = [item.frame_number for item in slice_sources(written.segmentation, study)]
        assert None not in frames
        pixels = seg.get_pixels_by_source_frame(
            written.series.instance_uids[0],
            [frame for frame in frames if frame is not None],
            assert_missing_frames_are_empty=True,
        )
    expected = np.stack([segment.mask.to_array() for segment in written.segmentation.segments], axis=-1)
    assert pixels.shape == (*geometry.shape, 3)
    np.testing.assert_array_equal(pixels.astype(bool), expected)


def test_highdicom_reads_the_same_geometry(written: Written) -> None:
    """Position, orientation and spacing of the segmentation's volume are those of the source's grid."""
    seg = hd.seg.segread(written.path)
    geometry = seg.get_volume_geometry()
    assert geometry is not None
    ours = written.segmentation.geometry
    corners = {tuple(np.round(ours.position_lps((k, 0, 0)), 3)) for k in (0.0, ours.shape[0] - 1.0)}
    theirs = {
        tuple(np.round(geometry.map_indices_to_reference(np.array([[k, 0, 0]]))[0], 3)) for k in (0, ours.shape[0] - 1)
    }
    assert theirs == corners
    np.testing.assert_allclose(geometry.spacing, ours.spacing_mm, rtol=1e-9)
    assert seg.FrameOfReferenceUID == ours.frame_of_reference_uid


def test_volumes_are_the_voxels_times_their_size(written: Written) -> None:
    """What is recomputed from the file equals the mask's volume to 1e-9."""
    voxel_ml = written.segmentation.geometry.voxel_volume_ml
    for read, segment in zip(read_segments(written.path), written.segmentation.segments, strict=True):
        assert read.voxel_count == segment.mask.voxel_count
        assert read.volume_ml == pytest.approx(segment.mask.voxel_count * voxel_ml, rel=1e-9)


def test_values_under_the_segment_are_recomputed_from_the_source(written: Written) -> None:
    """Maximum, mean and minimum from the files equal those of the array the lesion was measured on."""
    assert written.series.pixels is not None
    offset = -1024.0 if len(written.series.files) > 1 else 0.0
    values = written.series.pixels.astype(np.float64) + offset
    segments = recompute_segments(written.path, source_files=written.series.files)
    for found, segment in zip(segments, written.segmentation.segments, strict=True):
        expected = values[segment.mask.to_array()]
        assert (found.maximum, found.minimum) == (expected.max(), expected.min())
        assert found.mean == pytest.approx(expected.mean(), rel=1e-12)
        assert found.total == pytest.approx(expected.mean() * found.volume_ml, rel=1e-12)


def test_a_reader_of_other_units_can_be_given(written: Written) -> None:
    """SUV needs its own reading; the caller brings it."""

    def constant(_path: Path, _frame: int) -> Values:
        return np.full(sources.SHAPE[1:], 2.5)

    segments = recompute_segments(written.path, source_files=written.series.files, read_values=constant)
    assert {item.maximum for item in segments} == {2.5}


def test_only_occupied_frames_are_stored_and_each_once(written: Written) -> None:
    """No frame is empty, none is repeated, and the in-plane matrix is the source's."""
    dataset = pydicom.dcmread(written.path)
    frames = list(segment_frames(dataset))
    keys = [(item.segment_number, item.source_instance_uid, item.source_frame_number) for item in frames]
    assert len(set(keys)) == len(keys) == dataset.NumberOfFrames
    assert all(frame_mask(dataset, frame).any() for frame in frames)
    assert (dataset.Rows, dataset.Columns) == sources.SHAPE[1:]


def test_a_large_segmentation_is_deflated_and_a_small_one_is_not(written: Written, tmp_path: Path) -> None:
    """Where the pixel data reach the limit the file is deflated, a small part of them, and reads the same."""
    plain = pydicom.dcmread(written.path)
    assert plain.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert transfer_syntax(DEFLATE_FROM_BYTES - 1) == ExplicitVRLittleEndian
    plain.file_meta.TransferSyntaxUID = transfer_syntax(DEFLATE_FROM_BYTES)
    save(plain, tmp_path / "deflated.dcm")
    assert (tmp_path / "deflated.dcm").stat().st_size < written.path.stat().st_size
    assert read_segments(tmp_path / "deflated.dcm") == read_segments(written.path)


def test_every_segment_is_described(written: Written) -> None:
    """Automatic algorithm, colour, category and type; tracking only where there is a lesion."""
    dataset = pydicom.dcmread(written.path)
    assert dataset.SegmentsOverlap == "YES"
    for item in dataset.SegmentSequence:
        assert item.SegmentAlgorithmType == "AUTOMATIC"
        assert item.SegmentAlgorithmName == result_sets.ALGORITHM.name
        assert len(item.RecommendedDisplayCIELabValue) == 3
    colours = {tuple(item.RecommendedDisplayCIELabValue) for item in dataset.SegmentSequence}
    assert len(colours) == 3
    assert "TrackingUID" not in dataset.SegmentSequence[2]


def test_what_is_derived_from_lossy_images_stays_lossy(tmp_path: Path) -> None:
    """Lossy Image Compression is inherited (PS3.3 C.7.6.1.1.5)."""
    patient = sources.Patient(
        extra={
            "LossyImageCompression": "01",
            "LossyImageCompressionRatio": 12.5,
            "LossyImageCompressionMethod": "ISO_10918_1",
        }
    )
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT", patient=patient)
    objects = write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT
    )
    dataset = pydicom.dcmread(objects[-1].path)
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionRatio) == ("01", 12.5)


def test_a_source_without_frame_of_reference_gets_one_of_the_job(tmp_path: Path) -> None:
    """Placed frames need a Frame of Reference; a made-up one is derived, so that a retry makes the same."""
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT")
    assert series.geometry is not None
    for path in series.files:
        dataset = pydicom.dcmread(path)
        del dataset.FrameOfReferenceUID
        dataset.save_as(path)
    bare = dataclasses.replace(series, geometry=dataclasses.replace(series.geometry, frame_of_reference_uid=""))
    result_set = result_sets.volumetric(bare)
    uids = set()
    for name in ("one", "two"):
        objects = write_results(result_set, source_files=bare.files, out_dir=tmp_path / name, context=CONTEXT)
        uids.add(str(pydicom.dcmread(objects[-1].path).FrameOfReferenceUID))
    assert len(uids) == 1
    assert uids.pop().startswith("2.25.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m + np.eye(4, k=3) * 1.3, "mm apart"),
        (lambda m: m @ np.diag([1, 1, 1.02, 1]), "pixel spacing"),
        (lambda m: m[:, [0, 2, 1, 3]], "orientation"),
        (lambda m: m @ np.diag([1.3, 1, 1, 1]), "mm apart"),
    ],
)
def test_a_grid_that_is_not_that_of_the_images_is_refused(
    change: Callable[[np.ndarray], np.ndarray], message: str, tmp_path: Path
) -> None:
    """A shifted, scaled or turned grid would put a lesion elsewhere: it is never written."""
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT")
    assert series.geometry is not None
    moved = VolumeGeometry.from_matrix(
        change(series.geometry.matrix),
        shape=series.geometry.shape,
        frame_of_reference_uid=series.geometry.frame_of_reference_uid,
    )
    result_set = result_sets.volumetric(dataclasses.replace(series, geometry=moved))
    with pytest.raises(ResultError, match=message):
        write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)


def test_slices_in_another_order_are_refused(tmp_path: Path) -> None:
    """Naming the slices in the wrong order would flip the lesions."""
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT")
    result_set = result_sets.volumetric(dataclasses.replace(series, instance_uids=series.instance_uids[::-1]))
    with pytest.raises(ResultError, match="mm apart"):
        write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)


def test_segments_that_only_share_a_box_do_not_overlap() -> None:
    """Overlap is of voxels, not of boxes."""
    geometry = sources.grid("1.2.3")
    diagonal = np.zeros(geometry.shape, dtype=bool)
    diagonal[2, 2, 2] = diagonal[4, 4, 4] = True
    between = np.zeros(geometry.shape, dtype=bool)
    between[3, 3, 3] = True
    template = _template(geometry)
    apart = _with_masks(template, [diagonal, between])
    assert not segments_overlap(apart.segments)
    between[4, 4, 4] = True
    assert segments_overlap(_with_masks(template, [diagonal, between]).segments)


def _template(geometry: VolumeGeometry) -> Segmentation:
    series = sources.SourceSeries(
        study_uid="1.2", series_uid="1.3", files=(), instance_uids=("1.4",), geometry=geometry,
        pixels=sources.noise(geometry.shape),
    )  # fmt: skip
    return result_sets.volumetric(series).segmentations[0]


def _with_masks(template: Segmentation, masks: list[np.ndarray]) -> Segmentation:
    segments = tuple(
        dataclasses.replace(segment, mask=CroppedMask.from_array(mask))
        for segment, mask in zip(template.segments, masks, strict=False)
    )
    return dataclasses.replace(template, segments=segments)


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 5), rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 1000))
def test_one_bit_frames_come_back(count: int, rows: int, columns: int, seed: int) -> None:
    """Frames that do not fill whole bytes follow each other without padding and are found again, as pydicom has it."""
    frames = np.random.default_rng(seed).integers(0, 2, (count, rows, columns)).astype(bool)
    packed = pack_frames(iter(frames))
    assert len(packed) == -(-(count * rows * columns) // 8) + (-(-(count * rows * columns) // 8)) % 2
    assert packed == pack_bits(frames.astype(np.uint8))
    for index in range(count):
        np.testing.assert_array_equal(unpack_frame(packed, index=index, rows=rows, columns=columns), frames[index])


def test_pixel_data_that_end_too_early_are_noticed() -> None:
    """A truncated segmentation is an error, not a smaller lesion."""
    with pytest.raises(ValueError, match="end before"):
        unpack_frame(b"\xff\xff", index=1, rows=4, columns=4)


def test_the_voxel_size_is_kept_to_the_last_digit_that_a_decimal_string_holds(tmp_path: Path) -> None:
    """A slice distance that no short decimal names still gives the volume to 1e-9."""
    series = sources.classic_slices(tmp_path / "pt", sources.PT, "PT", oblique=True)
    assert series.geometry is not None
    objects = write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT
    )
    written = pydicom.dcmread(objects[-1].path)
    assert voxel_volume_ml(written) == pytest.approx(series.geometry.voxel_volume_ml, rel=1e-9)
