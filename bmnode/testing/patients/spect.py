"""SPECT/CT of the lumbar spine and pelvis: one reconstructed NM image and a low-dose CT in its frame of reference."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import NuclearMedicineImageStorage

from bmnode.domain.codes import Unit
from bmnode.domain.study import Branch
from bmnode.testing.patients.anatomy import Anatomy
from bmnode.testing.patients.ct import CtProtocol, write_ct_series
from bmnode.testing.patients.dicom import SeriesHead, StudyFolder, code_item, decimal, save, set_pixels
from bmnode.testing.patients.emission import reconstructed
from bmnode.testing.patients.grid import FloatVolume, Grid
from bmnode.testing.patients.lesions import Lesion, place_lesions, truth_of
from bmnode.testing.patients.nm import detector, nm_dataset
from bmnode.testing.patients.spec import LesionKind, LesionSpec, PatientSpec, Side, StudyTruth, SyntheticStudy
from bmnode.testing.patients.tracers import MDP

_FWHM_MM = 11.0
_PROJECTIONS, _SECONDS_PER_PROJECTION = 60, 20
_HIGHEST_STORED = 30000
_COUNTS_PER_SUV = 40.0

GRID = Grid.axial((84, 128, 128), spacing_mm=(4.42, 4.42, 4.42), bottom_mm=-50.0, center_y_mm=10.0)

CT_PROTOCOL = CtProtocol(
    grid=Grid.axial((76, 176, 176), spacing_mm=(5.0, 2.5, 2.5), bottom_mm=-50.0, center_y_mm=10.0),
    description="Low-dose CT",
    body_part="ABDOMEN",
    noise_hu=26.0,
    blur_fwhm_mm=2.5,
    exposure_mas=20,
    starts_after=timedelta(minutes=MDP.uptake_minutes + _PROJECTIONS * _SECONDS_PER_PROJECTION // 60 + 2),
)

DEFAULT_LESIONS = (
    LesionSpec(bone="L4", kind=LesionKind.HOT, value=26.0, radii_mm=(14, 13, 12), offset_mm=(5, 2, 0), ct_hu=620.0),
    LesionSpec(bone="ilium", side=Side.LEFT, kind=LesionKind.HOT, value=24.0, radii_mm=(18, 20, 20), ct_hu=540.0),
)


def write_spect(directory: Path, *, spec: PatientSpec, quantitative: bool = True) -> SyntheticStudy:
    """Write a Tc-99m MDP SPECT/CT; truth as SUV.

    With `quantitative` the voxels carry Bq/ml through a Real World Value Mapping; without it they
    are uncorrected counts, from which no SUV follows.
    """
    study = StudyFolder(
        directory=directory, spec=spec, name="spect" if quantitative else "spect counts", title="SPECT CT"
    )
    anatomy = Anatomy(spec)
    lesions = place_lesions(spec.lesions_or(DEFAULT_LESIONS), anatomy=anatomy)
    files = [_write_tomogram(study, anatomy=anatomy, lesions=lesions, quantitative=quantitative)]
    files += write_ct_series(study, number=2, protocol=CT_PROTOCOL, anatomy=anatomy, lesions=lesions)
    truth = StudyTruth(
        lesions=tuple(truth_of(lesion, grid=GRID, unit=Unit.SUV_BW.value) for lesion in lesions),
        normal_value=MDP.bone,
    )
    kind = "quantitative" if quantitative else "counts only"
    description = f"Bone SPECT/CT of lumbar spine and pelvis, {kind}, {len(lesions)} hot lesions"
    return study.finish(files, branch=Branch.SPECT, description=description, truth=truth)


def becquerel_per_ml_per_suv(spec: PatientSpec) -> float:
    """Bq/ml of SUV 1 at the start of the acquisition: decayed dose over body weight."""
    dose_bq: float = MDP.dose_mbq * 1e6 * 2.0 ** (-MDP.uptake_minutes * 60.0 / MDP.half_life_s)
    return dose_bq / (spec.weight_kg * 1000.0)


def _write_tomogram(study: StudyFolder, *, anatomy: Anatomy, lesions: tuple[Lesion, ...], quantitative: bool) -> Path:
    head = SeriesHead(
        study=study,
        number=1,
        modality="NM",
        sop_class_uid=NuclearMedicineImageStorage,
        description="Bone SPECT, attenuation corrected" if quantitative else "Bone SPECT, no correction",
        body_part="LSPINE",
        starts_after=timedelta(minutes=MDP.uptake_minutes),
    )
    suv = reconstructed(MDP, grid=GRID, anatomy=anatomy, lesions=lesions, fwhm_mm=_FWHM_MM, seed=study.spec.seed)
    ds = nm_dataset(head, tracer=MDP, image_type=["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"])
    ds.CorrectedImage = ["UNIF", "COR", "DECY", "ATTN", "SCAT"] if quantitative else ["UNIF", "COR"]
    if quantitative:
        _set_activity(ds, suv * np.float32(becquerel_per_ml_per_suv(study.spec)))
    else:
        set_pixels(ds, np.rint(suv * _COUNTS_PER_SUV).astype(np.uint16))
    _set_slices(ds)
    path = study.dicom_folder() / "s01_nm_0001.dcm"
    return save(ds, path, instance_uid=head.instance_uid(1))


def _set_activity(ds: Dataset, activity: FloatVolume) -> None:
    slope = float(activity.max()) / _HIGHEST_STORED
    set_pixels(ds, np.rint(activity / np.float32(slope)).astype(np.uint16))
    mapping = Dataset()
    mapping.RealWorldValueFirstValueMapped = 0
    mapping.RealWorldValueLastValueMapped = _HIGHEST_STORED
    mapping.RealWorldValueIntercept = 0.0
    mapping.RealWorldValueSlope = slope
    mapping.LUTExplanation = "Activity concentration"
    mapping.LUTLabel = "BQML"
    mapping.MeasurementUnitsCodeSequence = [code_item(Unit.BQML)]
    # US or SS by Pixel Representation (PS3.3 C.7.6.16.2.11); pydicom cannot tell inside an item.
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        mapping[keyword].VR = "US"
    ds.RealWorldValueMappingSequence = [mapping]


def _set_slices(ds: Dataset) -> None:
    slices = GRID.shape[0]
    dz, dy, dx = GRID.spacing_mm
    ds.FrameIncrementPointer = Tag("SliceVector")
    ds.SliceVector = list(range(1, slices + 1))
    ds.NumberOfSlices = slices
    ds.PixelSpacing = [decimal(dy), decimal(dx)]
    ds.SliceThickness = decimal(dz)
    ds.SpacingBetweenSlices = decimal(dz)
    ds.NumberOfDetectors = 1
    ds.DetectorInformationSequence = [detector(position=[decimal(v) for v in GRID.slice_position(0)])]
    rotation = Dataset()
    rotation.StartAngle, rotation.AngularStep, rotation.RotationDirection = "0", "6", "CC"
    rotation.ScanArc, rotation.NumberOfFramesInRotation = "360", _PROJECTIONS
    rotation.ActualFrameDuration = _SECONDS_PER_PROJECTION * 1000
    rotation.RadialPosition = "250"
    ds.RotationInformationSequence = [rotation]
    ds.NumberOfRotations = 1
    ds.CountsAccumulated = ""
