"""A two-view bone scan from pixels to SR and back: every number has a witness, every lesion stands once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from bmnode.domain.codes import Concept, UptakeKind
from bmnode.results.reading import Report, read_report
from bmnode.results.write import write_results
from tests.support.recompute_planar import Scan, expected_numbers
from tests.unit.results.result_sets import CONTEXT
from tests.unit.scintigraphy.scans import assess, write_scan

TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Scan]:
    """The SR of a synthetic scan as its reader gets it, and the images."""
    folder = tmp_path_factory.mktemp("scan")
    study = write_scan(folder)
    write_results(assess(*study.files), source_files=study.files, out_dir=folder / "out", context=CONTEXT)
    frames = dcmread(study.files[0]).pixel_array.astype(np.float64)
    return read_report(folder / "out" / "sr.dcm"), Scan(
        views={"ANT": (1, frames[0]), "POST": (2, frames[1])}, pixel_mm=2.4
    )


def test_every_number_has_a_witness(written: tuple[Report, Scan]) -> None:
    """Each number of the SR is the one recomputed from its outlines and the pixels, to 1e-6."""
    report, scan = written
    numbers = list(expected_numbers(report, scan))
    assert {Concept.BONE_SCAN_INDEX, Concept.LESION_COUNT, Concept.LESION_AREA} <= {item.concept for item, _ in numbers}
    for item, expected in numbers:
        assert item.value == pytest.approx(expected, rel=TOLERANCE), item


def test_a_lesion_of_both_views_stands_once(written: tuple[Report, Scan]) -> None:
    """A paired lesion is one finding with an outline on each frame, under one Tracking UID, and counted once."""
    report, _ = written
    paired = [finding for finding in report.findings if len(finding.polygons) == 2]
    assert len(paired) >= 4  # all lesions but one vertebra, which shows from behind alone
    for finding in paired:
        assert {outline.frame_number for outline in finding.polygons} == {1, 2}
    (count,) = (item.value for item in report.measurements if item.concept == Concept.LESION_COUNT)
    candidates = [
        finding for finding in report.findings if UptakeKind.CANDIDATE in {item.value for item in finding.evaluations}
    ]
    assert count == len(candidates)
    assert len({finding.tracking_uid for finding in report.findings}) == len(report.findings)


def test_the_index_names_its_table(tmp_path: Path, written: tuple[Report, Scan]) -> None:
    """The index says its mode and table in the method of every number of it."""
    report, _ = written
    methods = {item.method for item in report.measurements if item.concept.value.startswith("BSI")}
    assert methods == {"BSI_PLANAR_V1 max COEF_SPIERS1968"}
