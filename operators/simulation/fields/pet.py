"""The grid of a PET series."""

from __future__ import annotations

import math

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.fields.ct import gantry_centre_mm, region_limits_mm, stack
from operators.simulation.protocols.pet import PetProtocol

FIELD_MM = 700.0
"""Width of the image: the bore of a whole-body scanner."""


def pet_field(
    protocol: PetProtocol, anatomy: AnatomyBuilder, person: PersonSpec, *, frame_of_reference_uid: str
) -> VolumeGeometry:
    """The grid of a PET series about the axis of its CT: slice 0 is the lowest, columns go to the left."""
    skeleton = anatomy.skeleton(person)
    low, high = region_limits_mm(protocol.region, skeleton=skeleton, anatomy=anatomy)
    middle = gantry_centre_mm(protocol.region, skeleton=skeleton)
    size = max(2, round(FIELD_MM / protocol.voxel_mm))
    count = max(1, math.ceil((high - low) / protocol.slice_mm))
    return stack(
        centre_mm=(middle[0], middle[1], (low + high) / 2.0),
        spacing_mm=(protocol.slice_mm, protocol.voxel_mm, protocol.voxel_mm),
        shape=(count, size, size),
        tilt_deg=0.0,
        frame_of_reference_uid=frame_of_reference_uid,
    )
