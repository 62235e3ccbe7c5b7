"""Planar whole-body scintigraphy: one NM image, anterior and posterior, from the same body and tracer."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import NuclearMedicineImageStorage

from bmnode.domain.codes import Unit, View
from bmnode.domain.study import Branch
from bmnode.testing.patients.anatomy import Anatomy, BodyModel
from bmnode.testing.patients.dicom import SeriesHead, StudyFolder, save, set_pixels
from bmnode.testing.patients.emission import activity
from bmnode.testing.patients.grid import FloatVolume, Grid, double_resolution, gaussian_blur
from bmnode.testing.patients.lesions import Lesion, place_lesions, truth_of
from bmnode.testing.patients.nm import detector, nm_dataset
from bmnode.testing.patients.organs import Tissue
from bmnode.testing.patients.spec import (
    ImagePoint,
    LesionKind,
    LesionSpec,
    PatientSpec,
    Side,
    StudyTruth,
    SyntheticStudy,
    Vector,
)
from bmnode.testing.patients.tracers import MDP, Tracer

PIXEL_MM = 2.4
ROWS, COLUMNS = 1024, 256
COUNTS_PER_VIEW = 1.75e6
ANTERIOR_FRAME, POSTERIOR_FRAME = 1, 2

_ATTENUATION_PER_MM = 0.012
"""Broad beam, 140 keV, soft tissue."""
_HEAD_MARGIN_MM = 120.0
_TOP_MM = 880.0
_DETECTOR_GAP_MM = 30.0
_SCAN_MINUTES = 18
_SLAB_ROWS = 4

_GRID = Grid(
    shape=(ROWS // 2, 56, COLUMNS // 2),
    spacing_mm=(2 * PIXEL_MM, 6.0, 2 * PIXEL_MM),
    origin_lps=(
        -0.5 * (COLUMNS // 2 - 1) * 2 * PIXEL_MM,
        -170.0,
        _TOP_MM + _HEAD_MARGIN_MM - (ROWS // 2 - 1) * 2 * PIXEL_MM,
    ),
)

DEFAULT_LESIONS = (
    LesionSpec(bone="L3", kind=LesionKind.HOT, value=7.0, radii_mm=(14, 12, 12), offset_mm=(6, 0, 0)),
    LesionSpec(bone="T8", kind=LesionKind.HOT, value=7.0, radii_mm=(13, 12, 11)),
    LesionSpec(bone="rib 6", side=Side.LEFT, kind=LesionKind.HOT, value=9.0, radii_mm=(12, 16, 12)),
    LesionSpec(bone="ilium", side=Side.RIGHT, kind=LesionKind.HOT, value=7.0, radii_mm=(16, 18, 18)),
    LesionSpec(bone="femur", side=Side.LEFT, kind=LesionKind.HOT, value=8.0, radii_mm=(15, 15, 18)),
)


def write_bone_scan(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write a Tc-99m MDP whole-body scan; truth as uptake relative to a healthy lumbar vertebra."""
    study = StudyFolder(directory=directory, spec=spec, name="bone_scan", title="Bone scan")
    anatomy = Anatomy(spec, arms=True)
    lesions = place_lesions(spec.lesions_or(DEFAULT_LESIONS), anatomy=anatomy)
    path = write_planar(study, tracer=MDP, anatomy=anatomy, lesions=lesions, text="WHOLE BODY BONE")
    truth = StudyTruth(
        lesions=tuple(
            truth_of(lesion, grid=_GRID, unit=Unit.RATIO.value, image_points=projected(lesion.center_lps()))
            for lesion in lesions
        ),
        normal_value=1.0,
    )
    description = f"Whole-body bone scan, anterior and posterior, {len(lesions)} hot lesions"
    return study.finish([path], branch=Branch.BONE_SCAN, description=description, truth=truth)


def projected(center: Vector) -> tuple[ImagePoint, ImagePoint]:
    """Where a point falls: patient's right is on the left of the anterior frame and on the right of the posterior."""
    middle = 0.5 * (COLUMNS - 1)
    row = (top_row_z() - center[2]) / PIXEL_MM
    shift = center[0] / PIXEL_MM
    return (
        ImagePoint(frame_number=ANTERIOR_FRAME, column=middle + shift, row=row),
        ImagePoint(frame_number=POSTERIOR_FRAME, column=middle - shift, row=row),
    )


def top_row_z() -> float:
    """Height of the first row's centre: half a coarse pixel's quarter above the coarse grid's top."""
    return _GRID.slice_position(_GRID.shape[0] - 1)[2] + PIXEL_MM / 2


def write_planar(
    study: StudyFolder, *, tracer: Tracer, anatomy: Anatomy, lesions: tuple[Lesion, ...], text: str
) -> Path:
    """Write one two-frame whole-body image and return its path."""
    head = SeriesHead(
        study=study,
        number=1,
        modality="NM",
        sop_class_uid=NuclearMedicineImageStorage,
        description=text,
        body_part="WHOLEBODY",
        starts_after=timedelta(minutes=tracer.uptake_minutes),
        has_frame_of_reference=False,
    )
    counts = planar_counts(tracer, anatomy=anatomy, lesions=lesions, seed=study.spec.seed)
    ds = nm_dataset(head, tracer=tracer, image_type=["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"])
    _set_frames(ds, counts)
    path = study.dicom_folder() / "s01_nm_0001.dcm"
    return save(ds, path, instance_uid=head.instance_uid(1))


def planar_counts(
    tracer: Tracer, *, anatomy: Anatomy, lesions: tuple[Lesion, ...], seed: int
) -> npt.NDArray[np.uint16]:
    """Counts (frame, row, column): attenuated, blurred with depth, Poisson; head up, anterior first."""
    rng = np.random.default_rng([seed, 4])
    model = anatomy.on_grid(_GRID)
    source = activity(tracer, model=model, lesions=lesions, lesion_unit=tracer.bone)
    anterior = project(source, model=model)
    posterior = project(source[:, ::-1], model=model, from_back=True)
    frames = []
    for view in (anterior[::-1], posterior[::-1, ::-1]):
        expected = double_resolution(view.astype(np.float64))
        frames.append(rng.poisson(expected * (COUNTS_PER_VIEW / expected.sum())))
    counts: npt.NDArray[np.uint16] = np.minimum(np.stack(frames), np.iinfo(np.uint16).max).astype(np.uint16)
    return counts


def project(source: FloatVolume, *, model: BodyModel, from_back: bool = False) -> FloatVolume:
    """Sum along the rows towards a detector in front of the first row.

    Args:
        source: activity (slice, row, column), the detector before row 0.
        model: the body, for attenuation.
        from_back: whether `source` was turned so that the back comes first.

    Returns:
        (slice, column), in arbitrary units. Resolution follows a low-energy collimator:
        3.8 mm of the crystal and 1.5 mm + 4.8 % of the distance of the holes, in quadrature.
    """
    dz, dy, dx = model.grid.spacing_mm
    body = (model.tissue != Tissue.AIR) & (model.tissue != Tissue.LUNG)
    if from_back:
        body = body[:, ::-1]
    path_mm = (np.cumsum(body, axis=1, dtype=np.float32) - np.float32(0.5)) * np.float32(dy)
    seen = source * np.exp(np.float32(-_ATTENUATION_PER_MM) * np.maximum(path_mm, 0))
    total = np.zeros((source.shape[0], source.shape[2]), dtype=np.float32)
    for first in range(0, source.shape[1], _SLAB_ROWS):
        slab = seen[:, first : first + _SLAB_ROWS].sum(axis=1)
        if slab.any():
            distance = _DETECTOR_GAP_MM + (first + _SLAB_ROWS / 2) * dy
            fwhm = math.hypot(3.8, 1.5 + 0.048 * distance)
            total += gaussian_blur(slab, fwhm=(fwhm / dz, fwhm / dx))
    return total


def _set_frames(ds: Dataset, counts: npt.NDArray[np.uint16]) -> None:
    set_pixels(ds, counts)
    ds.FrameIncrementPointer = [Tag("EnergyWindowVector"), Tag("DetectorVector")]
    ds.EnergyWindowVector = [1, 1]
    ds.DetectorVector = [1, 2]
    ds.NumberOfDetectors = 2
    ds.DetectorInformationSequence = [detector(view=View.ANTERIOR), detector(view=View.POSTERIOR)]
    ds.PixelSpacing = [f"{PIXEL_MM:g}"] * 2
    ds.WholeBodyTechnique = "1PS"
    ds.ScanVelocity = f"{ROWS * PIXEL_MM / (_SCAN_MINUTES * 60):.3f}"
    ds.ScanLength = round(ROWS * PIXEL_MM)
    ds.ActualFrameDuration = _SCAN_MINUTES * 60 * 1000
    ds.CountsAccumulated = int(counts.sum())
    ds.WindowCenter, ds.WindowWidth = "20", "40"
