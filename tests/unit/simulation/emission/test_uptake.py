from __future__ import annotations

import numpy as np
import pytest
import torch

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics import uptake_table
from operators.simulation.physics.uptake import activity_bqml, joint_gain, suv_map, suv_palette
from operators.simulation.tracer import Tracer
from tests.unit.simulation.emission.phantoms import Bytes, body, grid, lesion

PERSON = {"seed": 5, "person_seed": 8, "spread": 1.0}
AVERAGE = {"seed": 5, "person_seed": 8, "spread": 0.0}


@pytest.mark.parametrize("tracer", list(Tracer))
def test_every_matter_and_bone_has_an_uptake(tracer: Tracer) -> None:
    """Each tracer's tables name every kind of matter and bone, and nothing else."""
    assert set(uptake_table.ORGANS[tracer]) == {matter.kind for matter in Matter}
    assert set(uptake_table.BONES[tracer]) == {bone.kind for bone in Bone}
    palette = suv_palette(tracer, person=PERSON, uptake_minutes=90.0)
    inside = [matter for matter in Matter if matter not in (Matter.AIR, Matter.AIRWAY, Matter.BOWEL_GAS)]
    assert (palette.matter[inside] > 0).all()
    assert (palette.spongiosa[list(Bone)] > 0).all()


def test_without_spread_everybody_is_alike() -> None:
    """A spread of 0 is the reference, whatever the seeds are."""
    one = suv_palette(Tracer.FDG, person=AVERAGE, uptake_minutes=60.0)
    other = suv_palette(Tracer.FDG, person=AVERAGE | {"seed": 77, "person_seed": 78}, uptake_minutes=60.0)
    assert np.array_equal(one.matter, other.matter)
    assert one.matter[Matter.LIVER] == pytest.approx(2.2)
    assert one.matter[Matter.BLOOD] == pytest.approx(1.6)


def test_people_differ_by_the_tabled_spread() -> None:
    """Over many people the logarithm of the liver's FDG uptake has the tabled mean and standard deviation."""
    logs = [
        np.log(suv_palette(Tracer.FDG, person=PERSON | {"seed": seed}, uptake_minutes=60.0).matter[Matter.LIVER])
        for seed in range(150)
    ]
    assert np.mean(logs) == pytest.approx(np.log(2.2), abs=0.05)
    assert np.std(logs) == pytest.approx(0.14, rel=0.2)


def test_a_pair_of_organs_shares_most_of_its_uptake() -> None:
    """Left and right kidney of one person differ little, those of two people more."""
    kidneys = np.log(
        [
            suv_palette(
                Tracer.PSMA_11, person=PERSON | {"seed": seed, "person_seed": seed}, uptake_minutes=60.0
            ).matter[[Matter.KIDNEY_LEFT, Matter.KIDNEY_RIGHT]]
            for seed in range(60)
        ]
    )
    assert np.std(kidneys[:, 0] - kidneys[:, 1]) < 0.5 * np.std(kidneys[:, 0])


def test_a_follow_up_has_the_bones_of_the_same_person() -> None:
    """Another physiology changes organs; bones keep their relations to each other."""
    first = suv_palette(Tracer.MDP, person=PERSON, uptake_minutes=180.0)
    second = suv_palette(Tracer.MDP, person=PERSON | {"seed": 99}, uptake_minutes=180.0)
    bones = list(Bone)
    relation = second.spongiosa[bones] / first.spongiosa[bones]
    assert np.allclose(relation, relation[0], rtol=1e-5)
    assert second.matter[Matter.LIVER] != first.matter[Matter.LIVER]


def test_bone_gains_on_soft_tissue_with_time() -> None:
    """MDP: muscle falls and the ratio of vertebra to muscle rises from 2 to 4 to 6 hours."""
    palettes = [suv_palette(Tracer.MDP, person=AVERAGE, uptake_minutes=60.0 * hours) for hours in (2.0, 4.0, 6.0)]
    muscle = [float(palette.matter[Matter.MUSCLE]) for palette in palettes]
    ratio = [float(palette.spongiosa[Bone.L3]) / low for palette, low in zip(palettes, muscle, strict=True)]
    assert muscle[0] > muscle[1] > muscle[2] > 0
    assert ratio[0] < ratio[1] < ratio[2]


def test_a_focus_has_its_own_value_or_none() -> None:
    """A tracer that an appearance does not name leaves the tissue's uptake."""
    appearance = Appearance(suv={Tracer.MDP: 12.0})
    assert suv_palette(Tracer.MDP, person=PERSON, uptake_minutes=180.0).focus(appearance) == (12.0, 12.0)
    assert suv_palette(Tracer.FDG, person=PERSON, uptake_minutes=60.0).focus(appearance) is None


def test_activity_is_the_definition_of_suv() -> None:
    """The clinical reference's case SPECT-1: SUV 3.63811 of 680 MBq after 3 h in 70 kg is 25 kBq/mL."""
    found = activity_bqml(torch.tensor(3.63811), tracer=Tracer.MDP, dose_mbq=680.0, weight_kg=70.0, minutes=180.0)
    assert float(found) == pytest.approx(25_000.0, rel=1e-4)


def _two_bones(step_mm: float, gap_mm: float) -> dict[str, Bytes]:
    """Blocks of hip and sacrum, 30 mm thick, side by side along the columns with muscle between them."""
    size, gap = round(30.0 / step_mm), round(gap_mm / step_mm)
    bones = np.zeros((10, 10, 2 * size + gap), dtype=np.uint8)
    bones[:, :, :size], bones[:, :, size + gap :] = Bone.HIP_LEFT, Bone.SACRUM
    return {"bones": bones, "bone_fraction": np.where(bones > 0, 255, 0).astype(np.uint8)}


@pytest.mark.parametrize("step_mm", [2.0, 3.0, 4.0, 5.0])
def test_bone_near_another_bone_takes_up_more(step_mm: float) -> None:
    """Where hip and sacrum nearly touch both gain, to about the same depth on every grid; far away nothing does."""
    arrays = _two_bones(step_mm, gap_mm=0.0)
    scene = body(grid(arrays["bones"].shape, step_mm), Matter.MUSCLE, **arrays)
    gain = joint_gain(scene, tracer=Tracer.MDP)[5, 5]
    tabled = uptake_table.JOINTS[frozenset({"hip", "sacrum"})]
    assert float(gain.max()) == pytest.approx(tabled)
    assert float(gain[0]) == 0.0
    assert float(gain[-1]) == 0.0
    assert float(gain.sum()) * step_mm / tabled == pytest.approx(2 * uptake_table.JOINT_REACH_MM, abs=0.5)


def test_foci_keep_their_uptake_beside_a_joint() -> None:
    """The truth's uptake of a lesion is not raised by the joint beside it."""
    arrays = _two_bones(4.0, gap_mm=0.0)
    shape = arrays["bones"].shape
    place = grid(shape, 4.0)
    scene = body(place, Matter.MUSCLE, **arrays, **lesion(place, (5, 5, shape[2] // 2)))
    suv = suv_map(scene, tracer=Tracer.MDP, uptake_minutes=180.0)
    assert float(suv[5, 5, shape[2] // 2]) == pytest.approx(400.0)


def test_some_slices_are_those_of_the_whole() -> None:
    """A map of some slices equals the same slices of the whole map, joints and unspecific foci included."""
    arrays = _two_bones(4.0, gap_mm=4.0)
    arrays["bones"][7:] = np.where(arrays["bones"][7:] > 0, Bone.L5, 0)
    scene = body(grid(arrays["bones"].shape, 4.0), Matter.MUSCLE, **arrays)
    for tracer in (Tracer.NAF, Tracer.PSMA_1007):
        whole = suv_map(scene, tracer=tracer, uptake_minutes=60.0)
        part = suv_map(scene, tracer=tracer, uptake_minutes=60.0, slices=slice(4, 8))
        assert torch.equal(whole[4:8], part)


def test_unspecific_bone_uptake_is_a_trait_of_some_people() -> None:
    """About two in five people with PSMA-1007 have low foci in the hip or a rib; the reference has none."""
    shape = (12, 12, 12)
    bones = np.full(shape, Bone.HIP_LEFT, dtype=np.uint8)
    full = np.full(shape, 255, dtype=np.uint8)
    scene = body(grid(shape, 4.0), Matter.MUSCLE, bones=bones, bone_fraction=full)
    plain = float(suv_map(scene, tracer=Tracer.PSMA_1007, uptake_minutes=90.0).max())
    assert plain == pytest.approx(float(suv_map(scene, tracer=Tracer.PSMA_1007, uptake_minutes=90.0).min()))
    assert uptake_table.UNSPECIFIC_SHARE[Tracer.PSMA_1007] == 0.4
