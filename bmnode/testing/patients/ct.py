"""CT: bone with cortex and marrow in soft tissue, on a table, with noise; alone or beside an emission series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from bmnode.domain.codes import Unit
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.study import Branch
from bmnode.testing.patients.anatomy import Anatomy, BodyModel, coverage
from bmnode.testing.patients.dicom import SeriesHead, StudyFolder, decimal, write_axial_series
from bmnode.testing.patients.grid import FloatVolume, Grid, correlated_noise, gaussian_blur
from bmnode.testing.patients.lesions import Lesion, place_lesions, truth_of
from bmnode.testing.patients.organs import Tissue, lookup
from bmnode.testing.patients.spec import LesionKind, LesionSpec, PatientSpec, Side, StudyTruth, SyntheticStudy

HU: Mapping[Tissue, float] = {
    Tissue.AIR: -1000, Tissue.FAT: -90, Tissue.MUSCLE: 50, Tissue.LUNG: -800, Tissue.LIVER: 60, Tissue.SPLEEN: 50,
    Tissue.KIDNEY: 35, Tissue.HEART: 45, Tissue.BLOOD: 45, Tissue.BLADDER: 8, Tissue.BOWEL: 30, Tissue.BRAIN: 36,
    Tissue.CSF: 10, Tissue.DISC: 75, Tissue.SALIVARY: 30,
}  # fmt: skip
"""Without contrast medium, 120 kV."""

MARROW_HU, MARROW_TEXTURE_HU, CORTEX_HU = 180.0, 34.0, 1300.0
_TEXTURE_FWHM_MM = 4.0
_TABLE_HU, _TABLE_Y_MM, _TABLE_THICKNESS_MM = 90.0, 148.0, 6.0
_INTERCEPT = -1024

DEFAULT_LESIONS = (
    LesionSpec(bone="L4", kind=LesionKind.SCLEROTIC, value=650.0, radii_mm=(12, 11, 10), offset_mm=(-6, 2, 0)),
    LesionSpec(bone="L2", kind=LesionKind.LYTIC, value=45.0, radii_mm=(12, 10, 10), offset_mm=(7, 0, 0)),
    LesionSpec(bone="ilium", side=Side.LEFT, kind=LesionKind.SCLEROTIC, value=560.0, radii_mm=(14, 16, 16)),
    LesionSpec(bone="sacrum", kind=LesionKind.LYTIC, value=40.0, radii_mm=(12, 12, 14), offset_mm=(-24, 2, 4)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CtProtocol:
    """How a CT series is made: grid, noise (HU, standard deviation) and sharpness (FWHM, mm)."""

    grid: Grid
    description: str
    body_part: str
    noise_hu: float
    blur_fwhm_mm: float
    exposure_mas: int
    starts_after: timedelta = timedelta(0)


TRUNK_PROTOCOL = CtProtocol(
    grid=Grid.axial((144, 256, 256), spacing_mm=(2.5, 1.5, 1.5), bottom_mm=-45.0, center_y_mm=20.0),
    description="CT abdomen pelvis 2.5 mm",
    body_part="ABDOMEN",
    noise_hu=14.0,
    blur_fwhm_mm=1.6,
    exposure_mas=160,
)


def write_ct(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write a CT of abdomen and pelvis, 144 slices, with lytic and sclerotic lesions; truth in HU."""
    study = StudyFolder(directory=directory, spec=spec, name="ct", title="CT")
    anatomy = Anatomy(spec)
    lesions = place_lesions(spec.lesions_or(DEFAULT_LESIONS), anatomy=anatomy)
    grid = TRUNK_PROTOCOL.grid
    files = write_ct_series(study, number=2, protocol=TRUNK_PROTOCOL, anatomy=anatomy, lesions=lesions)
    truth = StudyTruth(
        lesions=tuple(truth_of(lesion, grid=grid, unit=Unit.HU.value) for lesion in lesions), normal_value=MARROW_HU
    )
    description = f"CT of abdomen and pelvis, {grid.shape[0]} slices, {len(lesions)} bone lesions"
    return study.finish(files, branch=Branch.CT, description=description, truth=truth)


def write_ct_series(
    study: StudyFolder, *, number: int, protocol: CtProtocol, anatomy: Anatomy, lesions: tuple[Lesion, ...] = ()
) -> list[Path]:
    """Write one CT series of a study."""
    hu = hounsfield(protocol, anatomy=anatomy, lesions=lesions, seed=study.spec.seed)
    head = SeriesHead(
        study=study,
        number=number,
        modality="CT",
        sop_class_uid=CTImageStorage,
        description=protocol.description,
        body_part=protocol.body_part,
        starts_after=protocol.starts_after,
    )
    stored = np.clip(np.rint(hu) - _INTERCEPT, 0, 4095).astype(np.uint16)
    return write_axial_series(head, template=ct_dataset(head, protocol=protocol), stored=stored, grid=protocol.grid)


def ct_dataset(head: SeriesHead, *, protocol: CtProtocol) -> Dataset:
    """The shared attributes of a CT series (PS3.3 A.3)."""
    ds = head.dataset()
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionNumber = 1
    ds.PatientPosition = "HFS"
    ds.KVP = "120"
    ds.ConvolutionKernel = "STANDARD"
    ds.Exposure = protocol.exposure_mas
    ds.ReconstructionDiameter = decimal(protocol.grid.shape[2] * protocol.grid.spacing_mm[2])
    ds.RescaleIntercept = str(_INTERCEPT)
    ds.RescaleSlope = "1"
    ds.RescaleType = "HU"
    ds.WindowCenter = "300"
    ds.WindowWidth = "1500"
    return ds


def hounsfield(protocol: CtProtocol, *, anatomy: Anatomy, lesions: tuple[Lesion, ...], seed: int) -> FloatVolume:
    """The CT numbers of a body, blurred and noisy, shape (slice, row, column)."""
    grid = protocol.grid
    rng = np.random.default_rng([seed, 2])
    model = anatomy.on_grid(grid)
    hu = lookup(HU)[model.tissue]
    _add_table(hu, tissue=model.tissue, grid=grid)
    _add_bone(hu, model=model, rng=rng)
    for lesion in lesions:
        value = lesion.spec.ct_hu if lesion.spec.kind is LesionKind.HOT else lesion.spec.value
        if value is not None and lesion.spec.kind is not LesionKind.RESTRICTED:
            lesion.blend(hu, grid=grid, value=value)
    _, dy, dx = grid.spacing_mm
    blur = protocol.blur_fwhm_mm
    hu = gaussian_blur(hu, fwhm=(0.0, blur / dy, blur / dx))
    noise = correlated_noise(rng, grid.shape, fwhm=(0.0, 1.3, 1.3))
    return hu + np.float32(protocol.noise_hu) * noise


def _add_table(hu: FloatVolume, *, tissue: npt.NDArray[np.uint8], grid: Grid) -> None:
    y = grid.coordinates().y[0, :, 0]
    rows = np.flatnonzero(np.abs(y - _TABLE_Y_MM) < _TABLE_THICKNESS_MM / 2)
    x = np.abs(grid.coordinates().x[0, 0, :]) < 200
    for row in rows:
        free = (tissue[:, row, :] == Tissue.AIR) & x
        hu[:, row, :][free] = _TABLE_HU


def _add_bone(hu: FloatVolume, *, model: BodyModel, rng: np.random.Generator) -> None:
    share = model.bone_share()
    if not share.any():
        return
    # Texture is drawn for the box of the bones alone: they fill less than half of the image.
    box = CroppedMask.from_array(share > 0).box
    bone, part = share[box], hu[box]
    thickness = model.per_bone(attribute="cortex_mm")[model.bone[box]]
    marrow = coverage(model.bone_depth_mm[box] - thickness, grid=model.grid)
    fwhm = tuple(_TEXTURE_FWHM_MM / step for step in model.grid.spacing_mm)
    texture = correlated_noise(rng, part.shape, fwhm=fwhm)
    part *= 1 - bone
    part += marrow * (np.float32(MARROW_HU) + np.float32(MARROW_TEXTURE_HU) * texture)
    part += (bone - marrow) * np.float32(CORTEX_HU)
