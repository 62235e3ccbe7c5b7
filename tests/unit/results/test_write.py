"""What stands in the objects that are written, and what happens when something is wrong."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from bmnode import RESEARCH_USE_ONLY
from bmnode.domain.codes import PROJECT_SCHEME, Concept
from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.ids import derive_uid, is_uid
from bmnode.domain.results import Measurement, Outcome, ResultSet
from bmnode.domain.study import Branch, Reason
from bmnode.errors import ResultError
from bmnode.results.concepts import Status, Title
from bmnode.results.context import ResultKind, ResultObject, WriteContext
from bmnode.results.reading import read_report, read_segments
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

ALL = ("ct", "planar", "negative", "refused")


@dataclasses.dataclass(frozen=True)
class Case:
    """A result set, its sources and what was written."""

    result_set: ResultSet
    series: sources.SourceSeries
    objects: tuple[ResultObject, ...]

    def object(self, kind: ResultKind) -> pydicom.Dataset:
        """The one object of the kind."""
        (found,) = [item for item in self.objects if item.kind is kind]
        return pydicom.dcmread(found.path)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """One of each: volumetric and simulated, planar, nothing found, refused."""
    root = tmp_path_factory.mktemp("write")
    ct = sources.classic_slices(root / "ct", sources.CT, "CT")
    scan = sources.planar_bone_scan(root / "planar")
    sets = {
        "ct": (ct, result_sets.volumetric(ct)),
        "planar": (scan, result_sets.planar(scan)),
        "negative": (ct, result_sets.negative(ct)),
        "refused": (scan, result_sets.refused(scan)),
    }
    return {
        name: Case(
            result_set,
            series,
            write_results(result_set, source_files=series.files, out_dir=root / f"{name}-out", context=CONTEXT),
        )
        for name, (series, result_set) in sets.items()
    }


def test_each_result_set_becomes_its_objects(cases: dict[str, Case]) -> None:
    """Root first; outlines only where there are any; a segmentation only where there is one."""
    kinds = {name: [item.kind.value for item in case.objects] for name, case in cases.items()}
    assert kinds == {"ct": ["sr", "seg"], "planar": ["sr", "roi_sr"], "negative": ["sr"], "refused": ["sr"]}


def test_the_same_input_gives_the_same_bytes(cases: dict[str, Case], tmp_path: Path) -> None:
    """A retry makes the same instances, whatever the order of the files."""
    for name in ALL:
        case = cases[name]
        again = write_results(
            case.result_set, source_files=case.series.files[::-1], out_dir=tmp_path / name, context=CONTEXT
        )
        assert [item.sha256 for item in again] == [item.sha256 for item in case.objects]
        assert [a.path.read_bytes() == b.path.read_bytes() for a, b in zip(again, case.objects, strict=True)]


def test_another_job_makes_other_instances(cases: dict[str, Case], tmp_path: Path) -> None:
    """SOP and Series Instance UIDs follow from the job's digest, and every object has a series of its own."""
    case = cases["ct"]
    other = write_results(
        case.result_set,
        source_files=case.series.files,
        out_dir=tmp_path,
        context=dataclasses.replace(CONTEXT, job_digest="another"),
    )
    uids = [uid for item in (*case.objects, *other) for uid in (item.sop_instance_uid, item.series_instance_uid)]
    assert len(set(uids)) == len(uids)
    assert all(is_uid(uid) for uid in uids)


@pytest.mark.parametrize("name", ALL)
def test_every_output_says_what_it_is_not_for(name: str, cases: dict[str, Case]) -> None:
    """RESEARCH USE ONLY is the first sentence of every report and in every series description."""
    for item in cases[name].objects:
        dataset = pydicom.dcmread(item.path)
        assert "RESEARCH USE ONLY" in dataset.SeriesDescription
        assert len(dataset.SeriesDescription) <= 64
        if item.kind is not ResultKind.SEG:
            assert read_report(item.path).texts[0] == RESEARCH_USE_ONLY
            assert dataset.VerificationFlag == "UNVERIFIED"


def test_simulated_input_marks_every_output(cases: dict[str, Case]) -> None:
    """Synthetic Data is YES, the series and the text say SIMULATED; and nothing of a real study does."""
    for item in cases["planar"].objects:
        dataset = pydicom.dcmread(item.path)
        assert dataset.SyntheticData == "YES"
        assert "SIMULATED" in dataset.SeriesDescription
        assert "SIMULATED" in read_report(item.path).texts[1]
    for item in cases["ct"].objects:
        dataset = pydicom.dcmread(item.path)
        assert "SyntheticData" not in dataset
        assert "SIMULATED" not in dataset.SeriesDescription


def test_the_root_is_an_oncology_report_and_the_outlines_an_imaging_report(cases: dict[str, Case]) -> None:
    """Viewers draw 126000 and list 126001: the titles decide which."""
    sr, roi = cases["planar"].objects
    assert read_report(sr.path).title == Title.ONCOLOGY
    assert read_report(roi.path).title == Title.IMAGING


def test_every_group_of_the_outlines_has_coordinates(cases: dict[str, Case]) -> None:
    """One group without SCOORD makes OHIF show nothing."""
    dataset = cases["planar"].object(ResultKind.ROI_SR)
    (container,) = [item for item in dataset.ContentSequence if item.ValueType == "CONTAINER"]
    groups = list(container.ContentSequence)
    assert len(groups) == 3  # two views of one hot spot, one of the other
    for group in groups:
        assert [item.ValueType for item in group.ContentSequence].count("SCOORD") == 1


def test_outlines_keep_image_frame_and_corners(cases: dict[str, Case]) -> None:
    """A polygon comes back on its frame with its corners."""
    finding = read_report(cases["planar"].objects[1].path).findings[0]
    assert finding.polygons == cases["planar"].result_set.findings[0].polygons


@pytest.mark.parametrize("name", ["ct", "planar"])
def test_numbers_come_back_exactly(name: str, cases: dict[str, Case]) -> None:
    """Value, unit, derivation and method of every measurement are those of the result set."""
    case = cases[name]
    report = read_report(case.objects[0].path)
    assert [item.measurements for item in report.findings] == [item.measurements for item in case.result_set.findings]
    assert [item.evaluations for item in report.findings] == [item.evaluations for item in case.result_set.findings]
    assert report.measurements == case.result_set.measurements


def test_a_method_name_of_full_length_survives(cases: dict[str, Case], tmp_path: Path) -> None:
    """64 characters of method do not fit a code value; the name is kept as the meaning."""
    method = "X" * 61 + "_V1"
    measurement = Measurement(
        concept=Concept.LESION_COUNT, value=0.1, unit=cases["ct"].result_set.measurements[0].unit, method=method
    )
    result_set = dataclasses.replace(cases["negative"].result_set, measurements=(measurement,))
    objects = write_results(result_set, source_files=cases["negative"].series.files, out_dir=tmp_path, context=CONTEXT)
    assert read_report(objects[0].path).measurements == (measurement,)


def test_a_finding_and_its_segment_carry_the_same_tracking(cases: dict[str, Case]) -> None:
    """SEG and SR name a lesion by the same identifiers."""
    sr, seg = cases["ct"].objects
    segments = {item.number: item for item in read_segments(seg.path)}
    for finding in read_report(sr.path).findings:
        assert finding.segment is not None
        assert finding.segment.sop_instance_uid == seg.sop_instance_uid
        segment = segments[finding.segment.segment_number]
        assert (segment.tracking_id, segment.tracking_uid) == (finding.tracking_id, finding.tracking_uid)
        assert (segment.site, segment.laterality) == (finding.site, finding.laterality)


def test_not_assessable_is_not_negative(cases: dict[str, Case]) -> None:
    """A refusal carries its reason; a study without findings says that it was assessed."""
    refused = read_report(cases["refused"].objects[0].path)
    negative = read_report(cases["negative"].objects[0].path)
    assert (refused.outcome, refused.reason) == (Outcome.NOT_ASSESSABLE, Reason.MISSING_PIXEL_DATA)
    assert "The images of the study have no pixel data." in refused.texts
    assert (negative.outcome, negative.reason, negative.findings) == (Outcome.ASSESSED, None, ())
    values = str(cases["negative"].object(ResultKind.SR))
    assert Status.WITHOUT_FINDINGS.value in values
    assert Status.NONE_SUCCEEDED.value not in values


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_can_be_written(reason: Reason, cases: dict[str, Case], tmp_path: Path) -> None:
    """No reason lacks its code."""
    series = cases["refused"].series
    result_set = result_sets.refused(series, reason=reason)
    (root,) = write_results(result_set, source_files=series.files, out_dir=tmp_path, context=CONTEXT)
    assert read_report(root.path).reason is reason


def test_checks_and_limitations_are_in_the_report(cases: dict[str, Case]) -> None:
    """The reader sees each check with its verdict, each limitation, the branch and the pipeline, in plain ASCII."""
    texts = read_report(cases["negative"].objects[0].path).texts
    assert "Slice thickness: pass. 2.5 mm, limit <= 5 mm" in texts
    assert "Coverage: not evaluable. No field of view stated" in texts
    assert set(result_sets.LIMITATIONS) <= set(texts)
    assert texts[-2:] == (Branch.CT.value, "bone_metastasis 1.0")


def test_the_evidence_is_every_input_instance(cases: dict[str, Case]) -> None:
    """The root names each slice that was read, and the segmentation made from them."""
    case = cases["ct"]
    dataset = case.object(ResultKind.SR)
    (study,) = dataset.CurrentRequestedProcedureEvidenceSequence
    named = {
        str(item.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert study.StudyInstanceUID == case.result_set.study_uid
    assert named == {*case.series.instance_uids, case.objects[1].sop_instance_uid}


def test_the_algorithm_is_contributing_equipment_with_its_own_device(cases: dict[str, Case]) -> None:
    """IHE AIR: every algorithm with purpose, model, version and Device UID; and the project's scheme is declared."""
    for item in cases["ct"].objects:
        dataset = pydicom.dcmread(item.path)
        node, algorithm = dataset.ContributingEquipmentSequence
        assert node.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert algorithm.PurposeOfReferenceCodeSequence[0].CodingSchemeDesignator == "99IHE"
        assert algorithm.ManufacturerModelName == result_sets.ALGORITHM.name
        assert algorithm.SoftwareVersions == result_sets.ALGORITHM.version
        assert node.DeviceUID != algorithm.DeviceUID
        assert "threshold_hu=300" in algorithm.ContributionDescription
        assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == PROJECT_SCHEME


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
    """The root refers to its segment, the outlines to its polygon, both under one Tracking UID and with its numbers."""
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
    (drawn,) = outlines.findings
    assert drawn.polygons == (outline,)
    assert (drawn.tracking_uid, drawn.measurements) == (first.tracking_uid, first.measurements)


def test_a_finding_without_a_region_is_reported(cases: dict[str, Case], tmp_path: Path) -> None:
    """What was measured but not outlined stands in the root, and there are no outlines of it."""
    case = cases["planar"]
    findings = tuple(dataclasses.replace(item, polygons=()) for item in case.result_set.findings)
    result_set = dataclasses.replace(case.result_set, findings=findings)
    (root,) = write_results(result_set, source_files=case.series.files, out_dir=tmp_path, context=CONTEXT)
    assert [item.measurements for item in read_report(root.path).findings] == [item.measurements for item in findings]


def test_times_are_in_the_time_zone_of_the_source(tmp_path: Path) -> None:
    """Content Date and Time agree with the study's clock where it states its offset; otherwise they are UTC."""
    patient = sources.Patient(extra={"TimezoneOffsetFromUTC": "+0900"})
    series = sources.classic_slices(tmp_path / "ct", sources.CT, "CT", patient=patient)
    context = dataclasses.replace(CONTEXT, created_at=datetime(2026, 1, 2, 20, 4, 5, tzinfo=UTC))
    (root,) = write_results(
        result_sets.negative(series), source_files=series.files, out_dir=tmp_path / "out", context=context
    )
    dataset = pydicom.dcmread(root.path)
    assert (dataset.ContentDate, dataset.ContentTime) == ("20260103", "050405")
    assert dataset.TimezoneOffsetFromUTC == "+0900"
    assert dataset.ContributingEquipmentSequence[0].ContributionDateTime == "20260102200405+0000"


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
