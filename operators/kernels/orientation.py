"""Arrays turned to the patient's axes, as views: (inferior to superior, anterior to posterior, right to left)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientAxes:
    """How to turn an array (slice, row, column) so that its axes run along +z, +y and +x of LPS.

    `axes` are the array's axes in that order, `flips` tells which then run backwards, `spacing_mm`
    is the distance between neighbours along the turned axes.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    spacing_mm: tuple[float, float, float]

    @classmethod
    def from_geometry(cls, geometry: VolumeGeometry) -> PatientAxes:
        """Each patient axis takes the array axis that lies closest to it."""
        directions = geometry.matrix[:3, :3] / np.linalg.norm(geometry.matrix[:3, :3], axis=0)
        taken: list[int] = []
        for patient_axis in (2, 1, 0):
            order = np.argsort(-np.abs(directions[patient_axis]))
            taken.append(int(next(axis for axis in order if int(axis) not in taken)))
        z, y, x = taken
        spacing = geometry.spacing_mm
        return cls(
            axes=(z, y, x),
            flips=(bool(directions[2, z] < 0), bool(directions[1, y] < 0), bool(directions[0, x] < 0)),
            spacing_mm=(spacing[z], spacing[y], spacing[x]),
        )

    def turn(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """The array as a view along (+z, +y, +x)."""
        flips = tuple(axis for axis, flip in enumerate(self.flips) if flip)
        return np.flip(array.transpose(self.axes), flips)

    def turn_back(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """The inverse of `turn`, a view as well."""
        flips = tuple(axis for axis, flip in enumerate(self.flips) if flip)
        back = np.argsort(self.axes)
        return np.flip(array, flips).transpose(tuple(int(axis) for axis in back))
