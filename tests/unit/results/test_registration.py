"""A registration object moves every point where the registration does, in the direction that the standard gives it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.objects import ResultKind
from bmnode.domain.registration import DisplacementField, Registration, RigidMatrix
from bmnode.errors import ResultError
from bmnode.results.context import ResultObject
from bmnode.results.read_back import read_back
from bmnode.results.reg_reading import read_registration
from bmnode.results.sources import SourceStudy
from bmnode.results.verify import verify_object
from bmnode.results.wire import load_result_set, save_result_set
from bmnode.results.write import write_results
from tests.support.same_results import assert_same_result
from tests.unit.results import registrations, result_sets, sources
from tests.unit.results.result_sets import CONTEXT

Points = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> sources.SourceSeries:
    """The present study."""
    return sources.classic_slices(tmp_path_factory.mktemp("ct"), sources.CT, "CT")


@pytest.fixture(scope="module")
def oblique(tmp_path_factory: pytest.TempPathFactory) -> sources.SourceSeries:
    """A present study whose slices are tilted."""
    return sources.classic_slices(tmp_path_factory.mktemp("oblique"), sources.CT, "CT", oblique=True)


def write(
    series: sources.SourceSeries, folder: Path, *found: Registration
) -> tuple[tuple[ResultObject, ...], list[pydicom.Dataset]]:
    """The result set of a study with registrations, written; all objects, and the data sets of the registrations."""
    result_set = dataclasses.replace(result_sets.volumetric(series), registrations=found)
    objects = write_results(result_set, source_files=series.files, out_dir=folder, context=CONTEXT)
    return objects, [pydicom.dcmread(item.path) for item in objects if item.kind is ResultKind.REG]


def by_the_standard(dataset: pydicom.Dataset, moving: Points) -> Points:
    """PS3.3 C.20.2.1.1, written down anew: the matrices of the moving frame's item, one after the other."""
    item = dataset.RegistrationSequence[1]
    points = np.c_[moving, np.ones(len(moving))].T
    for step in item.MatrixRegistrationSequence[0].MatrixSequence:
        values = [float(value) for value in step.FrameOfReferenceTransformationMatrix]
        points = np.array([values[0:4], values[4:8], values[8:12], values[12:16]]) @ points
    return np.asarray(points[:3].T)


def field_by_the_standard(dataset: pydicom.Dataset) -> list[tuple[Points, Points]]:
    """PS3.3 C.20.3: every grid point in the registered frame and where it comes from in the source frame."""
    item = dataset.DeformableRegistrationSequence[0]
    grid = item.DeformableRegistrationGridSequence[0]
    raw = np.frombuffer(grid.VectorGridData, dtype="<f4")
    row = np.array([float(value) for value in grid.ImageOrientationPatient[:3]])
    column = np.array([float(value) for value in grid.ImageOrientationPatient[3:]])
    axes = (row, column, np.cross(row, column))
    origin = np.array([float(value) for value in grid.ImagePositionPatient])
    counts, steps = [int(n) for n in grid.GridDimensions], [float(value) for value in grid.GridResolution]
    pairs = []
    place = 0
    for z in range(counts[2]):
        for y in range(counts[1]):
            for x in range(counts[0]):
                point = origin + sum(n * step * axis for n, step, axis in zip((x, y, z), steps, axes, strict=True))
                pairs.append((point, point + raw[place : place + 3]))
                place += 3
    assert place == raw.size
    return pairs


def test_a_point_of_the_prior_goes_where_the_matrix_sends_it(ct: sources.SourceSeries, tmp_path: Path) -> None:
    """Rz(10 degrees) and (5, -3, 12) on (100, 0, 0) gives (103.480775, 14.364818, 12): from prior to present."""
    _, (dataset,) = write(ct, tmp_path, registrations.rigid(ct))
    assert ct.geometry is not None
    assert dataset.FrameOfReferenceUID == ct.geometry.frame_of_reference_uid
    assert dataset.RegistrationSequence[1].FrameOfReferenceUID != dataset.FrameOfReferenceUID
    found = by_the_standard(dataset, np.array([[100.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found, [[103.480775, 14.364818, 12.0]], atol=1e-6)


def test_the_fixed_image_stays_where_it_is(ct: sources.SourceSeries, tmp_path: Path) -> None:
    """The first item is the present image under the identity, with all its slices; the prior is in another study."""
    registration = registrations.rigid(ct)
    _, (dataset,) = write(ct, tmp_path, registration)
    fixed, moving = dataset.RegistrationSequence
    matrix = fixed.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix
    assert [float(value) for value in matrix] == np.eye(4).ravel().tolist()
    assert [item.ReferencedSOPInstanceUID for item in fixed.ReferencedImageSequence] == list(ct.instance_uids)
    (other,) = dataset.StudiesContainingOtherReferencedInstancesSequence
    assert other.StudyInstanceUID == registration.moving.study_uid
    assert len(moving.ReferencedImageSequence) == 3


ANGLE = st.floats(-180.0, 180.0)
SHIFT = st.floats(-2000.0, 2000.0)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.tuples(ANGLE, ANGLE, ANGLE), shift=st.tuples(SHIFT, SHIFT, SHIFT))
def test_any_rigid_matrix_is_exact_and_invertible(
    ct: sources.SourceSeries, turns: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    """To a thousandth of a millimetre over a whole body, and back again."""
    from bmnode.results.reg import build_registration

    swap = np.eye(4)[[2, 0, 1, 3]]
    matrix = np.eye(4)
    for turn in turns:
        matrix = swap @ registrations.rotation(turn, translation=(0.0, 0.0, 0.0)) @ matrix
    matrix[:3, 3] = shift
    registration = registrations.rigid(ct, matrix)
    result_set = dataclasses.replace(result_sets.negative(ct), registrations=(registration,))
    source = SourceStudy.from_files(ct.files, study_uid=ct.study_uid)
    dataset = build_registration(result_set, 0, source=source, context=CONTEXT)
    points = np.array([[0.0, 0.0, 0.0], [400.0, -300.0, 1700.0], [-400.0, 250.0, -90.0]])
    expected = points @ matrix[:3, :3].T + shift
    np.testing.assert_allclose(by_the_standard(dataset, points), expected, atol=1e-3)
    read = read_registration(dataset).rigid
    assert read is not None
    np.testing.assert_allclose(read.to_moving(read.to_fixed(points)), points, atol=1e-6)


@pytest.mark.parametrize("head_first", [False, True])
def test_every_grid_point_comes_from_where_the_field_says(
    oblique: sources.SourceSeries, tmp_path: Path, *, head_first: bool
) -> None:
    """From the present to the prior, vector by vector, on a tilted grid, whichever way its slices were counted."""
    registration = registrations.deformable(oblique, head_first=head_first)
    _, (dataset,) = write(oblique, tmp_path, registration)
    assert registration.field is not None
    geometry = registration.field.geometry
    expected = {
        tuple(np.round(geometry.position_lps((float(k), float(j), float(i))), 3)): registration.field.vectors[k, j, i]
        for k, j, i in np.ndindex(*geometry.shape)
    }
    pairs = field_by_the_standard(dataset)
    assert len(pairs) == len(expected)
    for point, source in pairs:
        vector = expected[tuple(np.round(point, 3) + 0.0)]
        np.testing.assert_allclose(source - point, vector, atol=1e-4)
    np.testing.assert_allclose(
        registration.field.to_moving(np.array([point for point, _ in pairs])),
        [source for _, source in pairs],
        atol=1e-3,
    )


@pytest.mark.parametrize("make", [registrations.rigid, registrations.deformable])
def test_a_registration_comes_back_as_it_was(
    make: Callable[[sources.SourceSeries], Registration], oblique: sources.SourceSeries, tmp_path: Path
) -> None:
    """Both images, frames, method and version, and where points go; alone and with the whole result."""
    registration = make(oblique)
    objects, (dataset,) = write(oblique, tmp_path, registration)
    read = read_registration(dataset)
    assert (read.fixed, read.moving) == (registration.fixed, registration.moving)
    assert (read.method, read.version) == (registration.method, registration.version)
    earlier = read_back([item.path for item in objects], images=oblique.files)
    assert_same_result(earlier.result_set, result_sets.volumetric(oblique), same_grid=True)
    (again,) = earlier.result_set.registrations
    assert oblique.geometry is not None
    points = np.array([oblique.geometry.position_lps(index) for index in ((1.0, 2.0, 3.0), (4.5, 3.25, 7.1))])
    for one, other in ((again.rigid, registration.rigid), (again.field, registration.field)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_allclose(one.to_moving(points), other.to_moving(points), atol=1e-3)


def test_the_report_refers_to_the_registration(ct: sources.SourceSeries, tmp_path: Path) -> None:
    """The root report names it as evidence and in its content; a report without one does not."""
    objects, (dataset,) = write(ct, tmp_path / "with", registrations.rigid(ct))
    root = pydicom.dcmread(objects[0].path)
    (item,) = [child for child in root.ContentSequence if child.ValueType == "COMPOSITE"]
    assert item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == dataset.SOPInstanceUID
    evidence = str(root.CurrentRequestedProcedureEvidenceSequence)
    assert dataset.SOPInstanceUID in evidence
    plain, _ = write(ct, tmp_path / "without")
    assert "COMPOSITE" not in str(pydicom.dcmread(plain[0].path))


@pytest.mark.parametrize("make", [registrations.rigid, registrations.deformable])
def test_it_passes_from_process_to_process(
    make: Callable[[sources.SourceSeries], Registration], ct: sources.SourceSeries, tmp_path: Path
) -> None:
    """The folder in which a child process hands over its result keeps matrix and field to the last bit."""
    result_set = dataclasses.replace(result_sets.volumetric(ct), registrations=(make(ct),))
    save_result_set(result_set, tmp_path)
    (one,), (other,) = load_result_set(tmp_path).registrations, result_set.registrations
    assert (one.rigid, one.fixed, one.moving) == (other.rigid, other.fixed, other.moving)
    if one.field is not None and other.field is not None:
        np.testing.assert_array_equal(one.field.vectors, other.field.vectors)


def test_an_inverted_matrix_is_not_released(ct: sources.SourceSeries, tmp_path: Path) -> None:
    """The classic mistake, the matrix of the other direction, fails the check before release."""
    registration = registrations.rigid(ct)
    objects, (dataset,) = write(ct, tmp_path, registration)
    assert registration.rigid is not None
    wrong = np.linalg.inv(registration.rigid.matrix)
    step = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
    step.FrameOfReferenceTransformationMatrix = [f"{value:.10g}" for value in wrong.ravel()]
    dataset.save_as(tmp_path / "wrong.dcm")
    with pytest.raises(ResultError, match="moves a point"):
        verify_object(
            tmp_path / "wrong.dcm",
            result_set=dataclasses.replace(result_sets.volumetric(ct), registrations=(registration,)),
            source=SourceStudy.from_files(ct.files, study_uid=ct.study_uid),
            siblings={item.sop_instance_uid: item.path for item in objects},
        )


def test_between_grid_points_the_field_is_linear_and_outside_unknown() -> None:
    """Half way between two points the mean of their vectors; where the grid ends nothing is said."""
    vectors = np.zeros((2, 2, 2, 3), dtype=np.float32)
    vectors[:, :, 1] = [4.0, 0.0, -2.0]
    geometry = VolumeGeometry.from_matrix(
        np.array([[0, 0, 2.0, 10], [0, 2.0, 0, 20], [2.0, 0, 0, 30], [0, 0, 0, 1]]),
        shape=(2, 2, 2),
        frame_of_reference_uid="1.2",
    )
    field = DisplacementField(geometry=geometry, vectors=vectors)
    found = field.to_moving(np.array([[11.0, 20.5, 31.0], [12.0, 22.0, 32.0], [12.1, 20.0, 30.0]]))
    np.testing.assert_allclose(found[:2], [[13.0, 20.5, 30.0], [16.0, 22.0, 30.0]])
    assert np.isnan(found[2]).all()


@pytest.mark.parametrize(
    "matrix",
    [np.diag([1.0, 1.0, -1.0, 1.0]), np.diag([1.01, 1.0, 1.0, 1.0]), np.full((4, 4), np.nan), np.eye(3)],
)
def test_what_is_not_rigid_is_no_rigid_registration(matrix: npt.NDArray[np.float64]) -> None:
    """Mirrors, scales and unfinished matrices are refused."""
    with pytest.raises(ValueError, match="rigid registration"):
        RigidMatrix.from_matrix(matrix)


def test_a_damaged_registration_is_an_error(ct: sources.SourceSeries, tmp_path: Path) -> None:
    """Lost vectors, a second matrix, a kind that bmnode does not write."""
    _, (rigid, deformed) = write(ct, tmp_path, registrations.rigid(ct), registrations.deformable(ct))
    grid = deformed.DeformableRegistrationSequence[0].DeformableRegistrationGridSequence[0]
    grid.VectorGridData = grid.VectorGridData[:-12]
    with pytest.raises(ResultError, match="cannot be understood"):
        read_registration(deformed)
    rigid.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[
        0
    ].FrameOfReferenceTransformationMatrixType = "AFFINE"
    with pytest.raises(ResultError, match="not rigid"):
        read_registration(rigid)
