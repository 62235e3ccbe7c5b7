"""MRI of the lumbar spine and pelvis: diffusion at three b-values, the ADC map fitted to it, and T1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import MRImageStorage

from bmnode.domain.codes import Unit
from bmnode.domain.study import Branch
from bmnode.testing.patients.anatomy import Anatomy, BodyModel
from bmnode.testing.patients.dicom import SeriesHead, StudyFolder, code_item, decimal, write_axial_series
from bmnode.testing.patients.grid import FloatVolume, Grid, gaussian_blur
from bmnode.testing.patients.lesions import Lesion, place_lesions, truth_of
from bmnode.testing.patients.organs import Tissue, lookup
from bmnode.testing.patients.spec import LesionKind, LesionSpec, PatientSpec, Side, StudyTruth, SyntheticStudy

B_VALUES = (50, 400, 900)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """What a tissue shows: fat-suppressed signal at b = 0, ADC in µm²/s, T1-weighted signal."""

    s0: float
    adc: float
    t1: float


SIGNALS: Mapping[Tissue, Signal] = {
    Tissue.AIR: Signal(s0=0, adc=0, t1=0),
    Tissue.FAT: Signal(s0=30, adc=150, t1=850),
    Tissue.MUSCLE: Signal(s0=140, adc=1500, t1=320),
    Tissue.LUNG: Signal(s0=10, adc=1000, t1=20),
    Tissue.LIVER: Signal(s0=180, adc=1200, t1=430),
    Tissue.SPLEEN: Signal(s0=380, adc=850, t1=330),
    Tissue.KIDNEY: Signal(s0=420, adc=2000, t1=300),
    Tissue.HEART: Signal(s0=60, adc=1500, t1=300),
    Tissue.BLOOD: Signal(s0=40, adc=2500, t1=60),
    Tissue.BLADDER: Signal(s0=900, adc=2900, t1=160),
    Tissue.BOWEL: Signal(s0=220, adc=1700, t1=300),
    Tissue.BRAIN: Signal(s0=350, adc=800, t1=380),
    Tissue.CSF: Signal(s0=900, adc=3000, t1=120),
    Tissue.DISC: Signal(s0=180, adc=1500, t1=280),
    Tissue.SALIVARY: Signal(s0=250, adc=1300, t1=380),
}
MARROW = Signal(s0=100, adc=420, t1=600)
CORTEX = Signal(s0=8, adc=500, t1=40)
LESION = Signal(s0=430, adc=0, t1=260)
"""Cellular tumour: bright on diffusion, at most as bright as muscle on T1; its ADC is the lesion's own value."""

_NOISE = 6.0
_MASK_SIGNAL = 24.0
"""Where b = 50 is darker than this, the scanner leaves the ADC map at 0."""

DIFFUSION_GRID = Grid.axial((44, 144, 144), spacing_mm=(5.0, 2.7, 2.7), bottom_mm=-20.0, center_y_mm=10.0)
T1_GRID = Grid.axial((44, 192, 192), spacing_mm=(5.0, 2.0, 2.0), bottom_mm=-20.0, center_y_mm=10.0)

DEFAULT_LESIONS = (
    LesionSpec(bone="L4", kind=LesionKind.RESTRICTED, value=850.0, radii_mm=(14, 12, 12), offset_mm=(5, 2, 0)),
    LesionSpec(bone="sacrum", kind=LesionKind.RESTRICTED, value=780.0, radii_mm=(14, 14, 15), offset_mm=(22, 0, 2)),
    LesionSpec(bone="ilium", side=Side.RIGHT, kind=LesionKind.RESTRICTED, value=950.0, radii_mm=(16, 18, 18)),
)


def write_mri(directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
    """Write T1, diffusion (one instance a slice and b-value) and the ADC map; truth as ADC in µm²/s."""
    study = StudyFolder(directory=directory, spec=spec, name="mri", title="MRI")
    anatomy = Anatomy(spec)
    lesions = place_lesions(spec.lesions_or(DEFAULT_LESIONS), anatomy=anatomy)
    rng = np.random.default_rng([spec.seed, 5])
    files = _write_t1(study, anatomy=anatomy, lesions=lesions, rng=rng)
    stacks = diffusion_stacks(anatomy.on_grid(DIFFUSION_GRID), lesions=lesions, rng=rng)
    files += _write_diffusion(study, stacks=stacks)
    files += _write_adc(study, adc=fit_adc(stacks))
    truth = StudyTruth(
        lesions=tuple(truth_of(lesion, grid=DIFFUSION_GRID, unit=Unit.ADC.value) for lesion in lesions),
        normal_value=MARROW.adc,
    )
    description = f"MRI of lumbar spine and pelvis, diffusion, ADC, T1, {len(lesions)} lesions"
    return study.finish(files, branch=Branch.MRI, description=description, truth=truth)


def diffusion_stacks(
    model: BodyModel, *, lesions: tuple[Lesion, ...], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Signal (b-value, slice, row, column): S0 exp(-b ADC), blurred in plane, with Rician noise."""
    s0 = _tissue_map(model, attribute="s0")
    adc = _tissue_map(model, attribute="adc")
    for lesion in lesions:
        if lesion.spec.kind is LesionKind.RESTRICTED:
            lesion.blend(s0, grid=model.grid, value=LESION.s0)
            lesion.blend(adc, grid=model.grid, value=lesion.spec.value)
    stacks = []
    for b in B_VALUES:
        signal = gaussian_blur(s0 * np.exp(np.float32(-b * 1e-6) * adc), fwhm=(0.0, 1.2, 1.2))
        stacks.append(_rician(signal, noise=_NOISE, rng=rng))
    return np.stack(stacks)


def fit_adc(stacks: npt.NDArray[np.float32]) -> FloatVolume:
    """ADC in µm²/s (slice, row, column): least squares on the logarithm of the signal, 0 in the background."""
    b = np.array(B_VALUES, dtype=np.float64) * 1e-6
    centred = b - b.mean()
    weights = -centred / (centred**2).sum()
    adc = np.tensordot(weights, np.log(np.maximum(stacks, 1.0)), axes=1)
    fitted: FloatVolume = np.where(stacks[0] > _MASK_SIGNAL, np.clip(adc, 0, 4000), 0).astype(np.float32)
    return fitted


def _tissue_map(model: BodyModel, *, attribute: str) -> FloatVolume:
    values = lookup({tissue: getattr(signal, attribute) for tissue, signal in SIGNALS.items()})[model.tissue]
    bone = model.bone_share()
    marrow = model.bone_share(below_mm=model.per_bone(attribute="cortex_mm")[model.bone])
    values *= 1 - bone
    values += marrow * np.float32(getattr(MARROW, attribute))
    values += (bone - marrow) * np.float32(getattr(CORTEX, attribute))
    return values


def _rician(signal: FloatVolume, *, noise: float, rng: np.random.Generator) -> FloatVolume:
    real = signal + np.float32(noise) * rng.standard_normal(signal.shape, dtype=np.float32)
    imaginary = np.float32(noise) * rng.standard_normal(signal.shape, dtype=np.float32)
    magnitude: FloatVolume = np.hypot(real, imaginary)
    return magnitude


def _write_t1(
    study: StudyFolder, *, anatomy: Anatomy, lesions: tuple[Lesion, ...], rng: np.random.Generator
) -> list[Path]:
    model = anatomy.on_grid(T1_GRID)
    signal = _tissue_map(model, attribute="t1")
    for lesion in lesions:
        if lesion.spec.kind is LesionKind.RESTRICTED:
            lesion.blend(signal, grid=T1_GRID, value=LESION.t1)
    signal = _rician(gaussian_blur(signal, fwhm=(0.0, 1.2, 1.2)), noise=12.0, rng=rng)
    head = _series(study, number=2, description="T1 TSE axial", minutes=2)
    ds = _mr_dataset(head, sequence="SE", repetition_ms=600.0, echo_ms=11.0)
    return write_axial_series(head, template=ds, stored=np.rint(signal).astype(np.uint16), grid=T1_GRID)


def _write_diffusion(study: StudyFolder, *, stacks: npt.NDArray[np.float32]) -> list[Path]:
    head = _series(study, number=3, description="DWI b50 b400 b900 axial", minutes=8)
    files: list[Path] = []
    for order, b in enumerate(B_VALUES):
        ds = _mr_dataset(head, sequence="EP", repetition_ms=6500.0, echo_ms=68.0)
        ds.DiffusionBValue = float(b)
        ds.SequenceName = f"ep_b{b}"
        files += write_axial_series(
            head,
            template=ds,
            stored=np.rint(stacks[order]).astype(np.uint16),
            grid=DIFFUSION_GRID,
            first_number=1 + order * DIFFUSION_GRID.shape[0],
        )
    return files


def _write_adc(study: StudyFolder, *, adc: FloatVolume) -> list[Path]:
    head = _series(study, number=4, description="ADC map axial", minutes=15)
    ds = _mr_dataset(head, sequence="EP", repetition_ms=6500.0, echo_ms=68.0)
    ds.ImageType = ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]
    mapping = Dataset()
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 4095
    mapping.RealWorldValueIntercept, mapping.RealWorldValueSlope = 0.0, 1.0
    mapping.LUTExplanation, mapping.LUTLabel = "Apparent diffusion coefficient", "ADC"
    mapping.MeasurementUnitsCodeSequence = [code_item(Unit.ADC)]
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        mapping[keyword].VR = "US"
    ds.RealWorldValueMappingSequence = [mapping]
    return write_axial_series(head, template=ds, stored=np.rint(adc).astype(np.uint16), grid=DIFFUSION_GRID)


def _series(study: StudyFolder, *, number: int, description: str, minutes: int) -> SeriesHead:
    return SeriesHead(
        study=study,
        number=number,
        modality="MR",
        sop_class_uid=MRImageStorage,
        description=description,
        body_part="LSPINE",
        starts_after=timedelta(minutes=minutes),
    )


def _mr_dataset(head: SeriesHead, *, sequence: str, repetition_ms: float, echo_ms: float) -> Dataset:
    """The shared attributes of an MR series (PS3.3 A.4)."""
    ds = head.dataset()
    ds.ImageType = ["ORIGINAL", "PRIMARY", "DIFFUSION" if sequence == "EP" else "OTHER"]
    ds.ScanningSequence = sequence
    ds.SequenceVariant = "SK"
    ds.ScanOptions = "FS" if sequence == "EP" else ""
    ds.MRAcquisitionType = "2D"
    ds.RepetitionTime, ds.EchoTime = decimal(repetition_ms), decimal(echo_ms)
    ds.EchoTrainLength = 1
    ds.MagneticFieldStrength = "1.5"
    ds.PatientPosition = "HFS"
    ds.AcquisitionNumber = 1
    ds.WindowCenter, ds.WindowWidth = "300", "600"
    return ds
