"""What imitates metastases."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Bone, Tissue
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.voxels import AnatomyVolume
from operators.simulation.disease.decoys import draw_decoys
from operators.simulation.disease.foci import Foci
from operators.simulation.disease.ground import Ground
from operators.simulation.patient import DecoyKind, Patient
from operators.simulation.tracer import Tracer

Draw = Callable[[Patient, VolumeGeometry], tuple[AnatomyVolume, Foci]]
KINDS = tuple(kind for kind in DecoyKind if kind is not DecoyKind.BOWEL_CONTRAST)


@pytest.mark.parametrize("seed", range(2))
def test_every_decoy_is_in_the_body(builder: AnatomyBuilder, draw: Draw, seed: int) -> None:
    """Of drawn people every decoy of every kind has voxels, none outside the skin, those of bone within their bone."""
    spec = PersonSpec.drawn(seed + 60)
    ground = Ground.of(builder.skeleton(spec), builder.templates_of(spec))
    decoys = draw_decoys(ground, body=builder.body(spec), seed=seed, kinds=KINDS)
    assert {decoy.kind for decoy in decoys} == set(KINDS)
    geometry = builder.whole_body(spec, spacing_mm=4.0, frame_of_reference_uid="1.2.3")
    anatomy, foci = draw(Patient(person=spec, decoys=decoys), geometry)
    held = foci.decoy_fraction > 0
    assert np.all(anatomy.tissue[held] != Tissue.OUTSIDE)
    for number, decoy in enumerate(decoys, start=1):
        mine = foci.decoys == number
        assert mine.any(), decoy.name
        if decoy.inside_bone:
            assert set(anatomy.bones[mine]) <= {0, decoy.bone}, decoy.name


def test_chances_are_kept(builder: AnatomyBuilder, ground: Ground, man: PersonSpec) -> None:
    """Without a list each kind comes by its chance; a chance of one is certain, of none never."""
    body = builder.body(man)
    chances = {DecoyKind.ENOSTOSIS: 1.0, DecoyKind.HAEMANGIOMA: 0.5}
    drawn = [draw_decoys(ground, body=body, seed=seed, chances=chances) for seed in range(60)]
    kinds = [{decoy.kind for decoy in decoys} for decoys in drawn]
    assert all(DecoyKind.ENOSTOSIS in one for one in kinds)
    assert 15 < sum(DecoyKind.HAEMANGIOMA in one for one in kinds) < 45
    assert set().union(*kinds) == set(chances)


def test_broken_ribs_are_neighbours_in_a_row(builder: AnatomyBuilder, ground: Ground, man: PersonSpec) -> None:
    """Fractures lie in neighbouring ribs of one side, one below the other."""
    for seed in range(5):
        decoys = draw_decoys(ground, body=builder.body(man), seed=seed, kinds=(DecoyKind.RIB_FRACTURE,))
        numbers = [int(decoy.bone.name.split("_")[1]) for decoy in decoys]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len({decoy.bone.side for decoy in decoys}) == 1
        places = np.array(
            [
                ground.carrier_at(decoy.bone, decoy.shapes[0].centre_mm).to_lps(np.array([decoy.shapes[0].centre_mm]))[
                    0
                ]
                for decoy in decoys
            ]
        )
        assert np.all(np.diff(places[:, 2]) < 0)
        assert np.all(np.linalg.norm(np.diff(places[:, :2], axis=0), axis=1) < 40.0)


def test_paget_takes_the_whole_bone(builder: AnatomyBuilder, draw: Draw, ground: Ground, man: PersonSpec) -> None:
    """Paget's disease holds nearly all of its bone and nothing of the next."""
    decoys = draw_decoys(ground, body=builder.body(man), seed=1, kinds=(DecoyKind.PAGET,))
    geometry = builder.whole_body(man, spacing_mm=4.0, frame_of_reference_uid="1.2.3")
    anatomy, foci = draw(Patient(person=man, decoys=decoys), geometry)
    own = anatomy.bones == decoys[0].bone
    assert foci.decoy_fraction[own].sum() > 0.95 * anatomy.bone_fraction[own].sum()


def test_looks_are_those_of_their_kind(builder: AnatomyBuilder, ground: Ground, man: PersonSpec) -> None:
    """An enostosis is denser than a metastasis and has no uptake of its own; metal has none; urine is hot but for
    PSMA-1007; a healed fracture is warm."""
    decoys = draw_decoys(ground, body=builder.body(man), seed=2, kinds=KINDS)
    by_kind = {kind: [decoy.appearance for decoy in decoys if decoy.kind is kind] for kind in KINDS}
    assert all(look.sclerotic_hu > 750 and not look.suv for look in by_kind[DecoyKind.ENOSTOSIS])
    for kind in (DecoyKind.PROSTHESIS, DecoyKind.PACEMAKER):
        assert all(look.metal and set(look.suv.values()) == {0.0} for look in by_kind[kind])
    for look in by_kind[DecoyKind.CONTAMINATION]:
        assert look.suv[Tracer.MDP] > 20.0 > look.suv[Tracer.PSMA_1007]
    assert all(look.suv[Tracer.MDP] > 2.0 for look in by_kind[DecoyKind.RIB_FRACTURE])


def test_the_pacemaker_lies_in_front_of_the_upper_chest(
    builder: AnatomyBuilder, ground: Ground, man: PersonSpec
) -> None:
    """In front of the ribs, beside the midline, below the collarbone, within 25 mm of the skin."""
    (decoy,) = draw_decoys(ground, body=builder.body(man), seed=3, kinds=(DecoyKind.PACEMAKER,))
    carrier = ground.main_part(decoy.bone)
    place = carrier.to_lps(np.array([decoy.shapes[0].centre_mm]))[0]
    body = builder.body(man)
    assert -25.0 < float(body.at(body.skin, place[None])[0]) < -3.0
    assert abs(place[0]) > 35.0
    assert place[2] < ground.skeleton.centre(Bone.CLAVICLE_LEFT)[2]
    assert place[1] < ground.skeleton.vertices(Bone.RIB_2_LEFT)[:, 1].mean()


def test_the_same_seed_is_the_same(builder: AnatomyBuilder, ground: Ground, man: PersonSpec) -> None:
    """Equal arguments give equal decoys, and one kind does not change another."""
    body = builder.body(man)
    everything = draw_decoys(ground, body=body, seed=4, kinds=KINDS)
    assert everything == draw_decoys(ground, body=body, seed=4, kinds=KINDS)
    alone = draw_decoys(ground, body=body, seed=4, kinds=(DecoyKind.PAGET,))
    assert alone == tuple(decoy for decoy in everything if decoy.kind is DecoyKind.PAGET)
