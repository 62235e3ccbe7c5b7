"""Images on which every lesion is painted with a number of its own, at the place that its bone's pose says.

They go through the simulator's DICOM writers, of which `test_sides` shows with real physics that they put things where
they are. What the product's readers make of them is then known voxel by voxel, in any orientation, at no cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.dicom.ct import write_ct
from operators.simulation.dicom.header import StudyHeader
from operators.simulation.dicom.mri import write_mri
from operators.simulation.dicom.pet import write_pet
from operators.simulation.dicom.planar import write_planar
from operators.simulation.dicom.spect import write_spect
from operators.simulation.disease.facts import LesionFacts
from operators.simulation.images import Content, PlanarScan, Volume
from operators.simulation.physics.mri_grid import Plane
from operators.simulation.protocols.ct import CtProtocol, Region
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.mri import Sequence as MrSequence
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import COLUMNS, ROWS, PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol
from operators.simulation.tracer import Tracer

FRAME_UID = "1.2.3.4"
RADIUS_MM = 7.0
"""Of the ball that stands for a lesion; neighbouring ribs' lesions lie about 25 mm apart."""
MARGIN_MM = 20.0
SPACING_MM = (5.0, 4.0, 4.0)
PIXEL_MM = 2.4
TURNS: dict[str, tuple[float, float, float]] = {
    "straight": (0.0, 0.0, 0.0),
    "oblique": (20.0, 0.0, 0.0),
    "double oblique": (12.0, -17.0, 8.0),
}
"""Degrees about x, then y, then z."""
DIRECTIONS: dict[Plane, npt.NDArray[np.float64]] = {
    Plane.SAGITTAL: np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    Plane.CORONAL: np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    Plane.AXIAL: np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
}
"""Rows are one step along slices, rows and columns in (x, y, z)."""

FloatArray = npt.NDArray[np.float64]


def whole_body(facts: Sequence[LesionFacts], *, plane: Plane, turn: str) -> VolumeGeometry:
    """A grid in this plane, turned, that holds every lesion with a margin."""
    steps = DIRECTIONS[plane] @ Rotation.from_euler("xyz", TURNS[turn], degrees=True).as_matrix().T
    along = np.array([lesion.centre_lps for lesion in facts]) @ steps.T
    low, high = along.min(axis=0) - MARGIN_MM, along.max(axis=0) + MARGIN_MM
    counts = np.ceil((high - low) / SPACING_MM).astype(int) + 1
    matrix = np.eye(4)
    matrix[:3, :3] = steps.T * SPACING_MM
    matrix[:3, 3] = steps.T @ low
    return VolumeGeometry.from_matrix(
        matrix, shape=(int(counts[0]), int(counts[1]), int(counts[2])), frame_of_reference_uid=FRAME_UID
    )


def painted(facts: Sequence[LesionFacts], geometry: VolumeGeometry, *, content: Content) -> Volume:
    """0, and the number of each lesion, from 1, in the voxels of a ball around it; each voxel has the first of them."""
    values = np.zeros(geometry.shape, dtype=np.float32)
    to_index = np.linalg.inv(geometry.matrix)
    reach = np.ceil(RADIUS_MM / np.asarray(geometry.spacing_mm)).astype(int) + 1
    for number, lesion in enumerate(facts, 1):
        middle = np.rint((to_index @ np.append(lesion.centre_lps, 1.0))[:3]).astype(int)
        box = tuple(slice(at - step, at + step + 1) for at, step in zip(middle, reach, strict=True))
        index = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij"), axis=-1)
        points = index @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3]
        ball = np.linalg.norm(points - np.array(lesion.centre_lps), axis=-1) <= RADIUS_MM
        part = values[box]
        part[ball & (part == 0.0)] = number
    return Volume(values=values, geometry=geometry, content=content)


def ct_files(
    folder: Path, *, header: StudyHeader, facts: Sequence[LesionFacts], turn: str, habits: Habits
) -> list[Path]:
    """A whole-body CT."""
    volume = painted(facts, whole_body(facts, plane=Plane.AXIAL, turn=turn), content=Content.HU)
    protocol = CtProtocol(region=Region.WHOLE_BODY, slice_mm=5.0, increment_mm=5.0)
    return list(write_ct(folder, header=header, volume=volume, protocol=protocol, habits=habits).files)


def pet_files(
    folder: Path, *, header: StudyHeader, facts: Sequence[LesionFacts], turn: str, habits: Habits
) -> list[Path]:
    """A whole-body PET."""
    volume = painted(facts, whole_body(facts, plane=Plane.AXIAL, turn=turn), content=Content.ACTIVITY_BQML)
    protocol = PetProtocol(tracer=Tracer.NAF, region=Region.WHOLE_BODY, voxel_mm=4.0, slice_mm=5.0)
    return list(write_pet(folder, header=header, volume=volume, protocol=protocol, habits=habits).files)


def spect_files(
    folder: Path, *, header: StudyHeader, facts: Sequence[LesionFacts], turn: str, habits: Habits
) -> list[Path]:
    """A SPECT of the whole body in one object."""
    volume = painted(facts, whole_body(facts, plane=Plane.AXIAL, turn=turn), content=Content.COUNTS)
    return list(write_spect(folder, header=header, volume=volume, protocol=SpectProtocol(), habits=habits).files)


def mri_files(
    folder: Path,
    *,
    header: StudyHeader,
    facts: Sequence[LesionFacts],
    turn: str,
    habits: Habits,
    plane: Plane = Plane.CORONAL,
) -> list[Path]:
    """An MR of the whole body in this plane."""
    volume = painted(facts, whole_body(facts, plane=plane, turn=turn), content=Content.T1)
    protocol = MrProtocol(sequences=(MrSequence.T1,), pixel_mm=3.0, slice_mm=5.0, gap_mm=0.0)
    (series,) = write_mri(folder, header=header, volumes=[volume], protocol=protocol, habits=habits)
    return list(series.files)


# --- planar ----------------------------------------------------------------------------


def view_places(facts: Sequence[LesionFacts]) -> FloatArray:
    """(2, lesion, 2): row and column, pixel centres at whole numbers, at which a camera in front of the patient and one
    behind see each lesion, head up. In front the columns run to the patient's left, behind to the right."""
    centres = np.array([lesion.centre_lps for lesion in facts])
    middle = (centres.min(axis=0) + centres.max(axis=0)) / 2.0
    rows = (ROWS - 1) / 2.0 - (centres[:, 2] - middle[2]) / PIXEL_MM
    across = (centres[:, 0] - middle[0]) / PIXEL_MM
    return np.stack([np.stack([rows, (COLUMNS - 1) / 2.0 + side * across], axis=-1) for side in (1.0, -1.0)])


def planar_files(
    folder: Path, *, header: StudyHeader, facts: Sequence[LesionFacts], habits: Habits
) -> tuple[Path, ...]:
    """Both views, each lesion's number in nine pixels around its place; the lesions lie apart on both."""
    frames = np.zeros((2, ROWS, COLUMNS), dtype=np.float32)
    for frame, places in zip(frames, np.rint(view_places(facts)).astype(int), strict=True):
        for number, (row, column) in enumerate(places, 1):
            frame[row - 1 : row + 2, column - 1 : column + 2] = number
    scan = PlanarScan(photopeak=frames, scatter=None, pixel_mm=PIXEL_MM, to_pixel=np.zeros((2, 2, 4)))
    protocol = PlanarProtocol(pixel_mm=PIXEL_MM)
    return write_planar(folder, header=header, scan=scan, protocol=protocol, habits=habits).files
