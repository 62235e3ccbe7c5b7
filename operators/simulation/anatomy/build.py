"""Anatomies on demand, kept on disk: the one entry to this package."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.outline import Outline, outline
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.pose import PosedSkeleton, pose
from operators.simulation.anatomy.source import Source
from operators.simulation.anatomy.templates import Template, load_templates, read_arrays, save_arrays
from operators.simulation.anatomy.voxels import AnatomyVolume, axial_geometry, voxelise

FORMAT = 1
"""Goes into every key: raise it when the same person gets another anatomy."""


class AnatomyBuilder:
    """Builds anatomies and keeps them in a folder under the digest of what they were built from.

    Args:
        cache_dir: made where it does not exist. Files are whole or absent; a damaged one is built anew.
    """

    def __init__(self, cache_dir: Path) -> None:
        self.cache_dir = cache_dir

    @cached_property
    def source(self) -> Source:
        """The skeleton of the installed `myo-sim`. Raises AnatomySourceError where it is not as expected."""
        return Source()

    @cached_property
    def templates(self) -> dict[str, Template]:
        """The depth field of each part by name. The first time on a machine this takes about half a minute."""
        return load_templates(self.source.parts, digest=self.source.digest, cache_dir=self.cache_dir)

    def skeleton(self, spec: PersonSpec) -> PosedSkeleton:
        """The person's bones in LPS millimetres."""
        return pose(spec, self.source)

    def body(self, spec: PersonSpec) -> Outline:
        """The person's skin and fascia."""
        path = self._path("body", spec.digest)
        stored = read_arrays(path) if path.exists() else None
        if stored is not None and {"skin", "fascia", "origin"} <= set(stored):
            x, y, z = (float(value) for value in stored["origin"])
            return Outline(
                skin=stored["skin"].astype(np.float32), fascia=stored["fascia"].astype(np.float32), origin_mm=(x, y, z)
            )
        made = outline(self.skeleton(spec))
        save_arrays(path, {"skin": made.skin, "fascia": made.fascia, "origin": np.array(made.origin_mm)})
        return made

    def whole_body(self, spec: PersonSpec, *, spacing_mm: float, frame_of_reference_uid: str) -> VolumeGeometry:
        """A grid that holds the whole person."""
        return axial_geometry(
            *self.body(spec).bounds(), spacing_mm=spacing_mm, frame_of_reference_uid=frame_of_reference_uid
        )

    def volume(self, spec: PersonSpec, geometry: VolumeGeometry) -> AnatomyVolume:
        """The person on a grid."""
        path = self._path("volume", spec.digest, repr(geometry.shape), repr(geometry.affine_lps))
        stored = read_arrays(path) if path.exists() else None
        names = ("bones", "tissue", "bone_fraction", "cortex_fraction")
        if stored is not None and set(names) <= set(stored):
            bones, tissue, bone_fraction, cortex_fraction = (
                stored[name].astype(np.uint8, copy=False) for name in names
            )
            return AnatomyVolume(
                geometry=geometry,
                bones=bones,
                tissue=tissue,
                bone_fraction=bone_fraction,
                cortex_fraction=cortex_fraction,
            )
        made = voxelise(self.skeleton(spec), self.body(spec), geometry, templates=self.templates)
        arrays: dict[str, npt.NDArray[np.generic]] = {name: getattr(made, name) for name in names}
        save_arrays(path, arrays)
        return made

    def _path(self, kind: str, *inputs: str) -> Path:
        key = hashlib.sha256("\n".join([str(FORMAT), self.source.digest, *inputs]).encode()).hexdigest()
        return self.cache_dir / f"{kind}-{key[:32]}.npz"
