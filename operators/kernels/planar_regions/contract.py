"""What names the bones of a view: one small interface, whoever is behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray
from operators.kernels.planar_regions.parts import PartMap
from operators.kernels.scintigraphy import Counts, PixelSize
from operators.kernels.scintigraphy_body import BodyFrame


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewImage:
    """One whole-body view, head up, in its own orientation.

    Args:
        counts: (row, column); the patient's right is on the image's left in an anterior view, on its right in a
            posterior one.
        body: the body's mask on the same grid.
        frame: the body's extent.
        pixel_mm: row height, column width.
        is_posterior: which view it is; a view that is not stated has no sides and is not offered.

    Raises ValueError where mask and counts differ in shape.
    """

    counts: Counts
    body: BoolArray
    frame: BodyFrame
    pixel_mm: PixelSize
    is_posterior: bool

    def __post_init__(self) -> None:
        if self.counts.ndim != 2 or self.body.shape != self.counts.shape or self.body.dtype != np.bool_:
            raise ValueError("a view has counts (row, column) and a bool mask of the same shape")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RegionMap:
    """The parts of one view, on its grid, head up, in its own orientation.

    `agreement` is the correlation, -1 to 1, between the view and what the regions were fitted
    with; a map below the caller's limit is not to be used. `upper_normal` is the uptake, in
    multiples of the normal skeleton, that few healthy people exceed at each pixel, where that is
    known. Raises ValueError beyond that range, or where the two maps differ in shape.
    """

    parts: PartMap
    agreement: float
    upper_normal: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.parts.ndim != 2 or self.parts.dtype != np.uint8:
            raise ValueError("a part map is a two-dimensional uint8 array")
        if not -1.0 - 1e-9 <= self.agreement <= 1.0 + 1e-9:
            raise ValueError("a correlation lies between -1 and 1")
        if self.upper_normal is not None and self.upper_normal.shape != self.parts.shape:
            raise ValueError("the upper normal uptake has the part map's shape")


class PlanarRegions(Protocol):
    """Finds the parts of a whole-body view. The same view gives the same map."""

    @property
    def method(self) -> str:
        """Name and version, as the report gives it."""
        ...

    @property
    def parameters(self) -> tuple[str, ...]:
        """`key=value`: what was in force, data files with id and SHA-256."""
        ...

    def find(self, view: ViewImage) -> RegionMap:
        """The parts of a view that shows the whole body."""
        ...
