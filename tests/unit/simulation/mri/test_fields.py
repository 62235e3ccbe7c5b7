"""Where the slices lie, on which side, and in which order."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt
import pytest

from operators.simulation.anatomy.bones import VERTEBRAE, Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.pose import PosedSkeleton
from operators.simulation.compose import SceneBuilder
from operators.simulation.fields.mri import OVERLAP_MM, STATION_MM, mri_fields
from operators.simulation.images import Content
from operators.simulation.patient import Appearance, Lesion, LesionType, Patient, Shape
from operators.simulation.physics.mri import scan_mri
from operators.simulation.physics.mri_grid import FOOT_HEAD_AXIS, MrField, Plane
from operators.simulation.protocols.mri import MrProtocol, MrRegion, Sequence
from tests.unit.simulation.mri.blocks import axial_field

Place = npt.NDArray[np.float64]
_COARSE = MrProtocol(
    region=MrRegion.PELVIS,
    sequences=(Sequence.STIR, Sequence.DWI),
    pixel_mm=3.0,
    slice_mm=6.0,
    gap_mm=0.5,
    bias_field=0.0,
)


def _fields(protocol: MrProtocol, builder: AnatomyBuilder, person: PersonSpec) -> tuple[MrField, ...]:
    return mri_fields(protocol, builder, person, frame_of_reference_uid="1.2.3")


def _directions(field: MrField) -> list[list[float]]:
    matrix = field.geometry.matrix[:3, :3]
    steps = matrix / np.linalg.norm(matrix, axis=0)
    return [[round(float(value), 3) for value in steps[:, axis]] for axis in range(3)]


def _index(field: MrField, place: Place) -> tuple[float, float, float]:
    k, j, i, _ = np.linalg.inv(field.geometry.matrix) @ np.append(place, 1.0)
    return float(k), float(j), float(i)


def _shows(field: MrField, place: Place) -> bool:
    return all(0 <= at <= count - 1 for at, count in zip(_index(field, place), field.geometry.shape, strict=True))


def test_each_plane_runs_as_readers_expect(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Slice, row and column directions in LPS; slices along rows x columns."""
    trunk = {field.plane: field for field in _fields(MrProtocol(region=MrRegion.TRUNK), builder, man)}
    (spine, _) = _fields(MrProtocol(region=MrRegion.SPINE_SAGITTAL), builder, man)
    assert _directions(trunk[Plane.AXIAL]) == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    assert _directions(trunk[Plane.CORONAL]) == [[0, 1, 0], [0, 0, -1], [1, 0, 0]]
    assert _directions(spine) == [[-1, 0, 0], [0, 0, -1], [0, 1, 0]]


@pytest.mark.parametrize("region", list(MrRegion))
@pytest.mark.parametrize("oblique", [0.0, 17.0, -17.0])
def test_every_stack_is_rectangular_and_right_handed(
    region: MrRegion, oblique: float, builder: AnatomyBuilder, man: PersonSpec
) -> None:
    """Columns x rows directions point along the slices, at any obliquity."""
    for field in _fields(MrProtocol(region=region, oblique_deg=oblique), builder, man):
        slices, rows, columns = (np.array(direction) for direction in _directions(field))
        assert np.cross(columns, rows) == pytest.approx(slices, abs=2e-3)


def test_obliquity_turns_each_plane_about_its_own_axis(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Axial and coronal slices keep the left-right axis, sagittal ones the long axis of the body."""
    turned = _fields(MrProtocol(region=MrRegion.TRUNK, oblique_deg=20.0), builder, man)
    for field in turned:
        assert _directions(field)[2] == [1, 0, 0]
    axial = next(field for field in turned if field.plane is Plane.AXIAL)
    assert _directions(axial)[1] == [0, 0.94, 0.342]
    (spine, _) = _fields(MrProtocol(region=MrRegion.SPINE_SAGITTAL, oblique_deg=20.0), builder, man)
    assert _directions(spine)[1] == [0, 0, -1]
    assert _directions(spine)[2] == [-0.342, 0.94, 0]


@pytest.mark.parametrize("plane_of", [MrRegion.SPINE_SAGITTAL, MrRegion.TRUNK])
def test_fields_show_every_vertebra(
    plane_of: MrRegion, builder: AnatomyBuilder, skeleton: PosedSkeleton, man: PersonSpec
) -> None:
    """From C1 to L5 all centres lie in each field."""
    for field in _fields(MrProtocol(region=plane_of), builder, man):
        assert all(_shows(field, skeleton.centre(bone)) for bone in VERTEBRAE if bone in skeleton.bones)


def test_the_pelvis_lies_whole_in_its_fields(builder: AnatomyBuilder, skeleton: PosedSkeleton, man: PersonSpec) -> None:
    """Both hip bones and the sacrum, every vertex."""
    for field in _fields(MrProtocol(region=MrRegion.PELVIS), builder, man):
        for bone in (Bone.HIP_LEFT, Bone.HIP_RIGHT, Bone.SACRUM):
            assert all(_shows(field, place) for place in skeleton.vertices(bone)[::25])


def test_sequences_go_to_the_planes_of_their_region(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """Trunk: T1 and STIR coronal, Dixon and diffusion axial; spine: all sagittal; diffusion's pixels twice as large."""
    trunk = _fields(MrProtocol(region=MrRegion.TRUNK), builder, man)
    assert [(field.plane, field.sequences) for field in trunk] == [
        (Plane.CORONAL, (Sequence.T1, Sequence.STIR)),
        (Plane.AXIAL, (Sequence.DIXON,)),
        (Plane.AXIAL, (Sequence.DWI,)),
    ]
    assert trunk[2].geometry.spacing_mm == pytest.approx((5.5, 2.8, 2.8))
    spine = _fields(MrProtocol(region=MrRegion.SPINE_SAGITTAL), builder, man)
    assert [field.sequences for field in spine] == [
        (Sequence.T1, Sequence.STIR, Sequence.DIXON),
        (Sequence.DWI,),
    ]


@pytest.mark.parametrize("oblique", [0.0, 12.0])
def test_stations_overlap_and_cover_what_the_composed_field_covers(
    oblique: float, builder: AnatomyBuilder, man: PersonSpec
) -> None:
    """Numbered from the head, none longer than a station, neighbours sharing the overlap along the body."""
    protocol = MrProtocol(region=MrRegion.TRUNK, sequences=(Sequence.T1,), oblique_deg=oblique)
    (whole,) = _fields(protocol, builder, man)
    parts = _fields(dataclasses.replace(protocol, stations_composed=False), builder, man)
    axis = FOOT_HEAD_AXIS[Plane.CORONAL]
    down = np.array(_directions(whole)[axis])
    ends = []
    for field in parts:
        length = field.geometry.shape[axis] * field.geometry.spacing_mm[axis]
        corner = np.array(field.geometry.position_lps((0.0, 0.0, 0.0))) @ down
        ends.append((corner, corner + length))
        assert length <= STATION_MM[Plane.CORONAL] + field.geometry.spacing_mm[axis]
    assert [field.station for field in parts] == list(range(1, len(parts) + 1))
    assert whole.station == 0
    assert whole.joined == len(parts) >= 2
    for first, second in itertools.pairwise(ends):
        assert first[1] - second[0] == pytest.approx(OVERLAP_MM, abs=2.0)
    whole_length = whole.geometry.shape[axis] * whole.geometry.spacing_mm[axis]
    assert ends[-1][1] - ends[0][0] == pytest.approx(whole_length, abs=3.0)


def test_the_scene_s_middle_slices_are_the_image_s_slices() -> None:
    """An odd number of parts puts one exactly at every plane, and all parts make up the whole."""
    field = axial_field(Sequence.T1, slices=4, slice_step_mm=6.0, fine=3)
    fine = field.scene_geometry
    assert fine.shape[0] == 12
    assert fine.position_lps((4.0, 2.0, 3.0)) == pytest.approx(field.geometry.position_lps((1.0, 2.0, 3.0)))
    assert field.slice_weights(6.0) == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert field.slice_weights(4.0) == pytest.approx([0.25, 0.5, 0.25])
    assert field.slice_weights(1.0) == pytest.approx([0.0, 1.0, 0.0])


def test_an_even_number_of_parts_is_refused() -> None:
    """Without a middle part the truth would lie between the image's planes."""
    with pytest.raises(ValueError, match="odd"):
        axial_field(Sequence.T1, fine=2)


def _with_ball(skeleton: PosedSkeleton, person: PersonSpec, bone: Bone, *, left_mm: float) -> tuple[Patient, Place]:
    """A patient with a ball of 16 mm radius in a bone, and the ball's centre in LPS: at the vertex that lies
    nearest to a place left of the bone's middle.
    """
    part = next(item for item in skeleton.parts if item.bone is bone)
    places = part.vertices_lps
    wanted = np.median(places, axis=0) + np.array([left_mm, 0.0, 0.0])
    nearest = int(np.argmin(np.linalg.norm(places - wanted, axis=1)))
    x, y, z = (float(value) for value in part.part.vertices[nearest])
    lesion = Lesion(
        name="ball",
        bone=bone,
        lesion_type=LesionType.LYTIC,
        shapes=(Shape(centre_mm=(x, y, z), radii_mm=(16.0,) * 3),),
        appearance=Appearance(t2_ms=150.0, t1_ms=1500.0, fat_fraction=0.0, adc_um2_s=2500.0),
        sclerotic_share=0.0,
    )
    return Patient(person=person, lesions=(lesion,)), places[nearest]


@pytest.mark.parametrize("oblique", [0.0, 15.0])
@pytest.mark.parametrize(
    ("region", "bone", "left_mm"),
    [
        (MrRegion.PELVIS, Bone.HIP_LEFT, 0.0),
        (MrRegion.PELVIS, Bone.HIP_RIGHT, 0.0),
        (MrRegion.SPINE_SAGITTAL, Bone.SACRUM, 28.0),
        (MrRegion.SPINE_SAGITTAL, Bone.SACRUM, -28.0),
    ],
)
def test_a_lesion_shows_on_its_own_side_in_every_plane(
    region: MrRegion, bone: Bone, left_mm: float, oblique: float, scenes: SceneBuilder, man: PersonSpec
) -> None:
    """What a lesion changes in sagittal, coronal and axial images lies where the lesion is in the patient."""
    patient, truth = _with_ball(scenes.anatomy.skeleton(man), man, bone, left_mm=left_mm)
    protocol = dataclasses.replace(_COARSE, region=region, oblique_deg=oblique)
    for field in _fields(protocol, scenes.anatomy, man):
        sick, well = (
            scan_mri(scenes.scene(who, field.scene_geometry), protocol, field, seed=1, noise=False)[0]
            for who in (patient, Patient(person=man))
        )
        change = np.abs(sick.values - well.values)
        place = np.argwhere(change > 0.5 * change.max()).mean(axis=0)
        seen = np.array(field.geometry.position_lps((place[0], place[1], place[2])))
        assert np.sign(seen[0]) == np.sign(truth[0])
        assert np.linalg.norm(seen - truth) < 12.0


def test_the_thinned_scene_is_the_truth_on_the_image_s_grid(scenes: SceneBuilder, man: PersonSpec) -> None:
    """Labels are those at the image's planes, as if the patient had been drawn there; fractions are means."""
    field = _fields(dataclasses.replace(_COARSE, sequences=(Sequence.DWI,)), scenes.anatomy, man)[0]
    patient = Patient(person=man)
    thinned = field.thinned(scenes.scene(patient, field.scene_geometry))
    assert thinned.geometry.is_same_grid(field.geometry)
    direct = scenes.anatomy.volume(man, field.geometry)
    assert np.array_equal(thinned.bone_labels, direct.bones)
    share = thinned.bone_fraction.sum(dtype=np.int64) / 255.0 / (direct.bones > 0).sum()
    assert share == pytest.approx(1.0, abs=0.1)


def test_scenes_on_the_image_s_own_grid_are_scanned_too(scenes: SceneBuilder, man: PersonSpec) -> None:
    """The fast way: thin slices, one scene for image and truth."""
    field = _fields(dataclasses.replace(_COARSE, sequences=(Sequence.DWI,)), scenes.anatomy, man)[0]
    scene = field.thinned(scenes.scene(Patient(person=man), field.scene_geometry))
    volumes = scan_mri(scene, _COARSE, field, seed=2)
    assert [volume.content for volume in volumes] == [Content.DWI] * 3 + [Content.ADC_UM2_S]
    assert [volume.b_value for volume in volumes] == [50, 400, 900, None]
    assert all(volume.geometry is field.geometry for volume in volumes)
