"""The spinal canal on CT: soft tissue enclosed by bone, behind the vertebral bodies, in a row along the patient.

A convention of this project (CT_CANAL_V2). It keeps the canal out of the bone and out of the lytic candidates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.components import label
from operators.kernels.morphology import Spacing, dilate


@dataclass(frozen=True, kw_only=True, slots=True)
class CanalLimits:
    """A hole is a piece of the canal where its slice shows `body_depth_mm` of bone before it, and its size fits.

    It lies within `midline_mm` of the middle of the patient's outline. Pieces within `gap_mm`
    along the patient belong together; a row shorter than `minimum_length_mm` is none.
    """

    highest_hu: float
    body_depth_mm: float
    smallest_mm2: float
    largest_mm2: float
    gap_mm: float
    minimum_length_mm: float
    margin_mm: float
    midline_mm: float


def find_canal(
    hu: npt.NDArray[np.float32], bone: BoolArray, body: BoolArray, *, spacing_mm: Spacing, limits: CanalLimits
) -> BoolArray:
    """The canal (z, y, x) from HU, the filled bone and the patient; y runs to the back. Empty where there is none."""
    soft = (hu < limits.highest_hu) & bone & _midline(body, spacing_mm=spacing_mm, reach_mm=limits.midline_mm)
    pieces = _enclosed_pieces(soft, bone, spacing_mm=spacing_mm, limits=limits)
    reach = max(1, int(limits.gap_mm / spacing_mm[0] / 2.0))
    stretched = ndimage.maximum_filter1d(pieces.astype(np.uint8), size=2 * reach + 1, axis=0).astype(np.bool_)
    labels = label(stretched, connectivity=26)
    canal = np.zeros_like(pieces)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        row = labels[box] == number
        found = row & pieces[box]
        shown = found.any(axis=(1, 2))
        slices = np.flatnonzero(shown)
        if (slices[-1] - slices[0] + 1) * spacing_mm[0] >= limits.minimum_length_mm:
            # Where a slice shows the canal itself, its neighbours' outlines would cut into the vertebral body.
            canal[box] |= np.where(shown[:, None, None], found, row)
    return dilate(canal, radius_mm=limits.margin_mm, spacing_mm=spacing_mm)


def _midline(body: BoolArray, *, spacing_mm: Spacing, reach_mm: float) -> BoolArray:
    """Columns near the middle of the patient's outline, slice by slice."""
    columns = np.arange(body.shape[2])
    profile = body.sum(axis=1, dtype=np.int64)
    middle = (profile * columns).sum(axis=1) / np.maximum(profile.sum(axis=1), 1)
    near: BoolArray = np.abs(columns[None, :] - middle[:, None]) * spacing_mm[2] <= reach_mm
    return np.broadcast_to(near[:, None, :], body.shape)


def _enclosed_pieces(soft: BoolArray, bone: BoolArray, *, spacing_mm: Spacing, limits: CanalLimits) -> BoolArray:
    in_plane = ndimage.generate_binary_structure(3, 1)
    in_plane[0] = in_plane[2] = False
    soft = ndimage.binary_opening(soft, structure=in_plane)
    labels, _ = ndimage.label(soft, structure=in_plane)
    pieces = np.zeros_like(soft)
    pixel_mm2 = spacing_mm[1] * spacing_mm[2]
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[box] == number
        area_mm2 = float(np.count_nonzero(inside)) * pixel_mm2
        if not limits.smallest_mm2 <= area_mm2 <= limits.largest_mm2:
            continue
        column = (box[2].start + box[2].stop) // 2
        ahead = bone[box[0].start, : box[1].start, column][::-1]
        depth = len(ahead) if ahead.all() else int(np.argmin(ahead))
        if depth * spacing_mm[1] >= limits.body_depth_mm:
            pieces[box] |= inside
    return pieces
