"""What headers tell of a study: enough to choose a branch, nothing of who the patient is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Branch(StrEnum):
    """The modality branches of the pipeline."""

    BONE_SCAN = "bone_scan"
    SPECT = "spect"
    CT = "ct"
    MRI = "mri"
    PET_CT = "pet_ct"


class SeriesRole(StrEnum):
    """What a series is used as in its branch."""

    PLANAR = "planar"
    EMISSION = "emission"
    ANATOMY = "anatomy"
    DIFFUSION = "diffusion"
    ADC = "adc"
    T1 = "t1"
    FLUID_SENSITIVE = "fluid_sensitive"
    DIXON_WATER = "dixon_water"
    DIXON_FAT = "dixon_fat"
    IN_PHASE = "in_phase"
    OPPOSED_PHASE = "opposed_phase"


class Reason(StrEnum):
    """Why a study, or a part of it, is not assessable. The value goes into the SR as it stands."""

    NO_IMAGES = "no_images"
    SEVERAL_PATIENTS = "several_patients"
    UNSUPPORTED_MODALITY = "unsupported_modality"
    UNSUPPORTED_EXAMINATION = "unsupported_examination"
    UNSUPPORTED_TRACER = "unsupported_tracer"
    PAEDIATRIC = "paediatric"
    MISSING_PIXEL_DATA = "missing_pixel_data"
    MISSING_GEOMETRY = "missing_geometry"
    IRREGULAR_GEOMETRY = "irregular_geometry"
    UNEXPLAINED_ORIENTATION = "unexplained_orientation"
    MISSING_CALIBRATION = "missing_calibration"
    MISSING_DIFFUSION = "missing_diffusion"
    BONE_NOT_FOUND = "bone_not_found"
    INSUFFICIENT_COUNTS = "insufficient_counts"
    UNREADABLE_INPUT = "unreadable_input"
    PROCESSING_FAILED = "processing_failed"


class Plane(StrEnum):
    """How slices lie in the patient (Image Orientation (0020,0037), within 30 degrees)."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"


@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyWindow:
    """One energy window, keV."""

    lower_kev: float
    upper_kev: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesHeader:
    """One series as its headers describe it (values of the first instance unless said)."""

    series_uid: str
    modality: str
    sop_class_uid: str
    instance_count: int
    frame_count: int
    """Frames of all instances together; 0 where no instance has pixel data."""
    image_type: tuple[str, ...] = ()
    series_number: int | None = None
    frame_of_reference_uid: str | None = None
    body_part: str | None = None
    protocol_text: str = ""
    """Study, series and protocol description, upper case: free text, used only as a fall-back."""
    rows: int = 0
    columns: int = 0
    spacing_mm: tuple[float, float] | None = None
    """(between rows, between columns) or None where absent."""
    has_position: bool = False
    """Whether the slices carry position and orientation."""
    units: str | None = None
    corrected_image: frozenset[str] = frozenset()
    series_type: tuple[str, ...] = ()
    radionuclide: str | None = None
    """Normalised, e.g. `Tc-99m`, `F-18`, `Ga-68`."""
    tracer: str | None = None
    """Normalised, e.g. `FDG`, `NaF`, `PSMA-11`, `PSMA-1007`, `MDP`, `HDP`."""
    named_tracers: frozenset[str] = frozenset()
    """Every tracer that codes or texts of the series name; more than one where they contradict each other."""
    energy_windows: tuple[EnergyWindow, ...] = ()
    view_codes: tuple[str, ...] = ()
    b_values: tuple[float, ...] = ()
    synthetic: bool = False
    """Synthetic Data (0008,001C) is YES."""
    plane: Plane | None = None
    """None where the slices state no orientation."""
    slice_thickness_mm: float | None = None
    convolution_kernel: str | None = None
    """CT reconstruction kernel (0018,1210), as written."""
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyHeaders:
    """A study as its headers describe it."""

    study_uid: str
    series: tuple[SeriesHeader, ...]
    patient_count: int = 1
    """How many different (Patient ID, Issuer) pairs its instances carry."""
    unreadable_files: int = 0
    """Files of the study that could not be read as DICOM, or that end before they should."""
    is_minor: bool | None = None
    """Whether the patient was under 18 years of age at the study; None where no header tells. The age is not kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a study cannot be assessed."""

    reason: Reason
    explanation: str
    """One sentence for the reader of the SR, free of patient identity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """Which branch a study takes, with the series it uses; or why none."""

    branch: Branch | None = None
    roles: dict[SeriesRole, tuple[str, ...]] = field(default_factory=dict)
    """Series Instance UIDs by role, the preferred first."""
    refusal: Refusal | None = None

    def __post_init__(self) -> None:
        if (self.branch is None) == (self.refusal is None):
            raise ValueError("a classification is either a branch or a refusal")
