"""The organs of neck, chest, belly and pelvis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.outline import Outline
from operators.simulation.anatomy.person import Sex
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.matter import Matter
from operators.simulation.organs import shapes_table as table
from operators.simulation.organs.cavity import Cavity
from operators.simulation.organs.frame import BodyFrame
from operators.simulation.organs.lattice import Field, Lattice, OrganField, solved
from operators.simulation.organs.reference import target_ml
from operators.simulation.organs.shapes import Ellipsoid, Shape, Tube, ripples
from operators.simulation.organs.workshop import Workshop
from operators.simulation.patient import Patient

STEP_MM = 4.0
_DIAPHRAGM_MM = 4.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trunk:
    """The trunk's organs, first come first served, and the rooms they lie in.

    Args:
        organs: in order of precedence.
        cavity: the inside of chest, belly and pelvis; what is in it and no organ is fat.
    """

    organs: tuple[OrganField, ...]
    cavity: OrganField


def make_trunk(patient: Patient, *, skeleton: PosedSkeleton, body: Outline) -> Trunk:
    """Make the organs of a patient's trunk."""
    cavity = Cavity.of(skeleton, body)
    reach = float(cavity.radius.max()) + 16.0
    low = np.array([*(cavity.middle.min(axis=0) - reach), cavity.heights[0]])
    high = np.array([*(cavity.middle.max(axis=0) + reach), cavity.heights[-1] + 130.0])
    lattice = Lattice.around(low, high, step_mm=STEP_MM)
    shop = Workshop.on(lattice, BodyFrame.of(skeleton))
    inside, part = cavity.outside(lattice)
    makers = _Makers(patient=patient, shop=shop, part=part, room=_room(shop, inside))
    makers.walls()
    makers.neck()
    makers.vessels()
    makers.chest()
    makers.upper_belly()
    makers.pelvis()
    makers.bowel()
    return Trunk(organs=tuple(shop.organs), cavity=OrganField.cropped(Matter.FAT, lattice, makers.room))


def _room(shop: Workshop, wall: Field) -> Field:
    """The cavity between the lungs' apices and the pelvic floor: millimetres outside."""
    apex = table.THORAX_TOP.outside(shop.rest) * shop.size
    floor = table.PELVIC_FLOOR.outside(shop.rest) * shop.size
    return np.asarray(np.maximum(wall, np.maximum(apex, floor)), dtype=np.float32)


@dataclass(kw_only=True, slots=True, eq=False)
class _Makers:
    """Makes groups of organs on one bench.

    Args:
        part: distance from the cavity's middle line as a part of the wall's.
        room: outside the cavity.
        dome: above the diaphragm; known once the lungs are made.
        lift: how far the diaphragm stands above its usual place, and with it what lies below it, in the rest frame.
    """

    patient: Patient
    shop: Workshop
    part: Field
    room: Field
    dome: Field | None = None
    lift: float = 0.0

    def _ml(self, kind: str) -> float:
        return target_ml(self.patient, kind)

    def _seed(self, number: int) -> tuple[int, ...]:
        return (self.patient.person.seed, 12, number)

    @property
    def male(self) -> bool:
        return self.patient.person.sex is Sex.MALE

    def walls(self) -> None:
        """What stands in the cavity and is no organ."""
        shop = self.shop
        spine = shop.drawn([table.SPINE], fixed=True) + 2.0
        np.minimum(shop.taken, spine, out=shop.taken)
        shop.keep(Matter.MUSCLE, np.minimum(spine - 1.0, shop.drawn(table.PSOAS, smooth_mm=6.0, fixed=True)))

    def neck(self) -> None:
        shop = self.shop
        air = shop.drawn([table.TRACHEA, *table.BRONCHI], smooth_mm=2.0, fixed=True)
        shop.add(Matter.AIRWAY, air)
        shop.add(Matter.THYROID, shop.drawn(table.THYROID), target_ml=self._ml("thyroid"), gap_mm=2.0)

    def vessels(self) -> None:
        shop = self.shop
        tubes = (
            table.AORTA, table.CAVA, table.UPPER_CAVA, *table.BRACHIOCEPHALIC, *table.CAROTIDS, *table.PULMONARY,
            *table.ILIACS,
        )  # fmt: skip
        shop.add(Matter.BLOOD, shop.drawn(tubes, fixed=True), gap_mm=1.5)

    def chest(self) -> None:
        shop = self.shop
        heart = shop.drawn([table.HEART])
        flat = self._dome()
        room = np.maximum(self.room + 3.0, 2.0 - flat)
        heart = _to_volume(shop, heart, room, target_ml=self._ml("heart"))
        self._fill_heart(heart)
        pillar = shop.drawn([table.MEDIASTINUM, table.OESOPHAGUS, *table.PULMONARY], smooth_mm=6.0, fixed=True)
        between = np.minimum(pillar, self._below(heart) - 3.0)
        low, high = -_DOME_MM, _DOME_MM
        target = self._ml("lung")
        for _ in range(8):
            shift = (low + high) / 2
            lungs = self._lungs(flat - shift, between)
            low, high = (low, shift) if shop.lattice.quick_ml(lungs) < target else (shift, high)
        self.dome = flat - shift
        self.lift = shift / shop.size
        lungs = self._lungs(self.dome, between)
        middle = shop.rest[..., 0] * shop.size
        for matter, side in ((Matter.LUNG_LEFT, -middle), (Matter.LUNG_RIGHT, middle)):
            shop.keep(matter, np.maximum(lungs, side).astype(np.float32))

    def _below(self, heart: Field) -> Field:
        """The heart with the room between it and the diaphragm on which it lies."""
        result = heart.copy()
        for nodes in range(1, int(_UNDER_HEART_MM / STEP_MM)):
            np.minimum(result[:-nodes], heart[nodes:] + 0.35 * nodes * STEP_MM, out=result[:-nodes])
        return result

    def _fill_heart(self, heart: Field) -> None:
        """Walls of both ventricles and of the atria, as thick as the muscle's volume asks for, around blood."""
        shop = self.shop
        ventricle = shop.drawn([table.LEFT_VENTRICLE])
        ventricle += _ventricle_offset(shop, ventricle, heart)
        valves = (table.VALVES.outside(shop.rest) * shop.size).astype(np.float32)
        free = np.maximum(heart, -shop.taken)
        box = shop.inside_box(heart, margin_mm=8.0)
        ventricle, valves, free = ventricle[box], valves[box], free[box]

        def muscle(share: float) -> Field:
            left = np.maximum(ventricle, -(ventricle + share * _LV_WALL_MM))
            right = np.maximum(valves, -(heart[box] + share * _RV_WALL_MM))
            atria = np.maximum(-valves, -(heart[box] + share * _ATRIUM_WALL_MM))
            # The left ventricle's own blood stays, wherever the outer wall passes.
            outer = np.maximum(np.minimum(right, atria), -(ventricle + share * _LV_WALL_MM))
            return np.asarray(np.maximum(np.minimum(left, outer), free), dtype=np.float32)

        low, high = 0.3, 2.0
        for _ in range(_WALL_ROUNDS):
            share = (low + high) / 2
            below = shop.lattice.volume_ml(muscle(share)) < self._ml("myocardium")
            low, high = (share, high) if below else (low, share)
        wall = muscle(share)
        whole, blood = shop.lattice.empty(), shop.lattice.empty()
        whole[box], blood[box] = wall, np.maximum(free, -wall)
        shop.keep(Matter.MYOCARDIUM, whole)
        shop.keep(Matter.BLOOD, blood)

    def _lungs(self, dome: Field, between: Field) -> Field:
        free = 1.0 - self.shop.taken
        outer = np.maximum(self.room, _DIAPHRAGM_MM / 2 - dome)
        return np.asarray(np.maximum(np.maximum(outer, 1.0 - between), free), dtype=np.float32)

    def _dome(self) -> Field:
        """Millimetres above the diaphragm at rest, negative below it."""
        rest = self.shop.rest
        x, y, z = rest[..., 0], rest[..., 1], rest[..., 2]
        turn = np.arctan2(y - 195.0, x)
        front = np.clip(-np.sin(turn), 0.0, 1.0) ** 2
        back = np.clip(np.sin(turn), 0.0, 1.0) ** 2
        edge = 1252.0 + front * 46.0 - back * 24.0
        top = 1344.0 - 15.0 * _step((x + 38.0) / 50.0) + 4.0 * _step((x - 38.0) / 40.0)
        fall = np.clip(1.0 - np.clip(self.part, 0.0, 1.0) ** 3.0, 0.0, 1.0) ** 0.75
        height = edge + (top - edge) * fall
        return np.asarray((z - height) * self.shop.size * 0.8, dtype=np.float32)

    @property
    def _belly(self) -> Field:
        """Outside the room below the diaphragm."""
        assert self.dome is not None
        return np.asarray(np.maximum(self.room, self.dome + _DIAPHRAGM_MM / 2), dtype=np.float32)

    def upper_belly(self) -> None:
        shop, belly = self.shop, self._belly
        self._kidneys()
        pancreas = shop.drawn([table.PANCREAS], roughness=self._seed(3), lift_mm=0.4 * self.lift)
        shop.add(Matter.PANCREAS, pancreas, target_ml=self._ml("pancreas"), limit=belly)
        gall = shop.drawn([table.GALLBLADDER], lift_mm=self.lift)
        shop.add(Matter.GALLBLADDER, gall, target_ml=self._ml("gallbladder"), limit=belly + 6.0)
        spleen = shop.drawn([table.SPLEEN], roughness=self._seed(1), lift_mm=self.lift)
        shop.add(Matter.SPLEEN, spleen, target_ml=self._ml("spleen"), limit=belly)
        self._liver(belly)
        self._stomach(belly)

    def _liver(self, belly: Field) -> None:
        shop = self.shop
        target = self._ml("liver")
        large = max(float(np.sqrt(target / shop.size**3 / table.LIVER_ML)), 1.0)
        lower = self.lift * _DOWNWARD - _LARGE_LIVER_MM * (large - 1.0)
        cut = (table.LIVER_BELOW.outside(shop.rest) + lower) * shop.size
        lobes = [lobe.scaled(large) for lobe in table.LIVER]
        liver = shop.drawn(lobes, smooth_mm=25.0, roughness=self._seed(2), lift_mm=self.lift)
        liver = _smooth_maximum(liver, cut.astype(np.float32), 14.0)
        stomach = shop.drawn([table.STOMACH], lift_mm=0.7 * self.lift)
        limit = np.maximum(belly, -_STOMACH_CORE_MM - stomach)
        shop.add(Matter.LIVER, liver, target_ml=target, limit=limit)

    def _kidneys(self) -> None:
        shop = self.shop
        sides = ((Matter.KIDNEY_LEFT, Matter.RENAL_PELVIS_LEFT), (Matter.KIDNEY_RIGHT, Matter.RENAL_PELVIS_RIGHT))
        for number, (kidney, pelvis) in enumerate(sides):
            urine = shop.drawn([table.RENAL_PELVIS[number]])
            shop.add(pelvis, urine, target_ml=self._ml("renal_pelvis") / 2)
            sinus = shop.drawn([table.RENAL_SINUS[number]], fixed=True)
            shape = shop.drawn([table.KIDNEY[number]], roughness=self._seed(4 + number))
            shop.add(kidney, shape, target_ml=self._ml("kidney") / 2, limit=np.maximum(self.room, -sinus))

    def _stomach(self, belly: Field) -> None:
        shop = self.shop
        shape = shop.drawn([table.STOMACH], roughness=self._seed(6), lift_mm=0.7 * self.lift)
        limit = belly + 1.0
        box = shop.inside_box(shape, margin_mm=25.0)
        whole = _to_volume(
            shop, shape, np.maximum(limit, 1.0 - shop.taken), target_ml=self._ml("stomach") + _STOMACH_GAS_ML
        )
        gas = shop.lattice.empty()
        gas[box] = _gas(shop, whole[box], shop.rest[box][..., 1], target_ml=_STOMACH_GAS_ML)
        shop.keep(Matter.BOWEL_GAS, gas)
        shop.keep(Matter.STOMACH, np.maximum(whole, -gas).astype(np.float32))

    def pelvis(self) -> None:
        shop = self.shop
        room = self.room
        radius = float(np.cbrt(self.patient.physiology.bladder_ml * 1000.0 * 3.0 / (4.0 * np.pi))) / shop.size
        x, y, z = table.BLADDER_BASE
        bladder = Ellipsoid(
            centre=(x, y + 0.10 * radius, z + 0.95 * radius), radii=(1.12 * radius, 0.92 * radius, 0.97 * radius)
        )
        target = self.patient.physiology.bladder_ml
        shop.add(Matter.BLADDER, shop.drawn([bladder]), target_ml=target, limit=room + 2.0)
        if self.male:
            shop.add(Matter.PROSTATE, shop.drawn([table.PROSTATE]), target_ml=self._ml("prostate"))
        else:
            shop.add(
                Matter.UTERUS, shop.drawn([table.UTERUS], smooth_mm=4.0), target_ml=self._ml("uterus"), limit=room + 2.0
            )

    def bowel(self) -> None:
        shop, belly = self.shop, self._belly
        colon = shop.drawn([table.COLON])
        gas_ml = float(np.random.default_rng([*self._seed(7), self.patient.physiology.seed]).uniform(60.0, 220.0))
        free = np.maximum(belly + 1.0, 1.0 - shop.taken)
        whole = _to_volume(shop, colon, free, target_ml=self._ml("colon") + gas_ml)
        box = shop.inside_box(whole, margin_mm=8.0)
        waves = ripples(shop.rest[box], seed=(*self._seed(8), self.patient.physiology.seed), wavelength_mm=_GAS_WAVE_MM)
        gas = shop.lattice.empty()
        gas[box] = _gas(shop, whole[box], shop.rest[box][..., 1] + _GAS_WAVE_HEIGHT_MM * waves, target_ml=gas_ml)
        shop.keep(Matter.BOWEL_GAS, gas)
        shop.keep(Matter.COLON, np.maximum(whole, -gas).astype(np.float32))
        loops: list[Shape] = [table.DUODENUM, _loops((*self._seed(9), self.patient.physiology.seed))]
        shop.add(
            Matter.SMALL_BOWEL, shop.drawn(loops), target_ml=self._ml("small_bowel"), limit=belly + 2.0, gap_mm=1.5
        )


_UNDER_HEART_MM = 48.0
_DOWNWARD, _LARGE_LIVER_MM = 0.9, 120.0
"""Of the plane below the liver: how far it moves when the liver is lifted, and with the liver's width."""
_DOME_MM = 32.0
"""How far the diaphragm may stand above or below its usual place."""
_LV_SHARE = 0.36
"""Of the heart's volume that lies within the outside of the left ventricle."""
_LV_WALL_MM, _RV_WALL_MM, _ATRIUM_WALL_MM = 11.0, 5.0, 3.5
"""Walls before they are fitted to the muscle's volume."""
_WALL_ROUNDS = 8
_STOMACH_CORE_MM = 6.0
"""Deeper in the stomach the liver does not grow."""
_STOMACH_GAS_ML = 45.0
_GAS_WAVE_MM, _GAS_WAVE_HEIGHT_MM = 160.0, 14.0
"""Gas of the colon lies in front, more of it in some loops than in others."""


def _step(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    inside = np.clip(values, 0.0, 1.0)
    return np.asarray(inside * inside * (3.0 - 2.0 * inside))


def _smooth_maximum(first: Field, second: Field, width_mm: float) -> Field:
    mix = np.clip(0.5 + 0.5 * (second - first) / width_mm, 0.0, 1.0)
    return np.asarray(first + (second - first) * mix + width_mm * mix * (1.0 - mix), dtype=np.float32)


def _to_volume(shop: Workshop, shape: Field, limit: Field, *, target_ml: float) -> Field:
    result = shop.lattice.empty()
    box = shop.inside_box(shape, margin_mm=30.0)
    result[box] = solved(shop.lattice, shape[box], limit[box], target_ml=target_ml)
    return result


def _ventricle_offset(shop: Workshop, ventricle: Field, heart: Field) -> float:
    """Shrinks or grows the left ventricle with the heart: to its share of the volume."""
    low, high = -15.0, 15.0
    target = _LV_SHARE * shop.lattice.quick_ml(heart)
    for _ in range(10):
        middle = (low + high) / 2
        low, high = (low, middle) if shop.lattice.quick_ml(ventricle + middle) < target else (middle, high)
    return (low + high) / 2


def _gas(shop: Workshop, hollow: Field, depth: npt.NDArray[np.floating], *, target_ml: float) -> Field:
    """Gas in front (supine) inside a hollow organ's wall: everything in front of a level."""
    inner = hollow + 2.5
    low, high = 60.0, 260.0
    for _ in range(12):
        middle = (low + high) / 2
        level = np.maximum(inner, (depth - middle) * shop.size)
        low, high = (middle, high) if shop.lattice.quick_ml(level) < target_ml else (low, middle)
    return np.asarray(np.maximum(inner, (depth - middle) * shop.size), dtype=np.float32)


def _loops(seed: tuple[int, ...]) -> Tube:
    """The small bowel: a line to and fro through its rows, with a course of its own in every person."""
    random = np.random.default_rng(list(seed))
    knots: list[tuple[float, float, float, float]] = []
    turn = 1
    for height, (left, right), (front, back) in table.SMALL_BOWEL_ROWS:
        at = np.linspace(left, right, 5)[::turn]
        for number, x in enumerate(at):
            y = (front, back)[number % 2] + random.normal(0.0, 4.0)
            z = height + random.normal(0.0, 5.0)
            knots.append((float(x + random.normal(0.0, 3.0)), float(y), float(z), table.SMALL_BOWEL_RADIUS_MM))
        turn = -turn
    return Tube(knots=tuple(knots))
