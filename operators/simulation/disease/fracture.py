"""Pathological fractures: vertebrae that give way under their lesions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from operators.simulation.anatomy.bones import LUMBAR, THORACIC, Bone
from operators.simulation.anatomy.person import Collapse, PersonSpec
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.place import volume_in_bone_ml
from operators.simulation.patient import Lesion, LesionType

_CHANCE: Mapping[LesionType, float] = {LesionType.LYTIC: 0.6, LesionType.MIXED: 0.3, LesionType.SCLEROTIC: 0.05}
"""That a vertebra collapses which a lesion fills; of one that it fills half, half as often [P]."""
_FILLED_FROM = 0.12
_HEIGHT_LOSS = (0.12, 0.65)
_MOST = 3
"""Vertebrae that collapse in one patient [P]."""


def with_collapses(person: PersonSpec, lesions: tuple[Lesion, ...], *, ground: Ground, seed: int) -> PersonSpec:
    """The person with the thoracic and lumbar vertebrae collapsed that their lesions have weakened.

    Vertebrae that have collapsed before stay as they are. The lesions need no change: they lie in the
    vertebra's rest frame and sink with it.
    """
    random = np.random.default_rng([seed, 51])
    found = list(person.collapses)
    broken = {collapse.bone for collapse in found}
    for bone in (*THORACIC, *LUMBAR):
        lucky, loss, wedge = random.random(), random.uniform(*_HEIGHT_LOSS), random.random()
        if bone not in ground.skeleton.bones or bone in broken or len(found) >= _MOST:
            continue
        if lucky < _weakness(bone, lesions, ground):
            found.append(Collapse(bone=bone, height_loss=round(loss, 2), wedge=round(wedge, 2)))
    return dataclasses.replace(person, collapses=tuple(found))


def _weakness(bone: Bone, lesions: tuple[Lesion, ...], ground: Ground) -> float:
    """The chance that a vertebra collapses: its lesions' share of its volume, weighed by their type."""
    carrier = ground.main_part(bone)
    chance = 0.0
    for lesion in lesions:
        if lesion.bone is bone:
            filled = sum(volume_in_bone_ml(shape, carrier) for shape in lesion.shapes) / carrier.volume_ml
            chance += _CHANCE[lesion.lesion_type] * min(filled, 1.0) if filled >= _FILLED_FROM else 0.0
    return chance
