"""The result set with label maps says the same as the binary one, under UIDs of its own."""

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
from hypothesis.extra import numpy as hnp
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from bmnode.domain.codes import Finding
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.objects import PredecessorDocument, ResultKind, SegEncoding
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.concepts import LABEL_MAP_SEGMENTATION
from bmnode.results.context import ResultObject
from bmnode.results.labels import label_planes
from bmnode.results.layers import disjoint
from bmnode.results.reading import read_report, read_segments
from bmnode.results.rle import encode_frame
from bmnode.results.seg_parts import segments_overlap
from bmnode.results.sources import SourceStudy
from bmnode.results.verify import verify_object
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT
from tests.unit.results.test_seg import MAKERS

LABELLED = CONTEXT.encoded(SegEncoding.LABELMAP)


@dataclasses.dataclass(frozen=True)
class Written:
    """One result set in both encodings."""

    series: sources.SourceSeries
    result_set: ResultSet
    binary: tuple[ResultObject, ...]
    labelled: tuple[ResultObject, ...]

    def binary_map(self) -> Path:
        """The one binary segmentation."""
        (path,) = (item.path for item in self.binary if item.kind is ResultKind.SEG)
        return path

    def maps(self) -> list[Path]:
        """The label maps."""
        return [item.path for item in self.labelled if item.kind is ResultKind.SEG]


def write(make: Callable[[Path], sources.SourceSeries], root: Path) -> Written:
    """Write both."""
    series = make(root / "in")
    result_set = result_sets.volumetric(series)
    binary, labelled = (
        write_results(result_set, source_files=series.files, out_dir=root / context.encoding, context=context)
        for context in (CONTEXT, LABELLED)
    )
    return Written(series, result_set, binary, labelled)


@pytest.fixture(scope="module", params=sorted(MAKERS))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Of each kind of source."""
    return write(MAKERS[request.param], tmp_path_factory.mktemp(str(request.param)))


def test_highdicom_reads_every_voxel(written: Written) -> None:
    """Two lesions and bone that overlap come back whole, from as many objects as it takes."""
    (segmentation,) = written.result_set.segmentations
    expected = {segment.label: segment.mask.to_array() for segment in segmentation.segments}
    positions = [tuple(np.round(segmentation.geometry.position_lps((float(k), 0.0, 0.0)), 3)) for k in range(9)]
    found = {}
    for path in written.maps():
        seg = hd.seg.segread(path)
        assert seg.SOPClassUID == LABEL_MAP_SEGMENTATION
        for number in seg.segment_numbers:
            whole = np.zeros(segmentation.geometry.shape, dtype=bool)
            for index, groups in enumerate(seg.PerFrameFunctionalGroupsSequence, 1):
                at = tuple(np.round([float(v) for v in groups.PlanePositionSequence[0].ImagePositionPatient], 3))
                whole[positions.index(at)] = seg.get_stored_frame(index) == number
            found[seg.get_segment_description(number).segment_label] = whole
    assert set(found) == set(expected)
    for label, mask in expected.items():
        np.testing.assert_array_equal(found[label], mask)


def test_volumes_and_findings_are_those_of_the_binary_set(written: Written) -> None:
    """Segment by segment the same volume, finding by finding the same numbers; each report refers to its own set."""
    binary = {item.label: item.volume_ml for item in read_segments(written.binary_map())}
    labelled = {item.label: item.volume_ml for path in written.maps() for item in read_segments(path)}
    assert labelled == binary
    first, second = read_report(written.binary[0].path), read_report(written.labelled[0].path)
    assert [item.measurements for item in first.findings] == [item.measurements for item in second.findings]
    uids = {item.sop_instance_uid for item in written.labelled}
    links = [item.segment for item in second.findings]
    assert {link.sop_instance_uid for link in links if link is not None} <= uids
    assert None not in links


def test_no_uid_is_shared(written: Written) -> None:
    """An archive that gets both keeps both: every instance and series has a UID of its own."""
    uids = [
        uid
        for item in (*written.binary, *written.labelled)
        for uid in (item.sop_instance_uid, item.series_instance_uid)
    ]
    assert len(set(uids)) == len(uids)


def test_the_same_input_gives_the_same_bytes(written: Written, tmp_path: Path) -> None:
    """A retry writes the same label maps."""
    again = write_results(
        written.result_set, source_files=written.series.files[::-1], out_dir=tmp_path, context=LABELLED
    )
    assert [item.sha256 for item in again] == [item.sha256 for item in written.labelled]


def test_the_object_describes_every_value(written: Written) -> None:
    """RLE Lossless, no overlap, background described and declared as padding."""
    for path in written.maps():
        dataset = pydicom.dcmread(path)
        assert dataset.file_meta.TransferSyntaxUID == RLELossless
        assert (dataset.SegmentationType, dataset.SegmentsOverlap, dataset.PixelPaddingValue) == ("LABELMAP", "NO", 0)
        numbers = [item.SegmentNumber for item in dataset.SegmentSequence]
        assert numbers == list(range(len(numbers)))
        assert set(np.unique(np.stack(list(label_planes(dataset))))) == set(numbers)


@pytest.mark.parametrize("frame", [0, -1])
def test_a_wrong_label_is_not_released(frame: int, tmp_path: Path) -> None:
    """A voxel under another segment's number is found before release."""
    made = write(MAKERS["ct"], tmp_path)
    path = made.maps()[0]
    dataset = pydicom.dcmread(path)
    planes = list(label_planes(dataset))
    planes[frame] = planes[frame].copy()
    planes[frame][tuple(np.argwhere(planes[frame] > 0)[0])] = 0
    dataset.PixelData = encapsulate([encode_frame(plane) for plane in planes])
    dataset.save_as(path)
    study = SourceStudy.from_files(made.series.files, study_uid=made.series.study_uid)
    siblings = {item.sop_instance_uid: item.path for item in made.labelled}
    with pytest.raises(ResultError, match="does not hold the segments of its slice"):
        verify_object(path, result_set=disjoint(made.result_set), source=study, siblings=siblings)


def test_an_empty_segment_is_named(tmp_path: Path) -> None:
    """As in the binary encoding."""
    series = MAKERS["ct"](tmp_path / "in")
    result_set = result_sets.volumetric(series)
    (segmentation,) = result_set.segmentations
    nothing = CroppedMask(grid_shape=sources.SHAPE, origin=(0, 0, 0), values=np.zeros((1, 2, 2), dtype=np.bool_))
    empty = dataclasses.replace(segmentation.segments[0], mask=nothing)
    segmentation = dataclasses.replace(segmentation, segments=(empty, *segmentation.segments[1:]))
    result_set = dataclasses.replace(result_set, segmentations=(segmentation,))
    with pytest.raises(ResultError, match=r"segment 1 \('Lesion 1'\) is empty"):
        write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=LABELLED)


def test_three_hundred_segments_take_two_bytes(tmp_path: Path) -> None:
    """Numbers above 255 come back."""
    series = MAKERS["ct"](tmp_path / "in")
    result_set = result_sets.volumetric(series)
    (segmentation,) = result_set.segmentations
    segments = []
    for index in range(300):
        origin = (index // 120, index % 12, index // 12 % 10)
        mask = CroppedMask(grid_shape=sources.SHAPE, origin=origin, values=np.ones((1, 1, 1), dtype=np.bool_))
        segments.append(
            dataclasses.replace(
                segmentation.segments[2], label=f"S{index + 1}", mask=mask, category=Finding.ANATOMICAL_STRUCTURE
            )
        )
    segmentation = dataclasses.replace(segmentation, segments=tuple(segments))
    result_set = dataclasses.replace(result_set, findings=(), segmentations=(segmentation,))
    objects = write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=LABELLED)
    (path,) = (item.path for item in objects if item.kind is ResultKind.SEG)
    assert pydicom.dcmread(path).BitsAllocated == 16
    assert [item.voxel_count for item in read_segments(path)] == [1] * 300


# --- parts -----------------------------------------------------------------------------


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=300),
        elements=st.integers(0, 255),
        fill=st.just(0),
    )
)
@settings(max_examples=60, deadline=None)
def test_rle_comes_back(plane: np.ndarray[tuple[int, int], np.dtype[np.unsignedinteger]]) -> None:
    """pydicom decodes what is encoded here to the same values, whatever the runs."""
    dataset = pydicom.Dataset()
    dataset.Rows, dataset.Columns = plane.shape
    dataset.BitsAllocated = dataset.BitsStored = plane.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.SamplesPerPixel, dataset.PixelRepresentation, dataset.NumberOfFrames = 1, 0, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = encapsulate([encode_frame(plane)])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = RLELossless
    (decoded,) = label_planes(dataset)
    np.testing.assert_array_equal(decoded, plane)


_BOX = st.tuples(*(st.tuples(st.integers(0, 6), st.integers(1, 3)) for _ in range(3)))


@given(boxes=st.lists(_BOX, min_size=1, max_size=8), lesions=st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=60, deadline=None)
def test_overlap_is_spread_over_objects(
    boxes: list[tuple[tuple[int, int], ...]], lesions: list[bool], series_without_files: sources.SourceSeries
) -> None:
    """Whatever overlaps: every segment stands once, whole, in a segmentation where it touches no other."""
    base = result_sets.volumetric(series_without_files)
    (segmentation,) = base.segmentations
    segments = []
    for number, (box, is_lesion) in enumerate(zip(boxes, lesions, strict=False)):
        (k, depth), (j, height), (i, width) = box
        mask = CroppedMask(
            grid_shape=sources.SHAPE, origin=(k, j, i), values=np.ones((depth, height, width), dtype=np.bool_)
        )
        category = Finding.ABNORMAL_STRUCTURE if is_lesion else Finding.ANATOMICAL_STRUCTURE
        segments.append(dataclasses.replace(segmentation.segments[0], label=str(number), mask=mask, category=category))
    whole = dataclasses.replace(
        base, findings=(), segmentations=(dataclasses.replace(segmentation, segments=tuple(segments)),)
    )
    parts = disjoint(whole).segmentations
    assert not any(segments_overlap(part.segments) for part in parts)
    spread = {segment.label: segment.mask for part in parts for segment in part.segments}
    assert spread == {segment.label: segment.mask for segment in segments}
    assert sum(len(part.segments) for part in parts) == len(segments)


@pytest.fixture(scope="module")
def series_without_files() -> sources.SourceSeries:
    """A grid alone."""
    geometry = sources.grid("1.2.3")
    return sources.SourceSeries(
        study_uid="1.2",
        series_uid="1.3",
        files=(),
        instance_uids=("1.4",),
        geometry=geometry,
        pixels=sources.noise(sources.SHAPE),
    )


def test_a_report_names_a_predecessor_that_its_receiver_has() -> None:
    """Of its own encoding, else of the binary one; a binary report never names one that refers to label maps."""

    def earlier(number: int, encoding: SegEncoding) -> PredecessorDocument:
        return PredecessorDocument(
            kind=ResultKind.SR,
            sop_class_uid="1.2",
            sop_instance_uid=f"1.{number}",
            series_uid="1.3",
            encoding=encoding,
        )

    binary, labelled = earlier(1, SegEncoding.BINARY), earlier(2, SegEncoding.LABELMAP)
    both = dataclasses.replace(CONTEXT, predecessors=(binary, labelled))
    assert both.encoded(SegEncoding.LABELMAP).predecessors == (labelled,)
    assert both.encoded(SegEncoding.BINARY).predecessors == (binary,)
    alone = dataclasses.replace(CONTEXT, predecessors=(binary,))
    assert alone.encoded(SegEncoding.LABELMAP).predecessors == (binary,)
