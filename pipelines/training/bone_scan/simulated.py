"""Simulated views as the branch sees them, and their bones in the branch's parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart
from operators.kernels.scintigraphy import BodyRule, body_mask
from operators.kernels.scintigraphy_body import body_frame
from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import Arms, PersonSpec
from operators.simulation.compose import SceneBuilder
from operators.simulation.fields.planar import planar_field
from operators.simulation.patient import Patient, Physiology
from operators.simulation.physics.planar import planar_truth, scan_planar
from operators.simulation.protocols.planar import PlanarProtocol

_FRAME_UID = "2.25.1"
_MIDLINE = MappingProxyType(
    {
        "skull": PlanarPart.SKULL,
        "mandible": PlanarPart.SKULL,
        "sternum": PlanarPart.STERNUM,
        "sacrum": PlanarPart.SACRUM,
        "coccyx": PlanarPart.SACRUM,
    }
)
_SPINE = MappingProxyType(
    {"C": PlanarPart.CERVICAL_SPINE, "T": PlanarPart.THORACIC_SPINE, "L": PlanarPart.LUMBAR_SPINE}
)
_PAIRED = MappingProxyType(
    {"rib": "ribs", "hip": "pelvis"}
    | {kind: kind for kind in ("clavicle", "scapula", "humerus", "femur")}
    | dict.fromkeys(("radius", "ulna", "hand"), "forearm")
    | dict.fromkeys(("patella", "tibia", "fibula", "foot"), "lower_leg")
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SimulatedViews:
    """Both views of one healthy person, the first axis (anterior, posterior).

    Args:
        counts: (2, row, column), as a scan shows them, without counting noise.
        bones: uint8 (2, row, column), the `Bone` that gives each pixel most of its bone counts.
        pixel_mm: of both axes.
    """

    counts: npt.NDArray[np.float32]
    bones: npt.NDArray[np.uint8]
    pixel_mm: float


def part_of_bone(bone: Bone) -> PlanarPart:
    """The part that a bone belongs to."""
    if bone.kind == "vertebra":
        return _SPINE[bone.name[0]]
    if bone.side is None:
        return _MIDLINE[bone.kind]
    return PlanarPart(f"{_PAIRED[bone.kind]}_{bone.side.value}")


def parts_of_bones(bones: npt.NDArray[np.uint8]) -> PartMap:
    """A map of bones as a map of parts."""
    table = np.zeros(256, dtype=np.uint8)
    for bone in Bone:
        table[bone] = PART_NUMBERS[part_of_bone(bone)]
    return np.asarray(table[bones], dtype=np.uint8)


def healthy_people(seeds: Sequence[int], *, cache_dir: Path) -> Iterator[SimulatedViews]:
    """People of both sexes without lesions, arms beside the body; equal seeds give equal views.

    A person's organs are drawn by the person's place in the row.
    """
    builder, protocol = SceneBuilder(cache_dir, keep=False), PlanarProtocol()
    for number, seed in enumerate(seeds):
        drawn = PersonSpec.drawn(seed)
        person = dataclasses.replace(drawn, posture=dataclasses.replace(drawn.posture, arms=Arms.BESIDE_BODY))
        patient = Patient(person=person, physiology=Physiology(seed=number))
        field = planar_field(protocol, builder.anatomy, person, frame_of_reference_uid=_FRAME_UID)
        scene = builder.scene(patient, field)
        yield SimulatedViews(
            counts=scan_planar(scene, protocol, seed=seed, noise=False).photopeak,
            bones=planar_truth(scene, protocol).bones,
            pixel_mm=protocol.pixel_mm,
        )


def view_images(views: SimulatedViews, *, rule: BodyRule) -> tuple[ViewImage, ViewImage]:
    """The anterior and the posterior view with body and frame. Raises ValueError where a view shows no body."""
    pixel = (views.pixel_mm, views.pixel_mm)
    made = []
    for number, counts in enumerate(views.counts.astype(np.float64)):
        body = body_mask(counts, pixel_mm=pixel, rule=rule)
        frame = body_frame(body, field=counts > 0)
        if frame is None:
            raise ValueError("a simulated view shows no body")
        made.append(ViewImage(counts=counts, body=body, frame=frame, pixel_mm=pixel, is_posterior=number == 1))
    return made[0], made[1]
