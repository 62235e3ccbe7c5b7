"""The body: sides, bones, cortex, size."""

from __future__ import annotations

import numpy as np
import pytest

from bmnode.testing.patients import LesionKind, LesionSpec, PatientSpec, Side
from bmnode.testing.patients.anatomy import Anatomy
from bmnode.testing.patients.grid import Grid
from bmnode.testing.patients.lesions import Lesion, truth_of
from bmnode.testing.patients.organs import Tissue
from bmnode.testing.patients.skeleton import Bone, skeleton
from bmnode.testing.patients.spec import Vector

_SPEC = PatientSpec(seed=3, patient_id="SYN-ANATOMY")
_BONES = skeleton(arms=True)


def _lesion(
    bone: str,
    side: Side = Side.MIDLINE,
    *,
    radii_mm: Vector = (11.0, 11.0, 11.0),
    offset_mm: Vector = (0.0, 0.0, 0.0),
) -> Lesion:
    spec = LesionSpec(
        bone=bone, side=side, kind=LesionKind.SCLEROTIC, value=600.0, radii_mm=radii_mm, offset_mm=offset_mm
    )
    return Lesion.place(spec, anatomy=Anatomy(_SPEC, arms=True))


@pytest.mark.parametrize("bone", _BONES, ids=lambda bone: f"{bone.side} {bone.name}")
def test_every_bone_holds_its_anchor_on_its_own_side(bone: Bone) -> None:
    """A lesion can be placed at the anchor of any bone, left bones at +x and right ones at -x (LPS)."""
    anatomy = Anatomy(_SPEC, arms=True)
    x, y, z = anatomy.anchor_lps(bone)
    grid = Grid(shape=(1, 1, 1), spacing_mm=(1.0, 1.0, 1.0), origin_lps=(x, y, z))
    assert anatomy.bone_depth(bone, at=grid.coordinates()).item() > 0
    if bone.side is Side.LEFT:
        assert x > 0
    elif bone.side is Side.RIGHT:
        assert x < 0


def test_bones_have_unique_names_and_mirror_images() -> None:
    """Name and side name one bone, and every left bone has a right one at the mirrored place."""
    names = [(bone.name, bone.side) for bone in _BONES]
    assert len(names) == len(set(names))
    right = {bone.name: bone for bone in _BONES if bone.side is Side.RIGHT}
    for bone in _BONES:
        if bone.side is Side.LEFT:
            x, y, z = right[bone.name].anchor
            assert bone.anchor == pytest.approx((-x, y, z))


def test_organs_lie_on_their_own_side() -> None:
    """The liver is on the patient's right, spleen and most of the heart on the left."""
    grid = Grid.axial((60, 60, 80), spacing_mm=(5.0, 5.0, 5.0), bottom_mm=230.0, center_y_mm=0.0)
    model = Anatomy(_SPEC).on_grid(grid)
    x = np.broadcast_to(grid.coordinates().x, grid.shape)
    for tissue, sign in ((Tissue.LIVER, -1), (Tissue.SPLEEN, 1), (Tissue.HEART, 1)):
        assert sign * x[model.tissue == tissue].mean() > 0


def test_a_vertebra_has_marrow_inside_a_thin_cortex() -> None:
    """Most of a vertebral body is marrow, and cortex lies between it and the soft tissue."""
    anatomy = Anatomy(_SPEC)
    bone = anatomy.find("L3", side=Side.MIDLINE)
    x, y, z = anatomy.anchor_lps(bone)
    step = 0.25
    grid = Grid(shape=(1, 1, 241), spacing_mm=(step, step, step), origin_lps=(x - 30, y, z))
    depth = anatomy.on_grid(grid).bone_depth_mm[0, 0]
    inside = depth > 0
    assert step * inside.sum() == pytest.approx(48.0 * anatomy.scale, abs=0.5)
    assert step * (inside & (depth < bone.cortex_mm)).sum() == pytest.approx(2 * bone.cortex_mm, abs=0.5)


def test_the_body_grows_with_the_height() -> None:
    """A taller patient's skull stands higher above the hips, in proportion."""
    tall = Anatomy(PatientSpec(seed=3, patient_id="A", height_m=1.925))
    usual = Anatomy(PatientSpec(seed=3, patient_id="A", height_m=1.75))
    skull = usual.find("skull", side=Side.MIDLINE)
    assert tall.anchor_lps(skull)[2] == pytest.approx(1.1 * usual.anchor_lps(skull)[2])


def test_a_lesion_inside_bone_has_the_volume_of_its_ellipsoid() -> None:
    """A lesion that fits its bone is not cut: 4/3 pi abc, centred where it was put."""
    lesion = _lesion("L3", radii_mm=(10.0, 9.0, 8.0), offset_mm=(6.0, 1.0, 0.0))
    assert lesion.volume_ml() == pytest.approx(4 / 3 * np.pi * 10 * 9 * 8 / 1000, rel=0.02)
    x, y, z = lesion.anatomy.anchor_lps(lesion.bone)
    assert lesion.center_lps() == pytest.approx((x + 6, y + 1, z), abs=0.2)


def test_a_lesion_never_leaves_its_bone() -> None:
    """A lesion wider than the iliac wing is cut to it."""
    lesion = _lesion("ilium", Side.LEFT, radii_mm=(30.0, 30.0, 30.0))
    grid = Grid.axial((40, 60, 120), spacing_mm=(3.0, 3.0, 3.0), bottom_mm=20.0, center_y_mm=10.0)
    at = grid.coordinates()
    inside = lesion.depth(at) > 0
    assert inside.any()
    assert np.all(lesion.anatomy.bone_depth(lesion.bone, at=at)[inside] > 0)
    assert lesion.volume_ml() < 0.6 * 4 / 3 * np.pi * 27


@pytest.mark.parametrize(("offset", "side"), [(14.0, Side.LEFT), (-14.0, Side.RIGHT), (1.0, Side.MIDLINE)])
def test_the_side_of_a_lesion_in_a_single_bone_follows_its_place(offset: float, side: Side) -> None:
    """In the sacrum the truth says left or right by where the lesion lies."""
    lesion = _lesion("sacrum", offset_mm=(offset, 0.0, 0.0))
    grid = Grid.axial((30, 40, 60), spacing_mm=(3.0, 3.0, 3.0), bottom_mm=40.0, center_y_mm=40.0)
    assert truth_of(lesion, grid=grid, unit="[hnsf'U]").side is side


def test_a_lesion_must_meet_an_existing_bone() -> None:
    """A wrong bone name, a wrong side and an offset out of the bone are refused when the lesion is placed."""
    with pytest.raises(ValueError, match="no midline bone named 'L9'"):
        _lesion("L9")
    with pytest.raises(ValueError, match="no left bone named 'L3'"):
        _lesion("L3", Side.LEFT)
    with pytest.raises(ValueError, match="outside its bone"):
        _lesion("L3", offset_mm=(0.0, -90.0, 0.0))
