"""Does the skeleton take nearly all of the tracer: a superscan, on which lesions cannot be counted.

Diffuse marrow involvement (or metabolic bone disease) leaves little tracer to kidneys and soft
tissue, while no focus stands out: to whatever counts hot spots a superscan looks normal. The sign
taken here is the body's median pixel, which shows soft tissue or little else, in proportion to the
skeleton's normal level. `SUPERSCAN_BODY_MEDIAN_V1` is a convention of this project, set on
simulated people; no published limit for it was at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import BoolArray
from operators.kernels.scintigraphy import Counts, NormalLevel

METHOD = "SUPERSCAN_BODY_MEDIAN_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class SuperscanRule:
    """Below which share of the skeleton's level the body's median makes a superscan possible."""

    limit: float

    def __post_init__(self) -> None:
        if not 0 < self.limit < 1:
            raise ValueError("the limit lies between 0 and 1")


def body_share(counts: Counts, *, body: BoolArray, level: NormalLevel) -> float:
    """Median counts of the body's pixels by the skeleton's normal level, no unit.

    Arrays are (row, column) of one view that shows the whole body. Raises ValueError without a body.
    """
    if not body.any():
        raise ValueError("a view without a body has no median")
    return float(np.median(counts[body])) / level.counts_per_pixel
