"""Every number of the reports on simulated CT and MR, computed anew from the SEG and the source images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import Dataset, dcmread

from bmnode.domain.codes import Concept
from bmnode.domain.results import Outcome
from bmnode.results.reading import Report
from tests.acceptance.conftest import Assess
from tests.support.measured_region import Region, Volume, load_regions, load_volume
from tests.support.recompute import (
    Others,
    bone_region,
    expected_of_finding,
    expected_of_study,
)
from tests.support.simulated import Change, Patient, as_it_is, put_pixels

TOLERANCE = 1e-6
TUMOUR_UM2_S = 950.0
TUMOUR_LENGTH_MM = 30.0

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]


def series(files: Sequence[Path], word: str) -> list[Path]:
    """The files whose Series Description holds a word."""
    return [path for path in files if word in str(dcmread(path, stop_before_pixels=True).SeriesDescription)]


def as_stored(files: Sequence[Path]) -> Volume:
    """A series in its own unit."""
    return load_volume(files, scale=lambda _image: 1.0)


def check_numbers(report: Report, out: Path, volume: Volume, *, others: Others | None = None) -> set[str]:
    """Compare every number of the report with its witness; the concepts that were compared."""
    (segmentation,) = out.glob("seg*.dcm")
    regions = load_regions(segmentation, volume)
    bone = bone_region(segmentation, regions)
    assert report.findings, report.texts
    seen = set()
    for finding in report.findings:
        assert finding.segment is not None
        region = regions[finding.segment.segment_number]
        for item in finding.measurements:
            expected = expected_of_finding(item, region, finding, bone=bone, others=others)
            assert item.value == pytest.approx(expected, rel=TOLERANCE), (finding.tracking_id, item)
            seen.add(item.concept.value)
    for item in report.measurements:
        expected = expected_of_study(item, report, regions, bone, others=others)
        assert item.value == pytest.approx(expected, rel=TOLERANCE), item
        seen.add(item.concept.value)
    return seen


def test_ct(simulated: Patient, assess: Assess, tmp_path: Path) -> None:
    """Size in three dimensions and in the axial plane, HU and their spread, type, cortex, the interval of SINS."""
    folder = simulated.copy("ct", tmp_path / "ct", change=as_it_is)
    _, report = assess(folder)
    volume = as_stored(sorted(folder.iterdir()))
    seen = check_numbers(report, tmp_path / "ct-out", volume)
    wanted = (Concept.AXIAL_LONG, Concept.AXIAL_SHORT, Concept.REFERENCE_HU, Concept.OPEN_CORTEX)
    assert seen >= {concept.value for concept in wanted}


def test_mr(simulated: Patient, assess: Assess, tmp_path: Path) -> None:
    """ADC of a lesion, of the region and of all lesions, diffusion volume, fat fraction, high b-value signal."""
    plain = simulated.copy("mri", tmp_path / "plain", change=as_it_is)
    _, before = assess(plain)
    assert before.outcome is Outcome.ASSESSED
    adc = as_stored(series(sorted(plain.iterdir()), "ADC"))
    (segmentation,) = (tmp_path / "plain-out").glob("seg*.dcm")
    region = bone_region(segmentation, load_regions(segmentation, adc))
    assert region is not None
    folder = simulated.copy("mri", tmp_path / "mri", change=with_tumour(region.places))
    _, report = assess(folder)
    seen = check_numbers(
        report, tmp_path / "mri-out", as_stored(series(sorted(folder.iterdir()), "ADC")), others=mr_witnesses(folder)
    )
    wanted = (
        Concept.GLOBAL_ADC,
        Concept.DIFFUSION_VOLUME,
        Concept.FAT_FRACTION,
        Concept.HIGH_B_RATIO,
        Concept.HIGH_B_MUSCLE,
        Concept.T1_MUSCLE,
    )
    assert seen >= {concept.value for concept in wanted}


def with_tumour(region: npt.NDArray[np.float64]) -> Change:
    """The middle of a region (n, 3; LPS) gets the ADC of viable tumour, and four times the diffusion signal."""
    middle = float(np.median(region[:, 2]))
    places = region[np.abs(region[:, 2] - middle) <= TUMOUR_LENGTH_MM / 2.0]

    def change(images: Sequence[Dataset]) -> Sequence[Dataset]:
        for image in images:
            if not {"ADC", "DWI"} & set(str(image.SeriesDescription).split()):
                continue
            rows, columns = pixels_at(image, places)
            pixels = np.array(image.pixel_array)
            inside = pixels[rows, columns].astype(np.float64)
            new = inside * 4.0 if "DWI" in image.SeriesDescription else np.full_like(inside, TUMOUR_UM2_S)
            pixels[rows, columns] = np.minimum(new, np.iinfo(pixels.dtype).max)
            put_pixels(image, pixels)
        return images

    return change


def pixels_at(image: Dataset, places: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the places that lie in a slice."""
    orientation = np.asarray(image.ImageOrientationPatient, dtype=np.float64)
    between_rows, between_columns = (float(value) for value in image.PixelSpacing)
    axes = np.stack([orientation[3:], orientation[:3], np.cross(orientation[:3], orientation[3:])])
    found = (places - np.asarray(image.ImagePositionPatient, dtype=np.float64)) @ axes.T
    here = found[np.abs(found[:, 2]) < 0.1]
    return np.rint(here[:, 0] / between_rows).astype(np.int64), np.rint(here[:, 1] / between_columns).astype(np.int64)


def mr_witnesses(folder: Path) -> Others:
    """Fat fraction and signal relative to muscle and region, from their own series at the places of a region."""
    files = sorted(folder.iterdir())
    fat, water, t1 = (as_stored(series(files, word)) for word in ("Dixon fat", "Dixon water", "T1"))
    weighted = {path: float(dcmread(path, stop_before_pixels=True).DiffusionBValue) for path in series(files, "DWI")}
    high_b = as_stored([path for path, b in weighted.items() if b == max(weighted.values())])
    (segmentation,) = (folder.parent / f"{folder.name}-out").glob("seg*.dcm")
    regions = load_regions(segmentation, as_stored(series(files, "ADC")))
    whole, muscle = bone_region(segmentation, regions), regions[max(regions)]
    assert whole is not None
    assert 900.0 < float(np.median(muscle.inside)) < 2000.0
    around = float(np.median(high_b.values[whole.mask]))

    def fat_percent(region: Region) -> float:
        fat_sum, water_sum = (float(part.at(region.places).sum()) for part in (fat, water))
        return 100.0 * fat_sum / (fat_sum + water_sum)

    return {
        Concept.FAT_FRACTION: fat_percent,
        Concept.HIGH_B_RATIO: lambda region: float(np.median(high_b.values[region.mask])) / around,
        Concept.HIGH_B_MUSCLE: lambda region: float(
            np.median(high_b.values[region.mask]) / np.median(high_b.values[muscle.mask])
        ),
        Concept.T1_MUSCLE: lambda region: float(np.median(t1.at(region.places)) / np.median(t1.at(muscle.places))),
    }
