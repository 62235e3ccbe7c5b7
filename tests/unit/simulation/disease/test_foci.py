"""Lesions on grids: in their bone, on their side, with their volume."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.transform import Rotation

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Bone, Side, Tissue
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.voxels import AnatomyVolume
from operators.simulation.disease.draw import draw_disease
from operators.simulation.disease.facts import lesion_facts
from operators.simulation.disease.foci import Foci
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.one_per_bone import one_per_bone
from operators.simulation.disease.tables import Burden
from operators.simulation.patient import Appearance, Lesion, LesionType, Patient, Primary, Shape

Draw = Callable[[Patient, VolumeGeometry], tuple[AnatomyVolume, Foci]]
Box = Callable[[float], VolumeGeometry]
LOOK = Appearance()


def _lesion(ground: Ground, bone: Bone, *, radius: float, name: str = "one", **changes: object) -> Lesion:
    carrier = ground.main_part(bone)
    nodes = carrier.nodes()
    x, y, z = (float(value) for value in nodes[int(np.argmax(carrier.depth_mm(nodes)))])
    made = Lesion(
        name=name,
        bone=bone,
        lesion_type=LesionType.SCLEROTIC,
        shapes=(Shape(centre_mm=(x, y, z), radii_mm=(radius, radius, radius)),),
        appearance=LOOK,
        sclerotic_share=1.0,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # fields of Lesion by name


def _volumes(foci: Foci, geometry: VolumeGeometry, count: int) -> npt.NDArray[np.float64]:
    parts = np.bincount(foci.lesions.ravel(), weights=foci.lesion_fraction.ravel() / 255.0, minlength=count + 1)
    return np.asarray(parts[1:] * geometry.voxel_volume_ml, dtype=np.float64)


@pytest.mark.parametrize("spacing", [1.5, 3.0, 4.0])
@pytest.mark.parametrize("diameter", [5.0, 12.0, 26.0])
def test_a_ball_within_bone_keeps_its_volume(
    ground: Ground, man: PersonSpec, draw: Draw, pelvis_box: Box, spacing: float, diameter: float
) -> None:
    """On voxels of 1.5, 3 and 4 mm, balls of 5 to 26 mm have their analytic volume within 5 %."""
    lesion = _lesion(ground, Bone.SACRUM, radius=diameter / 2)
    _, foci = draw(Patient(person=man, lesions=(lesion,)), pelvis_box(spacing))
    expected = np.pi / 6.0 * diameter**3 / 1000.0
    assert _volumes(foci, pelvis_box(spacing), 1)[0] == pytest.approx(expected, rel=0.05)


def test_a_turned_grid_holds_the_same_lesion(ground: Ground, man: PersonSpec, draw: Draw, pelvis_box: Box) -> None:
    """On an oblique grid with slices of 4 mm the volume and the centre are those of the straight one."""
    lesions = (_lesion(ground, Bone.L5, radius=9.0),)
    straight = pelvis_box(2.0)
    matrix = straight.matrix
    centre = matrix @ [*(np.array(straight.shape) / 2), 1.0]
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_rotvec([0.3, 0.2, -0.25]).as_matrix() @ np.diag([1.3, 1.3, 4.0])[:, ::-1]
    shape = (60, 160, 160)
    turned[:3, 3] = centre[:3] - turned[:3, :3] @ (np.array(shape) / 2)
    oblique = VolumeGeometry.from_matrix(turned, shape=shape, frame_of_reference_uid="1.2.3")
    found = []
    for geometry in (straight, oblique):
        _, foci = draw(Patient(person=man, lesions=lesions), geometry)
        index = np.argwhere(foci.lesions == 1)
        weights = foci.lesion_fraction[tuple(index.T)].astype(float)
        middle = geometry.matrix @ [*(weights @ index / weights.sum()), 1.0]
        found.append((_volumes(foci, geometry, 1)[0], middle[:3]))
    assert found[1][0] == pytest.approx(found[0][0], rel=0.04)
    assert np.linalg.norm(found[1][1] - found[0][1]) < 0.5


def test_facts_agree_with_every_grid(builder: AnatomyBuilder, ground: Ground, man: PersonSpec, draw: Draw) -> None:
    """The sum over 30 drawn lesions at 4 mm is that of the facts within 3 %, each larger one within 15 %."""
    lesions = draw_disease(ground, primary=Primary.BREAST, burden=Burden.DISSEMINATED, seed=3)[:30]
    patient = Patient(person=man, primary=Primary.BREAST, lesions=lesions)
    facts = lesion_facts(patient, skeleton=ground.skeleton, templates=builder.templates_of(man))
    geometry = builder.whole_body(man, spacing_mm=4.0, frame_of_reference_uid="1.2.3")
    _, foci = draw(patient, geometry)
    found = _volumes(foci, geometry, len(lesions))
    exact = np.array([fact.volume_ml for fact in facts])
    assert found.sum() == pytest.approx(exact.sum(), rel=0.03)
    large = exact > 0.5
    assert found[large] == pytest.approx(exact[large], rel=0.15)


def test_mean_sclerosis_is_that_of_every_grid(
    builder: AnatomyBuilder, ground: Ground, man: PersonSpec, draw: Draw
) -> None:
    """The facts' mean sclerosis is the grid's, weighted by each voxel's part, within 0.06 for lesions above 1 ml."""
    lesions = draw_disease(ground, primary=Primary.BREAST, burden=Burden.DISSEMINATED, seed=3)[:30]
    patient = Patient(person=man, primary=Primary.BREAST, lesions=lesions)
    facts = lesion_facts(patient, skeleton=ground.skeleton, templates=builder.templates_of(man))
    _, foci = draw(patient, builder.whole_body(man, spacing_mm=4.0, frame_of_reference_uid="1.2.3"))
    large = [number for number, fact in enumerate(facts, start=1) if fact.volume_ml > 1.0]
    assert len(large) >= 8
    for number in large:
        here = foci.lesions == number
        weights = foci.lesion_fraction[here].astype(float)
        on_grid = float(weights @ foci.sclerosis[here]) / float(weights.sum()) / 255.0
        assert facts[number - 1].mean_sclerosis == pytest.approx(on_grid, abs=0.06)


def test_every_bone_can_carry_a_lesion(builder: AnatomyBuilder, ground: Ground, man: PersonSpec, draw: Draw) -> None:
    """With one lesion per bone each lies in its bone, where the label map has it, and on the bone's side."""
    lesions = one_per_bone(ground)
    assert [lesion.bone for lesion in lesions] == list(ground.skeleton.bones)
    geometry = builder.whole_body(man, spacing_mm=4.0, frame_of_reference_uid="1.2.3")
    patient = Patient(person=man, lesions=lesions)
    anatomy, foci = draw(patient, geometry)
    facts = lesion_facts(patient, skeleton=ground.skeleton, templates=builder.templates_of(man))
    for number, (lesion, fact) in enumerate(zip(lesions, facts, strict=True), start=1):
        labels = anatomy.bones[foci.lesions == number]
        assert len(labels) > 0, lesion.name
        assert set(labels) <= {0, lesion.bone}, lesion.name
        assert fact.volume_ml > 0.15, lesion.name
        partner = lesion.bone.partner
        if lesion.bone.side is Side.LEFT and partner is not None:
            other = facts[[one.bone for one in lesions].index(partner)]
            assert fact.centre_lps[0] > other.centre_lps[0] + 15.0, lesion.name


@pytest.mark.parametrize("seed", range(4))
def test_nothing_lies_outside_bone_but_flesh(builder: AnatomyBuilder, draw: Draw, seed: int) -> None:
    """Of drawn patients no lesion holds more of a voxel than its bone, but for flesh, which lies in the body."""
    spec = PersonSpec.drawn(seed + 40)
    ground = Ground.of(builder.skeleton(spec), builder.templates_of(spec))
    primary = list(Primary)[seed % len(Primary)]
    burden = (Burden.MULTIPLE, Burden.DISSEMINATED)[seed % 2]
    lesions = draw_disease(ground, primary=primary, burden=burden, seed=seed)
    geometry = builder.whole_body(spec, spacing_mm=5.0, frame_of_reference_uid="1.2.3")
    fleshless = tuple(dataclasses.replace(lesion, soft_tissue_mm=0.0) for lesion in lesions)
    for flesh, drawn in ((False, fleshless), (True, lesions)):
        anatomy, foci = draw(Patient(person=spec, primary=primary, lesions=drawn), geometry)
        for number, lesion in enumerate(drawn, start=1):
            assert set(anatomy.bones[foci.lesions == number]) <= {0, lesion.bone}
        if flesh:
            assert np.all(anatomy.tissue[(foci.lesion_fraction > 0) & (anatomy.bone_fraction == 0)] != Tissue.OUTSIDE)
        else:
            assert np.all(foci.lesion_fraction <= anatomy.bone_fraction.astype(int) + 1)


def test_flesh_grows_out_of_the_bone_and_into_no_other(
    ground: Ground, man: PersonSpec, draw: Draw, pelvis_box: Box
) -> None:
    """A soft-tissue component lies beside its bone, within its reach, is lytic, and leaves the sacrum alone."""
    plain = _lesion(ground, Bone.L5, radius=26.0, lesion_type=LesionType.LYTIC, sclerotic_share=0.0)
    grown = dataclasses.replace(plain, soft_tissue_mm=8.0)
    geometry = pelvis_box(3.0)
    anatomy, without = draw(Patient(person=man, lesions=(plain,)), geometry)
    _, foci = draw(Patient(person=man, lesions=(grown,)), geometry)
    assert _volumes(foci, geometry, 1)[0] > 1.3 * _volumes(without, geometry, 1)[0]
    beside = (foci.lesion_fraction > 0) & (anatomy.bones != Bone.L5)
    assert beside.any()
    assert np.all(foci.sclerosis[beside & (anatomy.bone_fraction == 0)] == 0)
    assert np.all(anatomy.bones[foci.lesion_fraction > 0] % Bone.L5 == 0)
    total = foci.lesion_fraction.astype(int) + np.where(anatomy.bones == Bone.SACRUM, anatomy.bone_fraction, 0)
    assert total.max() <= 255


def test_confluent_lesions_share_a_border(ground: Ground, man: PersonSpec, draw: Draw, pelvis_box: Box) -> None:
    """Two overlapping lesions keep their labels, each on its own side, and together have the union's volume."""
    first = _lesion(ground, Bone.SACRUM, radius=9.0, name="first")
    x, y, z = first.shapes[0].centre_mm
    moved = Shape(centre_mm=(x + 9.0, y, z), radii_mm=(9.0, 9.0, 9.0))
    second = dataclasses.replace(first, name="second", shapes=(moved,))
    both = dataclasses.replace(first, name="both", shapes=(*first.shapes, moved))
    geometry = pelvis_box(2.0)
    _, parted = draw(Patient(person=man, lesions=(first, second)), geometry)
    _, joined = draw(Patient(person=man, lesions=(both,)), geometry)
    volumes = _volumes(parted, geometry, 2)
    assert volumes.sum() == pytest.approx(_volumes(joined, geometry, 1)[0], rel=0.03)
    assert volumes[0] == pytest.approx(volumes[1], rel=0.25)
    right, left = (np.argwhere(parted.lesions == number).mean(axis=0)[2] for number in (1, 2))
    assert left > right


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_mixed_lesions_meet_their_sclerotic_share(
    ground: Ground, man: PersonSpec, draw: Draw, pelvis_box: Box, share: float
) -> None:
    """The sclerotic part of a mixed lesion is the share that was asked for, within 0.06 of the volume."""
    lesion = _lesion(ground, Bone.SACRUM, radius=14.0, lesion_type=LesionType.MIXED, sclerotic_share=share)
    _, foci = draw(Patient(person=man, lesions=(lesion,)), pelvis_box(1.5))
    weights = foci.lesion_fraction.astype(float)
    assert (weights * (foci.sclerosis >= 128)).sum() / weights.sum() == pytest.approx(share, abs=0.06)


def test_patterns_are_where_they_belong(ground: Ground, man: PersonSpec, draw: Draw, pelvis_box: Box) -> None:
    """A sclerotic lesion is densest in its middle; the rim of a lytic one lies outside its lytic middle."""
    kinds = {
        LesionType.SCLEROTIC: _lesion(ground, Bone.SACRUM, radius=14.0),
        LesionType.LYTIC: _lesion(ground, Bone.SACRUM, radius=14.0, lesion_type=LesionType.LYTIC, sclerotic_share=0.45),
    }
    geometry = pelvis_box(1.5)
    inner, outer = {}, {}
    for kind, lesion in kinds.items():
        _, foci = draw(Patient(person=man, lesions=(lesion,)), geometry)
        index = np.argwhere(foci.lesion_fraction == 255)
        away = np.linalg.norm((index - index.mean(axis=0)) * 1.5, axis=1)
        values = foci.sclerosis[tuple(index.T)]
        inner[kind], outer[kind] = values[away < 5.0].mean(), values[away > 12.4].mean()
    assert inner[LesionType.SCLEROTIC] > outer[LesionType.SCLEROTIC] + 30
    assert inner[LesionType.LYTIC] == 0
    assert outer[LesionType.LYTIC] > 200


def test_the_same_patient_has_the_same_bytes(ground: Ground, man: PersonSpec, draw: Draw, pelvis_box: Box) -> None:
    """Nothing about foci is left to chance."""
    lesions = draw_disease(ground, primary=Primary.LUNG, burden=Burden.MULTIPLE, seed=9)
    patient = Patient(person=man, primary=Primary.LUNG, lesions=lesions)
    one, two = (draw(patient, pelvis_box(4.0))[1] for _ in range(2))
    assert one.lesion_fraction.tobytes() == two.lesion_fraction.tobytes()
    assert one.sclerosis.tobytes() == two.sclerosis.tobytes()


def test_a_bone_that_is_not_there_is_refused(builder: AnatomyBuilder, ground: Ground, man: PersonSpec) -> None:
    """A lesion in L6 of a person with five lumbar vertebrae is an error that names it."""
    lesion = dataclasses.replace(_lesion(ground, Bone.L5, radius=8.0), bone=Bone.L6)
    with pytest.raises(ValueError, match="no L6"):
        lesion_facts(
            Patient(person=man, lesions=(lesion,)), skeleton=ground.skeleton, templates=builder.templates_of(man)
        )
