"""The segments of the body: which bones span them, how thick the flesh is, how readily they take on fat."""

from __future__ import annotations

from dataclasses import dataclass

from operators.simulation.anatomy.bones import CERVICAL, THORACIC, Bone


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Some bones between two fractions of their length, counted from the upper end in the rest frame."""

    bones: frozenset[Bone]
    first: float = 0.0
    last: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A segment of the body.

    Args:
        slices: what its convex hull spans.
        thickness_mm: flesh over that hull in a lean person.
        growth: how far it grows against the trunk's 1 when the body gains volume.
        shift_mm: (x, y, z) LPS by which the flesh lies off the bones (the calf behind the shin).
    """

    name: str
    slices: tuple[Slice, ...]
    thickness_mm: float
    growth: float
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


def _slice(*names: str, first: float = 0.0, last: float = 1.0) -> Slice:
    return Slice(bones=frozenset(Bone[name] for name in names), first=first, last=last)


def _ribs(first: int, last: int) -> tuple[str, ...]:
    return tuple(f"RIB_{number}_{side}" for number in range(first, last + 1) for side in ("LEFT", "RIGHT"))


def _limbs(side: str) -> tuple[Segment, ...]:
    def bone(name: str) -> str:
        return f"{name}_{side}"

    shoulder = (_slice(bone("SCAPULA"), bone("CLAVICLE")), _slice(bone("HUMERUS"), last=0.15))
    forearm = (bone("RADIUS"), bone("ULNA"))
    knee = (
        _slice(bone("FEMUR"), first=0.75),
        _slice(bone("PATELLA")),
        _slice(bone("TIBIA"), bone("FIBULA"), last=0.15),
    )
    shin = (bone("TIBIA"), bone("FIBULA"))
    return (
        Segment(name=f"shoulder {side}", slices=shoulder, thickness_mm=12.0, growth=0.6),
        Segment(name=f"upper arm {side}", slices=(_slice(bone("HUMERUS")),), thickness_mm=20.0, growth=0.6),
        Segment(name=f"forearm {side}", slices=(_slice(*forearm, last=0.6),), thickness_mm=15.0, growth=0.35),
        Segment(name=f"wrist {side}", slices=(_slice(*forearm, first=0.4),), thickness_mm=7.0, growth=0.2),
        Segment(name=f"hand {side}", slices=(_slice(bone("HAND")),), thickness_mm=4.0, growth=0.05),
        Segment(name=f"thigh {side}", slices=(_slice(bone("FEMUR"), last=0.8),), thickness_mm=35.0, growth=0.9),
        Segment(name=f"knee {side}", slices=knee, thickness_mm=8.0, growth=0.4),
        Segment(
            name=f"calf {side}",
            slices=(_slice(*shin, first=0.05, last=0.65),),
            thickness_mm=18.0,
            growth=0.4,
            shift_mm=(0.0, 14.0, 0.0),
        ),
        Segment(name=f"shin {side}", slices=(_slice(*shin),), thickness_mm=7.0, growth=0.25),
        Segment(name=f"foot {side}", slices=(_slice(bone("FOOT")),), thickness_mm=6.0, growth=0.05),
    )


_HIPS = ("HIP_LEFT", "HIP_RIGHT")
_NECK = tuple(bone.name for bone in CERVICAL)
_CHEST_SPINE = tuple(bone.name for bone in THORACIC)

SEGMENTS: tuple[Segment, ...] = (
    Segment(name="head", slices=(_slice("SKULL", "MANDIBLE"),), thickness_mm=5.0, growth=0.1),
    Segment(name="neck", slices=(_slice(*_NECK),), thickness_mm=30.0, growth=0.4, shift_mm=(0.0, -12.0, 0.0)),
    Segment(name="chest", slices=(_slice(*_ribs(1, 10), *_CHEST_SPINE, "STERNUM"),), thickness_mm=10.0, growth=0.8),
    Segment(name="abdomen", slices=(_slice(*_ribs(9, 10)), _slice(*_HIPS, last=0.6)), thickness_mm=8.0, growth=1.0),
    Segment(
        name="pelvis",
        slices=(_slice(*_HIPS, "SACRUM"), _slice("FEMUR_LEFT", "FEMUR_RIGHT", last=0.15)),
        thickness_mm=12.0,
        growth=1.0,
        shift_mm=(0.0, 8.0, 0.0),
    ),
    *_limbs("LEFT"),
    *_limbs("RIGHT"),
)
"""Thickness and growth were set by eye on lean, normal and obese bodies; no body scan stands behind them."""
