"""The grids of an MR examination: planes, stations, obliquity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import LUMBAR, VERTEBRAE, Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.voxels import axial_geometry
from operators.simulation.physics.mri_grid import MrField, Plane
from operators.simulation.protocols.mri import MrProtocol, MrRegion, Sequence

FloatArray = npt.NDArray[np.float64]

STATION_MM: dict[Plane, float] = {Plane.SAGITTAL: 380.0, Plane.CORONAL: 420.0, Plane.AXIAL: 300.0}
"""Length of one station along the body at most (chosen, as scanners of 50 cm bore length do)."""
OVERLAP_MM = 40.0
"""Of neighbouring stations."""
WIDEST_MM = 500.0
"""Of coronal and axial images; arms beyond it are cut."""
FINE_SLICE_MM = 2.2
"""The scene's slices are at most this thick."""
_SPINE_HALF_WIDTH_MM = 38.0
_SPINE_FRONT_MM, _SPINE_BACK_MM = 110.0, 75.0
_MARGIN_MM = 15.0
_THIGH_SHARE = 0.4
"""Share of the femur that a scan of the trunk shows."""
_ACROSS = (Sequence.DIXON, Sequence.DWI)
"""Axial where the others are coronal."""
_BODY_STEP_MM = 8.0
_DWI_PIXELS = 2.0


def mri_fields(
    protocol: MrProtocol, anatomy: AnatomyBuilder, person: PersonSpec, *, frame_of_reference_uid: str
) -> tuple[MrField, ...]:
    """The fields of an examination, from the head downwards within each plane.

    SPINE_SAGITTAL: everything sagittal from C1 to the coccyx. PELVIS and TRUNK (C1 to the thighs): T1 and
    fat-suppressed images coronal, Dixon and diffusion axial. Composed, each is one field that names how many
    stations it was joined from; otherwise there is a field for every station, neighbours overlapping by
    `OVERLAP_MM`. Positive `oblique_deg` turns the front edge of sagittal slices to the patient's left; it lifts the
    back of axial slices, as a CT's positive tilt does, and brings the upper edge of coronal slices forward.

    Returns:
        Fields whose `scene_geometry` is to be drawn and whose `geometry` is the image's.
    """
    skeleton = anatomy.skeleton(person)
    low, high = _box(protocol.region, anatomy, skeleton)
    fields: list[MrField] = []
    for sequences, plane in _groups(protocol):
        pixel = protocol.pixel_mm * (_DWI_PIXELS if sequences == (Sequence.DWI,) else 1.0)
        layout = _Layout(plane=plane, pixel_mm=pixel, protocol=protocol, frame_of_reference_uid=frame_of_reference_uid)
        fields += layout.fields(sequences, low=low, high=high)
    return tuple(fields)


def _groups(protocol: MrProtocol) -> list[tuple[tuple[Sequence, ...], Plane]]:
    """Sequences that share a grid, and their plane."""
    sagittal = protocol.region is MrRegion.SPINE_SAGITTAL
    first = tuple(item for item in protocol.sequences if item is not Sequence.DWI and (sagittal or item not in _ACROSS))
    rest = tuple(item for item in _ACROSS if item in protocol.sequences and item not in first)
    groups = [first, *((item,) for item in rest)]
    planes = (Plane.SAGITTAL, Plane.SAGITTAL) if sagittal else (Plane.CORONAL, Plane.AXIAL)
    return [(group, planes[0] if group is first else planes[1]) for group in groups if group]


def _box(region: MrRegion, anatomy: AnatomyBuilder, skeleton: PosedSkeleton) -> tuple[FloatArray, FloatArray]:
    """Corners (x, y, z) of what is to be seen, LPS millimetres."""

    def ends(*bones: Bone) -> FloatArray:
        points = np.concatenate([skeleton.vertices(bone) for bone in bones])
        return np.stack([points.min(axis=0), points.max(axis=0)])

    hips, femora = ends(Bone.HIP_LEFT, Bone.HIP_RIGHT), ends(Bone.FEMUR_LEFT, Bone.FEMUR_RIGHT)
    head_end = float(ends(Bone.C1)[1, 2]) + _MARGIN_MM
    if region is MrRegion.SPINE_SAGITTAL:
        there = [bone for bone in VERTEBRAE if bone in skeleton.bones]
        centres = np.stack([skeleton.centre(bone) for bone in there])
        lumbar = ends(*(bone for bone in LUMBAR if bone in skeleton.bones))
        low = (centres[:, 0].min() - _SPINE_HALF_WIDTH_MM, lumbar[0, 1] - _SPINE_FRONT_MM)
        high = (centres[:, 0].max() + _SPINE_HALF_WIDTH_MM, ends(*there)[1, 1] + _SPINE_BACK_MM)
        return np.array([*low, ends(Bone.COCCYX)[0, 2] - _MARGIN_MM]), np.array([*high, head_end])
    if region is MrRegion.PELVIS:
        bottom, top = hips[0, 2] - 2 * _MARGIN_MM, hips[1, 2] + 2 * _MARGIN_MM
    else:
        bottom, top = femora[1, 2] - _THIGH_SHARE * (femora[1, 2] - femora[0, 2]), head_end
    middle = float(hips[:, 0].mean())
    corner_low, corner_high = _skin(anatomy, skeleton, bottom=float(bottom), top=float(top))
    x_low, x_high = max(corner_low[0], middle - WIDEST_MM / 2), min(corner_high[0], middle + WIDEST_MM / 2)
    return np.array([x_low, corner_low[1], bottom]), np.array([x_high, corner_high[1], top])


def _skin(
    anatomy: AnatomyBuilder, skeleton: PosedSkeleton, *, bottom: float, top: float
) -> tuple[FloatArray, FloatArray]:
    """Corners of the box around the body between two heights."""
    body = anatomy.body(skeleton.spec)
    low, high = (np.asarray(corner, dtype=np.float64) for corner in body.bounds())
    low[2], high[2] = bottom, top
    grid = axial_geometry(low, high, spacing_mm=_BODY_STEP_MM, frame_of_reference_uid="0")
    inside = np.argwhere(body.on_grid(body.skin, grid, slices=slice(0, grid.shape[0])) <= 0)
    ends = np.array([grid.position_lps(tuple(index)) for index in (inside.min(axis=0), inside.max(axis=0))])
    return ends[0] - _BODY_STEP_MM, ends[1] + _BODY_STEP_MM


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """How one plane is cut into slices and stations."""

    plane: Plane
    pixel_mm: float
    protocol: MrProtocol
    frame_of_reference_uid: str

    def fields(self, sequences: tuple[Sequence, ...], *, low: FloatArray, high: FloatArray) -> list[MrField]:
        length = float(high[2] - low[2])
        station = STATION_MM[self.plane]
        count = max(1, math.ceil((length - OVERLAP_MM) / (station - OVERLAP_MM)))
        if self.protocol.stations_composed or count == 1:
            return [self._field(sequences, low=low, high=high, joined=count)]
        own = (length + (count - 1) * OVERLAP_MM) / count
        pivot = (low + high) / 2.0
        made = []
        for number in range(count):
            top = high[2] - number * (own - OVERLAP_MM)
            ends = np.array([*low[:2], top - own]), np.array([*high[:2], top])
            made.append(self._field(sequences, low=ends[0], high=ends[1], station=number + 1, pivot=pivot))
        return made

    def _field(
        self,
        sequences: tuple[Sequence, ...],
        *,
        low: FloatArray,
        high: FloatArray,
        station: int = 0,
        joined: int = 1,
        pivot: FloatArray | None = None,
    ) -> MrField:
        pitch = self.protocol.slice_mm + self.protocol.gap_mm
        spacing = np.array([pitch, self.pixel_mm, self.pixel_mm])
        size = np.abs(_AXES[self.plane].T @ (high - low))
        counts = np.maximum(np.ceil(size / spacing), 2.0).astype(int)
        steps = self._turn() @ _AXES[self.plane] * spacing
        centre = (low + high) / 2.0
        if pivot is not None:
            centre = pivot + self._turn() @ (centre - pivot)
        matrix = np.eye(4)
        matrix[:3, :3] = steps
        matrix[:3, 3] = centre - steps @ ((counts - 1) / 2.0)
        fine = math.ceil(pitch / FINE_SLICE_MM)
        return MrField(
            sequences=sequences,
            plane=self.plane,
            geometry=VolumeGeometry.from_matrix(
                matrix,
                shape=(int(counts[0]), int(counts[1]), int(counts[2])),
                frame_of_reference_uid=self.frame_of_reference_uid,
            ),
            slices_of_scene=fine + 1 - fine % 2,
            station=station,
            joined=joined,
        )

    def _turn(self) -> FloatArray:
        angle = math.radians(self.protocol.oblique_deg)
        c, s = math.cos(angle), math.sin(angle)
        if self.plane is Plane.SAGITTAL:
            return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


_AXES: dict[Plane, FloatArray] = {
    Plane.SAGITTAL: np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    Plane.CORONAL: np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]),
    Plane.AXIAL: np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]),
}
"""Directions (x, y, z down the rows) of one step along slices, rows and columns (across)."""
