"""The grid of the low-dose CT of a SPECT/CT: it covers what the SPECT covers, and no more of the body."""

from __future__ import annotations

import math

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.fields.ct import stack
from operators.simulation.protocols.ct import CtProtocol


def spect_ct_field(protocol: CtProtocol, spect: VolumeGeometry) -> VolumeGeometry:
    """The CT's grid about the middle of the SPECT's; orientation as `ct_field`.

    Args:
        protocol: of the CT; its region does not matter, its `field_mm` is the width.
        spect: grid of `spect_field`; the CT shares its frame of reference.
    """
    slices, rows, columns = spect.shape
    middle = spect.position_lps(((slices - 1) / 2.0, (rows - 1) / 2.0, (columns - 1) / 2.0))
    size = max(2, round(protocol.field_mm / protocol.pixel_mm))
    length = slices * spect.spacing_mm[0]
    return stack(
        centre_mm=middle,
        spacing_mm=(protocol.increment_mm, protocol.pixel_mm, protocol.pixel_mm),
        shape=(max(1, math.ceil(length / protocol.increment_mm)), size, size),
        tilt_deg=protocol.tilt_deg,
        frame_of_reference_uid=spect.frame_of_reference_uid,
    )
