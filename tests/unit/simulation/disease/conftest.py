"""People with their bones as ground for disease."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.voxels import AnatomyVolume, axial_geometry
from operators.simulation.disease.foci import Foci, draw_foci
from operators.simulation.disease.ground import Ground
from operators.simulation.patient import Patient

Draw = Callable[[Patient, VolumeGeometry], tuple[AnatomyVolume, Foci]]


@pytest.fixture(scope="session")
def ground(builder: AnatomyBuilder, man: PersonSpec) -> Ground:
    """The reference man's bones."""
    return Ground.of(builder.skeleton(man), builder.templates_of(man))


@pytest.fixture(scope="session")
def draw(builder: AnatomyBuilder) -> Draw:
    """Puts a patient's foci on a grid."""

    def on_grid(patient: Patient, geometry: VolumeGeometry) -> tuple[AnatomyVolume, Foci]:
        anatomy = builder.volume(patient.person, geometry)
        skeleton, templates = builder.skeleton(patient.person), builder.templates_of(patient.person)
        return anatomy, draw_foci(patient, skeleton=skeleton, anatomy=anatomy, templates=templates)

    return on_grid


@pytest.fixture(scope="session")
def pelvis_box(builder: AnatomyBuilder, man: PersonSpec) -> Callable[[float], VolumeGeometry]:
    """A grid of cubes around the reference man's lower spine, pelvis and hips."""
    centre = builder.skeleton(man).centre(Bone.SACRUM)

    def of(spacing_mm: float) -> VolumeGeometry:
        low, high = centre - np.array([150.0, 110.0, 130.0]), centre + np.array([150.0, 60.0, 150.0])
        return axial_geometry(low, high, spacing_mm=spacing_mm, frame_of_reference_uid="1.2.3")

    return of
