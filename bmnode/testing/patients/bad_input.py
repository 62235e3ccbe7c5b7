"""What a node must refuse, each for a reason of its own: other examinations, broken studies, broken files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage, SecondaryCaptureImageStorage

from bmnode.domain.study import Reason
from bmnode.testing.patients.anatomy import Anatomy
from bmnode.testing.patients.bone_scan import write_planar
from bmnode.testing.patients.ct import CtProtocol, hounsfield, write_ct_series
from bmnode.testing.patients.dicom import SeriesHead, StudyFolder, save, set_pixels
from bmnode.testing.patients.grid import Grid
from bmnode.testing.patients.spec import PatientSpec, StudyTruth, SyntheticStudy
from bmnode.testing.patients.spect import write_spect
from bmnode.testing.patients.tracers import MIBG

_SMALL = CtProtocol(
    grid=Grid.axial((24, 64, 64), spacing_mm=(5.0, 6.0, 6.0), bottom_mm=60.0, center_y_mm=10.0),
    description="CT abdomen",
    body_part="ABDOMEN",
    noise_hu=14.0,
    blur_fwhm_mm=6.0,
    exposure_mas=100,
)
_HEAD = CtProtocol(
    grid=Grid.axial((44, 128, 128), spacing_mm=(5.0, 2.0, 2.0), bottom_mm=660.0, center_y_mm=10.0),
    description="CT head",
    body_part="BRAIN",
    noise_hu=6.0,
    blur_fwhm_mm=2.0,
    exposure_mas=300,
)
_CHEST = CtProtocol(
    grid=Grid.axial((160, 64, 192), spacing_mm=(2.2, 5.0, 2.2), bottom_mm=260.0, center_y_mm=10.0),
    description="CR chest PA",
    body_part="CHEST",
    noise_hu=5.0,
    blur_fwhm_mm=2.0,
    exposure_mas=2,
)
TRUNCATED_SHARE = 0.6
"""How much of its file a truncated instance keeps."""


def write_two_patients(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write one CT study whose second half carries another Patient ID."""
    study = StudyFolder(directory=directory, spec=spec, name="two patients", title="CT")
    files = _small_ct(study)

    def rename(ds: Dataset) -> None:
        ds.PatientID = f"{spec.patient_id}-OTHER"[-64:]

    _edit(files[len(files) // 2 :], rename)
    description = "CT whose images carry two Patient IDs"
    return study.finish(files, branch=None, description=description, refusal=Reason.SEVERAL_PATIENTS)


def write_missing_pixel_data(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write one CT study whose instances have no Pixel Data (7FE0,0010)."""
    study = StudyFolder(directory=directory, spec=spec, name="missing pixel data", title="CT")
    files = _small_ct(study)

    def drop(ds: Dataset) -> None:
        del ds.PixelData

    _edit(files, drop)
    description = "CT without pixel data"
    return study.finish(files, branch=None, description=description, refusal=Reason.MISSING_PIXEL_DATA)


def write_zero_slices(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write one reconstructed SPECT whose Number of Frames is 0 and whose Pixel Data is empty: no node takes it."""
    whole = write_spect(directory, spec=spec)
    tomogram, *anatomy = sorted(
        whole.files, key=lambda path: pydicom.dcmread(path, stop_before_pixels=True).Modality != "NM"
    )
    for path in anatomy:
        path.unlink()

    def empty(ds: Dataset) -> None:
        ds.NumberOfFrames = 0
        ds.PixelData = b""

    _edit([tomogram], empty)
    return replace(
        whole,
        name="zero slices",
        description="SPECT with no slices",
        files=(tomogram,),
        branch=None,
        truth=StudyTruth(),
    ).write_truth()


def write_absent_spacing(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write one CT study without Pixel Spacing (0028,0030)."""
    study = StudyFolder(directory=directory, spec=spec, name="absent spacing", title="CT")
    files = _small_ct(study)

    def drop(ds: Dataset) -> None:
        del ds.PixelSpacing

    _edit(files, drop)
    description = "CT without pixel spacing"
    return study.finish(files, branch=None, description=description, refusal=Reason.MISSING_GEOMETRY)


def write_truncated(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write one CT study whose last file stops in the middle of its pixel data, as after a broken transfer."""
    study = StudyFolder(directory=directory, spec=spec, name="truncated", title="CT")
    files = _small_ct(study)
    whole = files[-1].read_bytes()
    files[-1].write_bytes(whole[: int(TRUNCATED_SHARE * len(whole))])
    return study.finish(files, branch=None, description="CT whose last file is cut short")


def write_not_dicom(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write one file of random bytes with the name of an image."""
    study = StudyFolder(directory=directory, spec=spec, name="not dicom", title="noise")
    path = study.dicom_folder() / "s01_ct_0001.dcm"
    path.write_bytes(np.random.default_rng([spec.seed, 6]).bytes(20_000))
    return study.finish(
        [path], branch=None, description="Bytes that are no DICOM file", refusal=Reason.UNREADABLE_INPUT
    )


def write_brain_ct(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write a CT of the head: a valid study that no branch assesses."""
    study = StudyFolder(directory=directory, spec=spec, name="brain ct", title="Brain CT")
    files = write_ct_series(study, number=1, protocol=_HEAD, anatomy=Anatomy(spec))
    return study.finish(files, branch=None, description="CT of the head", refusal=Reason.UNSUPPORTED_EXAMINATION)


def write_mibg(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write a whole-body I-123 MIBG scan: looks like a bone scan to a careless reader."""
    study = StudyFolder(directory=directory, spec=spec, name="mibg", title="MIBG")
    path = write_planar(study, tracer=MIBG, anatomy=Anatomy(spec, arms=True), lesions=(), text="WHOLE BODY MIBG")
    return study.finish(
        [path], branch=None, description="Whole-body I-123 MIBG scan", refusal=Reason.UNSUPPORTED_TRACER
    )


def write_chest_xray(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write a chest radiograph (CR): projected attenuation of the same body, seen from in front."""
    study = StudyFolder(directory=directory, spec=spec, name="chest x-ray", title="Chest")
    head = SeriesHead(
        study=study,
        number=1,
        modality="CR",
        sop_class_uid=ComputedRadiographyImageStorage,
        description=_CHEST.description,
        body_part=_CHEST.body_part,
        has_frame_of_reference=False,
    )
    hu = hounsfield(_CHEST, anatomy=Anatomy(spec), lesions=(), seed=spec.seed)
    attenuation = np.maximum(hu + 1000.0, 0.0).sum(axis=1)[::-1]
    ds = head.dataset()
    ds.InstanceNumber = 1
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.PatientOrientation = ["L", "F"]
    ds.ViewPosition = "PA"
    ds.KVP = "110"
    set_pixels(ds, np.rint(4095.0 * attenuation / attenuation.max()).astype(np.uint16))
    path = study.dicom_folder() / "s01_cr_0001.dcm"
    save(ds, path, instance_uid=head.instance_uid(1))
    return study.finish([path], branch=None, description="Chest radiograph", refusal=Reason.UNSUPPORTED_MODALITY)


def write_secondary_capture(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write a screen capture: one CT slice as an 8-bit picture of Modality OT."""
    study = StudyFolder(directory=directory, spec=spec, name="secondary capture", title="Capture")
    head = SeriesHead(
        study=study,
        number=1,
        modality="OT",
        sop_class_uid=SecondaryCaptureImageStorage,
        description="Screen capture",
        body_part="ABDOMEN",
        has_frame_of_reference=False,
    )
    hu = hounsfield(_SMALL, anatomy=Anatomy(spec), lesions=(), seed=spec.seed)[_SMALL.grid.shape[0] // 2]
    ds = head.dataset()
    ds.InstanceNumber = 1
    ds.ImageType = ["DERIVED", "SECONDARY"]
    ds.ConversionType = "WSD"
    ds.PatientOrientation = ["L", "P"]
    set_pixels(ds, np.clip((hu + 200.0) * 255.0 / 700.0, 0, 255).astype(np.uint8))
    path = study.dicom_folder() / "s01_ot_0001.dcm"
    save(ds, path, instance_uid=head.instance_uid(1))
    return study.finish([path], branch=None, description="Screen capture", refusal=Reason.UNSUPPORTED_MODALITY)


def _small_ct(study: StudyFolder) -> list[Path]:
    return write_ct_series(study, number=1, protocol=_SMALL, anatomy=Anatomy(study.spec))


def _modality(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).Modality)


def _edit(files: list[Path], change: Callable[[Dataset], None]) -> None:
    for path in files:
        ds = pydicom.dcmread(path)
        change(ds)
        ds.save_as(path, enforce_file_format=True)
