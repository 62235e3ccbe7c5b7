"""What the command line asks of the image science, outside any job. Tools are found by entry point (`bmnode.tools`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class SuvType(StrEnum):
    """What an SUV is normalised to."""

    BW = "bw"
    """Body weight."""
    LBM = "lbm"
    """Lean body mass after James."""
    LBM_JANMA = "lbm-janma"
    """Lean body mass after Janmahasatian."""
    BSA = "bsa"
    """Body surface area after DuBois."""
    IBW = "ibw"
    """Ideal body weight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuvReport:
    """An SUV volume that was written.

    Args:
        unit: UCUM, as in Units of a PET image: `g/ml`, for body surface area `cm2/ml`.
        shape: (slice, row, column); spacing_mm in the same order.
        minimum, median, maximum: over all voxels.
        uptake_minutes: from the injection to the reference of decay correction; None where that is not needed.
        method: name and version of the rule.
        notes: what was assumed about the headers.
    """

    path: Path
    suv_type: SuvType
    unit: str
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    minimum: float
    median: float
    maximum: float
    uptake_minutes: float | None
    method: str
    notes: tuple[str, ...]


class SuvTool(Protocol):
    """Turns one PET series into its SUV volume."""

    def __call__(self, files: Sequence[Path], *, out: Path, suv_type: SuvType) -> SuvReport:
        """Write the volume as NIfTI. Raises RefusedError where the series gives no SUV, and says why."""
        ...
