"""How lesions change: chances by response, factors by fate. All chosen [P] but where a source is named."""

from __future__ import annotations

from collections.abc import Mapping

from operators.simulation.disease.fates import Fate
from operators.simulation.disease.response import Response
from operators.simulation.patient import DecoyKind

DAYS = (14, 1500)

FATES: Mapping[Response, Mapping[Fate, float]] = {
    Response.PROGRESSING: {Fate.GROWN: 0.62, Fate.STABLE: 0.28, Fate.SHRUNK: 0.07, Fate.GONE: 0.02, Fate.SPLIT: 0.01},
    Response.RESPONDING: {
        Fate.SHRUNK: 0.42, Fate.GONE: 0.16, Fate.HEALED_SCLEROTIC: 0.20, Fate.SPLIT: 0.08, Fate.STABLE: 0.14,
    },
    Response.STABLE: {Fate.STABLE: 0.90, Fate.GROWN: 0.05, Fate.SHRUNK: 0.05},
    Response.MIXED: {
        Fate.GROWN: 0.33, Fate.SHRUNK: 0.27, Fate.STABLE: 0.22, Fate.GONE: 0.08, Fate.SPLIT: 0.04,
        Fate.HEALED_SCLEROTIC: 0.06,
    },
    Response.FLARE: {Fate.HEALED_SCLEROTIC: 0.72, Fate.STABLE: 0.20, Fate.SHRUNK: 0.08},
}  # fmt: skip
"""Chance of each fate. In a flare a median of 72 % of the lesions flare (PMC7490782)."""

NEW: Mapping[Response, tuple[int, int]] = {
    Response.PROGRESSING: (1, 6),
    Response.RESPONDING: (0, 0),
    Response.STABLE: (0, 0),
    Response.MIXED: (0, 3),
    Response.FLARE: (0, 3),
}
"""Fewest and most lesions that the prior did not show."""

VOLUME: Mapping[Fate, tuple[float, float]] = {
    Fate.GROWN: (1.5, 3.5),
    Fate.STABLE: (0.93, 1.08),
    Fate.SHRUNK: (0.15, 0.62),
}
"""Factor on the volume in three months, log-uniform; its logarithm grows with the root of the time."""
STABLE_WITHIN = 1.25
"""A change of the volume by less than this factor is called stable, whatever was drawn."""

WEIGHT_LOG_SD = 0.025
FRACTURE_HALF_DAYS, FRACTURE_FLOOR = 150.0, 0.3
"""A healing fracture loses half of what it will lose of its uptake in this time."""
PASSING = (DecoyKind.EXTRAVASATION, DecoyKind.CONTAMINATION)
"""These belong to one scan: the next one has its own, or none."""
