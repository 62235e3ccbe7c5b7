"""What a reader did to a result is read lesion by lesion: accepted, rejected, changed, added."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bmnode.domain.codes import Concept, Derivation, Laterality, Site
from bmnode.domain.earlier import Change, Decision, EarlierResult, KnownBy, LesionReview, Review
from bmnode.domain.geometry import BoolArray
from bmnode.domain.ids import derive_uid
from bmnode.errors import ResultError
from bmnode.results.read_back import read_back
from bmnode.results.reading import METHOD_NOT_STATED
from bmnode.results.review import is_edited, read_review
from bmnode.results.reviewed_set import STUDY_LEFT_OUT
from bmnode.results.write import write_results
from tests.support import edited
from tests.support.edited import Drawn
from tests.support.same_results import assert_same_result
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

ONE, TWO = (derive_uid("test", "lesion", number) for number in "12")
SPOT = derive_uid("test", "hot spot", "1")


@dataclasses.dataclass(frozen=True)
class Study:
    """A written result and its sources."""

    series: sources.SourceSeries
    files: tuple[Path, ...]
    earlier: EarlierResult

    @property
    def report(self) -> Path:
        """The root report's file."""
        return self.files[0]

    def mask(self, number: int) -> BoolArray:
        """The voxels of a lesion on the whole grid, numbered from 1."""
        return self.earlier.result_set.segmentations[0].segments[number - 1].mask.to_array()

    def review(self, *edits: Path, with_images: bool = True) -> Review:
        """Read the edits, the result's own objects beside them."""
        images = self.series.files if with_images else ()
        earlier = self.earlier if with_images else read_back(self.files)
        return read_review([*self.files, *edits], earlier=earlier, images=images)


def _study(series: sources.SourceSeries, folder: Path, make: Callable[..., object]) -> Study:
    result_set = make(series)
    objects = write_results(result_set, source_files=series.files, out_dir=folder, context=CONTEXT)  # type: ignore[arg-type]  # the makers differ in their options alone
    files = tuple(item.path for item in objects)
    return Study(series, files, read_back(files, images=series.files))


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two lesions that overlap, and the bone around them."""
    folder = tmp_path_factory.mktemp("ct")
    return _study(sources.classic_slices(folder / "in", sources.CT, "CT"), folder / "out", result_sets.volumetric)


@pytest.fixture(scope="module")
def planar(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two hot spots on two views."""
    folder = tmp_path_factory.mktemp("planar")
    return _study(sources.planar_bone_scan(folder / "in"), folder / "out", result_sets.planar)


def _by_uid(review: Review) -> dict[str, LesionReview]:
    return {item.tracking_uid: item for item in review.lesions}


def test_a_signed_report_accepts_what_it_keeps_and_rejects_what_it_drops(ct: Study, tmp_path: Path) -> None:
    """One group deleted: that lesion is rejected, the other accepted with its numbers, segment and the bone."""
    edited.edit_report(ct.report, tmp_path / "signed.dcm", without=[TWO])
    review = ct.review(tmp_path / "signed.dcm")
    assert {uid: item.decision for uid, item in _by_uid(review).items()} == {
        ONE: Decision.ACCEPTED,
        TWO: Decision.REJECTED,
    }
    assert (review.is_verified, review.takes_place) == (True, True)
    (finding,) = review.result_set.findings
    assert finding.measurements == ct.earlier.result_set.findings[0].measurements
    (segmentation,) = review.result_set.segmentations
    assert [segment.label for segment in segmentation.segments] == ["Lesion 1", "Bone"]
    assert finding.segment is not None
    assert finding.segment.segment_number == 1
    assert review.result_set.measurements == ()
    assert STUDY_LEFT_OUT in review.result_set.limitations
    assert any("accepted 1, changed 0, rejected 1" in text for text in review.result_set.limitations)


def test_an_unsigned_report_accepts_nothing(ct: Study, tmp_path: Path) -> None:
    """Nobody stands for it: what it keeps is unreviewed, what it drops in our report's place rejected all the same."""
    edited.edit_report(ct.report, tmp_path / "unsigned.dcm", without=[TWO], verified=False)
    review = ct.review(tmp_path / "unsigned.dcm")
    assert [item.decision for item in review.lesions] == [Decision.UNREVIEWED, Decision.REJECTED]
    assert not review.is_verified


def test_a_report_signed_as_it_was_changes_nothing(ct: Study, tmp_path: Path) -> None:
    """Every lesion is accepted and the result set is the earlier one, measurements of the study included."""
    edited.edit_report(ct.report, tmp_path / "signed.dcm")
    review = ct.review(tmp_path / "signed.dcm")
    assert {item.decision for item in review.lesions} == {Decision.ACCEPTED}
    said = dataclasses.replace(review.result_set, limitations=ct.earlier.result_set.limitations)
    assert_same_result(said, ct.earlier.result_set, same_grid=True)


def test_a_changed_mask_loses_the_numbers_of_the_old_one(ct: Study, tmp_path: Path) -> None:
    """The same Tracking UID on other voxels: changed, measured anew by nobody, and said so."""
    grown = ct.mask(1).copy()
    grown[3, 5, 10] = True
    drawn = [
        Drawn(label="Lesion 1", mask=grown, uid=ONE, name="L1"),
        Drawn(label="Lesion 2", mask=ct.mask(2), uid=TWO, name="L2"),
    ]
    edited.save_segmentation(ct.series.files, drawn, tmp_path / "seg.dcm")
    review = ct.review(tmp_path / "seg.dcm")
    one, two = review.lesions
    assert (one.decision, one.changes, one.known_by) == (Decision.CHANGED, (Change.REGION,), KnownBy.TRACKING_UID)
    assert one.left_out == ("Volume", "Attenuation Coefficient", "Type of bone lesion")
    assert two.decision is Decision.UNREVIEWED
    changed, kept = review.result_set.findings
    assert (changed.measurements, changed.evaluations) == ((), ())
    assert (changed.site, changed.laterality) == (Site.PELVIS, Laterality.LEFT)
    assert kept.measurements == ct.earlier.result_set.findings[1].measurements
    assert changed.segment is not None
    segment = review.result_set.segmentations[0].segments[changed.segment.segment_number - 1]
    np.testing.assert_array_equal(segment.mask.to_array(), grown)


def test_copies_of_old_numbers_are_not_taken_for_new_ones(ct: Study, tmp_path: Path) -> None:
    """Report and segmentation edited together: of the numbers under a changed mask only those that are new count."""
    grown = ct.mask(1) | ct.mask(2)
    edited.save_segmentation(
        ct.series.files, [Drawn(label="Lesion 1", mask=grown, uid=ONE, name="L1")], tmp_path / "seg.dcm"
    )
    report = edited.edit_report(ct.report, tmp_path / "sr.dcm")
    (group,) = [item for item in edited.groups_of(report) if edited.tracking_of(item) == ONE]
    (volume,) = [item for item in group.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "118565006"]
    volume.MeasuredValueSequence[0].NumericValue = "1.25"
    volume.MeasuredValueSequence[0].FloatingPointValue = 1.25
    report.save_as(tmp_path / "sr.dcm")
    review = ct.review(tmp_path / "seg.dcm", tmp_path / "sr.dcm")
    (measurement,) = review.result_set.findings[0].measurements
    assert (measurement.concept, measurement.value) == (Concept.VOLUME, 1.25)


@pytest.mark.parametrize("with_images", [True, False])
def test_a_segment_without_our_uid_is_recognised_or_added(ct: Study, tmp_path: Path, *, with_images: bool) -> None:
    """A viewer that keeps no Tracking UID: same voxels or same label and place are the old lesions, others are new."""
    new = np.zeros_like(ct.mask(1))
    new[8, 10:12, 1:3] = True
    less = ct.mask(2).copy()
    less[4] = False
    drawn = [
        Drawn(label="Segment 1", mask=ct.mask(1), category=edited.TISSUE),
        Drawn(label="Lesion 2", mask=less, category=edited.TISSUE),
        Drawn(label="Missed", mask=new, category=edited.TISSUE),
        Drawn(label="Bone", mask=ct.mask(3), category=edited.TISSUE),
    ]
    edited.save_segmentation(ct.series.files, drawn, tmp_path / "seg.dcm", omit_empty=True)
    review = ct.review(tmp_path / "seg.dcm", with_images=with_images)
    one, two, three = review.lesions
    assert (one.decision, one.changes, one.known_by) == (Decision.CHANGED, (Change.NAME,), KnownBy.VOXELS)
    assert (two.decision, two.changes, two.known_by) == (Decision.CHANGED, (Change.REGION,), KnownBy.LABEL)
    assert (three.decision, three.tracking_id, three.known_by) == (Decision.ADDED, "Missed", None)
    findings = review.result_set.findings
    assert [finding.tracking_uid for finding in findings[:2]] == [ONE, TWO]
    assert findings[2].tracking_uid == derive_uid("untracked", derive_uid("viewer", "seg.dcm"), "3")
    (segmentation,) = review.result_set.segmentations
    assert [item.label for item in segmentation.segments] == ["Segment 1", "Lesion 2", "Bone", "Missed"]
    assert segmentation.segments[3].mask.voxel_count == 4
    if with_images:
        np.testing.assert_array_equal(segmentation.segments[3].mask.to_array(), new)


def test_a_missing_segment_alone_rejects_nothing(ct: Study, tmp_path: Path) -> None:
    """Without a report in the place of ours nothing says that the reader meant to reject."""
    edited.save_segmentation(
        ct.series.files, [Drawn(label="Lesion 1", mask=ct.mask(1), uid=ONE, name="L1")], tmp_path / "seg.dcm"
    )
    review = ct.review(tmp_path / "seg.dcm")
    assert [item.decision for item in review.lesions] == [Decision.UNREVIEWED, Decision.UNREVIEWED]
    assert not review.takes_place


@pytest.mark.parametrize(
    ("kind", "syntax"),
    [("BINARY", "1.2.840.10008.1.2.1"), ("LABELMAP", "1.2.840.10008.1.2.1"), ("LABELMAP", "1.2.840.10008.1.2.5")],
)
def test_every_encoding_of_a_viewer_gives_the_same_voxels(ct: Study, tmp_path: Path, kind: str, syntax: str) -> None:
    """Bits, label maps, run lengths: the lesions are where they were drawn."""
    apart = ct.mask(1) & ~ct.mask(2)
    drawn = [
        Drawn(label="Lesion 1", mask=apart, uid=ONE, name="L1"),
        Drawn(label="Lesion 2", mask=ct.mask(2), uid=TWO, name="L2"),
    ]
    edited.save_segmentation(ct.series.files, drawn, tmp_path / "seg.dcm", kind=kind, syntax=syntax)
    review = ct.review(tmp_path / "seg.dcm")
    assert [item.decision for item in review.lesions] == [Decision.CHANGED, Decision.UNREVIEWED]
    segments = review.result_set.segmentations[0].segments
    np.testing.assert_array_equal(segments[0].mask.to_array(), apart)
    np.testing.assert_array_equal(segments[1].mask.to_array(), ct.mask(2))


def test_an_outline_of_a_viewer_is_an_added_lesion(ct: Study, tmp_path: Path) -> None:
    """OHIF's wording is understood: a person's lesion, named by no tool's name, its number without a method."""
    ring = np.array([[2.0, 2.0], [6.0, 2.0], [6.0, 5.0], [2.0, 2.0]])
    edited.save_viewer_report(ct.series.files, tmp_path / "sr.dcm", uid="2.25.123", ring=ring)
    review = ct.review(tmp_path / "sr.dcm")
    assert review.is_verified
    assert [item.decision for item in review.lesions] == [
        Decision.UNREVIEWED,
        Decision.UNREVIEWED,
        Decision.ADDED,
    ]
    added = review.result_set.findings[-1]
    assert added.tracking_uid == "2.25.123"
    assert added.finding_type.meaning == "Lesion"
    assert [(item.value, item.method) for item in added.measurements] == [(12.5, METHOD_NOT_STATED)]
    assert np.allclose(added.polygons[0].points, ring)


def test_moved_outlines_change_a_hot_spot(planar: Study, tmp_path: Path) -> None:
    """On a planar scan the outlines are the region: other corners, no old numbers; the other spot is accepted."""
    files = {path.name: path for path in planar.files}
    root = edited.edit_report(files["sr.dcm"], tmp_path / "sr.dcm")
    group = next(item for item in edited.groups_of(root) if edited.tracking_of(item) == SPOT)
    outline = next(item for item in group.ContentSequence if item.ValueType == "SCOORD")
    outline.GraphicData = [value + 1.0 for value in outline.GraphicData]
    root.save_as(tmp_path / "sr.dcm")
    review = planar.review(tmp_path / "sr.dcm")
    assert [(item.decision, item.changes) for item in review.lesions] == [
        (Decision.CHANGED, (Change.REGION,)),
        (Decision.ACCEPTED, ()),
    ]
    moved, kept = review.result_set.findings
    assert moved.polygons[0].points[0] == (14.0, 21.0)
    assert moved.measurements == ()
    assert kept.measurements == planar.earlier.result_set.findings[1].measurements


def test_other_site_name_and_number_are_changes(ct: Study, tmp_path: Path) -> None:
    """Each thing that the reader corrects is named, and the rest of the lesion stays as it was."""
    report = edited.edit_report(ct.report, tmp_path / "sr.dcm")
    for item in next(g for g in edited.groups_of(report) if edited.tracking_of(g) == ONE).ContentSequence:
        name = item.ConceptNameCodeSequence[0].CodeValue
        if name == "112039":
            item.TextValue = "L4, left"
        if name == "363698007":
            item.ConceptCodeSequence[0].CodeValue = Site.FEMUR.value
            item.ConceptCodeSequence[0].CodeMeaning = Site.FEMUR.meaning
        if name == "112031" and "Maximum" in str(item):
            item.MeasuredValueSequence[0].NumericValue = "777"
            item.MeasuredValueSequence[0].FloatingPointValue = 777.0
    report.save_as(tmp_path / "sr.dcm")
    review = ct.review(tmp_path / "sr.dcm")
    assert review.lesions[0].changes == (Change.NAME, Change.SITE, Change.MEASUREMENTS)
    finding = review.result_set.findings[0]
    assert (finding.tracking_id, finding.site, finding.tracking_uid) == ("L4, left", Site.FEMUR, ONE)
    values = {item.derivation: item.value for item in finding.measurements}
    assert values[Derivation.MAXIMUM] == 777.0
    assert len(finding.measurements) == 3
    assert review.result_set.measurements == ct.earlier.result_set.measurements


def test_a_reviewed_result_can_be_written_and_read_again(ct: Study, tmp_path: Path) -> None:
    """What stands after editing becomes objects that pass every check, and comes back as it was."""
    new = np.zeros_like(ct.mask(1))
    new[8, 10:12, 1:3] = True
    drawn = [Drawn(label="Lesion 1", mask=ct.mask(1), uid=ONE, name="L1"), Drawn(label="Missed", mask=new)]
    edited.save_segmentation(ct.series.files, drawn, tmp_path / "seg.dcm")
    edited.edit_report(ct.report, tmp_path / "sr.dcm", without=[TWO])
    review = ct.review(tmp_path / "seg.dcm", tmp_path / "sr.dcm")
    assert [item.decision for item in review.lesions] == [Decision.ACCEPTED, Decision.REJECTED, Decision.ADDED]
    objects = write_results(review.result_set, source_files=ct.series.files, out_dir=tmp_path / "out", context=CONTEXT)
    again = read_back([item.path for item in objects], images=ct.series.files)
    assert_same_result(again.result_set, review.result_set, same_grid=True)


def test_what_cannot_be_a_review_is_refused(ct: Study, planar: Study, tmp_path: Path) -> None:
    """Nothing edited, another study, a segment that is missing: each has its error, and nobody is named."""
    with pytest.raises(ResultError, match="nothing among the files"):
        ct.review()
    edited.edit_report(planar.report, tmp_path / "other.dcm")
    with pytest.raises(ResultError, match="another study"):
        ct.review(tmp_path / "other.dcm")
    report = edited.edit_report(ct.report, tmp_path / "sr.dcm")
    for group in edited.groups_of(report):
        for item in group.ContentSequence:
            if item.ConceptNameCodeSequence[0].CodeValue == "121191":
                item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.99"
    report.save_as(tmp_path / "sr.dcm")
    with pytest.raises(ResultError, match="segment that is missing"):
        ct.review(tmp_path / "sr.dcm")


def test_only_the_last_of_a_chain_of_reports_counts(ct: Study, tmp_path: Path) -> None:
    """A reader saves twice: the second takes the place of the first, and through it of ours."""
    edited.edit_report(ct.report, tmp_path / "first.dcm", without=[ONE])
    edited.edit_report(tmp_path / "first.dcm", tmp_path / "second.dcm", without=[ONE, TWO])
    review = ct.review(tmp_path / "first.dcm", tmp_path / "second.dcm")
    assert [item.decision for item in review.lesions] == [Decision.REJECTED, Decision.REJECTED]
    assert review.result_set.findings == ()


def test_another_revision_of_ours_is_no_edit(ct: Study, tmp_path: Path) -> None:
    """The archive keeps what an earlier run wrote: its report and segmentation are nobody's review."""
    old = dataclasses.replace(CONTEXT, job_digest="an earlier run")
    objects = write_results(
        result_sets.volumetric(ct.series), source_files=ct.series.files, out_dir=tmp_path / "old", context=old
    )
    edited.edit_report(ct.report, tmp_path / "signed.dcm", without=[TWO])
    review = ct.review(tmp_path / "signed.dcm", *(item.path for item in objects))
    assert [item.decision for item in review.lesions] == [Decision.ACCEPTED, Decision.REJECTED]


def test_reports_of_other_software_are_no_edits(ct: Study, tmp_path: Path) -> None:
    """Another program's report and segmentation, a dose report: they have no tie to ours and are passed over."""
    other = pydicom.dcmread(ct.report)
    other.SOPInstanceUID, other.Manufacturer = "2.25.4711", "Other"
    for group in edited.groups_of(other):
        for item in group.ContentSequence:
            if item.ConceptNameCodeSequence[0].CodeValue == "112040":
                item.UID = derive_uid("other", str(item.UID))
    other.save_as(tmp_path / "other.dcm")
    dose = pydicom.dcmread(ct.report)
    dose.SOPInstanceUID, dose.Manufacturer, dose.VerificationFlag = "2.25.4712", "Scanner", "VERIFIED"
    dose.ContentTemplateSequence[0].TemplateIdentifier = "10011"
    dose.save_as(tmp_path / "dose.dcm")
    segmentation = edited.save_segmentation(
        ct.series.files, [Drawn(label="Lesion 1", mask=ct.mask(2))], tmp_path / "seg.dcm"
    )
    segmentation.SegmentSequence[0].SegmentAlgorithmType = "AUTOMATIC"
    segmentation.save_as(tmp_path / "seg.dcm")
    paths = [tmp_path / name for name in ("other.dcm", "dose.dcm", "seg.dcm")]
    assert not is_edited([*ct.files, *paths], earlier=ct.earlier)
    edited.edit_report(ct.report, tmp_path / "signed.dcm", without=[TWO])
    review = ct.review(tmp_path / "signed.dcm", *paths)
    assert [item.decision for item in review.lesions] == [Decision.ACCEPTED, Decision.REJECTED]


def test_an_object_of_a_viewer_is_not_taken_for_a_result_of_bmnode(ct: Study, tmp_path: Path) -> None:
    """The signed copy beside the original does not stand in its way when the result is read back."""
    edited.edit_report(ct.report, tmp_path / "signed.dcm", without=[ONE])
    earlier = read_back([*ct.files, tmp_path / "signed.dcm"])
    assert earlier.report_uid == str(pydicom.dcmread(ct.report).SOPInstanceUID)
    assert len(earlier.result_set.findings) == 2
