"""The bones that foci lie in: how deep a place is, which part carries it, where it lies in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.simulation.anatomy.bones import CORTEX, Bone
from operators.simulation.anatomy.pose import PlacedPart, PosedSkeleton
from operators.simulation.anatomy.shape import shaped_templates
from operators.simulation.anatomy.templates import STEP_MM, Template

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Carrier:
    """One part of a bone where it lies in a person.

    Args:
        bone: the label.
        placed: the part in its place.
        turn, stretch: (3, 3): the affine's linear part is `turn @ stretch`, a rotation after a symmetric stretch.
    """

    bone: Bone
    placed: PlacedPart
    turn: FloatArray
    stretch: FloatArray
    _templates: Mapping[str, Template] = field(repr=False)
    _kept: dict[str, FloatArray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, placed: PlacedPart, templates: Mapping[str, Template]) -> Carrier:
        """The carrier of a placed part. Raises ValueError for cartilage."""
        if placed.bone is None:
            raise ValueError(f"{placed.part.name} is cartilage and carries no focus")
        left, sizes, right = np.linalg.svd(placed.affine[:3, :3])
        return cls(
            bone=placed.bone,
            placed=placed,
            turn=left @ right,
            stretch=right.T @ np.diag(sizes) @ right,
            _templates=templates,
        )

    @property
    def template(self) -> Template:
        """The part's depth field, made when it is first asked for."""
        return self._templates[self.placed.part.name]

    def depth_mm(self, points: FloatArray) -> FloatArray:
        """Depth in bone at points (n, 3) of the rest frame, millimetres of the person; negative outside.

        Of the skull the wall is bone, not what it encloses. Away from the bone the depth is a
        lower bound, good to a millimetre or two.
        """
        node = (points - np.asarray(self.template.origin_mm)) / self.template.step_mm
        last = np.array(self.template.depth.shape[::-1]) - 1.0
        nearest = np.clip(node, 0.0, last)
        depth = ndimage.map_coordinates(
            self.template.depth, nearest[:, ::-1].T, output=np.float64, order=1, mode="nearest"
        )
        beyond = np.linalg.norm(node - nearest, axis=1) * self.template.step_mm
        deep = (depth * STEP_MM - beyond) * self.placed.thickness
        wall = CORTEX[self.bone.kind].wall_mm
        return np.asarray(deep if wall is None else np.minimum(deep, wall * self.placed.thickness - deep))

    def box(self) -> tuple[FloatArray, FloatArray]:
        """Corners (x, y, z) of the template's box in the rest frame."""
        low = np.asarray(self.template.origin_mm)
        return low, low + (np.array(self.template.depth.shape[::-1]) - 1.0) * self.template.step_mm

    def nodes(self) -> FloatArray:
        """The template's nodes (n, 3) in bone, in the rest frame; not to be written to."""
        if "nodes" not in self._kept:
            index = np.argwhere(self.template.depth > 0)[:, ::-1]
            points = np.asarray(self.template.origin_mm) + self.template.step_mm * index
            depths = self.depth_mm(points)
            self._kept["nodes"], self._kept["depths"] = points[depths > 0], depths[depths > 0]
        return self._kept["nodes"]

    def node_depths(self) -> FloatArray:
        """Depth in bone (n,) of `nodes`, millimetres of the person; not to be written to."""
        self.nodes()
        return self._kept["depths"]

    @property
    def volume_ml(self) -> float:
        """Volume of the part in the person, to the resolution of its depth field."""
        return len(self.nodes()) * self.node_ml

    def to_lps(self, points: FloatArray) -> FloatArray:
        """Places (n, 3) of the rest frame in the patient."""
        return np.asarray(points @ self.placed.affine[:3, :3].T + self.placed.affine[:3, 3])

    def to_rest(self, points: FloatArray) -> FloatArray:
        """Places (n, 3) in the patient in the rest frame."""
        inverse = np.linalg.inv(self.placed.affine)
        return np.asarray(points @ inverse[:3, :3].T + inverse[:3, 3])

    def box_lps(self) -> tuple[FloatArray, FloatArray]:
        """Corners (x, y, z) of a box in the patient that holds the template's box."""
        low, high = self.box()
        corners = self.to_lps(np.where(np.array(list(np.ndindex(2, 2, 2))) == 0, low, high))
        return corners.min(axis=0), corners.max(axis=0)

    @property
    def node_ml(self) -> float:
        """Volume in the person that one node of the template stands for."""
        return self.template.step_mm**3 * abs(float(np.linalg.det(self.placed.affine[:3, :3]))) / 1000.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """A person's bones with their depth fields."""

    skeleton: PosedSkeleton
    carriers: tuple[Carrier, ...]

    @classmethod
    def of(cls, skeleton: PosedSkeleton, templates: Mapping[str, Template]) -> Ground:
        """The ground of a posed skeleton; templates are the source's or already in the person's shape."""
        own = shaped_templates(templates, skeleton.warps)
        carriers = tuple(Carrier.of(placed, own) for placed in skeleton.parts if placed.bone is not None)
        return cls(skeleton=skeleton, carriers=carriers)

    def parts(self, bone: Bone) -> tuple[Carrier, ...]:
        """The parts of a bone; several for hand and foot. Raises ValueError where the person has no such bone."""
        found = tuple(carrier for carrier in self.carriers if carrier.bone is bone)
        if not found:
            raise ValueError(f"this person has no {bone.name}")
        return found

    def main_part(self, bone: Bone) -> Carrier:
        """The largest part of a bone."""
        return max(self.parts(bone), key=lambda carrier: carrier.volume_ml)

    def carrier_at(self, bone: Bone, centre_mm: tuple[float, float, float]) -> Carrier:
        """The part of a bone in which a place of the rest frame lies deepest: it carries a shape centred there."""
        place = np.array([centre_mm])
        return max(self.parts(bone), key=lambda carrier: float(carrier.depth_mm(place)[0]))
