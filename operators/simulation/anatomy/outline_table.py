"""The segments of the body: which bones span them, how thick the flesh is, how readily they take on fat."""

from __future__ import annotations

from dataclasses import dataclass

from operators.simulation.anatomy.bones import CERVICAL, LUMBAR, THORACIC, Bone
from operators.simulation.anatomy.person import Sex


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Some bones between two fractions of their length, counted from the upper end in the rest frame.

    Args:
        front: of their depth, counted from the front, this part.
    """

    bones: frozenset[Bone]
    first: float = 0.0
    last: float = 1.0
    front: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A segment of the body.

    Args:
        slices: what its convex hull spans.
        thickness_mm: flesh over that hull in a lean person.
        growth: how far it grows against the trunk's 1 when the body gains volume.
        groups: segments of one group flow into each other; groups only touch (an arm beside the trunk).
        shift_mm: (x, y, z) LPS by which the flesh lies off the bones (the calf behind the shin).
        fat_alone: it bulges the skin and not the fascia.
        sex: of those who have it; None is everybody.
    """

    name: str
    slices: tuple[Slice, ...]
    thickness_mm: float
    growth: float
    groups: tuple[str, ...] = ("trunk",)
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fat_alone: bool = False
    sex: Sex | None = None


def _slice(*names: str, first: float = 0.0, last: float = 1.0, front: float = 1.0) -> Slice:
    return Slice(bones=frozenset(Bone[name] for name in names), first=first, last=last, front=front)


_BOTH = ("LEFT", "RIGHT")


def _ribs(first: int, last: int, sides: tuple[str, ...] = _BOTH) -> tuple[str, ...]:
    return tuple(f"RIB_{number}_{side}" for number in range(first, last + 1) for side in sides)


def _arm(side: str) -> tuple[Segment, ...]:
    scapula, clavicle, humerus = (f"{name}_{side}" for name in ("SCAPULA", "CLAVICLE", "HUMERUS"))
    forearm, hand = (f"RADIUS_{side}", f"ULNA_{side}"), f"HAND_{side}"
    arm = (f"arm {side}",)
    return (
        Segment(
            name=f"shoulder {side}",
            slices=(_slice(scapula, clavicle), _slice(humerus, last=0.15)),
            thickness_mm=12.0,
            growth=0.6,
            groups=("trunk", *arm),
        ),
        Segment(name=f"upper arm {side}", slices=(_slice(humerus),), thickness_mm=19.0, growth=0.55, groups=arm),
        Segment(
            name=f"forearm {side}", slices=(_slice(*forearm, last=0.6),), thickness_mm=15.0, growth=0.35, groups=arm
        ),
        Segment(name=f"wrist {side}", slices=(_slice(*forearm, first=0.4),), thickness_mm=7.0, growth=0.2, groups=arm),
        Segment(name=f"hand {side}", slices=(_slice(hand),), thickness_mm=4.0, growth=0.05, groups=arm),
    )


def _leg(side: str) -> tuple[Segment, ...]:
    hip, femur, patella, foot = (f"{name}_{side}" for name in ("HIP", "FEMUR", "PATELLA", "FOOT"))
    shin = (f"TIBIA_{side}", f"FIBULA_{side}")
    leg = (f"leg {side}",)
    out = 1.0 if side == "LEFT" else -1.0
    knee = (_slice(femur, first=0.75), _slice(patella), _slice(*shin, last=0.15))
    return (
        Segment(
            name=f"buttock {side}",
            slices=(_slice(hip, first=0.25), _slice(femur, last=0.12)),
            thickness_mm=18.0,
            growth=0.9,
            groups=("trunk", *leg),
            shift_mm=(10.0 * out, 26.0, 0.0),
        ),
        Segment(
            name=f"hip {side}",
            slices=(_slice(hip, first=0.04, last=0.7),),
            thickness_mm=7.0,
            growth=0.9,
            groups=("trunk", *leg),
            shift_mm=(22.0 * out, 26.0, 0.0),
        ),
        Segment(
            name=f"thigh {side}",
            slices=(_slice(femur, last=0.8),),
            thickness_mm=34.0,
            growth=0.8,
            groups=leg,
            shift_mm=(0.0, 6.0, 0.0),
        ),
        Segment(
            name=f"groin {side}",
            slices=(_slice(femur, last=0.3), _slice(hip, first=0.4)),
            thickness_mm=14.0,
            growth=0.7,
            groups=("trunk", *leg),
        ),
        Segment(name=f"knee {side}", slices=knee, thickness_mm=8.0, growth=0.4, groups=leg),
        Segment(
            name=f"calf {side}",
            slices=(_slice(*shin, first=0.05, last=0.65),),
            thickness_mm=18.0,
            growth=0.4,
            groups=leg,
            shift_mm=(0.0, 14.0, 0.0),
        ),
        Segment(name=f"shin {side}", slices=(_slice(*shin),), thickness_mm=7.0, growth=0.25, groups=leg),
        Segment(name=f"foot {side}", slices=(_slice(foot),), thickness_mm=6.0, growth=0.05, groups=leg),
    )


def _flank(side: str) -> Segment:
    out = 1.0 if side == "LEFT" else -1.0
    return Segment(
        name=f"flank {side}",
        slices=(_slice(*_ribs(10, 12, (side,)), front=0.7), _slice(f"HIP_{side}", last=0.4), _slice("L3")),
        thickness_mm=12.0,
        growth=1.0,
        shift_mm=(10.0 * out, 14.0, 0.0),
    )


def _breast(side: str) -> Segment:
    out = 1.0 if side == "LEFT" else -1.0
    return Segment(
        name=f"breast {side}",
        slices=(_slice(*_ribs(4, 6, (side,)), front=0.16),),
        thickness_mm=20.0,
        growth=0.75,
        shift_mm=(14.0 * out, -6.0, -6.0),
        fat_alone=True,
        sex=Sex.FEMALE,
    )


_HIPS = ("HIP_LEFT", "HIP_RIGHT")
_NECK = tuple(bone.name for bone in CERVICAL)
_CHEST_SPINE = tuple(bone.name for bone in THORACIC)
_LOIN_SPINE = tuple(bone.name for bone in LUMBAR)

SEGMENTS: tuple[Segment, ...] = (
    Segment(name="head", slices=(_slice("SKULL", "MANDIBLE"),), thickness_mm=6.0, growth=0.03),
    Segment(name="neck", slices=(_slice(*_NECK),), thickness_mm=30.0, growth=0.25, shift_mm=(0.0, -12.0, 0.0)),
    Segment(name="chest", slices=(_slice(*_ribs(1, 10), *_CHEST_SPINE, "STERNUM"),), thickness_mm=8.0, growth=0.75),
    Segment(
        name="upper back",
        slices=(_slice("SCAPULA_LEFT", "SCAPULA_RIGHT"), _slice(*_CHEST_SPINE[:8])),
        thickness_mm=10.0,
        growth=0.5,
    ),
    Segment(
        name="abdomen",
        slices=(_slice(*_ribs(9, 10), front=0.65), _slice(*_HIPS, last=0.6)),
        thickness_mm=7.0,
        growth=1.0,
    ),
    Segment(
        name="belly",
        slices=(_slice(*_ribs(8, 10), front=0.35), _slice(*_HIPS, first=0.1, last=0.9, front=0.35)),
        thickness_mm=8.0,
        growth=1.35,
    ),
    Segment(
        name="loin",
        slices=(
            _slice(*_LOIN_SPINE),
            _slice("SACRUM", last=0.3),
        ),
        thickness_mm=20.0,
        growth=0.7,
    ),
    Segment(
        name="pelvis",
        slices=(_slice(*_HIPS, "SACRUM"), _slice("FEMUR_LEFT", "FEMUR_RIGHT", last=0.12)),
        thickness_mm=12.0,
        growth=0.9,
        shift_mm=(0.0, 6.0, 0.0),
    ),
    *(_flank(side) for side in _BOTH),
    *(_breast(side) for side in _BOTH),
    *_arm("LEFT"),
    *_arm("RIGHT"),
    *_leg("LEFT"),
    *_leg("RIGHT"),
)
"""Thickness and growth were set by eye on lean, normal and obese bodies; no body scan stands behind them."""

GROUPS: tuple[str, ...] = tuple(sorted({group for segment in SEGMENTS for group in segment.groups}))
