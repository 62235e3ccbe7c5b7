"""Anatomies on demand, kept on disk: the one entry to this package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.depth import FORM_DIGEST, make_templates
from operators.simulation.anatomy.landmarks import Landmarks, landmarks
from operators.simulation.anatomy.outline import Outline, outline
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.pose import PosedSkeleton, pose
from operators.simulation.anatomy.shape import shaped_templates
from operators.simulation.anatomy.source import Source
from operators.simulation.anatomy.templates import Template, load_templates, read_arrays, save_arrays
from operators.simulation.anatomy.voxels import AnatomyVolume, axial_geometry, voxelise

FORMAT = 6
"""Goes into every key: raise it when the same person gets another anatomy."""


_SHAPED_KEPT, _POSED_KEPT = 2, 8
"""Persons whose depth fields, and postures whose bones and bodies, stay in memory."""


class AnatomyBuilder:
    """Builds anatomies and keeps them in a folder under the digest of what they were built from.

    Args:
        cache_dir: made where it does not exist. Files are whole or absent; a damaged one is built anew.
        keep: whether bodies and volumes are kept in it; the source's depth fields always are, and bodies of the
            last postures stay in memory.
    """

    def __init__(self, cache_dir: Path, *, keep: bool = True) -> None:
        self.cache_dir = cache_dir
        self.keep = keep
        self._bodies: dict[str, Outline] = {}
        self._shaped: dict[tuple[int, float], Mapping[str, Template]] = {}
        self._posed: dict[str, PosedSkeleton] = {}

    @cached_property
    def source(self) -> Source:
        """The skeleton of the installed `myo-sim`. Raises AnatomySourceError where it is not as expected."""
        return Source()

    @cached_property
    def templates(self) -> dict[str, Template]:
        """The source's depth field of each part by name. The first time on a machine this takes some ten seconds.

        A person's own are those of `templates_of`.
        """
        parts, digest = self.source.parts, self.source.digest + FORM_DIGEST
        return load_templates(parts, make_templates, digest=digest, cache_dir=self.cache_dir)

    def templates_of(self, spec: PersonSpec) -> Mapping[str, Template]:
        """The depth field of each part by name in the person's own shape, whatever the posture."""
        key = (spec.seed, spec.shape_variation)
        if key not in self._shaped:
            while len(self._shaped) >= _SHAPED_KEPT:
                del self._shaped[next(iter(self._shaped))]
            self._shaped[key] = shaped_templates(self.templates, self.skeleton(spec).warps)
        return self._shaped[key]

    @property
    def landmarks(self) -> Landmarks:
        """Places on the source's bones; `PlacedPart.shaped` says where a person has them."""
        return landmarks(self.source)

    def skeleton(self, spec: PersonSpec) -> PosedSkeleton:
        """The person's bones in LPS millimetres."""
        if spec.digest not in self._posed:
            while len(self._posed) >= _POSED_KEPT:
                del self._posed[next(iter(self._posed))]
            self._posed[spec.digest] = pose(spec, self.source)
        return self._posed[spec.digest]

    def body(self, spec: PersonSpec) -> Outline:
        """The person's skin and fascia."""
        if spec.digest not in self._bodies:
            while len(self._bodies) >= _POSED_KEPT:
                del self._bodies[next(iter(self._bodies))]
            self._bodies[spec.digest] = self._body(spec)
        return self._bodies[spec.digest]

    def _body(self, spec: PersonSpec) -> Outline:
        path = self._path("body", spec.digest)
        stored = read_arrays(path) if path.exists() else None
        if stored is not None and {"skin", "fascia", "origin"} <= set(stored):
            x, y, z = (float(value) for value in stored["origin"])
            return Outline(
                skin=stored["skin"].astype(np.float32), fascia=stored["fascia"].astype(np.float32), origin_mm=(x, y, z)
            )
        made = outline(self.skeleton(spec))
        if self.keep:
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
        made = voxelise(self.skeleton(spec), self.body(spec), geometry, templates=self.templates_of(spec))
        if self.keep:
            arrays: dict[str, npt.NDArray[np.generic]] = {name: getattr(made, name) for name in names}
            save_arrays(path, arrays)
        return made

    def _path(self, kind: str, *inputs: str) -> Path:
        key = hashlib.sha256("\n".join([str(FORMAT), self.source.digest, *inputs]).encode()).hexdigest()
        return self.cache_dir / f"{kind}-{key[:32]}.npz"
