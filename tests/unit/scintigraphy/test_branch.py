"""The bone scan branch on a synthetic patient of known truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from bmnode.domain.codes import Code, Concept, Derivation, Unit
from bmnode.domain.outlines import rasterise, ring_area
from bmnode.domain.results import FindingResult, Outcome, ResultSet, Verdict
from bmnode.domain.study import Reason
from bmnode.testing.patients.spec import SyntheticStudy
from operators.graph.contract import NotAssessableError
from pipelines.bone_scan.spots import BOTH_VIEWS, SECOND
from tests.unit.scintigraphy.scans import assess, frames_of, set_frames, vary


@pytest.fixture(scope="module")
def result(scan: Path) -> ResultSet:
    """The scan's result."""
    return assess(scan)


def kind(finding: FindingResult) -> str:
    """What a finding is taken for."""
    (evaluation,) = finding.evaluations
    assert evaluation.concept == Concept.UPTAKE_KIND
    return evaluation.value.value


def on_frame(result: ResultSet, frame: int) -> tuple[FindingResult, ...]:
    """The findings that have an outline on a frame."""
    return tuple(item for item in result.findings if frame in {outline.frame_number for outline in item.polygons})


def test_every_lesion_is_found_where_it_is_visible(study: SyntheticStudy, result: ResultSet) -> None:
    """Each hot lesion lies in a candidate on at least one view."""
    shape = (1024, 256)
    masks = [
        (outline.frame_number, rasterise(outline.points, shape=shape))
        for item in result.findings
        for outline in item.polygons
        if kind(item) == "UP-CANDIDATE"
    ]
    for lesion in study.truth.lesions:
        places = [(point.frame_number, round(point.row), round(point.column)) for point in lesion.image_points]
        assert any(
            number == frame and mask[row - 2 : row + 3, column - 2 : column + 3].any()
            for number, row, column in places
            for frame, mask in masks
        ), f"a lesion of the {lesion.bone} was not found"


def test_physiological_uptake_is_listed_and_not_counted(result: ResultSet) -> None:
    """Bladder on both views and the pair of kidneys behind are labelled, and the count leaves them out."""
    for frame, expected in ((1, {"UP-BLADDER": 1}), (2, {"UP-BLADDER": 1, "UP-KIDNEY": 2})):
        kinds = [kind(item) for item in on_frame(result, frame)]
        labelled = {name: kinds.count(name) for name in set(kinds) - {"UP-CANDIDATE"}}
        assert labelled == expected
        name = "anterior" if frame == 1 else "posterior"
        (count,) = (item.value for item in result.measurements if f"hot spots, {name}" in item.concept.meaning)
        assert count == kinds.count("UP-CANDIDATE")


def test_few_false_candidates(study: SyntheticStudy, result: ResultSet) -> None:
    """A view gives at most eight candidates beyond its lesions (knees, upper spine), not specks by the dozen."""
    for frame in (1, 2):
        kinds = [kind(item) for item in on_frame(result, frame)]
        assert kinds.count("UP-CANDIDATE") <= len(study.truth.lesions) + 8


def test_numbers_follow_from_polygon_and_pixels(scan: Path, result: ResultSet) -> None:
    """Area, counts and ratios of every finding are recomputed from its outline and the stored pixels, to 1e-9."""
    frames = frames_of(dcmread(scan)).astype(float)
    levels = [item.value for item in result.measurements if item.concept.value.startswith("NORMAL-")]
    assert any(len(finding.polygons) == 2 for finding in result.findings)
    for finding in result.findings:
        values = {(item.concept, item.derivation): item for item in finding.measurements}
        expected: dict[tuple[Code, Code | None], float] = {}
        for place, polygon in enumerate(finding.polygons):
            assert polygon.frame_number is not None
            counts = frames[polygon.frame_number - 1]
            inside = counts[rasterise(polygon.points, shape=(1024, 256))]
            level = levels[polygon.frame_number - 1]
            ratio, area, activity = (
                SECOND[concept] if place else concept
                for concept in (Concept.UPTAKE_RATIO, Concept.AREA, Concept.PROJECTION_ACTIVITY)
            )
            expected |= {
                (ratio, Derivation.MAXIMUM): inside.max() / level,
                (ratio, Derivation.MEAN): inside.mean() / level,
                (area, None): ring_area(polygon.points) * 2.4 * 2.4 / 100,
                (activity, Derivation.TOTAL): inside.sum(),
            }
        if len(finding.polygons) == 2:
            both = (
                expected[Concept.UPTAKE_RATIO, Derivation.MEAN]
                * expected[SECOND[Concept.UPTAKE_RATIO], Derivation.MEAN]
            )
            expected[BOTH_VIEWS, Derivation.MEAN] = both**0.5
        assert {key: item.value for key, item in values.items()} == pytest.approx(expected, rel=1e-9)
        assert values[Concept.AREA, None].unit == Unit.CM2


def test_same_input_gives_the_same_result(scan: Path, result: ResultSet) -> None:
    """A second run finds the same outlines, numbers and tracking identifiers."""
    again = assess(scan)
    assert again.findings == result.findings
    assert again.measurements == result.measurements
    assert again.synthetic


def _shape(finding: FindingResult) -> tuple[object, ...]:
    outlines = [outline.points for outline in finding.polygons]
    return (outlines, [item.value for item in finding.measurements], kind(finding), finding.site, finding.laterality)


def test_order_of_frames_does_not_matter(scan: Path, tmp_path: Path, result: ResultSet) -> None:
    """PL-2: the same data with frames and vectors swapped give the same findings on each view."""

    def swap(dataset: Dataset) -> None:
        set_frames(dataset, frames_of(dataset)[::-1])
        dataset.DetectorVector = [2, 1]

    swapped = assess(vary(scan, tmp_path / "a.dcm", swap))
    assert [_shape(item) for item in on_frame(swapped, 2)] == [_shape(item) for item in on_frame(result, 1)]
    assert [_shape(item) for item in on_frame(swapped, 1)] == [_shape(item) for item in on_frame(result, 2)]
    assert [item.tracking_id for item in swapped.findings] == [item.tracking_id for item in result.findings]


def test_feet_first_scan_has_its_outlines_on_the_stored_image(scan: Path, tmp_path: Path, result: ResultSet) -> None:
    """A scan stored head down gives the same findings, turned with the image."""

    def turn(dataset: Dataset) -> None:
        set_frames(dataset, frames_of(dataset)[:, ::-1, ::-1])
        dataset.PatientPosition = "FFS"

    turned = assess(vary(scan, tmp_path / "a.dcm", turn))
    assert len(turned.findings) == len(result.findings)
    for before, after in zip(result.findings, turned.findings, strict=True):
        for one, other in zip(before.polygons, after.polygons, strict=True):
            upright = rasterise(one.points, shape=(1024, 256))
            upside_down = rasterise(other.points, shape=(1024, 256))
            assert np.array_equal(upside_down[::-1, ::-1], upright)
        assert (kind(after), after.site, after.laterality) == (kind(before), before.site, before.laterality)
    assert turned.measurements == result.measurements


def test_without_spacing_areas_are_pixels(scan: Path, tmp_path: Path, result: ResultSet) -> None:
    """No square centimetres are invented where the header states no spacing."""

    def strip(dataset: Dataset) -> None:
        del dataset.PixelSpacing

    bare = assess(vary(scan, tmp_path / "a.dcm", strip))
    areas = [item for finding in bare.findings for item in finding.measurements if item.concept == Concept.AREA]
    assert {item.unit for item in areas} == {Unit.PIXELS}
    assert [item.value for item in areas] == [ring_area(finding.polygons[0].points) for finding in bare.findings]
    assert len(bare.findings) == len(result.findings)


def _thin(dataset: Dataset, share: float) -> None:
    frames = np.random.default_rng(5).binomial(frames_of(dataset).astype(int), share)
    set_frames(dataset, frames)


@pytest.mark.parametrize(
    ("share", "verdict"), [(1.0, Verdict.PASS), (0.7, Verdict.WARN), (0.45, Verdict.WARN), (0.2, Verdict.FAIL)]
)
def test_counts_are_judged(scan: Path, tmp_path: Path, share: float, verdict: Verdict) -> None:
    """1.75 million counts pass, 1.2 and 0.8 million are warned of, 0.35 million fail but are still measured."""
    thinned = assess(vary(scan, tmp_path / "a.dcm", lambda dataset: _thin(dataset, share)))
    assert thinned.outcome is Outcome.ASSESSED
    counts = [item.verdict for item in thinned.quality if item.name.startswith("Counts (")]
    assert counts == [verdict, verdict]


def _few(dataset: Dataset) -> None:
    _thin(dataset, 0.1)


def _lossy(dataset: Dataset) -> None:
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = "40"


def _saturated(dataset: Dataset) -> None:
    frames = frames_of(dataset).astype(float)
    set_frames(dataset, np.where(frames > 20, 2 ** int(dataset.BitsStored) - 1, frames))


def _sideways(dataset: Dataset) -> None:
    set_frames(dataset, np.rot90(frames_of(dataset), axes=(1, 2)))


def _head_down(dataset: Dataset) -> None:
    set_frames(dataset, frames_of(dataset)[:, ::-1, ::-1])


def _noise(dataset: Dataset) -> None:
    set_frames(dataset, np.random.default_rng(6).poisson(20, (2, 1024, 256)))


def _flat(dataset: Dataset) -> None:
    set_frames(dataset, np.full((2, 1024, 256), 9))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_few, Reason.INSUFFICIENT_COUNTS),
        (_lossy, Reason.UNREADABLE_INPUT),
        (_saturated, Reason.UNREADABLE_INPUT),
        (_sideways, Reason.UNEXPLAINED_ORIENTATION),
        (_head_down, Reason.UNEXPLAINED_ORIENTATION),
        (_noise, Reason.BONE_NOT_FOUND),
        (_flat, Reason.BONE_NOT_FOUND),
    ],
)
def test_unusable_scan_is_refused(scan: Path, tmp_path: Path, change: object, reason: Reason) -> None:
    """Few counts, lossy or saturated pixels, a body across or upside down, noise and nothing at all are refused."""
    assert callable(change)
    with pytest.raises(NotAssessableError) as caught:
        assess(vary(scan, tmp_path / "a.dcm", change))
    assert caught.value.refusal.reason is reason


def test_result_says_what_it_does_not_say(result: ResultSet) -> None:
    """Thresholds in force and limits of the method go with the result."""
    assert any("not of proven metastases" in sentence for sentence in result.limitations)
    assert any("within repeatability" in sentence for sentence in result.limitations)
    parameters = {item for algorithm in result.algorithms for item in algorithm.parameters}
    assert "trim=2" in parameters
    assert {algorithm.name for algorithm in result.algorithms} >= {
        "NORM_TRIM2",
        "HOTSPOT_NORMAL_V1",
        "REGION_ATLAS_V1",
        "BSI_PLANAR_V1",
    }
