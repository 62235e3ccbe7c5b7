"""One builder for all: the depth fields take seconds to make."""

from __future__ import annotations

import pytest

from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.anatomy.voxels import AnatomyVolume
from operators.simulation.compose import SceneBuilder


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> AnatomyBuilder:
    """Keeps its files beside this session's temporary folders, where parallel workers share them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    return AnatomyBuilder(shared / "anatomy")


@pytest.fixture(scope="session")
def scenes(builder: AnatomyBuilder) -> SceneBuilder:
    """Whole patients on grids, kept where the anatomies are."""
    return SceneBuilder(builder.cache_dir)


@pytest.fixture(scope="session")
def man() -> PersonSpec:
    """The reference man of ICRP 89, without individual variation."""
    return PersonSpec(seed=0, sex=Sex.MALE, height_cm=176.0, weight_kg=73.0, size_variation=0.0, shape_variation=0.0)


@pytest.fixture(scope="session")
def woman() -> PersonSpec:
    """The reference woman of ICRP 89, without individual variation."""
    return PersonSpec(seed=0, sex=Sex.FEMALE, height_cm=163.0, weight_kg=60.0, size_variation=0.0, shape_variation=0.0)


@pytest.fixture(scope="session")
def skeleton(builder: AnatomyBuilder, man: PersonSpec) -> PosedSkeleton:
    """The reference man's bones."""
    return builder.skeleton(man)


@pytest.fixture(scope="session")
def volume(builder: AnatomyBuilder, man: PersonSpec) -> AnatomyVolume:
    """The reference man at 4 mm."""
    return builder.volume(man, builder.whole_body(man, spacing_mm=4.0, frame_of_reference_uid="1.2.3"))
