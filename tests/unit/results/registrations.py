"""Registrations of a made-up earlier study to the synthetic sources."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.ids import derive_uid
from bmnode.domain.registration import (
    DisplacementField,
    ImageReference,
    RegisteredImage,
    Registration,
    RigidMatrix,
)
from tests.unit.results.sources import CT, SourceSeries


def images(series: SourceSeries) -> tuple[RegisteredImage, RegisteredImage]:
    """The present image (fixed) and one of an earlier study (moving)."""
    assert series.geometry is not None
    fixed = RegisteredImage(
        study_uid=series.study_uid,
        series_uid=series.series_uid,
        frame_of_reference_uid=series.geometry.frame_of_reference_uid,
        instances=tuple(ImageReference(sop_class_uid=CT, sop_instance_uid=uid) for uid in series.instance_uids),
    )
    moving = RegisteredImage(
        study_uid=derive_uid("test", "prior", "study"),
        series_uid=derive_uid("test", "prior", "series"),
        frame_of_reference_uid=derive_uid("test", "prior", "frame"),
        instances=tuple(
            ImageReference(sop_class_uid=CT, sop_instance_uid=derive_uid("test", "prior", str(number)))
            for number in range(3)
        ),
    )
    return fixed, moving


def rotation(degrees: float, *, translation: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """A turn about z, then a shift (mm)."""
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, 3] = translation
    return matrix


def rigid(series: SourceSeries, matrix: npt.NDArray[np.float64] | None = None) -> Registration:
    """Rz(10 degrees) and a shift, where no other matrix is given."""
    fixed, moving = images(series)
    found = rotation(10.0, translation=(5.0, -3.0, 12.0)) if matrix is None else matrix
    return Registration(
        fixed=fixed, moving=moving, method="GLOBAL_RIGID_TEST", version="1.0", rigid=RigidMatrix.from_matrix(found)
    )


def deformable(series: SourceSeries, *, seed: int = 1, head_first: bool = False) -> Registration:
    """A field of random vectors on a grid of the present frame; its slices may run from head to feet."""
    fixed, moving = images(series)
    assert series.geometry is not None
    matrix = series.geometry.matrix @ np.diag([2.0, 3.0, 3.0, 1.0])
    shape = (4, 3, 5)
    if head_first:
        matrix[:3, 3] += matrix[:3, 0] * (shape[0] - 1)
        matrix[:3, 0] *= -1.0
    vectors = np.random.default_rng(seed).normal(0.0, 8.0, size=(*shape, 3)).astype(np.float32)
    geometry = VolumeGeometry.from_matrix(
        matrix, shape=shape, frame_of_reference_uid=series.geometry.frame_of_reference_uid
    )
    field = DisplacementField(geometry=geometry, vectors=vectors)
    return Registration(fixed=fixed, moving=moving, method="POLYRIGID_TEST", version="1.0", field=field)
