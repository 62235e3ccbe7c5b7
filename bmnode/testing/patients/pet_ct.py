"""PET/CT from the thighs to the vertex: activity in Bq/ml from which SUV follows, and a low-dose CT beside it."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage

from bmnode.domain.codes import Unit
from bmnode.domain.study import Branch
from bmnode.testing.patients.anatomy import Anatomy
from bmnode.testing.patients.ct import CtProtocol, write_ct_series
from bmnode.testing.patients.dicom import (
    INTRAVENOUS,
    SeriesHead,
    StudyFolder,
    code_item,
    decimal,
    set_recumbent_supine_head_first,
    set_time,
    write_axial_series,
)
from bmnode.testing.patients.emission import reconstructed
from bmnode.testing.patients.grid import Grid
from bmnode.testing.patients.lesions import Lesion, place_lesions, truth_of
from bmnode.testing.patients.spec import LesionKind, LesionSpec, PatientSpec, Side, StudyTruth, SyntheticStudy
from bmnode.testing.patients.tracers import FDG, Tracer

_FWHM_MM = 6.0
_SLICES_PER_BED = 27
_BED_SECONDS = 120.0
_HIGHEST_STORED = 32000.0
_POSITRON_FRACTION = "0.967"

GRID = Grid.axial((212, 128, 128), spacing_mm=(5.0, 4.07, 4.07), bottom_mm=-180.0, center_y_mm=10.0)

DEFAULT_LESIONS = (
    LesionSpec(bone="T8", kind=LesionKind.HOT, value=11.0, radii_mm=(14, 13, 11), ct_hu=480.0),
    LesionSpec(bone="L3", kind=LesionKind.HOT, value=14.0, radii_mm=(13, 12, 12), offset_mm=(-6, 0, 0), ct_hu=45.0),
    LesionSpec(bone="ilium", side=Side.RIGHT, kind=LesionKind.HOT, value=12.0, radii_mm=(16, 18, 18), ct_hu=560.0),
    LesionSpec(bone="femur", side=Side.LEFT, kind=LesionKind.HOT, value=9.0, radii_mm=(14, 14, 16)),
)


def write_pet_ct(directory: Path, *, spec: PatientSpec, tracer: Tracer = FDG) -> SyntheticStudy:
    """Write a PET/CT with FDG or another tracer of `tracers`; truth as SUVbw."""
    study = StudyFolder(directory=directory, spec=spec, name=f"pet_ct {tracer.name}", title="PET CT")
    anatomy = Anatomy(spec)
    lesions = place_lesions(spec.lesions_or(DEFAULT_LESIONS), anatomy=anatomy)
    files = write_ct_series(study, number=2, protocol=_ct_protocol(tracer), anatomy=anatomy, lesions=lesions)
    files += _write_pet(study, tracer=tracer, anatomy=anatomy, lesions=lesions)
    truth = StudyTruth(
        lesions=tuple(truth_of(lesion, grid=GRID, unit=Unit.SUV_BW.value) for lesion in lesions),
        normal_value=tracer.bone,
    )
    description = f"{tracer.name} PET/CT, thighs to vertex, {len(lesions)} lesions"
    return study.finish(files, branch=Branch.PET_CT, description=description, truth=truth)


def becquerel_per_ml_per_suv(spec: PatientSpec, *, tracer: Tracer) -> float:
    """Bq/ml of SUV 1 at the series' start: decayed dose over body weight (clinical definition of SUVbw)."""
    dose_bq: float = tracer.dose_mbq * 1e6 * 2.0 ** (-tracer.uptake_minutes * 60.0 / tracer.half_life_s)
    return dose_bq / (spec.weight_kg * 1000.0)


def _ct_protocol(tracer: Tracer) -> CtProtocol:
    slices = GRID.shape[0]
    return CtProtocol(
        grid=Grid.axial((slices, 176, 176), spacing_mm=(5.0, 2.6, 2.6), bottom_mm=-180.0, center_y_mm=10.0),
        description="Low-dose CT",
        body_part="WHOLEBODY",
        noise_hu=24.0,
        blur_fwhm_mm=2.5,
        exposure_mas=25,
        starts_after=timedelta(minutes=tracer.uptake_minutes - 3),
    )


def _write_pet(study: StudyFolder, *, tracer: Tracer, anatomy: Anatomy, lesions: tuple[Lesion, ...]) -> list[Path]:
    head = SeriesHead(
        study=study,
        number=3,
        modality="PT",
        sop_class_uid=PositronEmissionTomographyImageStorage,
        description=f"PET {tracer.name} attenuation corrected",
        body_part="WHOLEBODY",
        starts_after=timedelta(minutes=tracer.uptake_minutes),
    )
    suv = reconstructed(tracer, grid=GRID, anatomy=anatomy, lesions=lesions, fwhm_mm=_FWHM_MM, seed=study.spec.seed)
    activity = suv * np.float32(becquerel_per_ml_per_suv(study.spec, tracer=tracer))
    # Every slice has its own slope, as half of all real series have (clinical reference 4.1).
    slopes = [float(decimal(max(float(plane.max()), 1.0) / _HIGHEST_STORED)) for plane in activity]
    stored = np.rint(activity / np.array(slopes, dtype=np.float32)[:, None, None]).astype(np.int16)

    def per_slice(ds: Dataset, index: int) -> None:
        ds.RescaleSlope = decimal(slopes[index])
        ds.ImageIndex = index + 1
        _set_bed_time(ds, head=head, tracer=tracer, bed=index // _SLICES_PER_BED)

    return write_axial_series(
        head, template=_pet_dataset(head, tracer=tracer), stored=stored, grid=GRID, per_slice=per_slice
    )


def _set_bed_time(ds: Dataset, *, head: SeriesHead, tracer: Tracer, bed: int) -> None:
    """Acquisition time, and the moment of mean activity in it (PS3.3 C.8.9.4), from the series' start."""
    decay = math.log(2.0) / tracer.half_life_s
    turns = decay * _BED_SECONDS
    mean_moment = math.log(turns / (1.0 - math.exp(-turns))) / decay
    set_time(ds, "Acquisition", head.start + timedelta(seconds=bed * _BED_SECONDS))
    ds.FrameReferenceTime = decimal(1000.0 * (bed * _BED_SECONDS + mean_moment))
    ds.DecayFactor = decimal(math.exp(decay * (bed * _BED_SECONDS + mean_moment)))


def _pet_dataset(head: SeriesHead, *, tracer: Tracer) -> Dataset:
    """The shared attributes of a PET series (PS3.3 A.21)."""
    ds = head.dataset()
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    set_recumbent_supine_head_first(ds)
    ds.RadiopharmaceuticalInformationSequence = [_radiopharmaceutical(head, tracer=tracer)]
    ds.Units = "BQML"
    ds.CountsSource = "EMISSION"
    ds.SeriesType = ["WHOLE BODY", "IMAGE"]
    ds.NumberOfSlices = GRID.shape[0]
    ds.CorrectedImage = ["DECY", "ATTN", "SCAT", "RAN", "NORM", "DTIM"]
    ds.DecayCorrection = "START"
    ds.CollimatorType = "NONE"
    ds.AttenuationCorrectionMethod = "measured, CT"
    ds.ScatterCorrectionMethod = "simulated"
    ds.ReconstructionMethod = "Gaussian blur of the true activity"
    ds.ActualFrameDuration = int(_BED_SECONDS * 1000)
    ds.RescaleIntercept = "0"
    ds.AcquisitionNumber = 1
    return ds


def _radiopharmaceutical(head: SeriesHead, *, tracer: Tracer) -> Dataset:
    injected = head.start - timedelta(minutes=tracer.uptake_minutes)
    item = Dataset()
    item.Radiopharmaceutical = tracer.name
    item.RadiopharmaceuticalStartTime = injected.strftime("%H%M%S.%f")
    item.RadiopharmaceuticalStartDateTime = injected.strftime("%Y%m%d%H%M%S.%f")
    item.RadionuclideTotalDose = decimal(tracer.dose_mbq * 1e6)
    item.RadionuclideHalfLife = decimal(tracer.half_life_s)
    item.RadionuclidePositronFraction = _POSITRON_FRACTION
    item.RadionuclideCodeSequence = [code_item(tracer.radionuclide)]
    item.RadiopharmaceuticalCodeSequence = [code_item(tracer.radiopharmaceutical)]
    item.AdministrationRouteCodeSequence = [code_item(INTRAVENOUS)]
    return item
