"""The values of organs and bones before blur and noise, from the palettes that paint them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.physics.attenuation import hu_palette
from operators.simulation.physics.mixture import Palette
from operators.simulation.physics.uptake import suv_palette
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol
from operators.simulation.study import AnyProtocol
from operators.simulation.truth.model import OrganValue

Person = Mapping[str, float | str]


def organ_values(protocol: AnyProtocol, *, person: Person) -> dict[str, tuple[OrganValue, ...]]:
    """SUVbw of the tracer and HU of the CT of one study, by quantity; an MR signal has no unit, so none of it.

    Args:
        person: `Scene.person`.
    """
    found = {}
    if isinstance(protocol, PlanarProtocol | SpectProtocol | PetProtocol):
        palette = suv_palette(protocol.tracer, person=person, uptake_minutes=protocol.uptake_minutes)
        found[f"suv:{protocol.tracer.value}"] = _values(palette)
    ct = protocol if isinstance(protocol, CtProtocol) else getattr(protocol, "ct", None)
    if ct is not None:
        found["hu"] = _values(hu_palette(kvp=ct.kvp, contrast=ct.contrast, person=person))
    return found


def _values(palette: Palette) -> tuple[OrganValue, ...]:
    soft = [OrganValue(name=matter.name.lower(), value=_plain(palette.matter[matter])) for matter in Matter]
    bone = [
        OrganValue(name=f"{bone.name.lower()} {part}", value=_plain(table[bone]))
        for part, table in (("cortex", palette.cortex), ("spongiosa", palette.spongiosa))
        for bone in Bone
    ]
    return (*soft, *bone)


def _plain(value: np.float32) -> float:
    return float(f"{float(value):.6g}")
