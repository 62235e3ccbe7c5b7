"""Where things are on a bone: vertebral bodies and canal, joints, ribs and shafts by fraction of their length.

Everything is in the source's rest frame in millimetres (x = 0 is the midline, +x left, +y posterior, +z to
the head), the frame that `PlacedPart.affine` leads from. It is measured on the source's meshes. A person's
own shape moves a landmark by a few millimetres: `PlacedPart.shaped` says where to, in the same frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from operators.simulation.anatomy.bones import VERTEBRAE, Bone, Side
from operators.simulation.anatomy.source import Part, Source
from operators.simulation.anatomy.surface import surface_points

FloatArray = npt.NDArray[np.float64]

_SAMPLE_MM = 2.0
_OFF_MIDLINE_MM = 0.3
"""Midline cuts are made beside x = 0, where the meshes have vertices."""
_CONTACT_MM = 2.5
"""A joint is the middle of what lies within this distance of the closest pair of points."""
_AXIS_ROUNDS = 3
_CANAL_WIDTH = 1.4
"""Of the canal against its depth (chosen)."""


class VertebraPart(IntEnum):
    """Which part of a vertebra a point belongs to."""

    BODY = 1
    PEDICLE = 2
    POSTERIOR = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Vertebra:
    """A vertebra's landmarks.

    Args:
        bone: C1 has an anterior arch in place of a body, C2 a body with the dens.
        body_centre_mm: (3,) middle of the vertebral body.
        up, back: unit vectors (3,) along the body's axis to the head, and at a right angle to it to the back.
        half_height_mm, half_depth_mm, half_width_mm: of the body along `up`, `back` and left-right.
        upper_mm, lower_mm: (3,) middle of each endplate; upper_normal, lower_normal point out of the body.
        canal_mm: (3,) the canal's centre at the body's height.
        canal_depth_mm: from the body's rear wall to the lamina in the midline.
    """

    bone: Bone
    body_centre_mm: FloatArray
    up: FloatArray
    back: FloatArray
    half_height_mm: float
    half_depth_mm: float
    half_width_mm: float
    upper_mm: FloatArray
    lower_mm: FloatArray
    upper_normal: FloatArray
    lower_normal: FloatArray
    canal_mm: FloatArray
    canal_depth_mm: float

    def parts(self, points: FloatArray) -> npt.NDArray[np.uint8]:
        """The value of `VertebraPart` (n,) for points (n, 3) of the rest frame that lie in the vertebra."""
        behind = (points - self.body_centre_mm) @ self.back - self.half_depth_mm
        part = np.full(len(points), VertebraPart.POSTERIOR, dtype=np.uint8)
        pedicle = (behind < 0.6 * self.canal_depth_mm) & (np.abs(points[:, 0]) < self.half_width_mm + 2.0)
        part[pedicle] = VertebraPart.PEDICLE
        part[behind < 0] = VertebraPart.BODY
        return part

    @property
    def canal_half_width_mm(self) -> float:
        """Half the canal's width, from its depth."""
        return _CANAL_WIDTH * self.canal_depth_mm / 2.0

    def pedicle_mm(self, side: Side) -> FloatArray:
        """Middle of a pedicle (3,)."""
        sign = 1.0 if side is Side.LEFT else -1.0
        x = sign * (self.canal_half_width_mm + 3.0)
        rear = self.body_centre_mm + (self.half_depth_mm + 0.3 * self.canal_depth_mm) * self.back
        return np.asarray(rear + 0.35 * self.half_height_mm * self.up + [x, 0.0, 0.0])


class JointKind(StrEnum):
    """The joints that degenerate or otherwise take up tracer."""

    FACET = "facet"
    COSTOVERTEBRAL = "costovertebral"
    COSTOCHONDRAL = "costochondral"
    STERNOCLAVICULAR = "sternoclavicular"
    ACROMIOCLAVICULAR = "acromioclavicular"
    SHOULDER = "shoulder"
    ELBOW = "elbow"
    WRIST = "wrist"
    SACROILIAC = "sacroiliac"
    HIP = "hip"
    KNEE = "knee"
    ANKLE = "ankle"
    SYMPHYSIS = "symphysis"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Joint:
    """A joint's place.

    Args:
        bones: that meet, the one that carries the joint's landmark first.
        side: None for the symphysis.
        centre_mm: (3,) of the joint's space; of hip and shoulder the centre of the head's ball.
        surface_mm: (bones, 3) the middle of the contact on each bone, in the order of `bones`.
    """

    kind: JointKind
    side: Side | None
    bones: tuple[Bone, ...]
    centre_mm: FloatArray
    surface_mm: FloatArray


_BODY_JOINTS: tuple[tuple[JointKind, str, str, str], ...] = (
    (JointKind.STERNOCLAVICULAR, "clavicle", "CLAVICLE", "STERNUM"),
    (JointKind.ACROMIOCLAVICULAR, "", "CLAVICLE", "SCAPULA"),
    (JointKind.SHOULDER, "humerus", "HUMERUS", "SCAPULA"),
    (JointKind.ELBOW, "ulna", "HUMERUS", "ULNA"),
    (JointKind.WRIST, "", "RADIUS", "HAND"),
    (JointKind.SACROILIAC, "", "HIP", "SACRUM"),
    (JointKind.HIP, "femur", "FEMUR", "HIP"),
    (JointKind.KNEE, "", "TIBIA", "FEMUR"),
    (JointKind.ANKLE, "", "TIBIA", "FOOT"),
)
"""Kind, the source's body whose origin is the joint's centre (empty: the middle of the contact), the two bones."""
_BALL = (JointKind.SHOULDER, JointKind.HIP)


class Landmarks:
    """Measures landmarks on a source, each when it is first asked for. Raises KeyError for a bone without them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._parts: dict[Bone, list[Part]] = {}
        for part in source.parts:
            if part.bone is not None:
                self._parts.setdefault(part.bone, []).append(part)
        self._points: dict[Bone, FloatArray] = {}

    def surface(self, bone: Bone) -> FloatArray:
        """Points (n, 3) spread over a bone's surface about 2 mm apart; of an L6 those of L5, whose mesh it has."""
        bone = Bone.L5 if bone is Bone.L6 else bone
        if bone not in self._points:
            found = [surface_points(part, spacing_mm=_SAMPLE_MM)[0] for part in self._parts[bone]]
            kept = [points[part.kept(points)] for part, points in zip(self._parts[bone], found, strict=True)]
            self._points[bone] = _thinned(np.concatenate(kept))
        return self._points[bone]

    @cached_property
    def vertebrae(self) -> dict[Bone, Vertebra]:
        """Every vertebra's landmarks; L6 has those of L5."""
        bones = [bone for bone in VERTEBRAE if bone is not Bone.L6]
        outlines = {bone: _midline(self._parts[bone][0]) for bone in bones}
        found = {bone: _vertebra(bone, outlines[bone], self.surface(bone)) for bone in bones}
        return found | {Bone.L6: found[Bone.L5]}

    @cached_property
    def joints(self) -> tuple[Joint, ...]:
        """Every joint of both sides, in a fixed order."""
        found = [self._facet(upper, side) for upper in VERTEBRAE[2:-2] for side in Side]
        found += [self._of_rib(number, side) for number in range(1, 13) for side in Side]
        found += [
            self._costochondral(Bone[f"RIB_{number}_{side.name}"], side) for number in range(1, 11) for side in Side
        ]
        found += [
            self._limb(kind, body, (Bone[f"{first}_{side.name}"], self._bone(second, side)), side)
            for kind, body, first, second in _BODY_JOINTS
            for side in Side
        ]
        return (*found, self._contact(JointKind.SYMPHYSIS, None, (Bone.HIP_LEFT, Bone.HIP_RIGHT)))

    def joint(self, kind: JointKind, side: Side | None, bone: Bone | None = None) -> Joint:
        """One joint; of facets and ribs the one whose first bone is `bone`. Raises KeyError where there is none."""
        for joint in self.joints:
            if joint.kind is kind and joint.side is side and bone in (None, joint.bones[0]):
                return joint
        raise KeyError(f"no {kind.value} on side {side} of {bone}")

    def rib(self, bone: Bone, fraction: float) -> FloatArray:
        """A point (3,) on a rib's centre line: 0 is its head at the spine, 1 its front end."""
        distance, points = self._rib_arcs[bone]
        near = np.abs(distance - fraction) < 0.04
        return np.asarray(points[near].mean(axis=0))

    def shaft(self, bone: Bone, fraction: float) -> FloatArray:
        """A point (3,) on the axis of a limb bone or clavicle: 0 is the end nearer to the trunk, 1 the other."""
        points = self.surface(bone)
        centre = points.mean(axis=0)
        axis = np.linalg.svd(points - centre, full_matrices=False)[2][0]
        outward = np.array([1.0 if bone.side is Side.LEFT else -1.0, 0.0, 0.0])
        away = outward if bone.kind == "clavicle" else np.array([0.0, 0.0, -1.0])
        along = (points - centre) @ (axis if axis @ away > 0 else -axis)
        part = (along - along.min()) / np.ptp(along)
        section = points[np.abs(part - fraction) < 0.03]
        return np.asarray((section.min(axis=0) + section.max(axis=0)) / 2)

    @cached_property
    def _rib_arcs(self) -> dict[Bone, tuple[FloatArray, FloatArray]]:
        arcs = {}
        for bone in (bone for bone in Bone if bone.kind == "rib"):
            points = self.surface(bone)
            spine = self.vertebrae[Bone[f"T{bone.name.split('_')[1]}"]].body_centre_mm
            first = int(np.argmin(np.linalg.norm(points - spine, axis=1)))
            distance = _along_surface(points, first)
            arcs[bone] = (distance / distance.max(), points)
        return arcs

    def _bone(self, name: str, side: Side) -> Bone:
        return Bone[name] if name in Bone.__members__ else Bone[f"{name}_{side.name}"]

    def _facet(self, upper: Bone, side: Side) -> Joint:
        lower = VERTEBRAE[VERTEBRAE.index(upper) + 1]
        return self._contact(JointKind.FACET, side, (upper, lower), behind=True)

    def _of_rib(self, number: int, side: Side) -> Joint:
        rib, spine = Bone[f"RIB_{number}_{side.name}"], Bone[f"T{number}"]
        return self._contact(JointKind.COSTOVERTEBRAL, side, (rib, spine))

    def _costochondral(self, rib: Bone, side: Side) -> Joint:
        end = self.rib(rib, 0.98)
        return Joint(
            kind=JointKind.COSTOCHONDRAL, side=side, bones=(rib,), centre_mm=end, surface_mm=np.atleast_2d(end)
        )

    def _limb(self, kind: JointKind, body: str, bones: tuple[Bone, Bone], side: Side) -> Joint:
        joint = self._contact(kind, side, bones)
        if not body:
            return joint
        origin = self._source.rest.of(f"{body}_{side.value[0]}")[1]
        centre = origin if kind in _BALL else joint.centre_mm
        return Joint(kind=kind, side=side, bones=bones, centre_mm=centre, surface_mm=joint.surface_mm)

    def _contact(self, kind: JointKind, side: Side | None, bones: tuple[Bone, Bone], *, behind: bool = False) -> Joint:
        """The middle of where two bones are closest; of facets behind the canal's front and off the midline."""
        first, second = (self.surface(bone) for bone in bones)
        if behind and side is not None:
            first, second = (
                self._facet_side(points, bone, side) for points, bone in ((first, bones[0]), (second, bones[1]))
            )
        gap, partner = cKDTree(second).query(first)
        near = gap < gap.min() + _CONTACT_MM
        surface = np.stack([first[near].mean(axis=0), second[partner[near]].mean(axis=0)])
        if kind in _BALL:  # the middle of a ring of contact lies inside the ball
            surface = np.stack(
                [_nearest(points, place) for points, place in zip((first, second), surface, strict=True)]
            )
        return Joint(kind=kind, side=side, bones=bones, centre_mm=surface.mean(axis=0), surface_mm=surface)

    def _facet_side(self, points: FloatArray, bone: Bone, side: Side) -> FloatArray:
        vertebra = self.vertebrae[bone]
        sign = 1.0 if side is Side.LEFT else -1.0
        behind = (points - vertebra.canal_mm) @ vertebra.back > -vertebra.canal_depth_mm / 2
        return points[behind & (sign * points[:, 0] > 5.0)]


def _nearest(points: FloatArray, place: FloatArray) -> FloatArray:
    return np.asarray(points[np.argmin(np.linalg.norm(points - place, axis=1))])


def _thinned(points: FloatArray) -> FloatArray:
    """One point in every cube of the sampling distance: meshes of bones in the hand are finer than that."""
    cubes = np.floor(points / _SAMPLE_MM).astype(np.int64)
    _, chosen = np.unique(cubes, axis=0, return_index=True)
    return np.asarray(points[np.sort(chosen)])


@lru_cache(maxsize=2)
def landmarks(source: Source) -> Landmarks:
    """The landmarks of a source; measured once."""
    return Landmarks(source)


def _midline(part: Part) -> FloatArray:
    """The mesh's outline beside the midline: points (n, 3)."""
    segments = _cut(part)
    return np.concatenate([segments[:, 0] * (1 - t) + segments[:, 1] * t for t in np.linspace(0, 1, 9)])


def _split(points: FloatArray, back: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The points in front of the canal and behind it: the widest gap in a direction parts them."""
    order = points[np.argsort(points @ back)]
    edge = len(order) // 10
    split = int(np.argmax(np.diff(order @ back)[edge:-edge])) + edge
    return order[: split + 1], order[split + 1 :]


def _cut(part: Part) -> FloatArray:
    """Where the plane x = _OFF_MIDLINE_MM cuts the triangles: segments (n, 2, 3)."""
    corners = part.vertices[part.faces]
    height = corners[:, :, 0] - _OFF_MIDLINE_MM
    ends = []
    for a, b in ((0, 1), (1, 2), (2, 0)):
        with np.errstate(divide="ignore", invalid="ignore"):
            share = height[:, a] / (height[:, a] - height[:, b])
        point = corners[:, a] + share[:, None] * (corners[:, b] - corners[:, a])
        point[~((height[:, a] > 0) ^ (height[:, b] > 0))] = np.nan
        ends.append(point)
    found = np.stack(ends, axis=1)
    crossed = np.isfinite(found[:, :, 0]).sum(axis=1) == 2
    chosen = found[crossed]
    return np.asarray(chosen[np.isfinite(chosen[:, :, 0])].reshape(-1, 2, 3))


def _vertebra(bone: Bone, outline: FloatArray, surface: FloatArray) -> Vertebra:
    up, back = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    front, rear = _split(outline, back)
    if bone not in (Bone.C1, Bone.C2):  # the one has no body, the other's has a tooth
        for _ in range(_AXIS_ROUNDS):
            up = _body_axis(front, up)
            back = np.array([0.0, up[2], -up[1]])
            front, rear = _split(outline, back)
    deep, high = front @ back, front @ up
    middle_deep, middle_high = (np.percentile(deep, 2) + np.percentile(deep, 98)) / 2, (high.min() + high.max()) / 2
    centre = middle_deep * back + middle_high * up
    half_depth = (np.percentile(deep, 98) - np.percentile(deep, 2)) / 2
    upper, upper_normal = _endplate(front - centre, up, back, half_depth)
    lower, lower_normal = _endplate(front - centre, -up, back, half_depth)
    relative = surface - centre
    level = (np.abs(relative @ up) < 4.0) & (np.abs(relative @ back) < 0.5 * half_depth)
    canal = float((rear @ back).min() - (middle_deep + half_depth))
    return Vertebra(
        bone=bone,
        body_centre_mm=centre,
        up=up,
        back=back,
        half_height_mm=float((upper - lower) @ up) / 2,
        half_depth_mm=float(half_depth),
        half_width_mm=float(np.abs(surface[level, 0]).max()) if level.any() else float(half_depth),
        upper_mm=centre + upper,
        lower_mm=centre + lower,
        upper_normal=upper_normal,
        lower_normal=lower_normal,
        canal_mm=centre + (half_depth + canal / 2) * back,
        canal_depth_mm=canal,
    )


def _body_axis(front: FloatArray, up: FloatArray) -> FloatArray:
    """Between the endplates' normals, from a first guess."""
    back = np.array([0.0, up[2], -up[1]])
    deep, high = front @ back, front @ up
    half_depth = (np.percentile(deep, 98) - np.percentile(deep, 2)) / 2
    centre = (np.percentile(deep, 2) + half_depth) * back + (high.min() + high.max()) / 2 * up
    upper = _endplate(front - centre, up, back, half_depth)[1]
    lower = _endplate(front - centre, -up, back, half_depth)[1]
    return np.asarray((upper - lower) / np.linalg.norm(upper - lower))


def _endplate(points: FloatArray, up: FloatArray, back: FloatArray, half_depth: float) -> tuple[FloatArray, FloatArray]:
    """Middle and outward normal of a line fitted to the outline on one end of a body."""
    high, deep = points @ up, points @ back
    chosen = (np.abs(deep) < 0.7 * half_depth) & (high > 0.3 * high.max())
    slope, offset = np.polyfit(deep[chosen], high[chosen], 1)
    normal = up - slope * back
    return offset * up, np.asarray(normal / np.linalg.norm(normal))


def _along_surface(points: FloatArray, first: int) -> FloatArray:
    """Distance (n,) of points on a surface from one of them, along the surface."""
    pairs = cKDTree(points).query_pairs(3.0 * _SAMPLE_MM, output_type="ndarray")
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    graph = coo_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points)))
    distance = np.asarray(dijkstra(graph.tocsr(), directed=False, indices=first))
    return np.where(np.isfinite(distance), distance, 0.0)
