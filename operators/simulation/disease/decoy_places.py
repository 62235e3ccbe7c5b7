"""Places of the rest frame where decoys sit: corners of vertebrae, facets, a line down the ribs, under the skin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.outline import Outline
from operators.simulation.disease.ground import Carrier, Ground

FloatArray = npt.NDArray[np.float64]

_THORAX_MIDDLE_Y_MM = 190.0
"""Of the source's chest in front-back direction, by eye."""
_BODY_SHARE = 0.45
"""Of a vertebra's depth from front to back that its body takes, about."""
_RAY_MM = 160
_SUBCHONDRAL_MM = 2.5


def under_surface(ground: Ground, bone: Bone, place: FloatArray) -> FloatArray:
    """The place (3,) in a bone, a little below its surface, that is nearest to a given one."""
    best, gap = place, np.inf
    for carrier in ground.parts(bone):
        nodes = carrier.nodes()
        depth = carrier.node_depths()
        nodes = nodes[depth >= min(_SUBCHONDRAL_MM, 0.6 * float(depth.max()))]
        gaps = np.linalg.norm(nodes - place, axis=1)
        nearest = int(np.argmin(gaps))
        if gaps[nearest] < gap:
            best, gap = nodes[nearest], float(gaps[nearest])
    return np.asarray(best)


def osteophyte(carrier: Carrier, *, left: bool, lower: bool) -> FloatArray:
    """The front corner (3,) of a vertebra's endplate on one side."""
    nodes = carrier.nodes()
    deep = (nodes[:, 1] - nodes[:, 1].min()) / np.ptp(nodes[:, 1])
    body = nodes[deep < _BODY_SHARE]
    direction = np.array([0.7 if left else -0.7, -0.5, -0.8 if lower else 0.8])
    return np.asarray(body[int(np.argmax(body @ direction))])


def facet(carrier: Carrier, *, left: bool) -> FloatArray:
    """The lower joint process (3,) of a vertebra on one side: the lowest place behind the body and off the midline."""
    nodes = carrier.nodes()
    deep = (nodes[:, 1] - nodes[:, 1].min()) / np.ptp(nodes[:, 1])
    aside = (nodes[:, 0] if left else -nodes[:, 0]) - abs(float(nodes[:, 0].mean()))
    behind = nodes[(deep > _BODY_SHARE) & (deep < 0.85) & (aside > 6.0) & (aside < 22.0)]
    return np.asarray(behind[int(np.argmin(behind[:, 2]))] + [0.0, 0.0, 3.0])


def rib_at(carrier: Carrier, *, azimuth_deg: float) -> FloatArray:
    """The middle (3,) of a rib in a direction from the chest's middle: 0 is in front, 90 at the side."""
    nodes = carrier.nodes()
    azimuth = np.degrees(np.arctan2(np.abs(nodes[:, 0]), _THORAX_MIDDLE_Y_MM - nodes[:, 1]))
    off = np.abs(azimuth - azimuth_deg)
    near = nodes[off <= max(2.5, float(off.min()) + 1.0)]
    return np.asarray(near.mean(axis=0))


def upright_axis(carrier: Carrier, *, down: float) -> FloatArray:
    """The middle (3,) of a long bone's section at a part of its length below its upper end."""
    nodes = carrier.nodes()
    along = carrier.template.along(nodes)
    below = along if carrier.template.axis[2] < 0 else 1.0 - along
    return np.asarray(nodes[np.abs(below - down) < 0.015].mean(axis=0))


def on_ray(
    carrier: Carrier, body: Outline, *, start: FloatArray, towards: FloatArray, below_skin_mm: float
) -> FloatArray:
    """Where (3,), in the rest frame, a ray comes this near to the skin from within.

    Args:
        start: (3,) of the rest frame.
        towards: (3,) direction in the patient (LPS).
        below_skin_mm: depth under the skin; half the way to the skin where the flesh is thinner.
    """
    origin = carrier.to_lps(start[None])[0]
    direction = towards / np.linalg.norm(towards)
    points = origin + np.arange(_RAY_MM)[:, None] * direction
    outside = body.at(body.skin, points)
    out = np.flatnonzero(outside > 0)
    skin = int(out[0]) if len(out) else _RAY_MM - 1
    deep_enough = np.flatnonzero(outside[:skin] <= -below_skin_mm)
    chosen = int(deep_enough[-1]) if len(deep_enough) else skin // 2
    return np.asarray(carrier.to_rest(points[chosen][None])[0])
