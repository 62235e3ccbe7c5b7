"""Glandular tissue of the breasts, between skin and fascia."""

from __future__ import annotations

import numpy as np

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.outline import Outline
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.matter import Matter
from operators.simulation.organs.lattice import Lattice, OrganField, solved
from operators.simulation.organs.reference import target_ml
from operators.simulation.organs.shapes import Ellipsoid, ripples
from operators.simulation.patient import Patient

_STEP_MM = 3.0
_REACH_MM = 75.0
_UNDER_SKIN_MM, _OVER_FASCIA_MM = 5.0, 1.5
_RADII_MM = (42.0, 30.0, 42.0)
_OUTWARD_MM = 12.0
_ROUGH_MM = 3.0


def make_breasts(patient: Patient, *, skeleton: PosedSkeleton, body: Outline) -> tuple[OrganField, ...]:
    """The glands of a woman: discs in the fat in front of the fourth to sixth ribs. None for a man."""
    volume = target_ml(patient, "breast") / 2
    if volume <= 0:
        return ()
    made = []
    for side, matter, sign in (("LEFT", Matter.BREAST_LEFT, 1.0), ("RIGHT", Matter.BREAST_RIGHT, -1.0)):
        ribs = np.concatenate([skeleton.vertices(Bone[f"RIB_{number}_{side}"]) for number in (4, 5, 6)])
        front = ribs[ribs[:, 1] < ribs[:, 1].min() + 0.16 * np.ptp(ribs[:, 1])]
        x, y, z = front.mean(axis=0) + np.array([sign * _OUTWARD_MM, -18.0, -4.0])
        centre = np.array([x, y, z])
        lattice = Lattice.around(centre - _REACH_MM, centre + _REACH_MM, step_mm=_STEP_MM)
        points = lattice.points()
        disc = Ellipsoid(centre=(float(x), float(y), float(z)), radii=_RADII_MM).outside(points)
        disc = disc + _ROUGH_MM * ripples(points, seed=(patient.person.seed, 14), wavelength_mm=30.0)
        skin = body.at(body.skin, points) + _UNDER_SKIN_MM
        fascia = _OVER_FASCIA_MM - body.at(body.fascia, points)
        limit = np.maximum(skin, fascia).astype(np.float32)
        field = solved(lattice, disc.astype(np.float32), limit, target_ml=volume)
        made.append(OrganField.cropped(matter, lattice, field))
    return tuple(made)
