"""The grid of a SPECT series."""

from __future__ import annotations

import math

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.fields.ct import gantry_centre_mm, stack
from operators.simulation.protocols.ct import Region
from operators.simulation.protocols.spect import SpectProtocol

FIELD_MM = 560.0
"""Width of the image: about that of a detector."""


def spect_field(
    protocol: SpectProtocol, anatomy: AnatomyBuilder, person: PersonSpec, *, frame_of_reference_uid: str
) -> VolumeGeometry:
    """Cubes along the LPS axes about the trunk's axis, at the height of the protocol's bone.

    Slice 0 is the lowest, rows go to the back, columns to the patient's left. Raises ValueError where the
    person lacks the bone.
    """
    skeleton = anatomy.skeleton(person)
    if protocol.centre not in skeleton.bones:
        raise ValueError(f"centre is {protocol.centre.name}, which this person does not have")
    heights = skeleton.vertices(protocol.centre)[:, 2]
    x, y = gantry_centre_mm(Region.CHEST_TO_PELVIS, skeleton=skeleton)
    size = max(2, math.ceil(FIELD_MM / protocol.voxel_mm))
    return stack(
        centre_mm=(x, y, float(heights.min() + heights.max()) / 2.0),
        spacing_mm=(protocol.voxel_mm,) * 3,
        shape=(max(1, math.ceil(protocol.length_mm / protocol.voxel_mm)), size, size),
        tilt_deg=0.0,
        frame_of_reference_uid=frame_of_reference_uid,
    )
