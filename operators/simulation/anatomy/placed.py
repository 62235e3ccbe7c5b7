"""A person's bones in their places: what `pose` makes, and the truth of every bone's pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import trimesh

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.anatomy.shape import Warp
from operators.simulation.anatomy.source import Part

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlacedPart:
    """A part of the source where it lies in this person.

    Args:
        part: of the source (an L6 has the mesh of L5), its vertices in the person's own shape.
        bone: the label in this person; None for costal cartilage.
        affine: (4, 4) from the source's rest frame to LPS, millimetres.
        thickness: size of the bone across its long axis against the source.
        frame: (4, 4) as `affine`, but for the bone's own proportions: where the segment of the body lies.
        cortex: thickness of the cortex against the source's table, besides `thickness`.
        warp: the person's own shape of the bone; None where it has the source's.
    """

    part: Part
    bone: Bone | None
    affine: FloatArray
    thickness: float
    frame: FloatArray
    cortex: float = 1.0
    warp: Warp | None = None

    @property
    def vertices_lps(self) -> FloatArray:
        """The whole mesh's vertices (n, 3) in LPS millimetres."""
        return self.to_lps(self.part.vertices)

    def to_lps(self, points: FloatArray) -> FloatArray:
        """Points (n, 3) of the rest frame in LPS."""
        return np.asarray(points @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_rest(self, points: FloatArray) -> FloatArray:
        """Points (n, 3) of LPS in the rest frame."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(points @ inverse[:3, :3].T + inverse[:3, 3])

    def shaped(self, points: FloatArray) -> FloatArray:
        """Where landmarks (n, 3) of the source lie in this person's bone, both in the rest frame."""
        points = np.atleast_2d(points)
        return points if self.warp is None else self.warp.shaped(points)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedSkeleton:
    """Every part of a person's skeleton in LPS millimetres.

    Before the posture's shift x = 0 is the pelvis' midline and the feet are near z = 0.
    """

    spec: PersonSpec
    parts: tuple[PlacedPart, ...]
    warps: Mapping[str, Warp] = field(default_factory=dict)
    """The person's own shapes by part name."""

    @property
    def bones(self) -> tuple[Bone, ...]:
        """The bones that this person has, by value."""
        return tuple(sorted({part.bone for part in self.parts if part.bone is not None}))

    def placed(self, bone: Bone) -> PlacedPart:
        """The bone's largest part. Raises ValueError where the person has no such bone."""
        found = [placed for placed in self.parts if placed.bone is bone]
        if not found:
            raise ValueError(f"this person has no {bone.name}")
        return max(found, key=lambda placed: float(np.prod(np.ptp(placed.part.vertices, axis=0))))

    def vertices(self, bone: Bone) -> FloatArray:
        """The vertices (n, 3) of a bone. Raises ValueError where the person has no such bone."""
        found = [
            placed.vertices_lps[placed.part.kept(placed.part.vertices)] for placed in self.parts if placed.bone is bone
        ]
        if not found:
            raise ValueError(f"this person has no {bone.name}")
        return np.concatenate(found)

    def mesh(self, bone: Bone) -> trimesh.Trimesh:
        """The bone's surface; open where the source has it grown together with its neighbour (sternum, coccyx)."""
        meshes = []
        for placed in self.parts:
            if placed.bone is bone:
                kept = placed.part.kept(placed.part.vertices)[placed.part.faces].all(axis=1)
                meshes.append(trimesh.Trimesh(placed.vertices_lps, placed.part.faces[kept], process=False))
        if not meshes:
            raise ValueError(f"this person has no {bone.name}")
        return trimesh.Trimesh(*trimesh.util.append_faces([m.vertices for m in meshes], [m.faces for m in meshes]))

    def centre(self, bone: Bone) -> FloatArray:
        """Mean of the bone's vertices (3,)."""
        return np.asarray(self.vertices(bone).mean(axis=0))

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """The corners of the box around all bones."""
        points = np.concatenate([placed.vertices_lps for placed in self.parts])
        return points.min(axis=0), points.max(axis=0)


def bone_affines(skeleton: PosedSkeleton) -> dict[Bone, FloatArray]:
    """The pose of every bone: (4, 4) from the rest frame to LPS; of hand and foot that of their largest part.

    Between two scans of a person a bone moved by `after @ inv(before)`: its own shape stays in the rest frame.
    """
    return {bone: skeleton.placed(bone).affine.copy() for bone in skeleton.bones}
