"""Who is simulated: a person in a posture, their disease, what imitates it, and the state of their organs.

All of it is plain data. A follow-up is another `Patient` with the same person, another posture
and the same lesions by name. Foci are placed in the rest frame of the bone that carries them
(`PlacedPart.affine` leads from there to LPS), so they move with it exactly.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.tracer import Tracer

Vector = tuple[float, float, float]
MAX_FOCI = 250
"""Of lesions and of decoys: a label is one byte."""


class Primary(StrEnum):
    """Where the cancer began."""

    BREAST = "breast"
    PROSTATE = "prostate"
    LUNG = "lung"
    THYROID = "thyroid"
    KIDNEY = "kidney"


class LesionType(StrEnum):
    """How a metastasis changes the bone's density."""

    LYTIC = "lytic"
    SCLEROTIC = "sclerotic"
    MIXED = "mixed"


class DecoyKind(StrEnum):
    """What imitates or hides a metastasis."""

    DEGENERATIVE_JOINT = "degenerative_joint"
    RIB_FRACTURE = "rib_fracture"
    FACET_ARTHROPATHY = "facet_arthropathy"
    ENOSTOSIS = "enostosis"
    HAEMANGIOMA = "haemangioma"
    PAGET = "paget"
    EXTRAVASATION = "extravasation"
    CONTAMINATION = "contamination"
    PROSTHESIS = "prosthesis"
    PACEMAKER = "pacemaker"
    BOWEL_CONTRAST = "bowel_contrast"


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A rough ellipsoid in the rest frame of a bone.

    Args:
        centre_mm: (x, y, z) in the rest frame of the bone's part.
        radii_mm: semi-axes in millimetres of the patient, along the shape's own axes.
        turn_deg: rotation vector of the shape's axes against the rest frame, degrees.
        roughness: 0 is smooth; relative standard deviation of the surface's distance from the centre.
        seed: of the roughness.
    """

    centre_mm: Vector
    radii_mm: Vector
    turn_deg: Vector = (0.0, 0.0, 0.0)
    roughness: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.radii_mm) <= 0:
            raise ValueError("every radius is above zero")
        if not 0.0 <= self.roughness <= 0.4:
            raise ValueError(f"roughness is {self.roughness:g}, allowed is 0 to 0.4")


@dataclass(frozen=True, kw_only=True, slots=True)
class Appearance:
    """How a focus shows itself, before any blur or noise.

    Args:
        suv: SUVbw by tracer; a tracer that is not named leaves the tissue's own uptake.
        lytic_suv: SUVbw where the focus' `sclerosis` is 0, for tracers whose uptake follows the sclerosis (`suv`
            is then that where it is 1); a tracer that is not named has its `suv` everywhere.
        lytic_hu, sclerotic_hu: Hounsfield units at 120 kVp without contrast of the focus where its
            `sclerosis` is 0 and 1; between them linear.
        adc_um2_s: apparent diffusion coefficient.
        t1_ms, t2_ms: relaxation times at 1.5 T.
        proton_density: relative to water.
        fat_fraction: share of the signal's protons in fat.
        metal: replaces everything: no marrow, no signal, streaks.
    """

    suv: Mapping[Tracer, float] = field(default_factory=dict)
    lytic_suv: Mapping[Tracer, float] = field(default_factory=dict)
    lytic_hu: float = 40.0
    sclerotic_hu: float = 650.0
    adc_um2_s: float = 900.0
    t1_ms: float = 1100.0
    t2_ms: float = 80.0
    proton_density: float = 0.85
    fat_fraction: float = 0.05
    metal: bool = False

    def suv_ends(self, tracer: Tracer) -> tuple[float, float] | None:
        """SUVbw of a tracer where the focus is purely lytic and purely sclerotic; None where it is not named."""
        if tracer not in self.suv:
            return None
        return self.lytic_suv.get(tracer, self.suv[tracer]), self.suv[tracer]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesion:
    """One metastasis at one time.

    Args:
        name: the same lesion has the same name at every time.
        bone: that carries it; nothing of it lies in another bone.
        shapes: their union, cut to the bone.
        sclerotic_share: share of the volume that is sclerotic; what a MIXED lesion's pattern is drawn to.
        soft_tissue_mm: how far beyond the bone's surface it may grow within its shapes; 0 keeps it inside.
    """

    name: str
    bone: Bone
    lesion_type: LesionType
    shapes: tuple[Shape, ...]
    appearance: Appearance
    sclerotic_share: float
    soft_tissue_mm: float = 0.0

    def __post_init__(self) -> None:
        if not self.shapes:
            raise ValueError(f"{self.name}: a lesion has a shape")
        if not 0.0 <= self.sclerotic_share <= 1.0:
            raise ValueError(f"{self.name}: sclerotic_share is {self.sclerotic_share:g}, allowed is 0 to 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoy:
    """Something that is not a metastasis. It may lie outside bone; it moves with the bone it is anchored to."""

    name: str
    kind: DecoyKind
    bone: Bone
    shapes: tuple[Shape, ...]
    appearance: Appearance
    inside_bone: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Physiology:
    """The state of the organs in one scan.

    Args:
        seed: of organ sizes (with the person's own seed) and uptakes.
        bladder_ml: urine in the bladder.
        spread: standard deviation of the logarithm of each organ's uptake and size, times a tabled one; 0 is the
            reference everybody.
        bowel_contrast: oral contrast in stomach and bowel.
    """

    seed: int = 0
    bladder_ml: float = 120.0
    spread: float = 1.0
    bowel_contrast: bool = False

    def __post_init__(self) -> None:
        if not 10.0 <= self.bladder_ml <= 800.0:
            raise ValueError(f"bladder_ml is {self.bladder_ml:g}, allowed is 10 to 800")
        if not 0.0 <= self.spread <= 2.0:
            raise ValueError(f"spread is {self.spread:g}, allowed is 0 to 2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """A patient at one time."""

    person: PersonSpec
    primary: Primary | None = None
    lesions: tuple[Lesion, ...] = ()
    decoys: tuple[Decoy, ...] = ()
    physiology: Physiology = field(default_factory=Physiology)

    def __post_init__(self) -> None:
        for foci in (self.lesions, self.decoys):
            names = [focus.name for focus in foci]
            if len(set(names)) != len(names):
                raise ValueError("foci have different names")
            if len(names) > MAX_FOCI:
                raise ValueError(f"at most {MAX_FOCI} foci have labels, got {len(names)}")

    @property
    def digest(self) -> str:
        """SHA-256 of everything: equal patients have equal digests."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()
