"""The truth beside a study: typed, in the image's frame, the same bytes, and it agrees with the voxels."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.readers.volume import read_volume
from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.dicom.ct import write_ct
from operators.simulation.dicom.header import StudyHeader
from operators.simulation.dicom.planar import write_planar
from operators.simulation.disease.facts import LesionFacts
from operators.simulation.disease.ground import Ground
from operators.simulation.images import Content, PlanarScan, PlanarTruth, Volume
from operators.simulation.patient import Appearance, Lesion, LesionType, Patient, Shape
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.scene import ARRAYS, Scene
from operators.simulation.study import AnyProtocol, StudyPlan
from operators.simulation.tracer import Tracer
from operators.simulation.truth.model import Fate, LabelKind, StudyTruth
from operators.simulation.truth.read import TruthFolder, load_truth
from operators.simulation.truth.write import ImageTruth, write_truth

SHAPE = (12, 16, 20)
LESION_BOX = (slice(5, 8), slice(3, 6), slice(12, 16))
NAME = "left rib"


def oblique() -> VolumeGeometry:
    """A grid turned about two axes, so that a mistake in any axis shows."""
    a, b = np.deg2rad(20.0), np.deg2rad(-35.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    axial = np.array([[0.0, 0.0, 2.0], [0.0, 2.5, 0.0], [4.0, 0.0, 0.0]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_x @ axial
    matrix[:3, 3] = (11.0, -70.0, 300.0)
    return VolumeGeometry.from_matrix(matrix, shape=SHAPE, frame_of_reference_uid="1.2.3.4")


def scene(geometry: VolumeGeometry) -> Scene:
    """Fat with one rib, in it one lesion whose rim is a third lesion and counts for nothing."""
    arrays = {name: np.zeros(SHAPE, dtype=np.uint8) for name in ARRAYS}
    arrays["matter"][:] = 1
    for name, value in (("bones", Bone.RIB_7_LEFT), ("bone_centres", 1), ("bone_fraction", 255), ("lesions", 1)):
        arrays[name][LESION_BOX] = value
    arrays["lesion_fraction"][LESION_BOX] = 255
    arrays["lesion_fraction"][LESION_BOX[0], 3, LESION_BOX[2]] = 85
    person = {"sex": "M", "height_cm": 175.0, "weight_kg": 80.0, "seed": 1, "spread": 0.0, "person_seed": 1}
    look = Appearance(suv={Tracer.MDP: 12.0}, lytic_hu=35.0)
    fields: dict[str, Any] = {"lesion_names": (NAME,), "lesion_appearances": (look,), "person": person, **arrays}
    return Scene(geometry=geometry, **fields)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study with one lesion, not yet written."""

    plan: StudyPlan
    scene: Scene
    facts: tuple[LesionFacts, ...]
    ground: Ground

    def with_habits(self, habits: Habits) -> Study:
        """The same study at another site."""
        return dataclasses.replace(self, plan=dataclasses.replace(self.plan, habits=habits))


def study(skeleton: PosedSkeleton, man: PersonSpec, protocol: AnyProtocol) -> Study:
    """One lesion, known by its scene."""
    drawn = scene(oblique())
    centre = drawn.geometry.position_lps((6.0, 4.5, 13.5))
    look = drawn.lesion_appearances[0]
    lesion = Lesion(
        name=NAME,
        bone=Bone.RIB_7_LEFT,
        lesion_type=LesionType.LYTIC,
        shapes=(Shape(centre_mm=(0.0, 0.0, 0.0), radii_mm=(5.0, 5.0, 5.0)),),
        appearance=look,
        sclerotic_share=0.0,
    )
    fact = LesionFacts(
        name=NAME,
        bone=Bone.RIB_7_LEFT,
        lesion_type=LesionType.LYTIC,
        centre_lps=centre,
        volume_ml=0.5,
        flesh_share=0.0,
        sclerotic_share=0.0,
        mean_sclerosis=0.0,
        sclerosis_range=(0.0, 0.0),
        diameters_mm=(11.0, 10.0, 9.0),
    )
    start = datetime(2025, 3, 4, 9, tzinfo=UTC)
    plan = StudyPlan(
        patient=Patient(person=man, lesions=(lesion,)),
        protocol=protocol,
        habits=Habits(),
        header=StudyHeader.drawn(man, key="truth", study="one", start=start, description="Examination"),
        seed=7,
        fates={NAME: "grown", "old": "gone"},
    )
    return Study(plan=plan, scene=drawn, facts=(fact,), ground=Ground(skeleton=skeleton, carriers=()))


@pytest.fixture
def ct(skeleton: PosedSkeleton, man: PersonSpec) -> Study:
    """A CT."""
    return study(skeleton, man, CtProtocol())


@pytest.fixture
def planar(skeleton: PosedSkeleton, man: PersonSpec) -> Study:
    """A bone scan."""
    return study(skeleton, man, PlanarProtocol())


def written_ct(folder: Path, study: Study) -> tuple[TruthFolder, ImageTruth]:
    """Images whose lesion is bright, and the truth beside them."""
    values = np.where(study.scene.lesion_labels > 0, 1000.0, 0.0).astype(np.float32)
    image = Volume(values=values, geometry=study.scene.geometry, content=Content.HU)
    assert isinstance(study.plan.protocol, CtProtocol)
    series = write_ct(
        folder / "dicom",
        header=study.plan.header,
        volume=image,
        protocol=study.plan.protocol,
        habits=study.plan.habits,
    )
    made = ImageTruth(written=series, scene=study.scene)
    write_truth(folder / "truth", plan=study.plan, ground=study.ground, facts=study.facts, images=[made])
    return load_truth(folder / "truth"), made


def test_what_is_read_is_what_was_written(tmp_path: Path, ct: Study) -> None:
    """`load_truth` gives back, typed, exactly what `write_truth` returned."""
    _, image = written_ct(tmp_path, ct)
    truth = write_truth(tmp_path / "again", plan=ct.plan, ground=ct.ground, facts=ct.facts, images=[image])
    read = load_truth(tmp_path / "again" / "truth.json").study
    assert isinstance(read, StudyTruth)
    assert read == truth
    assert read.lesion(NAME).bone is Bone.RIB_7_LEFT
    assert read.lesion(NAME).fate == "grown"
    assert read.gone == {"old": Fate(kind="gone")}


@pytest.mark.parametrize("feet_first", [False, True])
def test_labels_lie_on_the_image(tmp_path: Path, ct: Study, feet_first: bool) -> None:
    """Voxel by voxel in LPS, the lesion's label is where the written DICOM is bright, oblique and feet first too."""
    folder, image = written_ct(tmp_path, ct.with_habits(Habits(feet_first=feet_first)))
    read = read_volume(image.written.files)
    labels = folder.labels(image.written.series_uid, LabelKind.LESIONS)
    assert labels.geometry.is_same_grid(read.geometry, tolerance_mm=1e-3)
    assert np.array_equal(labels.values == folder.study.lesion(NAME).label, read.array > 500.0)


def test_nifti_readers_see_the_same_place(tmp_path: Path, ct: Study) -> None:
    """By NIfTI's own affine, in RAS, the lesion's voxels have the truth's centre mirrored in x and y."""
    folder, image = written_ct(tmp_path, ct)
    series = folder.series(image.written.series_uid)
    nifti = nibabel.load(folder.path / series.files[LabelKind.LESIONS])
    index = np.argwhere(np.asarray(nifti.dataobj) == 1)  # type: ignore[attr-defined]  # a NIfTI image has its data
    centre = (np.c_[index, np.ones(len(index))] @ nifti.affine.T)[:, :3].mean(axis=0)  # type: ignore[attr-defined]  # and an affine
    x, y, z = folder.study.lesion(NAME).centre_lps or (0.0, 0.0, 0.0)
    assert np.allclose(centre, (-x, -y, z), atol=1e-3)


def test_volumes_are_voxel_counts(tmp_path: Path, ct: Study) -> None:
    """A lesion's volume in a series is the count of its label's voxels times a voxel's volume, rims left out."""
    folder, image = written_ct(tmp_path, ct)
    (seen,) = folder.series(image.written.series_uid).lesions
    count = int(np.count_nonzero(folder.labels(image.written.series_uid, LabelKind.LESIONS).values))
    assert seen.voxels == count == 3 * 2 * 4
    assert seen.volume_ml == pytest.approx(count * 4.0 * 2.5 * 2.0 / 1000.0)


def test_poses_move_a_bone_from_scan_to_scan(tmp_path: Path, ct: Study, moved_skeleton: PosedSkeleton) -> None:
    """Later pose times the inverse of the earlier one takes a bone's vertices from the first scan to the second."""
    first, _ = written_ct(tmp_path / "1", ct)
    second, _ = written_ct(tmp_path / "2", dataclasses.replace(ct, ground=Ground(skeleton=moved_skeleton, carriers=())))
    for bone in (Bone.RIB_7_LEFT, Bone.FEMUR_RIGHT, Bone.L4):
        one, two = (
            next(pose for pose in folder.study.bones if pose.bone is bone).parts[0] for folder in (first, second)
        )
        motion = np.array(two) @ np.linalg.inv(np.array(one))
        there = ct.ground.skeleton.vertices(bone) @ motion[:3, :3].T + motion[:3, 3]
        assert np.abs(there - moved_skeleton.vertices(bone)).max() < 1e-3


def written_planar(folder: Path, study: Study) -> tuple[TruthFolder, ImageTruth, PlanarScan]:
    """A bone scan whose lesion is the hottest pixel of each view."""
    centre = study.facts[0].centre_lps
    to_pixel = np.zeros((2, 2, 4))
    to_pixel[:, 0] = (0.0, 0.0, -0.5, 14.0 + centre[2] * 0.5)
    to_pixel[0, 1] = (0.5, 0.0, 0.0, 15.0 - 0.5 * centre[0])
    to_pixel[1, 1] = (-0.5, 0.0, 0.0, 5.0 + 0.5 * centre[0])
    lesions = np.zeros((1, 2, 40, 21), dtype=np.bool_)
    for view, column in enumerate((15, 5)):
        lesions[0, view, 14, column] = True
    counts = np.where(lesions[0], 90.0, 1.0).astype(np.float32)
    scan = PlanarScan(photopeak=counts, scatter=None, pixel_mm=2.0, to_pixel=to_pixel)
    bones = np.where(lesions[0], Bone.RIB_7_LEFT, 0).astype(np.uint8)
    assert isinstance(study.plan.protocol, PlanarProtocol)
    series = write_planar(
        folder / "dicom",
        header=study.plan.header,
        scan=scan,
        protocol=study.plan.protocol,
        habits=study.plan.habits,
    )
    image = ImageTruth(
        written=series, scene=study.scene, shadows=PlanarTruth(lesions=lesions, bones=bones), to_pixel=to_pixel
    )
    write_truth(folder / "truth", plan=study.plan, ground=study.ground, facts=study.facts, images=[image])
    return load_truth(folder / "truth"), image, scan


@pytest.mark.parametrize("posterior_first", [False, True])
@pytest.mark.parametrize("feet_first", [False, True])
def test_planar_truth_follows_the_frames(
    tmp_path: Path, planar: Study, posterior_first: bool, feet_first: bool
) -> None:
    """Shadow, bone and point of a lesion lie on the stored frame's hot pixel, whichever way frames are ordered."""
    from pydicom import dcmread

    habits = Habits(posterior_first=posterior_first, feet_first=feet_first)
    folder, image, _ = written_planar(tmp_path, planar.with_habits(habits))
    stored = dcmread(image.written.files[0]).pixel_array
    labels = folder.planar(image.written.series_uid)
    assert np.array_equal(labels.lesions[0], stored == 90)
    assert np.array_equal(labels.bones == Bone.RIB_7_LEFT, stored == 90)
    series = folder.series(image.written.series_uid)
    assert series.views == (("POST", "ANT") if habits.posterior_first else ("ANT", "POST"))
    for point in series.lesions[0].points:
        assert stored[point.frame - 1, round(point.row), round(point.column)] == 90
        assert point.view == series.views[point.frame - 1]


def test_organ_values_are_those_of_the_palette(tmp_path: Path, planar: Study, ct: Study) -> None:
    """A bone scan's truth names the uptake of kidneys and bladder in SUV, a CT's the HU of fat and muscle."""
    emission, _, _ = written_planar(tmp_path / "planar", planar)
    values = {item.name: item.value for item in emission.study.values["suv:mdp"]}
    assert values["bladder"] > values["kidney_left"] > values["muscle"] > 0.0
    assert values["l3 spongiosa"] > values["muscle"]
    density, _ = written_ct(tmp_path / "ct", ct)
    hu = {item.name: item.value for item in density.study.values["hu"]}
    assert -130.0 < hu["fat"] < -70.0 < hu["muscle"] < 90.0 < hu["l3 spongiosa"] < hu["l3 cortex"]


def test_the_same_truth_has_the_same_bytes(tmp_path: Path, ct: Study, planar: Study) -> None:
    """Every file of two writings is byte for byte the same."""
    for number in ("1", "2"):
        written_ct(tmp_path / number / "ct", ct)
        written_planar(tmp_path / number / "planar", planar)
    first, second = (sorted(path for path in (tmp_path / number).rglob("*") if path.is_file()) for number in "12")
    assert len(first) == len(second) == SHAPE[0] + 5 + 3
    assert all(one.read_bytes() == two.read_bytes() for one, two in zip(first, second, strict=True))


def test_label_values_are_explained(tmp_path: Path, ct: Study) -> None:
    """The file says what each value of a label map means, and that all of it is synthetic."""
    folder, _ = written_ct(tmp_path, ct)
    assert folder.study.label_values[LabelKind.BONES][int(Bone.RIB_7_LEFT)] == "RIB_7_LEFT"
    assert folder.study.label_values[LabelKind.ORGANS][1] == "FAT"
    assert json.loads((folder.path / "truth.json").read_text())["synthetic"] is True


def test_a_damaged_or_foreign_truth_is_refused(tmp_path: Path, ct: Study) -> None:
    """A file of another format, or one with a missing part, raises and says so."""
    folder, _ = written_ct(tmp_path, ct)
    content = json.loads((folder.path / "truth.json").read_text())
    for change in ({"format": 99}, {"lesions": "none"}, {"synthetic": False}):
        (tmp_path / "truth.json").write_text(json.dumps(content | change))
        with pytest.raises(ValueError, match="format"):
            load_truth(tmp_path)


def test_other_lesions_than_the_patients_are_refused(tmp_path: Path, ct: Study) -> None:
    """Facts of another lesion raise before anything is written."""
    _, image = written_ct(tmp_path, ct)
    facts = (dataclasses.replace(ct.facts[0], name="another"),)
    with pytest.raises(ValueError, match="in their order"):
        write_truth(tmp_path / "none", plan=ct.plan, ground=ct.ground, facts=facts, images=[image])
    assert not (tmp_path / "none").exists()
