"""Patients, tracers and protocols check themselves."""

from __future__ import annotations

import dataclasses

import pytest

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import PersonSpec, Posture
from operators.simulation.matter import Matter, both
from operators.simulation.patient import Appearance, Lesion, LesionType, Patient, Physiology, Shape
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.tracer import Tracer


def _lesion(name: str, *, radius: float = 8.0) -> Lesion:
    return Lesion(
        name=name,
        bone=Bone.L3,
        lesion_type=LesionType.LYTIC,
        shapes=(Shape(centre_mm=(0.0, 0.0, 0.0), radii_mm=(radius,) * 3),),
        appearance=Appearance(suv={Tracer.FDG: 7.0}),
        sclerotic_share=0.0,
    )


def test_the_digest_sees_every_difference() -> None:
    """Another radius, posture, bladder or uptake is another patient; the same numbers are the same one."""
    base = Patient(person=PersonSpec.drawn(4), lesions=(_lesion("L01"),))
    again = Patient(person=PersonSpec.drawn(4), lesions=(_lesion("L01"),))
    assert base.digest == again.digest
    others = [
        dataclasses.replace(base, lesions=(_lesion("L01", radius=9.0),)),
        dataclasses.replace(base, person=dataclasses.replace(base.person, posture=Posture(head_turn_deg=3.0))),
        dataclasses.replace(base, physiology=Physiology(bladder_ml=300.0)),
        dataclasses.replace(
            base, lesions=(dataclasses.replace(_lesion("L01"), appearance=Appearance(suv={Tracer.NAF: 7.0})),)
        ),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 5


def test_two_lesions_of_one_name_are_refused() -> None:
    """A name is what a lesion keeps between scans."""
    with pytest.raises(ValueError, match="different names"):
        Patient(person=PersonSpec.drawn(4), lesions=(_lesion("L01"), _lesion("L01")))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlanarProtocol(kilocounts=9000.0), "kilocounts is 9000.0, allowed is 200 to 4000"),
        (lambda: PlanarProtocol(tracer=Tracer.FDG), "tracer is fdg, allowed is mdp or hdp"),
        (lambda: CtProtocol(kvp=60.0), "kvp is 60.0, allowed is 80 to 140"),
        (lambda: PetProtocol(tracer=Tracer.MDP), "tracer is mdp"),
        (lambda: PetProtocol(decay_corrected_to="end"), "allowed is start or admin"),
        (lambda: MrProtocol(b_values=(50,)), "b_values"),
        (lambda: Physiology(bladder_ml=5000.0), "bladder_ml is 5000, allowed is 10 to 800"),
        (lambda: Shape(centre_mm=(0.0, 0.0, 0.0), radii_mm=(1.0, 0.0, 1.0)), "radius"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_range(make: object, message: str) -> None:
    """The refusal names the key, the value and what is allowed."""
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()


def test_left_and_right_organs_are_fifty_apart() -> None:
    """The rule that the docstring gives holds for every paired organ."""
    left = [matter for matter in Matter if matter.name.endswith("_LEFT")]
    assert left
    for matter in left:
        assert both(matter.kind) == (matter, Matter(matter + 50))


def test_decay_halves_in_a_half_life() -> None:
    """For every nuclide."""
    for tracer in Tracer:
        assert tracer.nuclide.left_after(tracer.nuclide.half_life_s) == pytest.approx(0.5)
