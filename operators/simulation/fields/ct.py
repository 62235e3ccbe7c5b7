"""The grids of CT series: which part of the body, on which slices."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import VERTEBRAE, Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.protocols.ct import CtProtocol, Region

_ABOVE_APEX_MM = 25.0
"""Of the lungs, over the first ribs."""
_BELOW_ISCHIUM_MM = 15.0
_BEYOND_HEAD_MM = 15.0
_BEYOND_SPINE_MM = 12.0
_ABOVE_DIAPHRAGM_MM = 10.0
"""Over T9, where the dome of a supine person's diaphragm lies at most."""
_THIGH = 0.5
"""Share of the femur's length that a scan to the thigh shows."""
_OFF_CENTRE_MM = 8.0
"""Standard deviation of how far a patient lies from the middle of the gantry [P]."""


def ct_field(
    protocol: CtProtocol, anatomy: AnatomyBuilder, person: PersonSpec, *, frame_of_reference_uid: str
) -> VolumeGeometry:
    """The grid of an axial series: slice 0 is the lowest, rows go to the back, columns to the patient's left.

    The stack is rectangular also where the gantry is tilted: its slices are turned about the left-right axis
    (a positive tilt lifts the back) and follow each other along their own normal. The body is cut where it
    is wider than `field_mm`.
    """
    skeleton = anatomy.skeleton(person)
    low, high = region_limits_mm(protocol.region, skeleton=skeleton, anatomy=anatomy)
    middle = gantry_centre_mm(protocol.region, skeleton=skeleton)
    size = max(2, round(protocol.field_mm / protocol.pixel_mm))
    count = max(1, math.ceil((high - low) / protocol.increment_mm))
    return stack(
        centre_mm=(middle[0], middle[1], (low + high) / 2.0),
        spacing_mm=(protocol.increment_mm, protocol.pixel_mm, protocol.pixel_mm),
        shape=(count, size, size),
        tilt_deg=protocol.tilt_deg,
        frame_of_reference_uid=frame_of_reference_uid,
    )


def region_limits_mm(region: Region, *, skeleton: PosedSkeleton, anatomy: AnatomyBuilder) -> tuple[float, float]:
    """The lowest and the highest z of a region, LPS millimetres, from the person's own bones."""

    def ends(*bones: Bone) -> tuple[float, float]:
        heights = np.concatenate([skeleton.vertices(bone)[:, 2] for bone in bones])
        return float(heights.min()), float(heights.max())

    pelvis = ends(Bone.HIP_LEFT, Bone.HIP_RIGHT)[0] - _BELOW_ISCHIUM_MM
    apex = ends(Bone.RIB_1_LEFT, Bone.RIB_1_RIGHT, Bone.T1)[1] + _ABOVE_APEX_MM
    if region is Region.SPINE:
        return ends(Bone.COCCYX)[0] - _BEYOND_SPINE_MM, ends(Bone.C1)[1] + _BEYOND_SPINE_MM
    if region is Region.CHEST_TO_PELVIS:
        return pelvis, apex
    if region is Region.ABDOMEN_PELVIS:
        return pelvis, ends(Bone.T9)[1] + _ABOVE_DIAPHRAGM_MM
    if region is Region.CHEST:
        return ends(Bone.L1)[0], apex
    head = ends(Bone.SKULL)[1] + _BEYOND_HEAD_MM
    if region is Region.SKULL_TO_THIGH:
        knee, hip = ends(Bone.FEMUR_LEFT, Bone.FEMUR_RIGHT)
        return hip - _THIGH * (hip - knee), head
    low, high = anatomy.body(skeleton.spec).bounds()
    return float(low[2]), float(high[2])


def gantry_centre_mm(region: Region, *, skeleton: PosedSkeleton) -> tuple[float, float]:
    """(x, y) of the gantry's axis: the middle of the trunk, or the spine where that is the region.

    The patient lies a little off it, differently in each posture.
    """
    off = np.random.default_rng([skeleton.spec.posture.seed, 51]).normal(0.0, _OFF_CENTRE_MM, 2)
    off = np.clip(off, -2.0 * _OFF_CENTRE_MM, 2.0 * _OFF_CENTRE_MM)
    spine = np.concatenate([skeleton.vertices(bone) for bone in skeleton.bones if bone in VERTEBRAE])
    if region is Region.SPINE:
        x, y = (spine[:, :2].min(axis=0) + spine[:, :2].max(axis=0)) / 2.0
        return float(x + off[0] / 2.0), float(y + off[1] / 2.0)
    front = min(skeleton.vertices(bone)[:, 1].min() for bone in (Bone.STERNUM, Bone.HIP_LEFT, Bone.HIP_RIGHT))
    return float(off[0]), float((front + spine[:, 1].max()) / 2.0 + off[1])


def stack(
    *,
    centre_mm: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
    tilt_deg: float,
    frame_of_reference_uid: str,
) -> VolumeGeometry:
    """A rectangular stack of slices about a centre (x, y, z), turned about the left-right axis."""
    tilt = math.radians(tilt_deg)
    normal = np.array([0.0, -math.sin(tilt), math.cos(tilt)])
    down_rows = np.array([0.0, math.cos(tilt), math.sin(tilt)])
    to_left = np.array([1.0, 0.0, 0.0])
    steps: npt.NDArray[np.float64] = np.stack([normal, down_rows, to_left], axis=1) * np.array(spacing_mm)
    matrix = np.eye(4)
    matrix[:3, :3] = steps
    matrix[:3, 3] = np.array(centre_mm) - steps @ ((np.array(shape) - 1) / 2.0)
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid=frame_of_reference_uid)
