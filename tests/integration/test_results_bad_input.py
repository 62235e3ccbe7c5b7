"""What no pipeline should give a writer, and what a site may: a valid object, or an error that names what is wrong.

Validity is what dciodvfy (dicom3tools) and highdicom say of the object.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.seg import segread
from highdicom.sr import MeasurementReport, srread

from bmnode.domain.codes import Site
from bmnode.domain.geometry import BoolArray, CroppedMask
from bmnode.domain.ids import derive_uid
from bmnode.domain.objects import ResultKind
from bmnode.domain.results import ResultSet, Segment, SegmentReference
from bmnode.errors import ResultError
from bmnode.results.context import ResultObject
from bmnode.results.reading import read_report, read_segments
from bmnode.results.write import write_results
from tests.support.validators import complaints
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

LABEL = "骨転移 が"
LONG_UID = "1.2.840." + "9" * 56
JAPANESE: dict[str, tuple[str, str | list[str]]] = {
    "one byte and two": ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"]),
    "UTF-8": ("Yamada^Tarou=山田^太郎=やまだ^たろう", "ISO_IR 192"),
    "UTF-8 without letters": ("山田^太郎", "ISO_IR 192"),
}


def ct(folder: Path, *, patient: sources.Patient | None = None) -> sources.SourceSeries:
    """A small CT."""
    return sources.classic_slices(folder / "in", sources.CT, "CT", patient=patient)


def write(result_set: ResultSet, series: sources.SourceSeries, folder: Path) -> tuple[ResultObject, ...]:
    """The objects."""
    return write_results(result_set, source_files=series.files, out_dir=folder / "out", context=CONTEXT)


def segmentation_of(objects: tuple[ResultObject, ...]) -> Path:
    """The one segmentation."""
    (path,) = (item.path for item in objects if item.kind is ResultKind.SEG)
    return path


def with_segments(result_set: ResultSet, change: Callable[[Segment], Segment]) -> ResultSet:
    """The result set with another first segment."""
    (segmentation,) = result_set.segmentations
    segments = (change(segmentation.segments[0]), *segmentation.segments[1:])
    return dataclasses.replace(result_set, segmentations=(dataclasses.replace(segmentation, segments=segments),))


# --- masks -----------------------------------------------------------------------------


def test_an_empty_mask_is_named(tmp_path: Path) -> None:
    """A segment without a voxel is no segment: the error says which, and nothing is written."""
    series = ct(tmp_path)
    nothing = CroppedMask(grid_shape=sources.SHAPE, origin=(0, 0, 0), values=np.zeros((1, 2, 2), dtype=np.bool_))
    empty = with_segments(result_sets.volumetric(series), lambda item: dataclasses.replace(item, mask=nothing))
    with pytest.raises(ResultError, match=r"segment 1 \('Lesion 1'\) is empty"):
        write(empty, series, tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_empty_mask_of_a_view_is_named(tmp_path: Path) -> None:
    """The same on a planar view."""
    series = sources.planar_bone_scan(tmp_path / "in")
    few = result_sets.planar_segmented(series)
    nothing = CroppedMask(grid_shape=(1, 64, 32), origin=(0, 0, 0), values=np.zeros((1, 2, 2), dtype=np.bool_))
    view = few.planar_segmentations[0]
    segments = (dataclasses.replace(view.segments[0], mask=nothing), *view.segments[1:])
    views = (dataclasses.replace(view, segments=segments), *few.planar_segmentations[1:])
    with pytest.raises(ResultError, match="segment 'H1' is empty"):
        write(dataclasses.replace(few, planar_segmentations=views), series, tmp_path)


def test_a_mask_on_another_grid_is_named(tmp_path: Path) -> None:
    """A mask of another shape than its segmentation's grid cannot be put together with it."""
    other = CroppedMask.from_array(np.ones((5, 12, 14), dtype=np.bool_))
    with pytest.raises(ValueError, match="segment 'Lesion 1' is on another grid than its segmentation"):
        with_segments(result_sets.volumetric(ct(tmp_path)), lambda item: dataclasses.replace(item, mask=other))


def test_a_lesion_outside_the_image_is_no_mask() -> None:
    """A box that leaves the grid is refused where it is made, on either end of every axis."""
    values: BoolArray = np.ones((2, 2, 2), dtype=np.bool_)
    for axis in range(3):
        for start in (-1, sources.SHAPE[axis] - 1):
            origin = [0, 0, 0]
            origin[axis] = start
            with pytest.raises(ValueError, match="leaves its grid"):
                CroppedMask(grid_shape=sources.SHAPE, origin=(origin[0], origin[1], origin[2]), values=values)


@pytest.mark.parametrize(
    ("shift", "frame", "reason"),
    [
        ((20.0, 0.0), 1, "leaves its image of 64 rows and 32 columns"),
        ((0.0, 44.0), 1, "leaves its image of 64 rows and 32 columns"),
        ((-14.0, 0.0), 1, "leaves its image of 64 rows and 32 columns"),
        ((0.0, 0.0), 3, "frame 3, which its image does not have"),
    ],
    ids=["right", "below", "left", "frame"],
)
def test_an_outline_outside_the_image_is_named(
    shift: tuple[float, float], frame: int, reason: str, tmp_path: Path
) -> None:
    """An outline that leaves its image, or lies on a frame that there is not, is never written."""
    series = sources.planar_bone_scan(tmp_path / "in")
    few = result_sets.planar(series)
    (polygon, *_) = few.findings[0].polygons
    moved = dataclasses.replace(
        polygon, points=tuple((x + shift[0], y + shift[1]) for x, y in polygon.points), frame_number=frame
    )
    outside = dataclasses.replace(few.findings[0], polygons=(moved,))
    with pytest.raises(ResultError, match=reason):
        write(dataclasses.replace(few, findings=(outside, *few.findings[1:])), series, tmp_path)


def test_an_outline_to_the_last_corner_is_inside(tmp_path: Path) -> None:
    """The corners of the image itself belong to it."""
    series = sources.planar_bone_scan(tmp_path / "in")
    few = result_sets.planar(series)
    whole = ((0.0, 0.0), (32.0, 0.0), (32.0, 64.0), (0.0, 64.0), (0.0, 0.0))
    polygon = dataclasses.replace(few.findings[0].polygons[0], points=whole)
    around = dataclasses.replace(few.findings[0], polygons=(polygon,))
    objects = write(dataclasses.replace(few, findings=(around, *few.findings[1:])), series, tmp_path)
    assert read_report(objects[0].path).findings[0].polygons[0].points == whole


# --- many ------------------------------------------------------------------------------


def test_three_hundred_segments(tmp_path: Path) -> None:
    """300 lesions of a volume, more than one byte counts: valid, each with its voxel, its number and its finding."""
    series = ct(tmp_path)
    few = result_sets.volumetric(series)
    (segmentation,) = few.segmentations
    places = [(index // 120, index % 12, index // 12 % 10) for index in range(300)]
    segments, findings = [], []
    for number, (k, j, i) in enumerate(places, 1):
        mask = CroppedMask(grid_shape=sources.SHAPE, origin=(k, j, i), values=np.ones((1, 1, 1), dtype=np.bool_))
        name, uid = f"L{number}", derive_uid("test", "many", str(number))
        segments.append(
            dataclasses.replace(segmentation.segments[0], label=name, mask=mask, tracking_id=name, tracking_uid=uid)
        )
        findings.append(
            dataclasses.replace(
                few.findings[0],
                tracking_id=name,
                tracking_uid=uid,
                segment=SegmentReference(segmentation_index=0, segment_number=number),
                measurements=(),
            )
        )
    many = dataclasses.replace(
        few,
        findings=tuple(findings),
        segmentations=(dataclasses.replace(segmentation, segments=tuple(segments)),),
    )
    objects = write(many, series, tmp_path)
    path = segmentation_of(objects)
    assert complaints(path) == []
    content = srread(objects[0].path).content
    assert isinstance(content, MeasurementReport)
    assert len(content.get_volumetric_roi_measurement_groups()) == 300
    pixels = segread(path).get_pixels_by_source_instance(
        list(series.instance_uids), assert_missing_frames_are_empty=True
    )
    assert [tuple(np.argwhere(pixels[..., index])[0]) for index in (0, 255, 256, 299)] == [
        places[index] for index in (0, 255, 256, 299)
    ]
    links = [finding.segment for finding in read_report(objects[0].path).findings]
    assert [None if link is None else link.segment_number for link in links] == list(range(1, 301))


# --- names -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(JAPANESE))
def test_a_japanese_patient(name: str, tmp_path: Path) -> None:
    """The name stands in every object as the images have it, in their character set, and every object is valid."""
    spelled, character_set = JAPANESE[name]
    series = ct(tmp_path, patient=sources.Patient(name=spelled, character_set=character_set))
    objects = write(result_sets.volumetric(series), series, tmp_path)
    assert {item.kind for item in objects} >= {ResultKind.SR, ResultKind.SEG}
    for item in objects:
        dataset = pydicom.dcmread(item.path)
        assert dataset.PatientName == pydicom.dcmread(series.files[0]).PatientName
        assert str(dataset.PatientName) == spelled
        assert complaints(item.path) == []


@pytest.mark.parametrize("name", [None, *sorted(JAPANESE)])
def test_japanese_labels(name: str | None, tmp_path: Path) -> None:
    """A label stands in every object in its letters, in UTF-8, and so does the patient's name, whatever the images'
    character set; every object is valid."""
    spelled, character_set = JAPANESE[name] if name else ("Müller^Jörg", "ISO_IR 100")
    series = ct(tmp_path, patient=sources.Patient(name=spelled, character_set=character_set))
    few = result_sets.volumetric(series)
    named = with_segments(few, lambda item: dataclasses.replace(item, label=LABEL, tracking_id=LABEL))
    finding = dataclasses.replace(few.findings[0], tracking_id=LABEL)
    objects = write(dataclasses.replace(named, findings=(finding, *few.findings[1:])), series, tmp_path)
    assert [line for item in objects for line in complaints(item.path)] == []
    for item in objects:
        dataset = pydicom.dcmread(item.path)
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        assert str(dataset.PatientName) == spelled
        assert spelled.encode() in item.path.read_bytes()
    first = read_report(objects[0].path).findings[0]
    assert (first.tracking_id, first.tracking_uid, first.site) == (LABEL, finding.tracking_uid, Site.PELVIS)
    assert read_segments(segmentation_of(objects))[0].label == LABEL


@pytest.mark.parametrize("character_set", ["ISO_IR 999", "ISO_IR 192"])
def test_japanese_labels_beside_a_name_that_cannot_be_told(character_set: str, tmp_path: Path) -> None:
    """Where nobody knows what the patient's name is in Unicode, no result with another name is written."""
    series = ct(tmp_path, patient=sources.Patient(name="Müller^Jörg", character_set="ISO_IR 100"))
    for path in series.files:
        path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", character_set.encode()))
    named = with_segments(result_sets.volumetric(series), lambda item: dataclasses.replace(item, label=LABEL))
    with pytest.raises(ResultError, match="letters beyond ASCII"):
        write(named, series, tmp_path)


def test_identifiers_of_full_length(tmp_path: Path) -> None:
    """64 characters, as many as Patient ID and a UID may have, pass whole into every object, which is valid."""
    patient_id = "P" * 60 + "-001"
    extra = {"PatientID": patient_id, "StudyInstanceUID": LONG_UID, "AccessionNumber": "A" * 16, "StudyID": "S" * 16}
    series = ct(tmp_path, patient=sources.Patient(extra=extra))
    few = result_sets.volumetric(series)
    tracking = "T" * 64
    named = with_segments(few, lambda item: dataclasses.replace(item, label=tracking, tracking_id=tracking))
    finding = dataclasses.replace(few.findings[0], tracking_id=tracking)
    objects = write(dataclasses.replace(named, findings=(finding, *few.findings[1:])), series, tmp_path)
    for item in objects:
        dataset = pydicom.dcmread(item.path)
        assert (dataset.PatientID, dataset.StudyInstanceUID) == (patient_id, LONG_UID)
        assert complaints(item.path) == []
    assert read_report(objects[0].path).findings[0].tracking_id == tracking
    (first, *_) = read_segments(segmentation_of(objects))
    assert (first.label, first.tracking_id) == (tracking, tracking)


def test_a_label_that_is_too_long_is_cut_and_the_tracking_is_not(tmp_path: Path) -> None:
    """Segment Label holds 64 characters; Tracking ID has no such limit and keeps every one."""
    series = ct(tmp_path)
    few = result_sets.volumetric(series)
    tracking = "lesion " * 14
    named = with_segments(few, lambda item: dataclasses.replace(item, label=tracking, tracking_id=tracking.strip()))
    finding = dataclasses.replace(few.findings[0], tracking_id=tracking.strip())
    objects = write(dataclasses.replace(named, findings=(finding, *few.findings[1:])), series, tmp_path)
    assert [line for item in objects for line in complaints(item.path)] == []
    (first, *_) = read_segments(segmentation_of(objects))
    assert first.label == tracking[:64].rstrip()
    assert first.tracking_id == read_report(objects[0].path).findings[0].tracking_id == tracking.strip()
