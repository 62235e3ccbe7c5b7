"""Who lies there: what does not change between two scans (the person), and what does (the posture)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from operators.simulation.anatomy.bones import CERVICAL, LUMBAR, THORACIC, Bone


class Sex(StrEnum):
    """Sex, as far as it shapes a skeleton and the fat around it."""

    FEMALE = "F"
    MALE = "M"


class Arms(StrEnum):
    """Where the arms are: beside the body in planar scans, above the head in most CT."""

    BESIDE_BODY = "beside_body"
    ABOVE_HEAD = "above_head"


HEIGHT_CM = (145.0, 200.0)
WEIGHT_KG = (40.0, 140.0)
BODY_MASS_INDEX = (14.0, 60.0)
_LIMITS: dict[str, tuple[float, float]] = {
    "height_cm": HEIGHT_CM,
    "weight_kg": WEIGHT_KG,
    "size_variation": (0.0, 0.05),
    "head_turn_deg": (-60.0, 60.0),
    "lordosis_deg": (-8.0, 8.0),
    "scoliosis_deg": (-8.0, 8.0),
    "kyphosis_deg": (-8.0, 8.0),
    "seed": (0, 2**63 - 1),
    "shape_variation": (0.0, 1.5),
    "osteopenia": (0.0, 1.0),
    "neck_flexion_deg": (-15.0, 15.0),
    "feet_out_deg": (-15.0, 25.0),
    "roll_deg": (-10.0, 10.0),
    "yaw_deg": (-10.0, 10.0),
    "pitch_deg": (-5.0, 5.0),
    "height_loss": (0.0, 0.8),
    "wedge": (0.0, 1.0),
}
SHIFT_MM = (-200.0, 200.0)
"""Of `Posture.shift_mm`, along each axis."""


def _check(owner: Any, *names: str) -> None:
    for name in names:
        low, high = _LIMITS[name]
        value = getattr(owner, name)
        if not low <= value <= high:
            raise ValueError(f"{name} is {value}, allowed is {low:g} to {high:g}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Posture:
    """How a person lies in one scan, supine. Raises ValueError outside the allowed ranges.

    Args:
        arms: beside the body or above the head.
        head_turn_deg: positive towards the patient's left.
        lordosis_deg: more (positive) or less lumbar lordosis than the source; the chest compensates.
        kyphosis_deg: more (positive) or less thoracic kyphosis; the neck compensates.
        scoliosis_deg: lumbar bend to the left (positive) or right; the chest bends back.
        seed: of the small differences of every joint.
        neck_flexion_deg: chin to the chest (positive) or up, spread over the neck.
        feet_out_deg: both legs turned outward (positive) more than is usual, or inward.
        shift_mm: where the whole person lies (x, y, z), against the pelvis on the midline.
        roll_deg, yaw_deg, pitch_deg: how the whole person lies, about the sacrum: turned about the long axis
            (positive brings the left side back), on the table (positive takes the head to the right), and
            feet down (positive takes the head forward).
    """

    arms: Arms = Arms.BESIDE_BODY
    head_turn_deg: float = 0.0
    lordosis_deg: float = 0.0
    kyphosis_deg: float = 0.0
    scoliosis_deg: float = 0.0
    seed: int = 0
    neck_flexion_deg: float = 0.0
    feet_out_deg: float = 0.0
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    roll_deg: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0

    def __post_init__(self) -> None:
        _check(self, "head_turn_deg", "lordosis_deg", "kyphosis_deg", "scoliosis_deg", "seed")
        _check(self, "neck_flexion_deg", "feet_out_deg", "roll_deg", "yaw_deg", "pitch_deg")
        low, high = SHIFT_MM
        if len(self.shift_mm) != 3 or not all(low <= value <= high for value in self.shift_mm):
            raise ValueError(f"shift_mm is {self.shift_mm}, allowed are three of {low:g} to {high:g}")


_COLLAPSIBLE = frozenset((*CERVICAL[2:], *THORACIC, *LUMBAR))


@dataclass(frozen=True, kw_only=True, slots=True)
class Collapse:
    """A vertebral compression fracture. Raises ValueError outside the allowed ranges.

    Args:
        bone: C3 to L6.
        height_loss: part of the vertebra's height that is lost where it is lowest, 0 to 0.8.
        wedge: 0 loses it all over (crush), 1 only in front (wedge): what is above tilts forward.
    """

    bone: Bone
    height_loss: float
    wedge: float = 0.0

    def __post_init__(self) -> None:
        if self.bone not in _COLLAPSIBLE:
            raise ValueError(f"{self.bone.name} does not collapse, C3 to L6 do")
        _check(self, "height_loss", "wedge")


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonSpec:
    """A person and their posture. Raises ValueError outside the allowed ranges.

    Args:
        seed: of the sizes of the person's bones.
        height_cm: stature, 145 to 200.
        weight_kg: 40 to 140, with a body mass index of 14 to 60.
        size_variation: standard deviation of a segment's size around what the height implies.
        sixth_lumbar: there is a vertebra L6 between L5 and sacrum.
        missing_twelfth_ribs: there are eleven pairs of ribs.
        posture: of this scan.
        shape_variation: size of the random differences in the form of every bone; 1 is usual, 0 the source's form.
        osteopenia: 0 is a sound skeleton, 1 one whose cortex is a third thinner.
        collapses: fractured vertebrae; a later scan of the same person may have more.
    """

    seed: int
    sex: Sex
    height_cm: float
    weight_kg: float
    size_variation: float = 0.02
    sixth_lumbar: bool = False
    missing_twelfth_ribs: bool = False
    posture: Posture = field(default_factory=Posture)
    shape_variation: float = 1.0
    osteopenia: float = 0.0
    collapses: tuple[Collapse, ...] = ()

    def __post_init__(self) -> None:
        _check(self, "height_cm", "weight_kg", "size_variation", "seed", "shape_variation", "osteopenia")
        if len({collapse.bone for collapse in self.collapses}) != len(self.collapses):
            raise ValueError("collapses: a vertebra collapses once")
        low, high = BODY_MASS_INDEX
        if not low <= self.body_mass_index <= high:
            raise ValueError(
                f"weight_kg {self.weight_kg:g} at height_cm {self.height_cm:g} is a body mass index of "
                f"{self.body_mass_index:.1f}, allowed is {low:g} to {high:g}"
            )

    @property
    def body_mass_index(self) -> float:
        """Weight by height squared, kg/m2."""
        return self.weight_kg / (self.height_cm / 100.0) ** 2

    @property
    def digest(self) -> str:
        """SHA-256 of every field: the same person in the same posture has the same digest."""
        return hashlib.sha256(json.dumps(dataclasses.asdict(self), sort_keys=True).encode()).hexdigest()

    @classmethod
    def drawn(cls, seed: int) -> PersonSpec:
        """A person drawn at random; the same seed gives the same person.

        Heights are normal about 163 (women) and 176 cm (men), body mass index log-normal about 26
        kg/m2, both cut at the allowed range; one in twenty has a malformation. Collapses are not
        drawn here: they belong to the disease.
        """
        random = np.random.default_rng([seed, 1])
        sex = Sex.FEMALE if random.random() < 0.5 else Sex.MALE
        height = float(np.clip(random.normal(163.0 if sex is Sex.FEMALE else 176.0, 7.0), *HEIGHT_CM))
        index = float(np.clip(26.0 * np.exp(random.normal(0.0, 0.18)), 16.0, 50.0))
        spec = cls(
            seed=seed,
            sex=sex,
            height_cm=round(height, 1),
            weight_kg=round(float(np.clip(index * (height / 100.0) ** 2, *WEIGHT_KG)), 1),
            sixth_lumbar=bool(random.random() < 0.03),
            missing_twelfth_ribs=bool(random.random() < 0.02),
            posture=Posture(
                arms=Arms.BESIDE_BODY if random.random() < 0.6 else Arms.ABOVE_HEAD,
                head_turn_deg=_drawn(random, 12.0, limit=50.0),
                lordosis_deg=_drawn(random, 2.5, limit=8.0),
                kyphosis_deg=_drawn(random, 2.5, limit=8.0),
                scoliosis_deg=_drawn(random, 2.0, limit=8.0),
                seed=seed,
            ),
        )
        osteopenia = float(random.beta(2.0, 4.0) if sex is Sex.FEMALE else random.beta(1.5, 6.0))
        posture = dataclasses.replace(
            spec.posture,
            neck_flexion_deg=_drawn(random, 4.0, limit=12.0),
            feet_out_deg=_drawn(random, 5.0, limit=15.0),
            shift_mm=(
                _drawn(random, 8.0, limit=25.0),
                _drawn(random, 8.0, limit=25.0),
                _drawn(random, 15.0, limit=45.0),
            ),
            roll_deg=_drawn(random, 1.5, limit=5.0),
            yaw_deg=_drawn(random, 1.0, limit=3.0),
            pitch_deg=_drawn(random, 0.5, limit=1.5),
        )
        return dataclasses.replace(spec, osteopenia=round(osteopenia, 2), posture=posture)


def _drawn(random: np.random.Generator, spread: float, *, limit: float) -> float:
    return round(float(np.clip(random.normal(0.0, spread), -limit, limit)), 1)
