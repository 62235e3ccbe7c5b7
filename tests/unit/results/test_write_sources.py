"""What is written of sources as they come, and what is not released."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Reason
from bmnode.errors import ResultError
from bmnode.results.context import WriteContext
from bmnode.results.drawn_outlines import drawn_outline
from bmnode.results.reading import read_report
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.conftest import Case
from tests.unit.results.result_sets import CONTEXT


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"),
        ("ISO_IR 192", "Ωμέγα^Ελένη"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO 2022 IR 149", "Hong^Gildong"),
        (None, "Plain^Ascii"),
    ],
)
def test_names_survive_in_the_character_set_of_the_source(
    character_set: str | list[str] | None, name: str, tmp_path: Path
) -> None:
    """The patient's name and the character set in the results are those of the images, in every object."""
    patient = sources.Patient(name=name, character_set=character_set)
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT", patient=patient)
    original = pydicom.dcmread(series.files[0])
    objects = write_results(
        result_sets.volumetric(series), source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT
    )
    for item in objects:
        dataset = pydicom.dcmread(item.path)
        assert dataset.get("SpecificCharacterSet") == original.get("SpecificCharacterSet")
        assert dataset.PatientName == original.PatientName
        assert str(dataset.PatientName) == name
        raw = pydicom.dcmread(item.path).get_item("PatientName").value
        assert raw == pydicom.dcmread(series.files[0]).get_item("PatientName").value


def test_a_character_set_that_nobody_knows_is_passed_on(tmp_path: Path) -> None:
    """A wrong declaration in the images does not keep the result from being written beside them."""
    series = sources.planar_bone_scan(tmp_path / "planar")
    raw = series.files[0].read_bytes()
    assert raw.count(b"ISO_IR 100") == 1
    series.files[0].write_bytes(raw.replace(b"ISO_IR 100", b"ISO_IR 999"))
    (root,) = write_results(
        result_sets.refused(series), source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT
    )
    assert pydicom.dcmread(root.path).SpecificCharacterSet == "ISO_IR 999"


def test_an_identifier_that_the_sender_wrote_wrongly_is_referred_to_as_it_is(tmp_path: Path) -> None:
    """A UID with a leading zero names the images in the archive; the result must name them alike."""
    series = sources.planar_bone_scan(tmp_path / "planar")
    dataset = pydicom.dcmread(series.files[0])
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.03.4", "1.2.03.4.5"
    dataset.save_as(series.files[0])
    odd = dataclasses.replace(series, study_uid="1.2.03.4", series_uid="1.2.03.4.5")
    objects = write_results(result_sets.planar(odd), source_files=odd.files, out_dir=tmp_path / "out", context=CONTEXT)
    assert {pydicom.dcmread(item.path).StudyInstanceUID for item in objects} == {"1.2.03.4"}


def test_a_study_of_two_patients_is_filed_under_the_one_of_most_images(tmp_path: Path) -> None:
    """Which patient a refused mix belongs to does not depend on the order of its files."""
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT")
    for path in series.files[:2]:
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.PatientName = "A-0000", "Another^One"
        dataset.save_as(path)
    result_set = result_sets.refused(series, reason=Reason.SEVERAL_PATIENTS)
    for name, files in (("one", series.files), ("two", series.files[::-1])):
        (root,) = write_results(result_set, source_files=files, out_dir=tmp_path / name, context=CONTEXT)
        assert pydicom.dcmread(root.path).PatientID == "T-0001"


def test_a_lesion_with_voxels_and_an_outline_is_one_lesion(cases: dict[str, Case], tmp_path: Path) -> None:
    """The root refers to its segment, the outlines to its own polygon, under one Tracking UID and with its numbers."""
    case = cases["ct"]
    outline = ImagePolygon(
        sop_instance_uid=case.series.instance_uids[3], frame_number=None, points=((4, 3), (9, 3), (9, 8), (4, 3))
    )
    first = dataclasses.replace(case.result_set.findings[0], polygons=(outline,))
    result_set = dataclasses.replace(case.result_set, findings=(first, *case.result_set.findings[1:]))
    objects = write_results(result_set, source_files=case.series.files, out_dir=tmp_path, context=CONTEXT)
    assert [item.kind.value for item in objects] == ["sr", "roi_sr", "seg"]
    root, outlines = read_report(objects[0].path), read_report(objects[1].path)
    assert [item.segment is not None for item in root.findings] == [True, True]
    drawn = outlines.findings[0]
    assert drawn.polygons == (drawn_outline(outline),)
    assert (drawn.tracking_uid, drawn.measurements) == (first.tracking_uid, first.measurements)


def test_a_finding_without_a_region_is_reported(cases: dict[str, Case], tmp_path: Path) -> None:
    """What was measured but not outlined stands in the root, and there are no outlines of it."""
    case = cases["planar"]
    findings = tuple(dataclasses.replace(item, polygons=()) for item in case.result_set.findings)
    result_set = dataclasses.replace(case.result_set, findings=findings)
    (root,) = write_results(result_set, source_files=case.series.files, out_dir=tmp_path, context=CONTEXT)
    assert [item.measurements for item in read_report(root.path).findings] == [item.measurements for item in findings]


def test_times_are_in_the_time_zone_of_the_source(tmp_path: Path) -> None:
    """Content Date and Time, and when each device contributed, agree with the study's clock where it states its offset;
    otherwise they are UTC."""
    patient = sources.Patient(extra={"TimezoneOffsetFromUTC": "+0900"})
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT", patient=patient)
    context = dataclasses.replace(CONTEXT, created_at=datetime(2026, 1, 2, 20, 4, 5, tzinfo=UTC))
    (root,) = write_results(
        result_sets.negative(series), source_files=series.files, out_dir=tmp_path / "out", context=context
    )
    dataset = pydicom.dcmread(root.path)
    assert (dataset.ContentDate, dataset.ContentTime) == ("20260103", "050405")
    assert dataset.TimezoneOffsetFromUTC == "+0900"
    assert dataset.ContributingEquipmentSequence[0].ContributionDateTime == "20260103050405"


def test_an_invalid_optional_attribute_is_not_passed_on(tmp_path: Path) -> None:
    """What breaks its VR is left out of the result unless the study is found by it."""
    dataset = sources.header(sources.CT, "CT", tag="odd")
    dataset.PatientAge = "75 years"
    dataset.PatientID = "0" * 70
    path = sources.write(dataset, tmp_path / "odd.dcm")
    series = sources.SourceSeries(
        study_uid=str(dataset.StudyInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        files=(path,),
        instance_uids=(str(dataset.SOPInstanceUID),),
    )
    (root,) = write_results(
        result_sets.refused(series), source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT
    )
    written = pydicom.dcmread(root.path)
    assert "PatientAge" not in written
    assert written.PatientID == "0" * 70


def test_a_refusal_is_filed_whatever_the_images_are(tmp_path: Path) -> None:
    """An object of a private SOP Class without pixels, beside bytes that are no DICOM, still gets its report."""
    dataset = sources.header("1.2.3.4.5", "XX", tag="odd")
    for keyword in ("PatientBirthDate", "PatientSex", "StudyTime", "AccessionNumber", "ImageType"):
        delattr(dataset, keyword)
    path = sources.write(dataset, tmp_path / "odd.dcm")
    rubbish = tmp_path / "rubbish.dcm"
    rubbish.write_bytes(b"\0" * 500)
    series = sources.SourceSeries(
        study_uid=str(dataset.StudyInstanceUID),
        series_uid=str(dataset.SeriesInstanceUID),
        files=(path, rubbish),
        instance_uids=(str(dataset.SOPInstanceUID),),
    )
    result_set = dataclasses.replace(result_sets.refused(series), input_series_uids=())
    (root,) = write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)
    written = pydicom.dcmread(root.path)
    assert written.StudyInstanceUID == series.study_uid
    assert written.PatientSex == ""
    evidence = written.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == series.instance_uids[0]


def test_without_a_readable_instance_nothing_is_written(tmp_path: Path) -> None:
    """There is no study to file the result under, and the error says so."""
    series = sources.planar_bone_scan(tmp_path / "planar")
    rubbish = tmp_path / "rubbish.dcm"
    rubbish.write_bytes(b"no DICOM")
    with pytest.raises(ResultError, match="no instance of the study"):
        write_results(result_sets.refused(series), source_files=[rubbish], out_dir=tmp_path / "out", context=CONTEXT)
    assert list((tmp_path / "out").iterdir()) == []


def _fails(result_set: ResultSet, series: sources.SourceSeries, out: Path, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        write_results(result_set, source_files=series.files, out_dir=out, context=CONTEXT)
    assert list(out.iterdir()) == [], "something stayed behind under a final or temporary name"


def test_a_volume_that_is_not_that_of_the_voxels_is_not_released(cases: dict[str, Case], tmp_path: Path) -> None:
    """SR and SEG never contradict each other by more than 1e-6: the error names object, check and finding."""
    case = cases["ct"]
    finding = case.result_set.findings[0]
    wrong = dataclasses.replace(finding.measurements[0], value=finding.measurements[0].value * 1.00001)
    findings = (
        dataclasses.replace(finding, measurements=(wrong, *finding.measurements[1:])),
        *case.result_set.findings[1:],
    )
    result_set = dataclasses.replace(case.result_set, findings=findings)
    _fails(result_set, case.series, tmp_path / "out", r"sr\.dcm was not released: segments: L1: Volume")


def test_a_segment_tracked_under_another_name_is_not_released(cases: dict[str, Case], tmp_path: Path) -> None:
    """A segment and its finding must be the same lesion."""
    case = cases["ct"]
    findings = tuple(
        dataclasses.replace(item, tracking_uid=derive_uid("other", item.tracking_id))
        for item in case.result_set.findings
    )
    result_set = dataclasses.replace(case.result_set, findings=findings)
    _fails(result_set, case.series, tmp_path / "out", "different Tracking UIDs")


def test_a_finding_on_an_image_that_is_missing_is_not_released(cases: dict[str, Case], tmp_path: Path) -> None:
    """A reference that the archive could not resolve is an error."""
    scan = cases["planar"].series
    elsewhere = dataclasses.replace(scan, instance_uids=(derive_uid("not there"),))
    _fails(result_sets.planar(elsewhere), scan, tmp_path / "out", "not among its source files")


def test_what_was_released_before_stays_when_a_rewrite_fails(cases: dict[str, Case], tmp_path: Path) -> None:
    """A failing attempt takes nothing away."""
    case = cases["negative"]
    write_results(case.result_set, source_files=case.series.files, out_dir=tmp_path, context=CONTEXT)
    before = (tmp_path / "sr.dcm").read_bytes()
    with pytest.raises(ResultError):
        write_results(case.result_set, source_files=[], out_dir=tmp_path, context=CONTEXT)
    assert (tmp_path / "sr.dcm").read_bytes() == before


def test_a_context_is_complete_and_in_utc() -> None:
    """A naive time or an unnamed job cannot be written with."""
    with pytest.raises(ValueError, match="UTC"):
        dataclasses.replace(CONTEXT, created_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(ValueError, match="names its job"):
        WriteContext(
            job_digest="", created_at=CONTEXT.created_at, software_version="1", pipeline_name="p", pipeline_version="1"
        )
