"""Spatial and Deformable Spatial Registration objects -> registrations (PS3.3 C.20.2, C.20.3)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydicom.dataset import Dataset

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.registration import (
    DisplacementField,
    ImageReference,
    RegisteredImage,
    Registration,
    RigidMatrix,
)
from bmnode.errors import ResultError
from bmnode.results.concepts import DEFORMABLE_REGISTRATION, SPATIAL_REGISTRATION
from bmnode.results.damage import DAMAGED, explain


def read_registration(dataset: Dataset) -> Registration:
    """The registration of an object that bmnode wrote.

    Raises ResultError where it is damaged, holds another number of images or several matrices in a row, or deforms
    before or after the grid, which bmnode never writes.
    """
    try:
        if dataset.SOPClassUID == SPATIAL_REGISTRATION:
            return _rigid(dataset)
        if dataset.SOPClassUID == DEFORMABLE_REGISTRATION:
            return _deformable(dataset)
    except DAMAGED as error:
        raise ResultError(f"a registration cannot be understood: {explain(error)}") from None
    raise ResultError("the object is no registration")


def _rigid(dataset: Dataset) -> Registration:
    (fixed,) = [item for item in dataset.RegistrationSequence if _is_fixed(dataset, item)]
    (moving,) = [item for item in dataset.RegistrationSequence if not _is_fixed(dataset, item)]
    if not np.array_equal(_matrix_of(fixed), np.eye(4)):
        raise ResultError("the fixed image of a registration is moved")
    matrix = _matrix_of(moving)
    method, version = _method(dataset)
    return Registration(
        fixed=_image(dataset, fixed, frame_uid=str(fixed.FrameOfReferenceUID)),
        moving=_image(dataset, moving, frame_uid=str(moving.FrameOfReferenceUID)),
        method=method,
        version=version,
        rigid=RigidMatrix.from_matrix(matrix),
    )


def _is_fixed(dataset: Dataset, item: Dataset) -> bool:
    """The fixed image's item: of the registered frame of reference; where both images share it, the first."""
    if item.FrameOfReferenceUID != dataset.FrameOfReferenceUID:
        return False
    return item is next(
        one for one in dataset.RegistrationSequence if one.FrameOfReferenceUID == dataset.FrameOfReferenceUID
    )


def _matrix_of(item: Dataset) -> np.ndarray:
    (registration,) = item.MatrixRegistrationSequence
    (matrix,) = registration.MatrixSequence
    if matrix.FrameOfReferenceTransformationMatrixType != "RIGID":
        raise ResultError("a registration is not rigid")
    return _four_by_four(matrix)


def _four_by_four(item: Dataset) -> np.ndarray:
    return np.asarray([float(value) for value in item.FrameOfReferenceTransformationMatrix]).reshape(4, 4)


def _deformable(dataset: Dataset) -> Registration:
    (item,) = dataset.DeformableRegistrationSequence
    for keyword in ("PreDeformationMatrixRegistrationSequence", "PostDeformationMatrixRegistrationSequence"):
        if any(not np.array_equal(_four_by_four(matrix), np.eye(4)) for matrix in item.get(keyword) or ()):
            raise ResultError("a registration moves before or after its deformation")
    (series, *_) = dataset.ReferencedSeriesSequence
    method, version = _method(dataset)
    frame_uid = str(dataset.FrameOfReferenceUID)
    return Registration(
        fixed=RegisteredImage(
            study_uid=str(dataset.StudyInstanceUID),
            series_uid=str(series.SeriesInstanceUID),
            frame_of_reference_uid=frame_uid,
            instances=_instances(series.ReferencedInstanceSequence),
        ),
        moving=_image(dataset, item, frame_uid=str(item.SourceFrameOfReferenceUID)),
        method=method,
        version=version,
        field=_field(item.DeformableRegistrationGridSequence[0], frame_uid),
    )


def _field(grid: Dataset, frame_uid: str) -> DisplacementField:
    columns, rows, slices = (int(value) for value in grid.GridDimensions)
    column_mm, row_mm, slice_mm = (float(value) for value in grid.GridResolution)
    cosines = np.asarray([float(value) for value in grid.ImageOrientationPatient])
    row, column = cosines[:3], cosines[3:]
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.cross(row, column) * slice_mm, column * row_mm, row * column_mm], axis=1)
    matrix[:3, 3] = [float(value) for value in grid.ImagePositionPatient]
    vectors = np.frombuffer(grid.VectorGridData, dtype="<f4").reshape(slices, rows, columns, 3)
    return DisplacementField(
        geometry=VolumeGeometry.from_matrix(matrix, shape=(slices, rows, columns), frame_of_reference_uid=frame_uid),
        vectors=vectors.astype(np.float32),
    )


def _method(dataset: Dataset) -> tuple[str, str]:
    """Method and version, which stand in Content Description with a space between."""
    method, _, version = str(dataset.ContentDescription).rpartition(" ")
    return method, version


def _image(dataset: Dataset, item: Dataset, *, frame_uid: str) -> RegisteredImage:
    """An image with the series and study under which the Common Instance Reference lists its instances."""
    instances = _instances(item.ReferencedImageSequence)
    uids = {instance.sop_instance_uid for instance in instances}
    studies = [(str(dataset.StudyInstanceUID), dataset.get("ReferencedSeriesSequence") or ())]
    others = dataset.get("StudiesContainingOtherReferencedInstancesSequence") or ()
    studies += [(str(other.StudyInstanceUID), other.ReferencedSeriesSequence) for other in others]
    for study_uid, series in studies:
        for one in series:
            if uids <= {entry.sop_instance_uid for entry in _instances(one.ReferencedInstanceSequence)}:
                return RegisteredImage(
                    study_uid=study_uid,
                    series_uid=str(one.SeriesInstanceUID),
                    frame_of_reference_uid=frame_uid,
                    instances=instances,
                )
    raise ResultError("a registration does not say of which series its images are")


def _instances(items: Iterable[Dataset]) -> tuple[ImageReference, ...]:
    return tuple(
        ImageReference(
            sop_class_uid=str(item.ReferencedSOPClassUID), sop_instance_uid=str(item.ReferencedSOPInstanceUID)
        )
        for item in items
    )
