"""Where an MR image lies, and the finer grid on which its patient is drawn.

An MR slice is thick: a voxel of 1.4 x 1.4 x 5.5 mm mixes tissues across the slice, which a label
at its centre cannot say. So the scene is drawn on thinner slices, an odd number of them for each
slice of the image, and the image is their mean over the slice's thickness; those in the gap
count for nothing. The middle ones lie exactly in the image's planes: `MrField.thinned` gives the
patient, and with it the truth, on the image's own grid.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.protocols.mri import Sequence
from operators.simulation.scene import ByteArray, Scene


class Plane(StrEnum):
    """How the slices lie. Rows and columns run as readers expect, slices along rows x columns (right-handed).

    SAGITTAL: columns to posterior, rows to the feet, slices from the patient's left to right.
    CORONAL: columns to the patient's left, rows to the feet, slices from anterior to posterior.
    AXIAL: columns to the patient's left, rows to posterior, slices from feet to head.
    """

    SAGITTAL = "sagittal"
    CORONAL = "coronal"
    AXIAL = "axial"


FOOT_HEAD_AXIS = {Plane.SAGITTAL: 1, Plane.CORONAL: 1, Plane.AXIAL: 0}
"""The array axis along the body."""
FRONT_BACK_AXIS = {Plane.SAGITTAL: 2, Plane.CORONAL: 0, Plane.AXIAL: 1}
"""The array axis from anterior to posterior."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MrField:
    """What one or more sequences cover.

    Args:
        sequences: that are acquired here.
        plane: of the slices.
        geometry: of the image.
        slices_of_scene: how many slices of the scene lie in one slice of the image (and its gap); odd.
        station: 1, 2, ... from the head where stations are series of their own; 0 where there is only one.
        joined: how many stations were composed to this field; each has its own shading.
    """

    sequences: tuple[Sequence, ...]
    plane: Plane
    geometry: VolumeGeometry
    slices_of_scene: int = 1
    station: int = 0
    joined: int = 1

    def __post_init__(self) -> None:
        if not self.sequences:
            raise ValueError("a field has a sequence")
        if self.slices_of_scene < 1 or self.slices_of_scene % 2 == 0:
            raise ValueError(f"slices_of_scene is {self.slices_of_scene}, allowed are odd numbers from 1")
        if self.station < 0 or self.joined < 1:
            raise ValueError("stations are numbered from 1 (0: only one), and at least one is joined")

    @property
    def scene_geometry(self) -> VolumeGeometry:
        """The grid to draw the patient on: that of the image, with each slice divided."""
        matrix = self.geometry.matrix
        step = matrix[:3, 0] / self.slices_of_scene
        matrix[:3, 0] = step
        matrix[:3, 3] -= step * (self.slices_of_scene // 2)
        slices, rows, columns = self.geometry.shape
        return VolumeGeometry.from_matrix(
            matrix,
            shape=(slices * self.slices_of_scene, rows, columns),
            frame_of_reference_uid=self.geometry.frame_of_reference_uid,
        )

    def slice_weights(self, slice_mm: float) -> npt.NDArray[np.float64]:
        """What each of a slice's parts gives to it (sums to 1): its overlap with a rectangular slice profile."""
        width = self.geometry.spacing_mm[0] / self.slices_of_scene
        centre = (np.arange(self.slices_of_scene) - self.slices_of_scene // 2) * width
        inside = np.minimum(centre + width / 2, slice_mm / 2) - np.maximum(centre - width / 2, -slice_mm / 2)
        overlap = np.clip(inside, 0.0, None)
        return np.asarray(overlap / overlap.sum())

    def thinned(self, scene: Scene) -> Scene:
        """The patient on the image's grid, from a scene on `scene_geometry`.

        Labels are those at the image's planes; the fractions of bone and cortex are means over the slice with
        its gap, and so are those of a focus, as far as it is the one that the plane shows.

        Raises:
            ValueError: the scene lies on another grid.
        """
        if not scene.geometry.is_same_grid(self.scene_geometry):
            raise ValueError("the scene does not lie on this field's scene_geometry")
        shape = self.geometry.shape
        parts = (shape[0], self.slices_of_scene, *shape[1:])
        middle = self.slices_of_scene // 2

        def at_plane(array: ByteArray) -> ByteArray:
            return np.array(array.reshape(parts)[:, middle], dtype=np.uint8, order="C")

        def over_slice(array: ByteArray) -> ByteArray:
            return np.array(np.rint(array.reshape(parts).mean(axis=1, dtype=np.float32)), dtype=np.uint8)

        def of_focus(labels: ByteArray, fraction: ByteArray) -> ByteArray:
            fine, shown = labels.reshape(parts), at_plane(labels)
            same = fraction.reshape(parts) * (fine == shown[:, None])
            return np.array(np.rint(same.mean(axis=1, dtype=np.float32)), dtype=np.uint8)

        return dataclasses.replace(
            scene,
            geometry=self.geometry,
            bones=at_plane(scene.bones),
            bone_centres=at_plane(scene.bone_centres),
            bone_fraction=over_slice(scene.bone_fraction),
            cortex_fraction=over_slice(scene.cortex_fraction),
            medullary=at_plane(scene.medullary),
            matter=at_plane(scene.matter),
            lesions=at_plane(scene.lesions),
            lesion_fraction=of_focus(scene.lesions, scene.lesion_fraction),
            sclerosis=at_plane(scene.sclerosis),
            decoys=at_plane(scene.decoys),
            decoy_fraction=of_focus(scene.decoys, scene.decoy_fraction),
        )
