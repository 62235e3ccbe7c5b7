"""The main job on real images: DCMTK's storescu sends, Orthanc ends up with SR and SEG that others can read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from pydicom import Dataset, dcmread

from bmnode.domain.codes import Concept
from bmnode.domain.outlines import rasterise
from bmnode.domain.results import Outcome
from bmnode.results.reading import Report, read_report
from bmnode.testing.node import AE_TITLE
from bmnode.testing.ports import LOOPBACK
from tests.acceptance.conftest import Site
from tests.support.measured_region import load_regions, load_volume
from tests.support.real_studies import REAL_STUDIES, RealStudy
from tests.support.recompute import (
    bone_region,
    expected_of_finding,
    expected_of_study,
    reference_figures,
)
from tests.support.recompute_planar import Scan, expected_numbers
from tests.support.tools import dcmtk_environment
from tests.support.validators import complaints, program, run

TOLERANCE = 1e-6

pytestmark = [pytest.mark.acceptance, pytest.mark.real_data, pytest.mark.timeout(600)]


def send(storescu: Path, study: RealStudy, *, port: int) -> None:
    """Send as a scanner would: the files as they are, compressed ones in their own syntax."""
    syntaxes = {str(dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID) for path in study.files[:1]}
    option = {"1.2.840.10008.1.2.4.70": "-xs", "1.2.840.10008.1.2.4.90": "-xv"}.get(syntaxes.pop(), "-xe")
    command = [str(storescu), option, "-aet", "SCANNER", "-aec", AE_TITLE, LOOPBACK, str(port)]
    subprocess.run(
        [*command, *map(str, study.files)], check=True, env=dcmtk_environment(), capture_output=True, timeout=120
    )


@pytest.fixture(params=REAL_STUDIES, ids=lambda make: make.__name__)
def study(request: pytest.FixtureRequest, shared_data: Path, tmp_path: Path) -> RealStudy:
    """One real study."""
    make: Callable[[Path, Path], RealStudy] = request.param
    return make(shared_data, tmp_path / "in")


def test_a_real_study_ends_as_results_in_the_archive(
    site: Site, study: RealStudy, storescu: Path, tmp_path: Path
) -> None:
    """Every kind of object in Orthanc; dciodvfy has no error, dcmqi reads the SEG of slices, the numbers hold."""
    send(storescu, study, port=site.node.plan.port)
    site.await_results(study.study_uid, seg=True)
    files = site.download_results(study.study_uid, tmp_path / "out")
    reports = [read_report(path) for path in files["SR"]]
    root = next(report for report in reports if report.outcome is not None)
    assert root.outcome is Outcome.ASSESSED
    for path in (*files["SR"], *files["SEG"], *files["OT"], *files["DOC"]):
        assert [line for line in complaints(path, real=True) if line.startswith("Error")] == []
    for path in files["SEG"]:
        if not study.has_slices:
            check_planar_pixels(root, path, study)
            continue
        said = run(program("segimage2itkimage"), "--inputDICOM", str(path), "--outputDirectory", str(tmp_path))
        assert said.returncode == 0, said.stderr
        check_volume_numbers(root, path, study)
    if not study.has_slices:
        check_planar_numbers(root, study)


def seconds_of_day(time: object) -> float:
    """Seconds since midnight of a TM value."""
    text = str(time)
    return int(text[:2]) * 3600.0 + int(text[2:4]) * 60.0 + float(text[4:])


def suv_per_becquerel(image: Dataset) -> float:
    """SUVbw of 1 Bq/ml: weight over the dose at the series' start (decay-corrected to START)."""
    agent = image.RadiopharmaceuticalInformationSequence[0]
    waited_s = seconds_of_day(image.SeriesTime) - seconds_of_day(agent.RadiopharmaceuticalStartTime)
    left = float(agent.RadionuclideTotalDose) * 2.0 ** (-waited_s / float(agent.RadionuclideHalfLife))
    return float(float(image.PatientWeight) * 1000.0 / left)


SCALES: dict[str, Callable[[Dataset], float]] = {
    "PT": suv_per_becquerel,
    "CT": lambda _image: 1.0,
    "MR": lambda _image: 1.0,
}


def check_volume_numbers(report: Report, segmentation: Path, study: RealStudy) -> None:
    """Every number of the SR is the one recomputed from the SEG and the source."""
    image = dcmread(study.files[0], stop_before_pixels=True)
    scale = SCALES[str(image.Modality)]
    volume = load_volume(study.files, scale=scale)
    regions = load_regions(segmentation, volume)
    bone = bone_region(segmentation, regions)
    figures = dict(reference_figures(segmentation, regions, image))
    if image.Modality == "PT":
        figures[Concept.SUV_FACTOR, None] = scale(image)
    for finding in report.findings:
        assert finding.segment is not None
        assert finding.measurements
        for item in finding.measurements:
            region = regions[finding.segment.segment_number]
            expected = expected_of_finding(item, region, finding, bone=bone, figures=figures)
            assert item.value == pytest.approx(expected, rel=TOLERANCE), (finding.tracking_id, item)
    assert report.measurements
    assert (image.Modality == "PT") == any(item.concept == Concept.SUV_FACTOR for item in report.measurements)
    for item in report.measurements:
        expected = expected_of_study(item, report, regions, bone, figures=figures)
        assert item.value == pytest.approx(expected, rel=TOLERANCE), item


def check_planar_numbers(report: Report, study: RealStudy) -> None:
    """Every number is the one recomputed from the outlines, the pixels and the stated normal level."""
    image = dcmread(study.files[0])
    counts = image.pixel_array.astype(np.float64)
    scan = Scan(views={"VIEW": (None, counts)}, pixel_mm=float(image.PixelSpacing[0]))
    assert report.findings
    for item, expected in expected_numbers(report, scan):
        assert item.value == pytest.approx(expected, rel=TOLERANCE), item


def check_planar_pixels(report: Report, segmentation: Path, study: RealStudy) -> None:
    """Every finding's segment, read by highdicom through the source image, holds the pixels inside its outline."""
    image = dcmread(study.files[0], stop_before_pixels=True)
    seg = hd.seg.segread(segmentation)
    numbers = {str(item.TrackingUID): int(item.SegmentNumber) for item in seg.SegmentSequence}
    assert set(numbers) == {finding.tracking_uid for finding in report.findings}
    pixels = seg.get_pixels_by_source_instance(
        [image.SOPInstanceUID], segment_numbers=sorted(numbers.values()), combine_segments=False
    )[0].astype(np.bool_)
    for finding in report.findings:
        (polygon,) = finding.polygons
        expected = rasterise(polygon.points, shape=(int(image.Rows), int(image.Columns)))
        np.testing.assert_array_equal(pixels[..., numbers[finding.tracking_uid] - 1], expected)
