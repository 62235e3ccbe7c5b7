"""What stands in the objects that are written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bmnode import RESEARCH_USE_ONLY
from bmnode.domain.codes import PROJECT_SCHEME, Code, Concept
from bmnode.domain.ids import is_uid
from bmnode.domain.objects import OutputOptions, ResultKind
from bmnode.domain.outlines import rasterise
from bmnode.domain.results import Measurement, Outcome
from bmnode.domain.study import Branch, Reason
from bmnode.results.concepts import SOP_CLASSES, Status, Title
from bmnode.results.drawn_outlines import drawn_outline
from bmnode.results.reading import read_report, read_segments
from bmnode.results.walk import items
from bmnode.results.write import write_results
from tests.unit.results import result_sets
from tests.unit.results.conftest import Case
from tests.unit.results.result_sets import CONTEXT

ALL = ("ct", "planar", "negative", "refused")


def test_each_result_set_becomes_its_objects(cases: dict[str, Case]) -> None:
    """Root first; outlines only where there is something to outline; a segmentation only where there is one."""
    kinds = {name: [item.kind.value for item in case.objects] for name, case in cases.items()}
    assert kinds == {"ct": ["sr", "roi_sr", "seg"], "planar": ["sr", "roi_sr"], "negative": ["sr"], "refused": ["sr"]}


def test_what_a_destination_is_asked_for_is_what_it_gets(cases: dict[str, Case], tmp_path: Path) -> None:
    """`bmnode check` asks for the SOP classes of each kind: they are those that are written, pictures included."""
    options = OutputOptions(pictures=True, document=True)
    case = cases["planar"]
    context = dataclasses.replace(CONTEXT, output=options)
    more = write_results(case.result_set, source_files=case.series.files, out_dir=tmp_path, context=context)
    written = {
        (item.kind, item.sop_class_uid) for item in (*more, *(item for one in cases.values() for item in one.objects))
    }
    assert {kind for kind, _ in written} == set(ResultKind) - {ResultKind.REG}
    assert all((uid,) == SOP_CLASSES[kind] for kind, uid in written)


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
    """One tracked finding without SCOORD makes OHIF show nothing."""
    dataset = cases["planar"].object(ResultKind.ROI_SR)
    (container,) = [item for item in dataset.ContentSequence if item.ValueType == "CONTAINER"]
    groups = list(container.ContentSequence)
    assert len(groups) == 3  # two views of one hot spot, one of the other
    for group in groups:
        assert [item.ValueType for item in group.ContentSequence].count("SCOORD") == 1


def test_outlines_keep_image_frame_and_corners(cases: dict[str, Case]) -> None:
    """A polygon comes back on its frame with its corners; for viewers a rectangle has one more."""
    written = cases["planar"].result_set.findings[0].polygons
    root, outlines = (read_report(item.path).findings[0].polygons for item in cases["planar"].objects[:2])
    assert root == written
    assert outlines == tuple(map(drawn_outline, written))
    assert outlines != written


def test_a_segment_is_outlined_where_it_covers_most(cases: dict[str, Case]) -> None:
    """The outlines of slices: numbers and segment as in the root, and around each lesion's widest slice its pixels."""
    case = cases["ct"]
    assert case.series.pixels is not None
    report = read_report(case.objects[1].path)
    root = read_report(case.objects[0].path)
    assert [item.measurements for item in report.findings] == [item.measurements for item in root.findings]
    assert [item.segment for item in report.findings] == [item.segment for item in root.findings]
    for number, finding in enumerate(report.findings):
        mask = case.result_set.segmentations[0].segments[number].mask.to_array()
        (polygon,) = finding.polygons
        pixels = rasterise(polygon.points, shape=mask.shape[1:])
        assert np.array_equal(pixels, mask[case.series.instance_uids.index(polygon.sop_instance_uid)])
        assert np.count_nonzero(pixels) == np.count_nonzero(mask, axis=(1, 2)).max()


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
    sr, _, seg = cases["ct"].objects
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


def test_notices_come_before_everything_but_the_statement(cases: dict[str, Case]) -> None:
    """What a reader must review stands at the head of the report, not among its limits."""
    texts = read_report(cases["ct"].objects[0].path).texts
    assert texts[1 : 1 + len(result_sets.NOTICES)] == result_sets.NOTICES
    assert not set(result_sets.NOTICES) & set(read_report(cases["negative"].objects[0].path).texts)


def test_the_root_says_every_number_in_words(cases: dict[str, Case]) -> None:
    """Before the coded content stands one text a finding, with the name, unit and method of each number, and the
    kind of statistic, which viewers that list items leave out."""
    texts = read_report(cases["ct"].objects[0].path).texts
    first = texts[1 + len(result_sets.NOTICES)].splitlines()
    assert first[0] == "1: L1, Left Pelvis"
    (finding, *_) = cases["ct"].result_set.findings
    (judged,) = finding.evaluations
    assert first[1] == f"- {judged.concept.meaning}: {judged.value.meaning}"
    assert len(first) == 2 + len(finding.measurements)
    assert sum("mean" in line for line in first) == sum("maximum" in line for line in first) == 1
    assert all("(HU_WITHIN_SEGMENT_V1)" in line for line in first if "HU" in line)
    assert not any(text.startswith("1: ") for text in read_report(cases["negative"].objects[0].path).texts)


def test_every_container_is_a_list_of_items(cases: dict[str, Case]) -> None:
    """No container says that its items are running text: of those viewers leave out the names (PS3.3 C.18.8)."""
    for case in cases.values():
        for kind in {item.kind for item in case.objects} & {ResultKind.SR, ResultKind.ROI_SR}:
            containers = [item for item in items(case.object(kind)) if item.get("ValueType") == "CONTAINER"]
            assert {item.ContinuityOfContent for item in containers} == {"SEPARATE"}


def test_the_evidence_is_every_input_instance(cases: dict[str, Case]) -> None:
    """The root names each slice that was read, and the outlines and the segmentation made from them."""
    case = cases["ct"]
    dataset = case.object(ResultKind.SR)
    (study,) = dataset.CurrentRequestedProcedureEvidenceSequence
    named = {
        str(item.ReferencedSOPInstanceUID)
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert study.StudyInstanceUID == case.result_set.study_uid
    assert named == {*case.series.instance_uids, *(item.sop_instance_uid for item in case.objects[1:])}


def test_the_purpose_of_an_algorithm_can_be_another_code(cases: dict[str, Case], tmp_path: Path) -> None:
    """IHE's placeholder can be replaced where the final code is known; then its scheme is not declared."""
    case = cases["refused"]
    purpose = Code("113999", "DCM", "Processing Algorithm")
    context = dataclasses.replace(CONTEXT, output=OutputOptions(algorithm_purpose=purpose))
    (item,) = write_results(case.result_set, source_files=case.series.files, out_dir=tmp_path, context=context)
    dataset = pydicom.dcmread(item.path)
    assert dataset.ContributingEquipmentSequence[1].PurposeOfReferenceCodeSequence[0].CodeValue == "113999"
    schemes = [scheme.CodingSchemeDesignator for scheme in dataset.CodingSchemeIdentificationSequence]
    assert schemes == [PROJECT_SCHEME]
    usual = [scheme.CodingSchemeDesignator for scheme in case.object(ResultKind.SR).CodingSchemeIdentificationSequence]
    assert usual == [PROJECT_SCHEME, "99IHE"]


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
