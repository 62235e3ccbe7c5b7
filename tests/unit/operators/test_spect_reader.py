"""SPECT in Bq/ml becomes SUVbw from an NM header: dose in MBq, no half-life, a time of day for the injection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as DicomSequence

from operators.kernels.decay import HALF_LIFE_S
from operators.readers.spect import SpectUnit, SpectVolume, read_spect
from tests.unit.operators.series import geometry_of, radiopharmaceutical, write_spect

BQ_PER_STORED = 250.0


def mapping(unit: str) -> DicomSequence:
    """A Real World Value Mapping of stored values."""
    code, item = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", unit
    item.MeasurementUnitsCodeSequence = DicomSequence([code])
    item.RealWorldValueSlope, item.RealWorldValueIntercept = BQ_PER_STORED, 0.0
    return DicomSequence([item])


def read(folder: Path, *, unit: str = "Bq/ml", drug: dict[str, Any] | None = None, **changes: Any) -> SpectVolume:
    """A tomogram of 100 stored in every voxel, 680 MBq at 22:00 and 70 kg, acquired at 1:00 of the next day."""
    agent = {
        "Radiopharmaceutical": "MDP",
        "RadionuclideTotalDose": 680.0,
        "RadiopharmaceuticalStartTime": "220000",
        "RadionuclideHalfLife": None,
        **(drug or {}),
    }
    attributes = {
        "RealWorldValueMappingSequence": mapping(unit),
        "RadiopharmaceuticalInformationSequence": radiopharmaceutical(**agent),
        "PatientWeight": 70.0,
        "AcquisitionDate": "20250102",
        "AcquisitionTime": "010000",
        **changes,
    }
    geometry = geometry_of((3, 4, 5), spacing_mm=(4.0, 4.0, 4.0))
    return read_spect([write_spect(folder, np.full((3, 4, 5), 100.0), geometry, attributes=attributes)])


def nuclide(code: str) -> DicomSequence:
    """A Radionuclide Code Sequence of SNOMED CT."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", code
    return DicomSequence([item])


def after_three_hours(half_life_s: float) -> float:
    """SUVbw of 1 Bq/ml."""
    return 70_000.0 / (680e6 * float(2.0 ** (-3 * 3600.0 / half_life_s)))


@pytest.mark.parametrize("unit", ["Bq/ml", "Bq/mL", "BQ/ML"])
def test_activity_becomes_suv_across_midnight(tmp_path: Path, unit: str) -> None:
    """However the unit is spelt, with the half-life of Tc-99m and the last 22:00 before the acquisition."""
    spect = read(tmp_path, unit=unit)
    factor = after_three_hours(HALF_LIFE_S["Tc-99m"])
    assert spect.unit is SpectUnit.SUV_BW
    assert spect.per_bq_ml == pytest.approx(factor, rel=1e-12)
    assert spect.volume.array == pytest.approx(100.0 * BQ_PER_STORED * factor, rel=1e-6)


def test_the_half_life_is_that_of_the_nuclide(tmp_path: Path) -> None:
    """A coded nuclide brings its own; a stated one that does not fit it gives no SUV."""
    coded = read(tmp_path / "a", drug={"RadionuclideCodeSequence": nuclide("21572004")})
    assert coded.per_bq_ml == pytest.approx(after_three_hours(HALF_LIFE_S["I-123"]), rel=1e-12)
    odd = read(tmp_path / "b", drug={"RadionuclideCodeSequence": nuclide("72454006"), "RadionuclideHalfLife": 6586.2})
    assert (odd.unit, odd.per_bq_ml) == (SpectUnit.COUNTS, None)


def test_a_stated_correction_for_attenuation_and_scatter_is_enough(tmp_path: Path) -> None:
    """With both the activity becomes SUV; an image that states none is taken at its word."""
    assert read(tmp_path, CorrectedImage=["DECY", "SCAT", "ATTN"]).unit is SpectUnit.SUV_BW


@pytest.mark.parametrize(
    ("stated", "expected"), [(None, None), (["UNIF", "COR"], False), (["ATTN", "SCAT"], True), (["ATTN"], True)]
)
def test_what_the_image_says_of_attenuation_is_kept(
    tmp_path: Path, stated: list[str] | None, expected: bool | None
) -> None:
    """Corrected, not corrected, or not said, with SUV and without."""
    changes: dict[str, Any] = {} if stated is None else {"CorrectedImage": stated}
    assert read(tmp_path / "a", **changes).attenuation_corrected is expected
    counts = read(tmp_path / "b", RealWorldValueMappingSequence=DicomSequence(), **changes)
    assert counts.attenuation_corrected is expected


def test_an_image_in_suv_is_taken_as_it_is(tmp_path: Path) -> None:
    """No factor holds from Bq/ml, since the image is not in Bq/ml."""
    spect = read(tmp_path, unit="g/ml{SUVbw}")
    assert (spect.unit, spect.per_bq_ml) == (SpectUnit.SUV_BW, None)
    assert spect.volume.array == pytest.approx(100.0 * BQ_PER_STORED)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PatientWeight": None}, "weight is missing"),
        ({"drug": {"RadiopharmaceuticalStartTime": ""}}, "time of injection"),
        ({"drug": {"RadiopharmaceuticalStartDateTime": "20250102020000"}}, "not dated within"),
        ({"RealWorldValueMappingSequence": DicomSequence()}, "not calibrated"),
        ({"drug": {"RadionuclideTotalDose": 18.4}}, "not plausible"),
        ({"CorrectedImage": ["UNIF", "COR"]}, "attenuation and scatter"),
        ({"CorrectedImage": ["DECY", "ATTN"]}, "not corrected for scatter"),
        ({"CorrectedImage": ["ATTN"], "unit": "g/ml{SUVbw}"}, "not corrected for scatter"),
    ],
)
def test_without_what_suv_needs_the_image_stays_in_counts(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """Counts, with the reason; never an SUV on a guess."""
    spect = read(tmp_path, **changes)
    assert (spect.unit, spect.per_bq_ml) == (SpectUnit.COUNTS, None)
    assert said in spect.explanation
    assert spect.volume.array == pytest.approx(100.0)
