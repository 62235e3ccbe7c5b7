"""One study from plan to disk: field, scene, physics, DICOM, truth. A table says what each protocol takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.compose import SceneBuilder
from operators.simulation.dicom.ct import write_ct
from operators.simulation.dicom.mri import write_mri
from operators.simulation.dicom.pet import write_pet
from operators.simulation.dicom.planar import write_planar
from operators.simulation.dicom.spect import write_spect
from operators.simulation.disease.facts import facts_of
from operators.simulation.disease.ground import Ground
from operators.simulation.fields.ct import ct_field
from operators.simulation.fields.mri import mri_fields
from operators.simulation.fields.pet import pet_field
from operators.simulation.fields.planar import planar_field
from operators.simulation.fields.spect import spect_field
from operators.simulation.fields.spect_ct import spect_ct_field
from operators.simulation.images import Volume
from operators.simulation.physics.ct import scan_ct
from operators.simulation.physics.mri import scan_mri
from operators.simulation.physics.pet import scan_pet
from operators.simulation.physics.planar import planar_truth, scan_planar
from operators.simulation.physics.spect import scan_spect
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol
from operators.simulation.scene import Scene
from operators.simulation.study import AnyProtocol, StudyOnDisk, StudyPlan
from operators.simulation.truth.model import Fate
from operators.simulation.truth.write import ImageTruth, write_truth

DICOM, TRUTH = "dicom", "truth"
"""Folders of a study."""


def simulate_study(plan: StudyPlan, *, builder: SceneBuilder, out: Path, device: str = "cpu") -> StudyOnDisk:
    """Write one study: its instances into `out/dicom`, its truth into `out/truth`. Equal plans give equal bytes.

    Args:
        plan: of the study.
        builder: makes and keeps anatomies.
        out: folder of the study; what lies in it is not removed.
        device: where images are computed; bytes are those of that kind of device.
    """
    began = time.process_time()
    modality, acquire = _TABLE[type(plan.protocol)]
    images = acquire(plan, _Room(plan=plan, builder=builder, folder=out / DICOM, device=device))
    person = plan.patient.person
    ground = Ground.of(builder.anatomy.skeleton(person), builder.anatomy.templates_of(person))
    write_truth(
        out / TRUTH,
        plan=plan,
        ground=ground,
        facts=facts_of(plan.patient.lesions, ground),
        images=images,
        fates={name: Fate(kind=kind, partners=plan.partners.get(name, ())) for name, kind in plan.fates.items()},
    )
    files = tuple(file for image in images for file in image.written.files)
    return StudyOnDisk(folder=out, modality=modality, files=files, seconds=time.process_time() - began)


class _Room:
    """Where one study is made: scenes of its patient on any grid, and how its writers are called."""

    def __init__(self, *, plan: StudyPlan, builder: SceneBuilder, folder: Path, device: str) -> None:
        self.plan = plan
        self.builder = builder
        self.folder = folder
        self.device = device

    def field(self, make: Callable[..., Any], protocol: AnyProtocol) -> Any:
        """The grid, or the fields, of a protocol for this patient."""
        return make(
            protocol,
            self.builder.anatomy,
            self.plan.patient.person,
            frame_of_reference_uid=self.plan.header.frame_of_reference_uid,
        )

    def scene(self, geometry: VolumeGeometry) -> Scene:
        """The patient on a grid."""
        return self.builder.scene(self.plan.patient, geometry)


def _planar(plan: StudyPlan, room: _Room) -> list[ImageTruth]:
    protocol = plan.protocol
    assert isinstance(protocol, PlanarProtocol)
    scene = room.scene(room.field(planar_field, protocol))
    scan = scan_planar(scene, protocol, seed=plan.seed, device=room.device)
    written = write_planar(room.folder, header=plan.header, scan=scan, protocol=protocol, habits=plan.habits)
    shadows = planar_truth(scene, protocol)
    return [ImageTruth(written=written, scene=scene, shadows=shadows, to_pixel=scan.to_pixel)]


def _ct(plan: StudyPlan, room: _Room) -> list[ImageTruth]:
    assert isinstance(plan.protocol, CtProtocol)
    return [_ct_series(plan, room, plan.protocol, geometry=room.field(ct_field, plan.protocol))]


def _ct_series(plan: StudyPlan, room: _Room, protocol: CtProtocol, *, geometry: VolumeGeometry) -> ImageTruth:
    scene = room.scene(geometry)
    volume = scan_ct(scene, protocol, seed=plan.seed, device=room.device)
    written = write_ct(room.folder, header=plan.header, volume=volume, protocol=protocol, habits=plan.habits)
    return ImageTruth(written=written, scene=scene)


def _pet(plan: StudyPlan, room: _Room) -> list[ImageTruth]:
    protocol = plan.protocol
    assert isinstance(protocol, PetProtocol)
    ct = _ct_series(plan, room, protocol.ct, geometry=room.field(ct_field, protocol.ct))
    scene = room.scene(room.field(pet_field, protocol))
    volume = scan_pet(scene, protocol, seed=plan.seed, device=room.device)
    written = write_pet(room.folder, header=plan.header, volume=volume, protocol=protocol, habits=plan.habits)
    return [ct, ImageTruth(written=written, scene=scene)]


def _spect(plan: StudyPlan, room: _Room) -> list[ImageTruth]:
    protocol = plan.protocol
    assert isinstance(protocol, SpectProtocol)
    scene = room.scene(room.field(spect_field, protocol))
    volume = scan_spect(scene, protocol, seed=plan.seed, device=room.device)
    written = write_spect(room.folder, header=plan.header, volume=volume, protocol=protocol, habits=plan.habits)
    images = [ImageTruth(written=written, scene=scene)]
    if protocol.ct is not None:
        images.append(_ct_series(plan, room, protocol.ct, geometry=spect_ct_field(protocol.ct, scene.geometry)))
    return images


def _mri(plan: StudyPlan, room: _Room) -> list[ImageTruth]:
    """The images' truth lies on their own thick slices, the physics on the thin ones of which they consist."""
    protocol = plan.protocol
    assert isinstance(protocol, MrProtocol)
    volumes: list[Volume] = []
    scenes: list[Scene] = []
    for field in room.field(mri_fields, protocol):
        scene = room.scene(field.scene_geometry)
        found = scan_mri(scene, protocol, field, seed=plan.seed, device=room.device)
        volumes += found
        scenes += [field.thinned(scene)] * len(found)
    written = write_mri(room.folder, header=plan.header, volumes=volumes, protocol=protocol, habits=plan.habits)
    return [ImageTruth(written=series, scene=scenes[series.volumes[0]]) for series in written]


_TABLE: Mapping[type, tuple[str, Callable[[StudyPlan, _Room], list[ImageTruth]]]] = {
    PlanarProtocol: ("planar", _planar),
    SpectProtocol: ("spect", _spect),
    CtProtocol: ("ct", _ct),
    PetProtocol: ("pet", _pet),
    MrProtocol: ("mri", _mri),
}
