"""Segments of a bone scan: the outlined pixels, on their view, with left and feet where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from bmnode.domain.codes import Finding, UptakeKind
from bmnode.domain.outlines import rasterise
from bmnode.domain.results import PlanarSegmentation, ResultSet
from pipelines.bone_scan.segments import planar_segmentations
from tests.unit.scintigraphy.scans import assess, vary


@pytest.fixture(scope="module")
def result(scan: Path) -> ResultSet:
    """The scan's result."""
    return assess(scan)


def test_every_finding_is_a_segment_on_its_view(result: ResultSet) -> None:
    """Lesions and exclusions alike, each with the pixels of its outline and its own Tracking UID."""
    outlines = [(finding, polygon) for finding in result.findings for polygon in finding.polygons]
    for finding, polygon in outlines:
        (view,) = [item for item in result.planar_segmentations if item.shows(polygon)]
        (segment,) = [item for item in view.segments if item.tracking_uid == finding.tracking_uid]
        np.testing.assert_array_equal(segment.mask.to_array()[0], rasterise(polygon.points, shape=view.shape))
    assert sum(len(view.segments) for view in result.planar_segmentations) == len(outlines)


def test_what_is_excluded_says_so(result: ResultSet) -> None:
    """A segment that the report takes for bladder or kidney is no morphologically abnormal structure."""
    segments = [item for view in result.planar_segmentations for item in view.segments]
    excluded = [item for item in segments if item.category == Finding.FUNCTION]
    assert {item.type for item in excluded} == {UptakeKind.BLADDER, UptakeKind.KIDNEY}
    assert all("Possible" in item.label for item in excluded)
    assert {item.type for item in segments if item not in excluded} == {Finding.LESION}


def _orientations(result: ResultSet) -> dict[int | None, tuple[str, str] | None]:
    return {view.frame_number: view.patient_orientation for view in result.planar_segmentations}


def test_left_is_where_the_detector_saw_it(scan: Path, result: ResultSet, tmp_path: Path) -> None:
    """Seen from the front the left side is on the right, from behind on the left; head down turns both."""
    assert _orientations(result) == {1: ("L", "F"), 2: ("R", "F")}

    def turn(dataset: Dataset) -> None:
        dataset.PatientPosition = "FFS"
        dataset.PixelData = np.ascontiguousarray(dcmread(scan).pixel_array[:, ::-1, ::-1]).tobytes()

    turned = assess(vary(scan, tmp_path / "turned.dcm", turn))
    assert _orientations(turned) == {1: ("R", "H"), 2: ("L", "H")}
    for before, after in zip(result.planar_segmentations, turned.planar_segmentations, strict=True):
        _same_pixels_turned(before, after)


def _same_pixels_turned(before: PlanarSegmentation, after: PlanarSegmentation) -> None:
    for one, other in zip(before.segments, after.segments, strict=True):
        np.testing.assert_array_equal(one.mask.to_array()[0][::-1, ::-1], other.mask.to_array()[0])


def test_a_view_that_is_not_stated_has_no_sides(scan: Path, tmp_path: Path) -> None:
    """Where nobody says from which side a view was taken, the segmentation does not say it either."""

    def hide(dataset: Dataset) -> None:
        for detector in dataset.DetectorInformationSequence:
            del detector.ViewCodeSequence

    unstated = assess(vary(scan, tmp_path / "unstated.dcm", hide))
    assert set(_orientations(unstated).values()) == {None}


def test_a_scan_without_findings_has_no_segmentation() -> None:
    """Nothing outlined, nothing segmented."""
    assert planar_segmentations((), ()) == ()
