"""Every object is valid, says that it is synthetic, and tells nothing of the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from bmnode.domain.ids import is_uid
from tests.support.validators import program, run
from tests.unit.simulation.dicom import small
from tests.unit.simulation.dicom.conftest import Written
from tests.unit.simulation.dicom.small import HABITS, Kind


def errors(path: Path) -> list[str]:
    """What dciodvfy calls an error."""
    said = run(program("dciodvfy"), "-new", str(path))
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("kind", Kind)
def test_dciodvfy_finds_no_error(written: Written, kind: Kind, habit: str) -> None:
    """dciodvfy finds no error in any object of any modality with any habit."""
    for series in written(kind, habit):
        assert errors(series.files[0]) == []


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("kind", Kind)
def test_every_instance_says_that_it_is_synthetic(written: Written, kind: Kind, habit: str) -> None:
    """Name, comment and Synthetic Data say so in every instance, whatever is left out."""
    for path in small.paths(written(kind, habit)):
        dataset = dcmread(path, stop_before_pixels=True)
        assert str(dataset.PatientName).startswith("SIM^")
        assert dataset.SyntheticData == "YES"
        assert is_uid(dataset.SOPInstanceUID)


@pytest.mark.parametrize("kind", Kind)
def test_no_text_tells_what_was_simulated(written: Written, kind: Kind) -> None:
    """No text of a header names a lesion, a decoy, a disease or a seed."""
    words = ("lesion", "metast", "tumo", "cancer", "paget", "fracture", "lytic", "sclero", "prosthe", "truth", "seed")
    dataset = dcmread(written(kind, "plain")[0].files[0], stop_before_pixels=True)
    said = " ".join(texts(dataset)).lower()
    assert "sim" in said
    assert not [word for word in words if word in said]


def texts(dataset: Dataset) -> list[str]:
    """Every text in a data set."""
    return [str(element.value) for element in dataset.iterall() if element.VR in {"LO", "SH", "LT", "ST", "UT", "PN"}]


def test_missing_optional_removes_only_what_is_optional(written: Written) -> None:
    """A sparing CT has no size, age or description, empties the tube voltage, and keeps its geometry and scale."""
    series = written(Kind.CT, "missing_optional")[0]
    dataset = dcmread(series.files[0], stop_before_pixels=True)
    assert "PatientSize" not in dataset
    assert "SeriesDescription" not in dataset
    assert dataset.KVP is None
    assert [float(value) for value in dataset.PixelSpacing] == [2.5, 2.0]
    assert float(dataset.RescaleIntercept) == -1024.0


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """Written twice, every file of every modality is byte for byte the same."""
    for kind in Kind:
        for name in ("enhanced", "accidents"):
            first = small.paths(small.write(tmp_path / "a" / kind / name, kind, habits=HABITS[name]))
            second = small.paths(small.write(tmp_path / "b" / kind / name, kind, habits=HABITS[name]))
            assert [path.name for path in first] == [path.name for path in second]
            assert all(one.read_bytes() == two.read_bytes() for one, two in zip(first, second, strict=True))


def test_uids_of_a_study_are_its_own(written: Written) -> None:
    """No SOP Instance UID comes twice in a study, but for instances that were sent again byte by byte."""
    series = written(Kind.MRI, "accidents")
    by_uid: dict[str, set[bytes]] = {}
    for path in small.paths(series):
        by_uid.setdefault(str(dcmread(path, stop_before_pixels=True).SOPInstanceUID), set()).add(path.read_bytes())
    assert all(len(contents) == 1 for contents in by_uid.values())
    assert len(small.paths(series)) - len(by_uid) == 2 * len(series)
