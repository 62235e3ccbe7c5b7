"""Scenes on demand: skeleton, body, organs and foci of a patient on one grid, kept on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation import scene as scenes
from operators.simulation.anatomy.bones import Tissue
from operators.simulation.anatomy.build import FORMAT as ANATOMY_FORMAT
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.voxels import AnatomyVolume
from operators.simulation.disease.foci import draw_foci
from operators.simulation.organs.place import place_organs
from operators.simulation.patient import Patient
from operators.simulation.scene import ByteArray, Scene

FORMAT = 1
"""Goes into every key: raise it when the same patient gets another scene."""


class SceneBuilder:
    """Builds scenes and keeps them under the digest of what they were built from.

    Args:
        cache_dir: made where it does not exist; None keeps depth fields only where `AnatomyBuilder` needs them.
        keep: whether scenes and anatomies are kept; the source's depth fields always are.
    """

    def __init__(self, cache_dir: Path, *, keep: bool = True) -> None:
        self.anatomy = AnatomyBuilder(cache_dir, keep=keep)
        self.keep = keep

    def scene(self, patient: Patient, geometry: VolumeGeometry) -> Scene:
        """A patient on a grid of any spacing and orientation."""
        path = self._path(patient, geometry)
        if self.keep and path.exists():
            return Scene.load(path)
        made = self._build(patient, geometry)
        if self.keep:
            made.save(path)
        return made

    def _build(self, patient: Patient, geometry: VolumeGeometry) -> Scene:
        volume = self.anatomy.volume(patient.person, geometry)
        skeleton, body = self.anatomy.skeleton(patient.person), self.anatomy.body(patient.person)
        matter = place_organs(patient, skeleton=skeleton, body=body, anatomy=volume)
        foci = draw_foci(
            patient, skeleton=skeleton, anatomy=volume, templates=self.anatomy.templates_of(patient.person)
        )
        return Scene(
            geometry=geometry,
            bones=_names_of_partial_voxels(volume),
            bone_centres=(volume.bones > 0).astype(np.uint8),
            bone_fraction=volume.bone_fraction,
            cortex_fraction=volume.cortex_fraction,
            medullary=(volume.tissue == Tissue.MEDULLARY).astype(np.uint8),
            matter=matter,
            lesions=foci.lesions,
            lesion_fraction=foci.lesion_fraction,
            sclerosis=foci.sclerosis,
            decoys=foci.decoys,
            decoy_fraction=foci.decoy_fraction,
            lesion_names=tuple(lesion.name for lesion in patient.lesions),
            lesion_appearances=tuple(lesion.appearance for lesion in patient.lesions),
            decoy_names=tuple(decoy.name for decoy in patient.decoys),
            decoy_appearances=tuple(decoy.appearance for decoy in patient.decoys),
            person={
                "sex": patient.person.sex.value,
                "height_cm": patient.person.height_cm,
                "weight_kg": patient.person.weight_kg,
                "seed": patient.physiology.seed,
                "spread": patient.physiology.spread,
                "person_seed": patient.person.seed,
                "osteopenia": patient.person.osteopenia,
                "bowel_contrast": float(patient.physiology.bowel_contrast),
            },
        )

    def _path(self, patient: Patient, geometry: VolumeGeometry) -> Path:
        parts = (FORMAT, scenes.FORMAT, ANATOMY_FORMAT, self.anatomy.source.digest, patient.digest, geometry)
        key = hashlib.sha256("\n".join(repr(part) for part in parts).encode()).hexdigest()
        return self.anatomy.cache_dir / f"scene-{key[:32]}.npz"


def _names_of_partial_voxels(volume: AnatomyVolume) -> ByteArray:
    """The bones' labels; a voxel that only touches bone takes the name of a neighbour that has one."""
    bones = volume.bones.copy()
    places = np.argwhere((volume.bone_fraction > 0) & (volume.bones == 0))
    names = np.zeros(len(places), dtype=np.uint8)
    last = np.array(bones.shape) - 1
    for step in sorted(np.ndindex(3, 3, 3), key=lambda step: sum(abs(axis - 1) for axis in step)):
        free = names == 0
        neighbours = np.clip(places[free] + np.array(step) - 1, 0, last)
        names[free] = volume.bones[tuple(neighbours.T)]
    bones[tuple(places.T)] = names
    return bones
