"""Segmentations of planar views: the pixels of the outlines, on their own frame, with no invented place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from bmnode.domain.codes import Finding, UptakeKind
from bmnode.domain.ids import derive_uid
from bmnode.domain.objects import OutputOptions
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.reading import is_placed, read_report, read_segments
from bmnode.results.sources import SourceStudy
from bmnode.results.verify import verify_object
from bmnode.results.wire import load_result_set, save_result_set
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

ANTERIOR, POSTERIOR = "seg-1.dcm", "seg-2.dcm"
PLACING = ("PlaneOrientationSequence", "PlanePositionSequence", "PixelMeasuresSequence")


@dataclasses.dataclass(frozen=True)
class Written:
    """A planar scan with what was written of it."""

    series: sources.SourceSeries
    result_set: ResultSet
    paths: dict[str, Path]
    siblings: dict[str, Path]

    def verify(self, name: str) -> None:
        """Verify one of the files."""
        verify_object(
            self.paths[name],
            result_set=self.result_set,
            source=SourceStudy.from_files(self.series.files, study_uid=self.series.study_uid),
            siblings=self.siblings,
        )


def write(folder: Path, *, fictitious: bool = False, change: Callable[[Dataset], object] | None = None) -> Written:
    """Write the scan's results; `change` edits its header first."""
    series = sources.planar_bone_scan(folder / "in")
    if change is not None:
        dataset = pydicom.dcmread(series.files[0])
        change(dataset)
        dataset.save_as(series.files[0])
    context = dataclasses.replace(CONTEXT, output=OutputOptions(fictitious_planar_geometry=fictitious))
    result_set = result_sets.planar_segmented(series)
    objects = write_results(result_set, source_files=series.files, out_dir=folder / "out", context=context)
    return Written(
        series=series,
        result_set=result_set,
        paths={item.path.name: item.path for item in objects},
        siblings={item.sop_instance_uid: item.path for item in objects},
    )


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """The default: no place in the patient."""
    return write(tmp_path)


@pytest.mark.parametrize("fictitious", [False, True])
@pytest.mark.parametrize(
    ("name", "frame", "rings"),
    [
        (ANTERIOR, 1, (result_sets.CORNER, result_sets.BLADDER)),
        (POSTERIOR, 2, (result_sets.BLOCK,)),
    ],
)
def test_highdicom_finds_the_pixels_by_their_frame(
    name: str, frame: int, rings: tuple[result_sets.Ring, ...], fictitious: bool, tmp_path: Path
) -> None:
    """Each view's segmentation holds that view's pixels, addressed by the source's frame number."""
    case = write(tmp_path, fictitious=fictitious)
    seg = hd.seg.segread(case.paths[name])
    pixels = seg.get_pixels_by_source_frame(case.series.instance_uids[0], [frame])
    expected = np.stack([result_sets.ring_mask(ring, (64, 32)) for ring in rings], axis=-1)
    np.testing.assert_array_equal(pixels[0].astype(bool), expected)
    other = 3 - frame
    elsewhere = seg.get_pixels_by_source_frame(
        case.series.instance_uids[0], [other], assert_missing_frames_are_empty=True
    )
    assert not elsewhere.any()


def test_a_projection_has_no_place_in_the_patient(written: Written) -> None:
    """No frame of reference, plane or voxel size is claimed; each view states where left and feet are."""
    orientations = {}
    for name in (ANTERIOR, POSTERIOR):
        dataset = pydicom.dcmread(written.paths[name])
        groups = [dataset.SharedFunctionalGroupsSequence[0], *dataset.PerFrameFunctionalGroupsSequence]
        assert "FrameOfReferenceUID" not in dataset
        assert not [keyword for group in groups for keyword in PLACING if keyword in group]
        assert not is_placed(dataset)
        assert {item.volume_ml for item in read_segments(written.paths[name])} == {None}
        orientations[name] = list(dataset.PatientOrientation)
    assert orientations == {ANTERIOR: ["L", "F"], POSTERIOR: ["R", "F"]}


def test_an_invented_place_says_so(tmp_path: Path) -> None:
    """The variant for viewers declares its geometry as fictitious, and readers of ours do not measure by it."""
    case = write(tmp_path, fictitious=True)
    dataset = pydicom.dcmread(case.paths[ANTERIOR])
    assert "FICTITIOUS" in dataset.ContentDescription
    assert dataset.FrameOfReferenceUID.startswith("2.25.")
    assert not is_placed(dataset)


def test_what_a_single_view_says_of_itself_is_kept(tmp_path: Path) -> None:
    """The image's own Patient Orientation stands above what the pipeline knows; of two frames it says nothing."""
    both = write(tmp_path / "both", change=lambda d: setattr(d, "PatientOrientation", ["R", "H"]))
    assert list(pydicom.dcmread(both.paths[ANTERIOR]).PatientOrientation) == ["L", "F"]

    series = sources.planar_bone_scan(tmp_path / "one")
    dataset = pydicom.dcmread(series.files[0])
    dataset.PatientOrientation = ["R", "H"]
    dataset.NumberOfFrames = 1
    dataset.PixelData = dataset.PixelData[: 64 * 32 * 2]
    dataset.save_as(series.files[0])
    whole = result_sets.planar_segmented(series)
    view = dataclasses.replace(whole.planar_segmentations[0], frame_number=None)
    findings = tuple(dataclasses.replace(item, polygons=item.polygons[:1]) for item in whole.findings)
    one = dataclasses.replace(whole, planar_segmentations=(view,), findings=findings)
    objects = write_results(one, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)
    written = pydicom.dcmread(objects[-1].path)
    assert list(written.PatientOrientation) == ["R", "H"]
    image = written.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert "ReferencedFrameNumber" not in image


def test_what_is_taken_for_no_lesion_is_labelled(written: Written) -> None:
    """The bladder is a segment of another category and colour than lesions."""
    lesion, bladder = read_segments(written.paths[ANTERIOR])
    assert (lesion.category, bladder.category) == (Finding.ABNORMAL_STRUCTURE, Finding.FUNCTION)
    assert bladder.type == UptakeKind.BLADDER
    colours = [
        tuple(item.RecommendedDisplayCIELabValue) for item in pydicom.dcmread(written.paths[ANTERIOR]).SegmentSequence
    ]
    assert len(set(colours)) == 2


def test_report_and_segments_name_the_finding_alike(written: Written) -> None:
    """The root report refers to the segment of each view; the segment carries the finding's Tracking UID."""
    by_uid = {str(pydicom.dcmread(path).SOPInstanceUID): name for name, path in written.paths.items()}
    report = read_report(written.paths["sr.dcm"])
    links = {
        finding.tracking_id: [(by_uid[link.sop_instance_uid], link.segment_number) for link in finding.planar_segments]
        for finding in report.findings
    }
    assert links == {"H1": [(ANTERIOR, 1), (POSTERIOR, 1)], "H2": [(ANTERIOR, 2)]}
    tracked = {item.tracking_uid for item in read_segments(written.paths[POSTERIOR])}
    assert tracked == {report.findings[0].tracking_uid}
    assert [len(finding.polygons) for finding in report.findings] == [2, 1]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Planar segmentations are reproducible."""
    one, two = write(tmp_path / "one"), write(tmp_path / "two")
    assert {n: p.read_bytes() for n, p in one.paths.items()} == {n: p.read_bytes() for n, p in two.paths.items()}


def test_planar_segmentations_leave_the_child_process(tmp_path: Path) -> None:
    """Masks, views and orientation come back from the folder as they were."""
    result_set = result_sets.planar_segmented(sources.planar_bone_scan(tmp_path / "in"))
    save_result_set(result_set, tmp_path / "set")
    loaded = load_result_set(tmp_path / "set")
    for one, other in zip(loaded.planar_segmentations, result_set.planar_segmentations, strict=True):
        assert (one.source_instance_uid, one.frame_number, one.patient_orientation) == (
            other.source_instance_uid,
            other.frame_number,
            other.patient_orientation,
        )
        for mine, theirs in zip(one.segments, other.segments, strict=True):
            np.testing.assert_array_equal(mine.mask.to_array(), theirs.mask.to_array())


# --- what verification finds -----------------------------------------------------------


def _flip(dataset: Dataset) -> None:
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]


def _other_frame(dataset: Dataset) -> None:
    for groups in dataset.PerFrameFunctionalGroupsSequence:
        groups.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = 2


def _claim_a_place(dataset: Dataset) -> None:
    dataset.FrameOfReferenceUID = derive_uid("somewhere")


def _track_as_another(dataset: Dataset) -> None:
    first, second = dataset.SegmentSequence
    first.TrackingUID, second.TrackingUID = second.TrackingUID, first.TrackingUID


def _drop_a_frame(dataset: Dataset) -> None:
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    dataset.NumberOfFrames -= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_flip, "does not hold the pixels of segment 1"),
        (_other_frame, "is not derived from its view"),
        (_claim_a_place, "no place in the patient"),
        (_track_as_another, "tracked as another finding"),
        (_drop_a_frame, "missing, repeated or out of order"),
        (lambda d: setattr(d, "PatientOrientation", ["R", "F"]), "patient orientation"),
        (lambda d: setattr(d, "Rows", 63), "rows and columns"),
    ],
)
def test_a_wrong_planar_segmentation_is_found(
    change: Callable[[Dataset], object], message: str, written: Written
) -> None:
    """One pixel, the other view, left for right or a claimed place: none of them is released."""
    written.verify(ANTERIOR)
    dataset = pydicom.dcmread(written.paths[ANTERIOR])
    change(dataset)
    dataset.save_as(written.paths[ANTERIOR])
    with pytest.raises(ResultError, match=message):
        written.verify(ANTERIOR)


def test_a_report_without_its_segments_is_found(written: Written) -> None:
    """A root report that lost its reference to a segment is not released."""
    written.verify("sr.dcm")
    dataset = pydicom.dcmread(written.paths["sr.dcm"])
    container = next(item for item in dataset.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010")
    container.ContentSequence = [
        group
        for group in container.ContentSequence
        if not any(item.ConceptNameCodeSequence[0].CodeValue == "121214" for item in group.ContentSequence)
    ]
    dataset.save_as(written.paths["sr.dcm"])
    with pytest.raises(ResultError, match="does not refer to its planar segments"):
        written.verify("sr.dcm")


def _result_set_with(folder: Path, **fields: object) -> tuple[sources.SourceSeries, ResultSet]:
    series = sources.planar_bone_scan(folder / "in")
    result_set = result_sets.planar_segmented(series)
    view = dataclasses.replace(result_set.planar_segmentations[0], **fields)  # type: ignore[arg-type]  # checked by use
    return series, dataclasses.replace(result_set, planar_segmentations=(view,))


def test_a_segment_that_is_not_its_outline_is_not_released(tmp_path: Path) -> None:
    """Segment and outline are two pictures of one region: where they differ, nothing is written."""
    series, result_set = _result_set_with(tmp_path)
    moved = tuple(
        dataclasses.replace(
            item, polygons=tuple(dataclasses.replace(p, points=result_sets.BLOCK) for p in item.polygons)
        )
        for item in result_set.findings
    )
    wrong = dataclasses.replace(result_set, findings=moved)
    with pytest.raises(ResultError, match="do not have the same extent"):
        write_results(wrong, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)


def test_an_area_that_is_not_that_of_the_segment_is_not_released(tmp_path: Path) -> None:
    """The number in the report is the number of pixels in the segment."""
    series, result_set = _result_set_with(tmp_path)
    findings = tuple(
        dataclasses.replace(
            item,
            polygons=item.polygons[:1],
            measurements=tuple(dataclasses.replace(m, value=m.value * 1.01) for m in item.measurements),
        )
        for item in result_set.findings
    )
    wrong = dataclasses.replace(result_set, findings=findings)
    with pytest.raises(ResultError, match="Area is not that of the segment's pixels"):
        write_results(wrong, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)


def test_a_view_that_the_image_does_not_have_is_refused(tmp_path: Path) -> None:
    """Another matrix, or a frame too many, is an error and no object."""
    series, result_set = _result_set_with(tmp_path)
    cropped = result_sets.planar_segmented(series, shape=(64, 31))
    with pytest.raises(ResultError, match="differ in rows and columns"):
        write_results(cropped, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)
    third = dataclasses.replace(result_set.planar_segmentations[0], frame_number=3)
    findings = tuple(
        dataclasses.replace(item, polygons=(dataclasses.replace(item.polygons[0], frame_number=3),))
        for item in result_set.findings
    )
    wrong = dataclasses.replace(result_set, planar_segmentations=(third,), findings=findings)
    with pytest.raises(ResultError, match="frame 3, which its image does not have"):
        write_results(wrong, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)


def test_a_planar_segment_belongs_to_a_finding_of_its_view(tmp_path: Path) -> None:
    """A segment without Tracking UID, of no finding, or of a finding outlined on another view only, is no result."""
    _, result_set = _result_set_with(tmp_path)
    view = result_set.planar_segmentations[0]
    stranger = dataclasses.replace(view.segments[0], tracking_uid=derive_uid("stranger"))
    untracked = dataclasses.replace(view.segments[0], tracking_uid=None)
    with pytest.raises(ValueError, match="of no finding with an outline on its view"):
        dataclasses.replace(result_set, planar_segmentations=(dataclasses.replace(view, segments=(stranger,)),))
    with pytest.raises(ValueError, match="a Tracking UID of its own"):
        dataclasses.replace(view, segments=(untracked,))
    with pytest.raises(ValueError, match="two planar segmentations are of one view"):
        dataclasses.replace(result_set, planar_segmentations=(view, view))
    second = dataclasses.replace(view, frame_number=2)
    with pytest.raises(ValueError, match="of no finding with an outline on its view"):
        dataclasses.replace(result_set, planar_segmentations=(second,))
