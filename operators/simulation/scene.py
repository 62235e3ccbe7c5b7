"""A patient on a grid: everything that the physics of any modality needs, a few bytes a voxel.

A scene is the compact anatomy that training simulates from: `save` writes some hundred kilobytes,
`load` needs numpy alone.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Bone
from operators.simulation.patient import Appearance
from operators.simulation.tracer import Tracer

ByteArray = npt.NDArray[np.uint8]
FORMAT = 1
ARRAYS = (
    "bones", "bone_centres", "bone_fraction", "cortex_fraction", "medullary", "matter",
    "lesions", "lesion_fraction", "sclerosis", "decoys", "decoy_fraction",
)  # fmt: skip
"""The names of a scene's arrays."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """A patient on a grid; every array is uint8 (slice, row, column).

    A voxel is: `bone_fraction` of bone, of which `cortex_fraction` is cortex and the rest spongiosa
    (yellow marrow where `medullary` is 1); the rest is `matter`. `lesion_fraction` of the whole
    voxel is the lesion `lesions`, and on top of that `decoy_fraction` of it the decoy `decoys`.

    Args:
        bones: value of `Bone` at the voxel's centre; also in voxels that touch bone without their centre in
            it, so that their bone fraction has a name.
        bone_centres: 1 where the voxel's centre lies in bone: the truth's bone labels are `bones` where this is 1.
        bone_fraction, cortex_fraction: 255 is the whole voxel.
        medullary: 1 where a bone's core is yellow marrow instead of spongiosa.
        matter: value of `Matter`: what the part of the voxel that is not bone consists of.
        lesions: 1-based index into `lesion_appearances`, in every voxel that holds a part of the lesion.
        lesion_fraction: 255 is the whole voxel; the truth's label maps hold the voxels of 128 and more.
        sclerosis: 0 is purely lytic, 255 purely sclerotic.
        decoys, decoy_fraction: the same for `decoy_appearances`; dense ones use `sclerotic_hu`.
    """

    geometry: VolumeGeometry
    bones: ByteArray
    bone_centres: ByteArray
    bone_fraction: ByteArray
    cortex_fraction: ByteArray
    medullary: ByteArray
    matter: ByteArray
    lesions: ByteArray
    lesion_fraction: ByteArray
    sclerosis: ByteArray
    decoys: ByteArray
    decoy_fraction: ByteArray
    lesion_names: tuple[str, ...] = ()
    lesion_appearances: tuple[Appearance, ...] = ()
    decoy_names: tuple[str, ...] = ()
    decoy_appearances: tuple[Appearance, ...] = ()
    person: Mapping[str, float | str] = field(default_factory=dict)
    """`sex`, `height_cm`, `weight_kg`, `person_seed`, `osteopenia`, and the physiology's `seed`, `spread` and
    `bowel_contrast`."""

    def __post_init__(self) -> None:
        for name in ARRAYS:
            array = getattr(self, name)
            if array.dtype != np.uint8 or array.shape != self.geometry.shape:
                raise ValueError(f"{name} of a scene is uint8 and has the grid's shape")
        if len(self.lesion_names) != len(self.lesion_appearances):
            raise ValueError("every lesion has a name and an appearance")
        if len(self.decoy_names) != len(self.decoy_appearances):
            raise ValueError("every decoy has a name and an appearance")

    @property
    def bone_labels(self) -> ByteArray:
        """Value of `Bone` where the voxel's centre lies in bone, else 0."""
        return np.asarray(self.bones * self.bone_centres)

    @property
    def lesion_labels(self) -> ByteArray:
        """1-based lesion index in the voxels of which at least half is lesion."""
        return np.where(self.lesion_fraction >= 128, self.lesions, 0).astype(np.uint8)

    @property
    def decoy_labels(self) -> ByteArray:
        """1-based decoy index in the voxels of which at least half is decoy."""
        return np.where(self.decoy_fraction >= 128, self.decoys, 0).astype(np.uint8)

    def bone_volume_ml(self, bone: Bone) -> float:
        """Volume of a bone with its partial voxels."""
        part = self.bone_fraction[self.bones == bone].sum(dtype=np.int64)
        return float(part) / 255.0 * self.geometry.voxel_volume_ml

    def save(self, path: Path) -> None:
        """Write everything to one compressed file; it is whole or absent."""
        head = {
            "format": FORMAT,
            "affine_lps": self.geometry.affine_lps,
            "frame_of_reference_uid": self.geometry.frame_of_reference_uid,
            "lesion_names": self.lesion_names,
            "lesion_appearances": [_appearance_to_json(item) for item in self.lesion_appearances],
            "decoy_names": self.decoy_names,
            "decoy_appearances": [_appearance_to_json(item) for item in self.decoy_appearances],
            "person": dict(self.person),
        }
        buffer = io.BytesIO()
        text = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
        np.savez_compressed(buffer, head=text, **{name: getattr(self, name) for name in ARRAYS})
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(buffer.getvalue())
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Scene:
        """Read what `save` wrote. Raises ValueError where the file is of another format."""
        with np.load(path, allow_pickle=False) as stored:
            head = json.loads(stored["head"].tobytes().decode())
            if head["format"] != FORMAT:
                raise ValueError(f"{path.name} is a scene of format {head['format']}, this is format {FORMAT}")
            arrays = {name: stored[name] for name in ARRAYS}
        shape = arrays["bones"].shape
        return cls(
            geometry=VolumeGeometry.from_matrix(
                head["affine_lps"],
                shape=(shape[0], shape[1], shape[2]),
                frame_of_reference_uid=head["frame_of_reference_uid"],
            ),
            lesion_names=tuple(head["lesion_names"]),
            lesion_appearances=tuple(_appearance_from_json(item) for item in head["lesion_appearances"]),
            decoy_names=tuple(head["decoy_names"]),
            decoy_appearances=tuple(_appearance_from_json(item) for item in head["decoy_appearances"]),
            person=head["person"],
            **arrays,
        )


_BY_TRACER = ("suv", "lytic_suv")


def _appearance_to_json(appearance: Appearance) -> dict[str, Any]:
    values = {item.name: getattr(appearance, item.name) for item in fields(appearance)}
    suvs = {name: {tracer.value: suv for tracer, suv in values[name].items()} for name in _BY_TRACER}
    return values | suvs


def _appearance_from_json(values: dict[str, Any]) -> Appearance:
    suvs = {key: {Tracer(name): float(value) for name, value in values[key].items()} for key in _BY_TRACER}
    return Appearance(**(values | suvs))
