"""One hot lesion in every bone: what proves side and order in every modality's own convention."""

from __future__ import annotations

import numpy as np

from operators.simulation.disease.ground import Carrier, Ground
from operators.simulation.patient import Appearance, Lesion, LesionType, Shape
from operators.simulation.tracer import Tracer

_RADIUS_MM = 9.0
_SUV = 40.0
_LOOK = Appearance(
    suv=dict.fromkeys(Tracer, _SUV),
    lytic_hu=40.0,
    sclerotic_hu=900.0,
    adc_um2_s=900.0,
    t1_ms=1200.0,
    t2_ms=100.0,
    proton_density=0.85,
    fat_fraction=0.0,
)


def one_per_bone(
    ground: Ground, *, radius_mm: float = _RADIUS_MM, appearance: Appearance = _LOOK
) -> tuple[Lesion, ...]:
    """A smooth sclerotic ball in every bone of a person, at the deepest place near the bone's middle.

    The lesion of `Bone.RIB_7_LEFT` is called `rib_7_left`; the order is that of the bones' values.
    """
    return tuple(
        Lesion(
            name=bone.name.lower(),
            bone=bone,
            lesion_type=LesionType.SCLEROTIC,
            shapes=(Shape(centre_mm=_middle(ground.main_part(bone)), radii_mm=(radius_mm,) * 3),),
            appearance=appearance,
            sclerotic_share=1.0,
        )
        for bone in ground.skeleton.bones
    )


def _middle(carrier: Carrier) -> tuple[float, float, float]:
    """A place deep in the part, in the middle third of its length."""
    nodes = carrier.nodes()
    middle = np.abs(carrier.template.along(nodes) - 0.5) < 1.0 / 6.0
    x, y, z = nodes[int(np.argmax(np.where(middle, carrier.node_depths(), 0.0)))]
    return float(x), float(y), float(z)
