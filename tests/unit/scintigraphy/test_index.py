"""The branch's index, its parts and its pairs on a synthetic patient of known truth; and when there is no index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from bmnode.domain.codes import Concept, Laterality, Site
from bmnode.domain.outlines import rasterise
from bmnode.domain.results import FindingResult, ResultSet, Verdict
from bmnode.testing.patients.spec import SyntheticStudy
from operators.kernels.bone_scan_index.regions import BS80K_SIDED
from pipelines.bone_scan.index import IndexOutcome
from tests.unit.scintigraphy.scans import assess, frames_of, set_frames, vary

SHAPE = (1024, 256)
SITES = {
    "L3": (Site.LUMBAR_SPINE, None),
    "T8": (Site.THORACIC_SPINE, None),
    "rib 6": (Site.RIB, Laterality.LEFT),
    "ilium": (Site.PELVIS, Laterality.RIGHT),
    "femur": (Site.FEMUR, Laterality.LEFT),
}

ONLY_BEHIND = frozenset({"T8"})
"""From the front the vertebra lies behind heart and sternum."""


@pytest.fixture(scope="module")
def result(scan: Path) -> ResultSet:
    """The scan's result."""
    return assess(scan)


def values(result: ResultSet) -> dict[str, float]:
    """The study's measurements by their code."""
    return {item.concept.value: item.value for item in result.measurements}


def at(result: ResultSet, study: SyntheticStudy, bone: str) -> set[int]:
    """Which findings lie over a lesion of the truth in one view or the other."""
    (lesion,) = (item for item in study.truth.lesions if item.bone == bone)
    return {
        number
        for number, finding in enumerate(result.findings)
        for outline in finding.polygons
        for point in lesion.image_points
        if outline.frame_number == point.frame_number
        and rasterise(outline.points, shape=SHAPE)[round(point.row), round(point.column)]
    }


@pytest.mark.parametrize("bone", SITES)
def test_a_lesion_is_one_finding_in_its_bone(study: SyntheticStudy, result: ResultSet, bone: str) -> None:
    """Each lesion is one finding, with two outlines where both views show it, in the right bone of the right side."""
    (number,) = at(result, study, bone)
    finding: FindingResult = result.findings[number]
    assert len(finding.polygons) == (1 if bone in ONLY_BEHIND else 2)
    assert (finding.site, finding.laterality) == SITES[bone]


def test_lesions_are_counted_once(result: ResultSet) -> None:
    """The scan's count is that of both views less the pairs."""
    found = values(result)
    pairs = sum(len(finding.polygons) == 2 for finding in result.findings)
    assert pairs >= len(SITES) - len(ONLY_BEHIND)
    assert found[Concept.LESION_COUNT.value] == found["LESIONS-ANT"] + found["LESIONS-POST"] - pairs


def test_index_covers_the_twelve_classes(result: ResultSet) -> None:
    """A whole body gives the coverage of the twelve classes, 67.3 of 100.1, and a share for each region."""
    found = values(result)
    assert found["BSI-COVERAGE"] == pytest.approx(67.3 / 100.1 * 100.0, abs=1e-9)
    shares = [code for code in found if code.startswith("BSI-") and code != "BSI-COVERAGE"]
    assert len(shares) == len(BS80K_SIDED.regions)
    assert all(0.0 <= found[code] <= 100.0 for code in shares)
    assert found["BSI-FEMUR-L"] > found["BSI-FEMUR-R"]


def _share_of(frames: np.ndarray, share: float) -> np.ndarray:
    return np.asarray(np.random.default_rng(5).binomial(frames.astype(int), share))


def _few(dataset: Dataset) -> None:
    set_frames(dataset, _share_of(frames_of(dataset), 0.25))


def _unstated(dataset: Dataset) -> None:
    for item in dataset.DetectorInformationSequence:
        del item.ViewCodeSequence


def _cut(dataset: Dataset) -> None:
    frames = frames_of(dataset)
    frames[:, 500:] = 0
    set_frames(dataset, frames)


def _alone(dataset: Dataset) -> None:
    set_frames(dataset, frames_of(dataset)[:1])
    dataset.DetectorVector = [1]
    dataset.EnergyWindowVector = [1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [(_few, "500,000"), (_unstated, "stated"), (_cut, "whole body"), (_alone, "one of each")],
)
def test_index_is_withheld(scan: Path, tmp_path: Path, change: Callable[[Dataset], None], reason: str) -> None:
    """Too few counts, views that are not stated, a body that is cut and a single view give no index, and say why."""
    result = assess(vary(scan, tmp_path / "a.dcm", change))
    assert not [code for code in values(result) if code.startswith("BSI")]
    (check,) = (item for item in result.quality if item.name == "Bone Scan Index")
    assert check.verdict is Verdict.NOT_EVALUABLE
    assert reason in check.explanation
    assert any("No Bone Scan Index is given" in sentence and reason in sentence for sentence in result.limitations)


def test_without_a_stated_view_nothing_has_a_side(scan: Path, tmp_path: Path) -> None:
    """No bone is named on a view that may be anterior or posterior: left and right would be a guess."""
    result = assess(vary(scan, tmp_path / "a.dcm", _unstated))
    assert {finding.site for finding in result.findings} == {None}
    assert {len(finding.polygons) for finding in result.findings} == {1}


def test_a_jump_is_warned_of(scan: Path, tmp_path: Path, result: ResultSet) -> None:
    """A patient who moved sideways by 17 mm in the middle of the sweep is warned of, one who lay still is not."""

    def move(dataset: Dataset) -> None:
        frames = frames_of(dataset)
        frames[:, 450:] = np.roll(frames[:, 450:], 7, axis=2)
        set_frames(dataset, frames)

    moved = assess(vary(scan, tmp_path / "a.dcm", move))
    for found, verdict in ((result, Verdict.PASS), (moved, Verdict.WARN)):
        assert {item.verdict for item in found.quality if item.name.startswith("Motion")} == {verdict}


def test_an_index_is_given_or_withheld() -> None:
    """An outcome that is neither, and one that is silently nothing, cannot be made."""
    with pytest.raises(ValueError, match="withheld"):
        IndexOutcome()
