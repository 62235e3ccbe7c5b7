"""Patients drawn at random, each simulated, checked and sent through a running node.

By default a few, one of each modality. `BMNODE_RANDOM_PATIENTS=200 pytest tests/acceptance/test_random_patients.py`
draws as many as it says.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bmnode.clock import SystemClock
from bmnode.delivery.sender import CStoreSender
from bmnode.domain.records import JobRecord
from bmnode.domain.results import Outcome
from bmnode.domain.states import JobState
from bmnode.domain.study import Reason
from bmnode.results.reading import Report, read_report
from bmnode.storage import Database, Instances, Jobs, Results
from bmnode.storage.jobs import UNFINISHED
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess, is_delivered
from operators.simulation.acquire import simulate_study
from operators.simulation.cohort.plan import places, plan
from operators.simulation.cohort.specification import parse
from operators.simulation.compose import SceneBuilder
from operators.simulation.patient import Patient
from operators.simulation.study import StudyOnDisk, StudyPlan
from tests.support.polling import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(400)]

COUNT = int(os.environ.get("BMNODE_RANDOM_PATIENTS", "5"))
SEED = 20_000
COHORT = """
[cohort]
name = "random"
patients = 1
[person]
height_cm = {{ low = 145, high = 200 }}
[disease]
burden = {{ none = 1, oligo = 1, multiple = 1, disseminated = 1, superscan = 1 }}
[habits]
vendor = {{ plain = 1, ge = 1, philips = 1, siemens = 1 }}
per_slice_slopes = 0.5
missing_optional = 0.3
feet_first = 0.3
[[study]]
{study}
"""
CT = "pixel_mm = 2.5\nslice_mm = 5\nincrement_mm = 5\nfield_mm = 500"
STUDIES = (
    'modality = "planar"\nkilocounts = { low = 800, high = 2500 }\ntracer = ["mdp", "hdp"]',
    f'modality = "spect"\nlength_mm = 300\nvoxel_mm = 6\ncentre = ["t4", "t8", "l3", "sacrum"]\n[study.ct]\n{CT}',
    f'modality = "ct"\nregion = ["chest", "abdomen_pelvis"]\ncontrast = {{ none = 1, portal_venous = 1 }}\n{CT}',
    'modality = "pet"\nregion = "abdomen_pelvis"\nvoxel_mm = 5\nslice_mm = 5\n'
    f'tracer = ["fdg", "naf", "psma-11", "psma-1007"]\n[study.ct]\nregion = "abdomen_pelvis"\n{CT}',
    'modality = "mri"\nregion = ["pelvis", "spine_sagittal"]\npixel_mm = 2.5\nslice_mm = 6',
)
"""Coarse; every modality in turn."""
HONEST_REFUSALS = frozenset({Reason.BONE_NOT_FOUND, Reason.INSUFFICIENT_COUNTS})
"""What a patient alone can lead to: diffuse disease without normal bone to compare with, poor counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A running node, and the archive that takes its results."""

    node: NodeProcess
    archive: EmbeddedArchive

    def through(self, study: StudyOnDisk, *, study_uid: str) -> tuple[JobState, Report]:
        """Send a study, wait until the results of all of it are delivered, and read the report that arrived.

        A sender that pauses on a busy machine may have the study taken for complete before it is; the images that
        come later make a revision, and that is the one that counts.
        """
        results = CStoreSender("RANDOM", clock=SystemClock()).send(self.node.plan.as_peer, study.files)
        assert [item.detail for item in results if not item.accepted] == []
        database = Database(self.node.plan.settings.database_url)
        try:
            eventually(lambda: _of_all(database, study_uid, images=len(study.files)) is not None, timeout_s=240.0)
            eventually(lambda: is_delivered(database, study_uid), timeout_s=240.0)
            job = _of_all(database, study_uid, images=len(study.files))
            assert job is not None
            with database.read() as connection:
                (record,) = (item for item in Results(connection).of_job(job.job_id) if item.kind == "sr")
        finally:
            database.dispose()
        (held,) = (item for item in self.archive.instances() if item.sop_instance_uid == record.sop_instance_uid)
        return job.state, read_report(held.path)


def _of_all(database: Database, study_uid: str, *, images: int) -> JobRecord | None:
    """The job on every image of the study, once it has ended."""
    with database.read() as connection:
        for job in Jobs(connection).of_study(study_uid):
            if (
                job.state not in UNFINISHED
                and len(Instances(connection).of_revision(study_uid, job.revision)) == images
            ):
                return job
    return None


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """One node for all patients."""
    folder = tmp_path_factory.mktemp("random")
    with EmbeddedArchive(folder / "archive", ae_title="ARCHIVE") as archive:
        node_plan = NodePlan(folder=folder / "node", peers=(archive.as_peer(),))
        with NodeProcess(node_plan, clock=SystemClock()) as node:
            yield Way(node=node, archive=archive)


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> SceneBuilder:
    """Depth fields are shared with the other tests of this session."""
    base = tmp_path_factory.getbasetemp()
    return SceneBuilder((base.parent if base.name.startswith("popen-") else base) / "anatomy", keep=False)


def drawn(number: int, builder: SceneBuilder) -> StudyPlan:
    """The study of random patient `number`."""
    spec = parse(COHORT.format(study=STUDIES[number % len(STUDIES)]), origin="random")
    (place,) = places(spec, SEED + number)
    return plan(spec, SEED + number, place, builder=builder)


def stray_lesions(patient: Patient, builder: SceneBuilder) -> list[str]:
    """Lesions of which, but for their soft-tissue component, a voxel holds more than it holds of bone."""
    bony = dataclasses.replace(
        patient, lesions=tuple(dataclasses.replace(item, soft_tissue_mm=0.0) for item in patient.lesions)
    )
    geometry = builder.anatomy.whole_body(patient.person, spacing_mm=6.0, frame_of_reference_uid="1.2.3")
    scene = builder.scene(bony, geometry)
    outside = scene.lesion_fraction > scene.bone_fraction.astype(int) + 1
    return [scene.lesion_names[label - 1] for label in np.unique(scene.lesions[outside]) if label]


@pytest.mark.parametrize("number", range(COUNT))
def test_random_patient_passes_the_node(number: int, way: Way, builder: SceneBuilder, tmp_path: Path) -> None:
    """Drawn, simulated without a fault, no lesion outside bone but soft tissue, accepted, assessed, delivered."""
    study = drawn(number, builder)
    assert stray_lesions(study.patient, builder) == []
    on_disk = simulate_study(study, builder=builder, out=tmp_path)
    state, report = way.through(on_disk, study_uid=study.header.study_uid)
    assert state is JobState.SUCCEEDED
    assert report.outcome is Outcome.ASSESSED or report.reason in HONEST_REFUSALS, report.reason
