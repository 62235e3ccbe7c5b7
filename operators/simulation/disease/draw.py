"""A patient's metastases, drawn."""

from __future__ import annotations

import numpy as np

from operators.simulation.disease import look, tables
from operators.simulation.disease.ground import Carrier, Ground
from operators.simulation.disease.place import Wish, covering, place, shape_at
from operators.simulation.disease.tables import Burden, Site
from operators.simulation.patient import Lesion, LesionType, Primary, Shape
from operators.simulation.tracer import Tracer

_CONFLUENT_STEP = 0.8
"""How far the next part of a confluent lesion lies from the last, in diameters."""
_LEFT_OUT_CHANCE = 0.08
_INFILTRATION_SHARE = (0.55, 0.9)


def draw_disease(ground: Ground, *, primary: Primary, burden: Burden, seed: int) -> tuple[Lesion, ...]:
    """The metastases of a patient. The same arguments give the same lesions.

    They are placed in the rest frames of the bones, so they fit the person in every posture. Names are
    `m001`, `m002`, ...; a superscan's infiltration comes first.
    """
    random = np.random.default_rng([seed, 21])
    host = look.Host.drawn(primary, random)
    count = _count(burden, random)
    lesions: list[Lesion] = []
    if burden is Burden.SUPERSCAN:
        lesions += _infiltration(ground, host, random)
    for _ in range(count):
        lesions.append(draw_lesion(ground, host, burden=burden, name=f"m{len(lesions) + 1:03d}", random=random))
    return tuple(lesions)


def draw_lesion(ground: Ground, host: look.Host, *, burden: Burden, name: str, random: np.random.Generator) -> Lesion:
    """One metastasis somewhere in the skeleton."""
    carrier = draw_carrier(ground, host.primary, burden=burden, random=random)
    lesion_type = host.draw_type(random)
    median, spread = tables.DIAMETER_MM[burden]
    diameter = float(np.clip(median * np.exp(random.normal(0.0, spread)), *tables.DIAMETER_RANGE_MM))
    leaves = random.random() < tables.SOFT_TISSUE_CHANCE[lesion_type] and diameter >= tables.SOFT_TISSUE_FROM_MM
    wish = Wish(diameter_mm=diameter, roughness=round(float(random.uniform(*tables.ROUGHNESS)), 3), shallow=leaves)
    shapes = [place(carrier, wish, random)]
    if random.random() < tables.CONFLUENT_CHANCE[burden]:
        shapes += _confluent(carrier, shapes[0], wish, random)
    return Lesion(
        name=name,
        bone=carrier.bone,
        lesion_type=lesion_type,
        shapes=tuple(shapes),
        appearance=look.appearance(lesion_type, host, random),
        sclerotic_share=look.sclerotic_share(lesion_type, host.primary, random),
        soft_tissue_mm=round(float(random.uniform(*tables.SOFT_TISSUE_MM)), 1) if leaves else 0.0,
    )


def _count(burden: Burden, random: np.random.Generator) -> int:
    fewest, most = tables.COUNTS[burden]
    if most == 0:
        return 0
    return int(np.floor(np.exp(random.uniform(np.log(fewest), np.log(most + 1)))))


def site_weights(primary: Primary, burden: Burden) -> dict[Site, float]:
    """Share of the lesions in each group of bones; the sum is 1."""
    if burden is Burden.OLIGO and primary in tables.FEW:
        weights = dict(tables.FEW[primary])
    else:
        preference = tables.PREFERENCE[primary]
        weights = {site: share * preference.get(site, 1.0) for site, share in tables.RED_MARROW_PERCENT.items()}
    total = sum(weights.values())
    return {site: weight / total for site, weight in weights.items()}


def draw_carrier(ground: Ground, primary: Primary, *, burden: Burden, random: np.random.Generator) -> Carrier:
    """Where the next lesion lies: the group of bones by its share, the part of a bone by its volume."""
    weights = site_weights(primary, burden)
    sites = list(weights)
    site = sites[int(random.choice(len(sites), p=list(weights.values())))]
    carriers = [carrier for carrier in ground.carriers if tables.site_of(carrier.bone) is site]
    volumes = np.array([carrier.volume_ml for carrier in carriers])
    return carriers[int(random.choice(len(carriers), p=volumes / volumes.sum()))]


def _confluent(carrier: Carrier, first: Shape, wish: Wish, random: np.random.Generator) -> list[Shape]:
    """One or two neighbours that the first shape has grown together with."""
    found: list[Shape] = []
    nodes = carrier.nodes()
    for _ in range(int(random.integers(1, 3))):
        last = np.asarray((found[-1] if found else first).centre_mm)
        gaps = np.linalg.norm((nodes - last) @ carrier.stretch, axis=1)
        reach = _CONFLUENT_STEP * wish.diameter_mm
        near = nodes[(gaps > 0.6 * reach) & (gaps < 1.1 * reach)]
        if not len(near):
            break
        centre = near[int(random.integers(len(near)))]
        smaller = Wish(diameter_mm=wish.diameter_mm * random.uniform(0.6, 0.95), roughness=wish.roughness)
        found.append(shape_at(carrier, centre, smaller, random=random))
    return found


def _infiltration(ground: Ground, host: look.Host, random: np.random.Generator) -> list[Lesion]:
    """The red marrow of nearly every bone of the trunk, patchily sclerotic."""
    lesions: list[Lesion] = []
    common = look.appearance(LesionType.MIXED, host, random)
    for carrier in ground.carriers:
        if tables.site_of(carrier.bone) is Site.DISTAL or random.random() < _LEFT_OUT_CHANCE:
            continue
        own = float(np.exp(random.normal(0.0, 0.15))) * tables.INFILTRATION_MDP / common.suv[Tracer.MDP]
        shape = covering(
            carrier,
            proximal_only=carrier.bone.kind in ("femur", "humerus"),
            roughness=0.12,
            seed=int(random.integers(2**31)),
        )
        lesions.append(
            Lesion(
                name=f"m{len(lesions) + 1:03d}",
                bone=carrier.bone,
                lesion_type=LesionType.MIXED,
                shapes=(shape,),
                appearance=look.with_uptake(common, own),
                sclerotic_share=round(float(random.uniform(*_INFILTRATION_SHARE)), 3),
            )
        )
    return lesions
