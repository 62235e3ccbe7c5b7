"""One simulated body, taken apart: what each bone, organ, metastasis and decoy gives to both views.

Projecting a body takes seconds, weighing and adding its parts milliseconds. So a body is projected once, part by
part (`views_of`), and every sample is a fresh sum of them: other uptakes, other metastases of those that it could have.
All maps are on the working grid of `operators.kernels.planar_input`, the posterior view mirrored.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from operators.kernels.planar_input import WORKING_MM, to_working
from operators.kernels.planar_regions.parts import PART_NUMBERS
from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import Arms, PersonSpec
from operators.simulation.compose import SceneBuilder
from operators.simulation.disease.decoy_table import CHANCE
from operators.simulation.disease.decoys import draw_decoys
from operators.simulation.disease.draw import draw_disease
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.tables import Burden
from operators.simulation.fields.planar import planar_field
from operators.simulation.matter import Matter, both
from operators.simulation.patient import DecoyKind, Patient, Physiology, Primary
from operators.simulation.physics.planar import planar_truth, views_of
from operators.simulation.physics.uptake import suv_map
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.scene import Scene
from pipelines.training.bone_scan.simulated import part_of_bone, parts_of_bones

FORMAT = 1
"""Goes into every key: raise it when the same body gives another case."""
ORGANS: Sequence[tuple[str, ...]] = (("kidney", "renal_pelvis"), ("bladder",), ("stomach", "small_bowel", "colon"))
"""Soft tissue whose uptake varies by itself; the rest of the body is one more group."""
GROUPS = len(PART_NUMBERS) + len(ORGANS) + 1
"""Bones part by part, then the organs, then the rest."""
_FRAME_UID = "2.25.1"
_PRIMARIES = (Primary.PROSTATE, Primary.BREAST, Primary.LUNG)
_CERTAIN = (
    DecoyKind.DEGENERATIVE_JOINT,
    DecoyKind.FACET_ARTHROPATHY,
    DecoyKind.RIB_FRACTURE,
    DecoyKind.EXTRAVASATION,
    DecoyKind.CONTAMINATION,
)
"""Every body has these: a sample chooses among them as it does among metastases."""

HalfArray = npt.NDArray[np.float16]
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Case:
    """One body. Images are in counts of a scan whose anterior view has a million without disease.

    Args:
        groups: (GROUPS, 2, row, column), of the healthy body.
        lesions: (lesion, 2, row, column): what each metastasis adds; it may be negative.
        shadows: bool, likewise: where it lies.
        decoys: (decoy, 2, row, column): what each adds.
        parts: (2, row, column): numbers of `PART_NUMBERS`, 0 where there is no bone.
    """

    groups: HalfArray
    lesions: HalfArray
    shadows: npt.NDArray[np.bool_]
    decoys: HalfArray
    parts: npt.NDArray[np.uint8]

    def save(self, path: Path) -> None:
        """Write everything to one file; it is whole or absent."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{os.getpid()}-{path.name}")
        arrays = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Case:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{field.name: stored[field.name] for field in dataclasses.fields(cls)})


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseMaker:
    """Makes cases and keeps them in a folder, where the simulator's depth fields lie too."""

    cache_dir: Path

    def case(self, seed: int) -> Case:
        """The body of a seed: equal seeds give equal bodies."""
        path = self.path(seed)
        if not path.exists():
            _make(SceneBuilder(self.cache_dir, keep=False), seed=seed).save(path)
        return Case.load(path)

    def path(self, seed: int) -> Path:
        """Where the case of a seed is kept."""
        source = SceneBuilder(self.cache_dir, keep=False).anatomy.source.digest
        key = hashlib.sha256(f"{FORMAT} {source} {seed}".encode()).hexdigest()
        return self.cache_dir / "planar-cases" / f"{key[:32]}.npz"


def _make(builder: SceneBuilder, *, seed: int) -> Case:
    protocol = PlanarProtocol()
    scene = _scene(builder, protocol, seed=seed)
    healthy = _healthy(scene)
    minutes = protocol.uptake_minutes
    base = suv_map(healthy, tracer=protocol.tracer, uptake_minutes=minutes).numpy()
    excess = suv_map(scene, tracer=protocol.tracer, uptake_minutes=minutes).numpy() - base
    groups = _groups_of(healthy)

    def parts() -> Iterator[npt.NDArray[np.float32]]:
        for group in range(GROUPS):
            yield np.where(groups == group, base, np.float32(0.0))
        for number in range(1, len(scene.lesion_names) + 1):
            yield np.where(scene.lesions == number, excess, np.float32(0.0))
        free = np.where(scene.lesion_fraction == 0, scene.decoys, 0)
        for number in range(1, len(scene.decoy_names) + 1):
            yield np.where(free == number, excess, np.float32(0.0))

    images = np.stack([_working(views, protocol) for views in views_of(scene, protocol, uptakes=parts())])
    images *= 1e6 / images[:GROUPS, 0].sum(dtype=np.float64)
    truth = planar_truth(scene, protocol)
    first, second = GROUPS, GROUPS + len(scene.lesion_names)
    return Case(
        groups=images[:first].astype(np.float16),
        lesions=images[first:second].astype(np.float16),
        shadows=_sampled(truth.lesions),
        decoys=images[second:].astype(np.float16),
        parts=_sampled(parts_of_bones(truth.bones)),
    )


def _scene(builder: SceneBuilder, protocol: PlanarProtocol, *, seed: int) -> Scene:
    drawn = PersonSpec.drawn(seed)
    person = dataclasses.replace(drawn, posture=dataclasses.replace(drawn.posture, arms=Arms.BESIDE_BODY))
    ground = Ground.of(builder.anatomy.skeleton(person), builder.anatomy.templates_of(person))
    primary = _PRIMARIES[seed % len(_PRIMARIES)]
    patient = Patient(
        person=person,
        primary=primary,
        lesions=draw_disease(ground, primary=primary, burden=Burden.DISSEMINATED, seed=seed),
        decoys=draw_decoys(
            ground,
            body=builder.anatomy.body(person),
            seed=seed,
            chances={**CHANCE, **dict.fromkeys(_CERTAIN, 1.0)},
        ),
        physiology=Physiology(seed=seed),
    )
    field = planar_field(protocol, builder.anatomy, person, frame_of_reference_uid=_FRAME_UID)
    return builder.scene(patient, field)


def _healthy(scene: Scene) -> Scene:
    """The same body without foci."""
    none = np.zeros_like(scene.lesions)
    return dataclasses.replace(
        scene,
        lesions=none,
        lesion_fraction=none,
        sclerosis=none,
        decoys=none,
        decoy_fraction=none,
        lesion_names=(),
        lesion_appearances=(),
        decoy_names=(),
        decoy_appearances=(),
    )


def _groups_of(scene: Scene) -> npt.NDArray[np.uint8]:
    """The group of every voxel, 0 to GROUPS - 1 (slice, row, column)."""
    of_bone = np.zeros(256, dtype=np.uint8)
    for bone in Bone:
        of_bone[bone] = PART_NUMBERS[part_of_bone(bone)] - 1
    of_matter = np.full(256, GROUPS - 1, dtype=np.uint8)
    for number, kinds in enumerate(ORGANS):
        for matter in (one for kind in kinds for one in both(kind)):
            of_matter[Matter(matter)] = len(PART_NUMBERS) + number
    return np.where(scene.bones > 0, of_bone[scene.bones], of_matter[scene.matter]).astype(np.uint8)


def _working(views: npt.NDArray[np.float32], protocol: PlanarProtocol) -> npt.NDArray[np.float32]:
    pixel = (protocol.pixel_mm, protocol.pixel_mm)
    return np.stack([to_working(view, pixel_mm=pixel, is_posterior=number == 1) for number, view in enumerate(views)])


def _sampled(maps: npt.NDArray[_Kind]) -> npt.NDArray[_Kind]:
    """Maps (..., 2, row, column) of the views as they are, on the working grid: one pixel of each block."""
    step = round(WORKING_MM / PlanarProtocol().pixel_mm)
    turned = maps.copy()
    turned[..., 1, :, :] = maps[..., 1, :, ::-1]
    return np.ascontiguousarray(turned[..., ::step, ::step])
