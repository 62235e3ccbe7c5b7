"""Label maps as NIfTI files in the image's own frame, and the shadows of a planar scan as npz."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry

ByteArray = npt.NDArray[np.uint8]
_Nifti: Any = nibabel.Nifti1Image
"""Its annotations are incomplete."""
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""NIfTI's world points to the right and to the front where DICOM's points to the left and to the back."""
_REVERSED = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
"""(column, row, slice) to (slice, row, column)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelMap:
    """Labels uint8 (slice, row, column) on a grid."""

    values: ByteArray
    geometry: VolumeGeometry


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarLabels:
    """Shadows on a planar scan, frames and pixels as stored in DICOM.

    Args:
        lesions: bool (lesion, view, row, column).
        bones: uint8 (view, row, column), value of `Bone`.
    """

    lesions: npt.NDArray[np.bool_]
    bones: ByteArray


def write_label_map(path: Path, *, labels: ByteArray, geometry: VolumeGeometry) -> None:
    """Write labels (slice, row, column) as compressed NIfTI-1, the same bytes every time."""
    affine = _TO_RAS @ geometry.matrix @ _REVERSED
    image = _Nifti(np.asarray(labels.transpose(2, 1, 0), dtype=np.uint8), affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, code="scanner")
    image.set_sform(affine, code="scanner")
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=4, mtime=0))


def read_label_map(path: Path, *, frame_of_reference_uid: str) -> LabelMap:
    """Read what `write_label_map` wrote."""
    image = _Nifti.from_bytes(gzip.decompress(path.read_bytes()))
    values = np.asarray(image.dataobj, dtype=np.uint8).transpose(2, 1, 0)
    geometry = VolumeGeometry.from_matrix(
        _TO_RAS @ image.affine @ _REVERSED,
        shape=(values.shape[0], values.shape[1], values.shape[2]),
        frame_of_reference_uid=frame_of_reference_uid,
    )
    return LabelMap(values=np.ascontiguousarray(values), geometry=geometry)


def write_planar_labels(path: Path, labels: PlanarLabels) -> None:
    """Write the shadows to one compressed file without pickled objects."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, lesions=labels.lesions, bones=labels.bones)
    path.write_bytes(buffer.getvalue())


def read_planar_labels(path: Path) -> PlanarLabels:
    """Read what `write_planar_labels` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return PlanarLabels(lesions=stored["lesions"], bones=stored["bones"])
