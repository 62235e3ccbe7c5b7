"""How much disk a study takes, from its protocol alone: an estimate from above, before anything is made."""

from __future__ import annotations

from operators.simulation.protocols.ct import CtProtocol, Region
from operators.simulation.protocols.mri import MrProtocol, MrRegion, Sequence
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.study import AnyProtocol

_LENGTH_MM = {
    Region.SPINE: 900.0,
    Region.CHEST_TO_PELVIS: 900.0,
    Region.ABDOMEN_PELVIS: 650.0,
    Region.CHEST: 550.0,
    Region.SKULL_TO_THIGH: 1300.0,
    Region.WHOLE_BODY: 2200.0,
}
"""Of the tallest."""
_MR_BOX_MM = {
    MrRegion.SPINE_SAGITTAL: (900.0, 400.0, 160.0),
    MrRegion.PELVIS: (450.0, 550.0, 350.0),
    MrRegion.TRUNK: (1100.0, 550.0, 400.0),
}
_VOLUMES = {Sequence.T1: 1.0, Sequence.STIR: 1.0, Sequence.T2_FS: 1.0, Sequence.DIXON: 2.0}
_PIXEL_BYTES = 2.0
_HEADER_BYTES = 4000.0
_TRUTH = 1.2
"""Truth beside the images: label maps compress well."""
_PLANAR_BYTES, _PET_FIELD_MM, _SPECT_FIELD_MM = 4_000_000, 700.0, 600.0


def bytes_of(protocol: AnyProtocol) -> int:
    """Bytes of images and truth."""
    if isinstance(protocol, PlanarProtocol):
        return _PLANAR_BYTES
    if isinstance(protocol, CtProtocol):
        return _ct(protocol, _LENGTH_MM[protocol.region])
    if isinstance(protocol, PetProtocol):
        slices = _LENGTH_MM[protocol.region] / protocol.slice_mm
        emission = slices * ((_PET_FIELD_MM / protocol.voxel_mm) ** 2 * _PIXEL_BYTES + _HEADER_BYTES)
        return round(emission * _TRUTH) + _ct(protocol.ct, _LENGTH_MM[protocol.ct.region])
    if isinstance(protocol, MrProtocol):
        return _mri(protocol)
    voxels = protocol.length_mm * _SPECT_FIELD_MM**2 / protocol.voxel_mm**3
    ct = 0 if protocol.ct is None else _ct(protocol.ct, protocol.length_mm)
    return round(voxels * _PIXEL_BYTES * _TRUTH) + ct


def _ct(protocol: CtProtocol, length_mm: float) -> int:
    pixels = (protocol.field_mm / protocol.pixel_mm) ** 2
    return round(length_mm / protocol.increment_mm * (pixels * _PIXEL_BYTES + _HEADER_BYTES) * _TRUTH)


def _mri(protocol: MrProtocol) -> int:
    long, wide, deep = _MR_BOX_MM[protocol.region]
    slices = deep / (protocol.slice_mm + protocol.gap_mm)
    volume = slices * (long * wide / protocol.pixel_mm**2 * _PIXEL_BYTES + _HEADER_BYTES)
    diffusion = volume * (len(protocol.b_values) + 1)
    total = sum(diffusion if item is Sequence.DWI else volume * _VOLUMES[item] for item in protocol.sequences)
    return round(total * _TRUTH)
