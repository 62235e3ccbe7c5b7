"""An adult skeleton of simple solids, bone by bone.

Canonical millimetres of a man of 1.75 m: x = 0 is the midline, z = 0 the centre of the hip
joints, LPS directions. Proportions are those of textbook anatomy, rounded; nothing is
measured on a patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bmnode.testing.patients.solids import (
    Capsule,
    Cylinder,
    Ellipsoid,
    Plate,
    Profile,
    RibArc,
    Solid,
    Without,
    mirrored,
)
from bmnode.testing.patients.spec import Side, Vector


@dataclass(frozen=True, kw_only=True, slots=True)
class Bone:
    """One bone.

    Args:
        solids: their union is the bone.
        anchor: where lesions are placed from; inside the bone.
        cortex_mm: thickness of the compact shell.
        uptake: of a bone-seeking tracer, relative to a lumbar vertebra.
    """

    name: str
    side: Side
    solids: tuple[Solid, ...]
    anchor: Vector
    cortex_mm: float
    uptake: float


SIDES: Mapping[Side, int] = {Side.LEFT: 1, Side.RIGHT: -1}

VERTEBRA_LEVELS: Mapping[str, tuple[float, float]] = {
    "C1": (704, 23), "C2": (688, 23), "C3": (671, 23), "C4": (654, 24), "C5": (637, 27), "C6": (620, 32),
    "C7": (603, 38), "T1": (584, 44), "T2": (564, 50), "T3": (543, 55), "T4": (521, 58), "T5": (498, 59),
    "T6": (474, 58), "T7": (449, 56), "T8": (423, 52), "T9": (396, 47), "T10": (368, 41), "T11": (339, 34),
    "T12": (308, 27), "L1": (275, 20), "L2": (240, 14), "L3": (204, 12), "L4": (167, 15), "L5": (130, 22),
}  # fmt: skip
"""Centre of each vertebral body, (z, y): kyphosis and lordosis."""

_BODY_SIZE: Mapping[str, tuple[float, float, float]] = {
    "C": (11.0, 8.5, 6.5),
    "T": (16.0, 14.0, 10.0),
    "L": (24.0, 17.0, 13.5),
}
"""Half-widths along x, y, z of a vertebral body, by region."""

CANAL_RADIUS = 8.5
CANAL_GAP = 3.0
"""From the back of the vertebral body to the canal's front wall."""

CHEST_WALL = Profile(
    z=(240, 300, 400, 500, 560, 600, 620),
    half_width=(138, 140, 138, 120, 88, 58, 45),
    half_depth=(92, 98, 100, 90, 72, 55, 45),
    center_y=3.0,
)

_RIB_DROP = (30, 55, 70, 80, 85, 90, 90, 90, 85, 75, 50, 35)
_RIB_REACH = (0.95, 0.95, 0.94, 0.93, 0.93, 0.92, 0.9, 0.8, 0.7, 0.6, 0.4, 0.25)

BRAIN = Ellipsoid(center=(0, 12, 787), radii=(66, 83, 71))


def body_size(vertebra: str) -> tuple[float, float, float]:
    """Half-widths of a vertebral body; the lowest thoracic ones come near the lumbar size."""
    width, depth, height = _BODY_SIZE[vertebra[0]]
    if vertebra[0] != "T":
        return width, depth, height
    share = 0.75 * (int(vertebra[1:]) - 1) / 11
    lumbar = _BODY_SIZE["L"]
    return (
        width + share * (lumbar[0] - width),
        depth + share * (lumbar[1] - depth),
        height + share * (lumbar[2] - height),
    )


def canal_center(vertebra: str) -> Vector:
    """Centre of the spinal canal at a vertebra."""
    z, y = VERTEBRA_LEVELS[vertebra]
    return 0.0, y + body_size(vertebra)[1] + CANAL_GAP + CANAL_RADIUS, z


def _vertebra(name: str) -> Bone:
    z, y = VERTEBRA_LEVELS[name]
    width, depth, height = body_size(name)
    canal = canal_center(name)
    arch_height = height * 0.75
    arch = Without(
        solid=Cylinder(center=canal, radius_x=CANAL_RADIUS + 7, radius_y=CANAL_RADIUS + 6, half_height=arch_height),
        removed=(Cylinder(center=canal, radius_x=CANAL_RADIUS, radius_y=CANAL_RADIUS, half_height=2 * height),),
    )
    behind = canal[1] + CANAL_RADIUS + 2
    spine = Capsule(
        start=(0, behind, z), end=(0, behind + 1.1 * depth, z - 0.6 * height), radius_start=4.5, radius_end=3.5
    )
    processes = tuple(
        Capsule(
            start=(sign * (CANAL_RADIUS + 4), canal[1], z),
            end=(sign * (CANAL_RADIUS + 4 + 0.9 * width), canal[1] + 6, z),
            radius_start=4.5,
            radius_end=3.5,
        )
        for sign in (1, -1)
    )
    return Bone(
        name=name,
        side=Side.MIDLINE,
        solids=(
            Cylinder(center=(0, y, z), radius_x=width, radius_y=depth, half_height=height),
            arch,
            spine,
            *processes,
        ),
        anchor=(0, y, z),
        cortex_mm=0.8,
        uptake=1.0,
    )


def _rib(number: int, side: Side) -> Bone:
    arc = RibArc(
        wall=CHEST_WALL,
        sign=SIDES[side],
        z_spine=VERTEBRA_LEVELS[f"T{number}"][0] + 4,
        drop=_RIB_DROP[number - 1],
        reach=_RIB_REACH[number - 1],
    )
    # The two floating ribs end behind the flank, so they are met further back.
    anchor = arc.point(CHEST_WALL.center_y if number < 11 else 70.0)
    return Bone(name=f"rib {number}", side=side, solids=(arc,), anchor=anchor, cortex_mm=1.2, uptake=0.65)


def _hip_joint(side: Side) -> Vector:
    return SIDES[side] * 88.0, 5.0, 0.0


def _hip(side: Side) -> tuple[Bone, ...]:
    s = SIDES[side]
    head = _hip_joint(side)
    wing = Plate(
        center=(s * 84.0, 12.0, 80.0),
        u=(s * 78.0, -110.0, 15.0),
        w=(s * 0.3, 0.15, 1.0),
        half_length_u=74,
        half_length_w=64,
        half_thickness=10,
    )
    joint = Ellipsoid(center=head, radii=(27, 27, 27))
    # The lateral half of the cup is open: the femoral neck leaves through it.
    opening = Ellipsoid(center=(s * 140.0, 10.0, -30.0), radii=(46, 60, 46))
    cup = Without(solid=Ellipsoid(center=(s * 83.0, 6.0, 6.0), radii=(37, 38, 38)), removed=(joint, opening))
    ilium = Bone(
        name="ilium",
        side=side,
        solids=(Without(solid=wing, removed=(joint,)), cup),
        anchor=(s * 84.0, 12.0, 80.0),
        cortex_mm=1.5,
        uptake=0.95,
    )
    pubis = Bone(
        name="pubis",
        side=side,
        solids=(
            Capsule(start=(s * 58.0, -22.0, -4.0), end=(s * 12.0, -52.0, -32.0), radius_start=9, radius_end=9),
            Capsule(start=(s * 12.0, -50.0, -38.0), end=(s * 40.0, -5.0, -82.0), radius_start=7, radius_end=7),
        ),
        anchor=(s * 30.0, -40.0, -21.0),
        cortex_mm=1.5,
        uptake=0.7,
    )
    ischium = Bone(
        name="ischium",
        side=side,
        solids=(Capsule(start=(s * 76.0, 36.0, -18.0), end=(s * 56.0, 32.0, -84.0), radius_start=13, radius_end=15),),
        anchor=(s * 62.0, 33.0, -64.0),
        cortex_mm=1.5,
        uptake=0.7,
    )
    return ilium, pubis, ischium


def _leg(side: Side) -> tuple[Bone, ...]:
    s = SIDES[side]
    head = _hip_joint(side)
    femur = Bone(
        name="femur",
        side=side,
        solids=(
            Ellipsoid(center=head, radii=(24, 24, 24)),
            Capsule(start=head, end=(s * 128.0, 10.0, -32.0), radius_start=16, radius_end=17),
            Ellipsoid(center=(s * 138.0, 14.0, -20.0), radii=(16, 17, 24)),
            Capsule(start=(s * 128.0, 10.0, -40.0), end=(s * 82.0, 0.0, -400.0), radius_start=18, radius_end=15),
            Ellipsoid(center=(s * 80.0, 2.0, -418.0), radii=(38, 28, 22)),
        ),
        anchor=(s * 126.0, 10.0, -40.0),
        cortex_mm=4.0,
        uptake=0.6,
    )
    tibia = (
        Ellipsoid(center=(s * 80.0, 4.0, -452.0), radii=(36, 26, 20)),
        Capsule(start=(s * 80.0, 4.0, -460.0), end=(s * 72.0, 20.0, -815.0), radius_start=15, radius_end=12),
    )
    foot = (
        Ellipsoid(center=(s * 74.0, 20.0, -845.0), radii=(24, 34, 22)),
        Capsule(start=(s * 76.0, 0.0, -852.0), end=(s * 84.0, -85.0, -940.0), radius_start=17, radius_end=12),
    )
    fibula = Capsule(start=(s * 112.0, 18.0, -465.0), end=(s * 100.0, 30.0, -825.0), radius_start=7, radius_end=7)
    return (
        femur,
        Bone(name="tibia", side=side, solids=tibia, anchor=(s * 78.0, 8.0, -560.0), cortex_mm=4.0, uptake=0.5),
        Bone(name="fibula", side=side, solids=(fibula,), anchor=(s * 106.0, 24.0, -640.0), cortex_mm=3.0, uptake=0.4),
        Bone(name="foot", side=side, solids=foot, anchor=(s * 74.0, 20.0, -845.0), cortex_mm=1.5, uptake=0.25),
    )


def _shoulder(side: Side) -> tuple[Bone, ...]:
    s = SIDES[side]
    clavicle = Capsule(start=(s * 20.0, -68.0, 560.0), end=(s * 160.0, 5.0, 588.0), radius_start=8, radius_end=7)
    scapula = (
        Plate(
            center=(s * 108.0, 76.0, 500.0),
            u=(s * 0.12, 0.0, 1.0),
            w=(s * 0.86, -0.5, 0.0),
            half_length_u=74,
            half_length_w=44,
            half_thickness=6,
        ),
        Capsule(start=(s * 85.0, 84.0, 540.0), end=(s * 165.0, 38.0, 575.0), radius_start=6, radius_end=10),
    )
    return (
        Bone(
            name="clavicle", side=side, solids=(clavicle,), anchor=(s * 90.0, -31.5, 574.0), cortex_mm=2.0, uptake=0.7
        ),
        Bone(name="scapula", side=side, solids=scapula, anchor=(s * 108.0, 76.0, 500.0), cortex_mm=1.2, uptake=0.8),
    )


def _arm(side: Side) -> tuple[Bone, ...]:
    s = SIDES[side]
    humerus = (
        Ellipsoid(center=(s * 178.0, 28.0, 556.0), radii=(25, 25, 25)),
        Capsule(start=(s * 184.0, 28.0, 540.0), end=(s * 222.0, 40.0, 270.0), radius_start=14, radius_end=12),
    )
    forearm = (
        Capsule(start=(s * 214.0, 40.0, 255.0), end=(s * 232.0, 15.0, 20.0), radius_start=9, radius_end=7),
        Capsule(start=(s * 236.0, 40.0, 255.0), end=(s * 252.0, 15.0, 20.0), radius_start=8, radius_end=9),
    )
    hand = Capsule(start=(s * 242.0, 12.0, 5.0), end=(s * 246.0, 5.0, -130.0), radius_start=17, radius_end=10)
    return (
        Bone(name="humerus", side=side, solids=humerus, anchor=(s * 179.0, 28.0, 550.0), cortex_mm=3.0, uptake=0.6),
        Bone(name="forearm", side=side, solids=forearm, anchor=(s * 223.0, 27.0, 137.0), cortex_mm=2.5, uptake=0.4),
        Bone(name="hand", side=side, solids=(hand,), anchor=(s * 244.0, 8.0, -60.0), cortex_mm=1.0, uptake=0.45),
    )


def _head_and_trunk() -> tuple[Bone, ...]:
    skull = Without(solid=Ellipsoid(center=(0, 12, 787), radii=(73, 90, 78)), removed=(BRAIN,))
    face = (
        Capsule(start=(-26, -58, 725), end=(26, -58, 725), radius_start=13, radius_end=13),
        Capsule(start=(-42, -40, 755), end=(42, -40, 755), radius_start=11, radius_end=11),
    )
    mandible = tuple(
        Capsule(
            start=mirrored((52, 0, 710), sign=s), end=mirrored((12, -62, 685), sign=s), radius_start=6, radius_end=8
        )
        for s in (1, -1)
    )
    sternum = Plate(
        center=(0, -86, 478), u=(0, 0.22, 1), w=(1, 0, 0), half_length_u=92, half_length_w=20, half_thickness=6.5
    )
    sacrum = (
        Ellipsoid(center=(0, 50, 82), radii=(50, 23, 38)),
        Ellipsoid(center=(0, 70, 42), radii=(27, 14, 42)),
    )
    return (
        Bone(name="skull", side=Side.MIDLINE, solids=(skull, *face), anchor=(0, 12, 861.5), cortex_mm=2.0, uptake=0.7),
        Bone(name="mandible", side=Side.MIDLINE, solids=mandible, anchor=(12, -62, 685), cortex_mm=2.0, uptake=0.6),
        Bone(name="sternum", side=Side.MIDLINE, solids=(sternum,), anchor=(0, -86, 478), cortex_mm=1.0, uptake=0.8),
        Bone(name="sacrum", side=Side.MIDLINE, solids=sacrum, anchor=(0, 50, 82), cortex_mm=1.0, uptake=1.1),
    )


def skeleton(*, arms: bool) -> tuple[Bone, ...]:
    """Every bone; without `arms` (raised out of the field of view) none below the shoulder blade."""
    bones = [_vertebra(name) for name in VERTEBRA_LEVELS]
    bones += _head_and_trunk()
    for side in (Side.LEFT, Side.RIGHT):
        bones += [_rib(number, side) for number in range(1, 13)]
        bones += _hip(side)
        bones += _leg(side)
        bones += _shoulder(side)
        if arms:
            bones += _arm(side)
    return tuple(bones)
