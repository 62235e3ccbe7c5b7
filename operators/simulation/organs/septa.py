"""Fat between the muscles: thin sheets that run with the body's length."""

from __future__ import annotations

import numpy as np

from operators.simulation.anatomy.outline import Outline
from operators.simulation.matter import Matter
from operators.simulation.organs.lattice import Lattice, OrganField
from operators.simulation.organs.shapes import ripples
from operators.simulation.patient import Patient

_STEP_MM = 7.0
_WAVELENGTH_MM = 75.0
_LONG = 0.3
"""Waves along z are longer by one over this: muscles are."""
_LEAN_SHARE, _SHARE_PER_INDEX, _LEAN_INDEX = 0.06, 0.003, 18.0
"""Part of the muscles' room that is fat, of a lean person and for every unit of body mass index above 18 (chosen)."""


def make_septa(patient: Patient, body: Outline) -> OrganField:
    """A field that is negative in the sheets; it counts only where there is muscle."""
    lattice = Lattice.around(*body.bounds(), step_mm=_STEP_MM)
    share = _LEAN_SHARE + _SHARE_PER_INDEX * max(patient.person.body_mass_index - _LEAN_INDEX, 0.0)
    waves = ripples(
        lattice.points() * np.array([1.0, 1.0, _LONG]), seed=(patient.person.seed, 13), wavelength_mm=_WAVELENGTH_MM
    )
    # Of a normal deviate, this much lies within +-share/2 sqrt(2 pi).
    half = share * np.sqrt(2.0 * np.pi) / 2.0
    return OrganField(matter=Matter.FAT, lattice=lattice, values=np.asarray(waves / half, dtype=np.float32))
