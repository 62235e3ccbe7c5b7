"""`bmnode suv` gives the volume that the PET/CT branch measures on, or says why there is none."""

from __future__ import annotations

import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread

from bmnode.cli.documents import KINDS
from bmnode.cli.entry import main
from operators.kernels import body_size
from tests.support.real_data import shared_data_directory
from tests.unit.operators.series import geometry_of, pet_attributes, write_series

VALUES = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5) * 100.0


@pytest.fixture
def pet(tmp_path: Path) -> Path:
    """A PET series of 70 kg, 1.75 m, male."""
    folder = tmp_path / "pet"
    folder.mkdir()
    write_series(
        folder, VALUES, modality="PT", geometry=geometry_of(VALUES.shape), attributes=pet_attributes(PatientSex="M")
    )
    return folder


def run(*arguments: object) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as ended:
        main(["suv", *map(str, arguments)])
    return int(ended.value.code or 0)


def volume(path: Path) -> npt.NDArray[np.float64]:
    """The written voxels (column, row, slice)."""
    return np.asarray(nibabel.load(path).get_fdata())  # type: ignore[attr-defined]


def test_the_file_has_the_images_place(pet: Path, tmp_path: Path) -> None:
    """A voxel's RAS position is its LPS position with x and y turned round, and its value is the scaled pixel."""
    assert run(pet, "--out", tmp_path / "suv.nii.gz") == 0
    image = nibabel.load(tmp_path / "suv.nii.gz")
    x, y, z = geometry_of(VALUES.shape).position_lps((2, 3, 1))
    affine = np.asarray(image.affine)  # type: ignore[attr-defined]
    assert affine @ (1, 3, 2, 1) == pytest.approx((-x, -y, z, 1))
    written = volume(tmp_path / "suv.nii.gz")
    assert written.shape == (5, 4, 3)
    np.testing.assert_allclose(written / written[1, 0, 0], VALUES.transpose(2, 1, 0) / VALUES[0, 0, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("suv_type", "factor"),
    [
        ("lbm", 57.800 / 70),
        ("lbm-janma", 55.85711 / 70),
        ("ibw", 72.38 / 70),
        ("bsa", body_size.body_surface_m2(70.0, 1.75) * 1e4 / 70e3),
    ],
)
def test_each_type_is_body_weight_times_its_ratio(pet: Path, tmp_path: Path, suv_type: str, factor: float) -> None:
    """The masses of the reference's table, of a man of 70 kg and 1.75 m."""
    run(pet, "--out", tmp_path / "bw.nii")
    run(pet, "--out", tmp_path / "other.nii", "--type", suv_type)
    np.testing.assert_allclose(volume(tmp_path / "other.nii"), volume(tmp_path / "bw.nii") * factor, rtol=2e-6)


def test_json_says_what_was_written(pet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every documented key; shape, unit and extremes of the file itself."""
    run(pet, "--out", tmp_path / "suv.nii.gz", "--type", "bsa", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == KINDS["suv_report"].keys()
    written = volume(tmp_path / "suv.nii.gz")
    assert (told["unit"], told["shape"]) == ("cm2/ml", [3, 4, 5])
    assert (told["minimum"], told["maximum"]) == pytest.approx((written.min(), written.max()))


def _without(keyword: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in folder.iterdir():
            dataset = dcmread(path)
            delattr(dataset, keyword)
            dataset.save_as(path)

    return change


@pytest.mark.parametrize(
    ("keyword", "suv_type", "says"),
    [
        ("PatientWeight", "bw", "weight is missing"),
        ("CorrectedImage", "bw", "not corrected for attenuation"),
        ("PatientSize", "lbm", "needs the patient's height and sex"),
        ("PatientSex", "lbm-janma", "needs the patient's height and sex"),
        ("PatientSize", "bsa", "the patient's height"),
    ],
)
def test_what_is_missing_is_said(
    pet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], keyword: str, suv_type: str, says: str
) -> None:
    """No file, exit code 10, and the reason on one line."""
    _without(keyword)(pet)
    assert run(pet, "--out", tmp_path / "suv.nii", "--type", suv_type) == 10
    assert says in capsys.readouterr().err
    assert not (tmp_path / "suv.nii").exists()


def test_a_folder_without_pet_is_told_apart_from_a_bad_ending(
    tmp_path: Path, pet: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not found is 3, a wrong option is 2."""
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(empty, "--out", tmp_path / "suv.nii") == 3
    assert run(pet, "--out", tmp_path / "suv.mha") == 2
    assert ".nii.gz" in capsys.readouterr().err


@pytest.mark.real_data
def test_reference_objects_through_the_command(tmp_path: Path) -> None:
    """Every digital reference object of the IBSI: 0.20, 1.00 and 4.00 within 0.005 inside its mask."""
    archive = shared_data_directory() / "ibsi_suv_dro" / "DRO.tar.xz"
    if not archive.is_file():
        pytest.skip("the IBSI digital reference objects are absent")
    with lzma.open(archive) as stream, tarfile.open(fileobj=stream) as tar:
        tar.extractall(tmp_path, filter="data")
    folders = sorted(path.parent for path in tmp_path.rglob("PT"))
    assert len(folders) >= 11
    for folder in folders:
        out = tmp_path / f"{folder.name}.nii.gz"
        assert run(folder / "PT", "--out", out) == 0
        (mask_file,) = (folder / "mask").glob("*.nii.gz")
        mask = nibabel.load(mask_file)
        image = nibabel.load(out)
        np.testing.assert_allclose(image.affine, mask.affine, atol=1e-3)  # type: ignore[attr-defined]
        inside = volume(out)[np.asarray(mask.get_fdata()) > 0]  # type: ignore[attr-defined]
        assert (inside.min(), np.median(inside), inside.max()) == pytest.approx((0.2, 1.0, 4.0), abs=0.005), folder.name
