"""Registration -> Spatial Registration (PS3.3 A.39) or Deformable Spatial Registration (PS3.3 A.57) object.

The registered frame of reference is that of the fixed image, in the study that the result is of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from bmnode.domain.objects import ResultKind
from bmnode.domain.registration import DisplacementField, ImageReference, RegisteredImage, Registration
from bmnode.domain.results import ResultSet
from bmnode.results.concepts import CONTENT_BASED_ALIGNMENT, DEFORMABLE_REGISTRATION, SPATIAL_REGISTRATION, coded
from bmnode.results.context import WriteContext
from bmnode.results.instance import NewInstance, new_instance
from bmnode.results.sources import SourceStudy
from bmnode.results.text import plain

_IDENTITY = np.eye(4)


def build_registration(result_set: ResultSet, index: int, *, source: SourceStudy, context: WriteContext) -> Dataset:
    """The object of `result_set.registrations[index]`. Raises ResultError where the fixed image is no source."""
    registration = result_set.registrations[index]
    for item in registration.fixed.instances:
        source.instance(item.sop_instance_uid)
    sop_class = SPATIAL_REGISTRATION if registration.field is None else DEFORMABLE_REGISTRATION
    what = NewInstance(kind=ResultKind.REG, sop_class_uid=sop_class, modality="REG", index=index)
    dataset = new_instance(what, source=source, context=context, result_set=result_set)
    dataset.FrameOfReferenceUID = registration.fixed.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    dataset.Laterality = ""  # of whatever the study shows
    dataset.ContentLabel = "BMNODE"
    dataset.ContentDescription = plain(f"{registration.method} {registration.version}")
    dataset.ContentCreatorName = "bmnode^automatic"
    _fill_references(dataset, registration)
    if registration.field is None:
        dataset.RegistrationSequence = _matrices(registration)
    else:
        dataset.DeformableRegistrationSequence = [_deformation(registration, registration.field)]
    return dataset


def _fill_references(dataset: Dataset, registration: Registration) -> None:
    """Common Instance Reference (PS3.3 C.12.2): series of this study, and those of other studies."""
    fixed, moving = registration.fixed, registration.moving
    if moving.study_uid == fixed.study_uid:
        dataset.ReferencedSeriesSequence = [_series(fixed), _series(moving)]
        return
    dataset.ReferencedSeriesSequence = [_series(fixed)]
    other = Dataset()
    other.StudyInstanceUID = moving.study_uid
    other.ReferencedSeriesSequence = [_series(moving)]
    dataset.StudiesContainingOtherReferencedInstancesSequence = [other]


def _series(image: RegisteredImage) -> Dataset:
    item = Dataset()
    item.SeriesInstanceUID = image.series_uid
    item.ReferencedInstanceSequence = _references(image.instances)
    return item


def _references(instances: Iterable[ImageReference]) -> list[Dataset]:
    items = []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class_uid
        item.ReferencedSOPInstanceUID = instance.sop_instance_uid
        items.append(item)
    return items


def _matrices(registration: Registration) -> list[Dataset]:
    """PS3.3 C.20.2: every item's matrix maps its frame of reference into the registered one; the fixed image's own is
    the identity."""
    if registration.rigid is None:
        raise ValueError("a spatial registration has a matrix")
    items = []
    for image, matrix in ((registration.fixed, _IDENTITY), (registration.moving, registration.rigid.matrix)):
        found = Dataset()
        found.MatrixSequence = [_matrix(matrix)]
        found.RegistrationTypeCodeSequence = [coded(CONTENT_BASED_ALIGNMENT)]
        item = Dataset()
        item.FrameOfReferenceUID = image.frame_of_reference_uid
        item.ReferencedImageSequence = _references(image.instances)
        item.MatrixRegistrationSequence = [found]
        items.append(item)
    return items


def _deformation(registration: Registration, field: DisplacementField) -> Dataset:
    """PS3.3 C.20.3: registered point -> pre-deformation matrix -> plus the vector there -> post-deformation matrix ->
    source point; both matrices are the identity here, so that nothing hangs on the order."""
    item = Dataset()
    item.SourceFrameOfReferenceUID = registration.moving.frame_of_reference_uid
    item.ReferencedImageSequence = _references(registration.moving.instances)
    item.RegistrationTypeCodeSequence = [coded(CONTENT_BASED_ALIGNMENT)]
    item.PreDeformationMatrixRegistrationSequence = [_matrix(_IDENTITY)]
    item.PostDeformationMatrixRegistrationSequence = [_matrix(_IDENTITY)]
    item.DeformableRegistrationGridSequence = [_grid(field)]
    return item


def _matrix(matrix: npt.NDArray[np.float64]) -> Dataset:
    item = Dataset()
    item.FrameOfReferenceTransformationMatrix = [decimal(value) for value in matrix.ravel().tolist()]
    item.FrameOfReferenceTransformationMatrixType = "RIGID"
    return item


def _grid(field: DisplacementField) -> Dataset:
    """The grid counts columns, rows, slices, these along the normal; vectors are stored x, y, z, columns fastest."""
    geometry, vectors = field.geometry, field.vectors
    matrix, (slice_mm, row_mm, column_mm) = geometry.matrix, geometry.spacing_mm
    row, column = matrix[:3, 2] / column_mm, matrix[:3, 1] / row_mm
    first = matrix[:3, 3]
    if float(np.cross(row, column) @ matrix[:3, 0]) < 0.0:
        vectors = vectors[::-1]
        first = first + matrix[:3, 0] * (geometry.shape[0] - 1)
    item = Dataset()
    item.ImagePositionPatient = _decimals(first)
    item.ImageOrientationPatient = _decimals([*row, *column])
    item.GridDimensions = list(geometry.shape[::-1])
    item.GridResolution = [column_mm, row_mm, slice_mm]
    item.VectorGridData = np.ascontiguousarray(vectors, dtype="<f4").tobytes()
    return item


def decimal(value: float) -> str:
    """A decimal string (DS) of at most 16 characters: ten significant digits."""
    return f"{value + 0.0:.10g}"


def _decimals(values: Sequence[float] | npt.NDArray[np.float64]) -> list[str]:
    return [decimal(float(value)) for value in values]
