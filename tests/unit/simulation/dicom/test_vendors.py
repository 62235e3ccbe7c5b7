"""Vendors' own elements stand where those vendors put them, under their private creators."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from operators.simulation.dicom.pet import write_pet
from operators.simulation.dicom.pet_headers import suv_per_bqml
from operators.simulation.dicom.series import WrittenSeries
from operators.simulation.images import Content
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.tracer import Tracer
from tests.unit.simulation.dicom import small
from tests.unit.simulation.dicom.conftest import Written
from tests.unit.simulation.dicom.small import Kind


def headers(series: WrittenSeries) -> list[Dataset]:
    """Of every instance."""
    return [dcmread(path, stop_before_pixels=True) for path in series.files]


def test_philips_pet_is_in_counts_with_both_factors(written: Written) -> None:
    """Units are CNTS; (7053,1000) leads to SUVbw and (7053,1009) to Bq/ml, and the two agree."""
    dataset = headers(written(Kind.PET, "philips")[0])[0]
    assert dataset.Units == "CNTS"
    assert dataset[0x7053, 0x0010].value == "Philips PET Private Group"
    to_suv, to_activity = float(dataset[0x7053, 0x1000].value), float(dataset[0x7053, 0x1009].value)
    assert to_suv / to_activity == pytest.approx(suv_per_bqml(small.HEADER, protocol=PetProtocol()), rel=1e-6)


def test_ge_pet_names_the_start_of_the_scan(written: Written) -> None:
    """(0009,100D) is the scan's start; a late Series Time comes after every acquisition, slopes differ by slice."""
    datasets = headers(written(Kind.PET, "ge")[0])
    first = datasets[0]
    assert first[0x0009, 0x0010].value == "GEMS_PETD_01"
    assert str(first[0x0009, 0x100D].value) == min(item.AcquisitionDate + item.AcquisitionTime for item in datasets)
    assert all(first.SeriesTime > item.AcquisitionTime for item in datasets)
    assert len({float(item.RescaleSlope) for item in datasets}) > 1


def test_siemens_pet_names_its_reference(written: Written) -> None:
    """(0071,1022) is the decay reference."""
    dataset = headers(written(Kind.PET, "siemens")[0])[0]
    assert dataset[0x0071, 0x0010].value == "SIEMENS MED PT"
    assert str(dataset[0x0071, 0x1022].value) == dataset.SeriesDate + dataset.SeriesTime


@pytest.mark.parametrize(
    ("habit", "tag", "creator", "wanted"),
    [
        ("siemens", (0x0019, 0x100C), "SIEMENS MR HEADER", 900.0),
        ("ge", (0x0043, 0x1039), "GEMS_PARM_01", 1_000_000_900.0),
        ("philips", (0x2001, 0x1003), "Philips Imaging DD 001", 900.0),
    ],
)
def test_b_values_are_private(written: Written, habit: str, tag: tuple[int, int], creator: str, wanted: float) -> None:
    """The last volume's b-value is in the vendor's element; the standard attribute is absent."""
    series = next(item for item in written(Kind.MRI, habit) if item.contents[0] is Content.DWI)
    dataset = headers(series)[-1]
    value = dataset[tag].value
    assert float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value) == wanted
    assert dataset[tag[0], 0x0010].value == creator
    assert "DiffusionBValue" not in dataset


def test_beds_follow_each_other(tmp_path: Path) -> None:
    """From bed to bed of a long scan, Acquisition Time, Frame Reference Time and Decay Factor say the same delay."""
    put = small.volume(Content.ACTIVITY_BQML, geometry=small.grid(shape=(80, 10, 12)))
    protocol = PetProtocol(tracer=Tracer.PSMA_11)
    series = write_pet(tmp_path, header=small.HEADER, volume=put, protocol=protocol, habits=Habits())
    first, *rest = headers(series)
    # The mean activity of a short frame lies just before its middle.
    seconds = protocol.seconds_per_bed
    assert 0.48 < float(first.FrameReferenceTime) / first.ActualFrameDuration < 0.5
    assert (first.AcquisitionTime, first.ActualFrameDuration) == (first.SeriesTime, round(seconds * 1000.0))
    delays = []
    for dataset in rest:
        delay_s = (float(dataset.FrameReferenceTime) - float(first.FrameReferenceTime)) / 1000.0
        decay = float(dataset.DecayFactor) / float(first.DecayFactor)
        assert decay == pytest.approx(0.5 ** (-delay_s / 4057.0), rel=1e-6)
        acquired = datetime.strptime(dataset.AcquisitionTime, "%H%M%S.%f")  # noqa: DTZ007 - a difference
        begun = datetime.strptime(first.AcquisitionTime, "%H%M%S.%f")  # noqa: DTZ007 - a difference
        assert (acquired - begun).total_seconds() == pytest.approx(delay_s, abs=1e-3)
        delays.append(round(delay_s))
    assert sorted(set(delays)) == [0, 150, 300]


def test_units_of_maps(written: Written) -> None:
    """A plain ADC map states its unit, Philips' slope leads to 10^-3 mm2/s, Siemens' map states nothing."""
    maps = {habit: headers(written(Kind.MRI, habit)[-1])[0] for habit in ("plain", "philips", "siemens")}
    mapping = maps["plain"].RealWorldValueMappingSequence[0]
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "um2/s"
    assert float(maps["philips"].RescaleSlope) == pytest.approx(1e-3)
    assert "RealWorldValueMappingSequence" not in maps["siemens"]
