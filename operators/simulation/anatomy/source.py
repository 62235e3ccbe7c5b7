"""The skeleton as the package `myo-sim` ships it: meshes, joint tree, couplings.

The model's world is right-handed with +x to the left, +y posterior, +z to the head: LPS in
metres. Everything leaves this module in millimetres with x = 0 on the midline. A part's mesh
is kept where the model at rest (every joint at its reference) puts it.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import mujoco
import myo_sim
import numpy as np
import numpy.typing as npt
import trimesh

from bmnode.errors import BmnodeError
from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.source_table import (
    CHEST_DISCARDED_FACES,
    CHEST_FRONT,
    CHEST_FRONT_FACES,
    CHEST_MESH,
    CUTS,
    MESH_BONES,
    NECK_MESH,
    RIB_FACES,
    RIB_PAIRS,
    VERTEBRA_MIN_FACES,
)

FloatArray = npt.NDArray[np.float64]
MODEL_NAME = "myofullbody"
_NAMED = 5
"""How many meshes an error names."""


class AnatomySourceError(BmnodeError):
    """The installed `myo-sim` is not the one this code knows. Install the version range of the `simulation` extra."""


HalfSpace = tuple[tuple[float, float, float], float]
"""(normal, offset): the points of the rest frame where normal . point >= offset."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """One rigid piece of the skeleton.

    Args:
        name: unique.
        bone: the label; None for costal cartilage.
        body: name of the MuJoCo body that carries it.
        vertices: (n, 3) in the rest frame, millimetres.
        faces: (m, 3) indices of vertices, outward by the right hand.
        keep: the part is what lies in all of these half-spaces: two parts may share a mesh.
    """

    name: str
    bone: Bone | None
    body: str
    vertices: FloatArray
    faces: npt.NDArray[np.int64]
    keep: tuple[HalfSpace, ...] = ()

    def kept(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Which of the points (n, 3) of the rest frame lie in the part's half-spaces."""
        inside = np.ones(len(points), dtype=np.bool_)
        for normal, offset in self.keep:
            inside &= points @ np.asarray(normal) >= offset
        return inside


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyFrames:
    """Where each body lies: `rotation` (bodies, 3, 3), `origin_mm` (bodies, 3), in LPS."""

    names: tuple[str, ...]
    rotation: FloatArray
    origin_mm: FloatArray

    def of(self, body: str) -> tuple[FloatArray, FloatArray]:
        """Rotation and origin of one body."""
        index = self.names.index(body)
        return self.rotation[index], self.origin_mm[index]


class Source:
    """The model, its parts and its joints. Raises AnatomySourceError where the package is not as expected."""

    def __init__(self, model: str = MODEL_NAME) -> None:
        self._model = _load_model(model)
        self.version = _package_version()
        self.bodies = tuple(self._model.body(index).name for index in range(self._model.nbody))
        self._joints = {self._model.joint(index).name: index for index in range(self._model.njnt)}
        self._midline_mm = 0.0
        self._midline_mm = float(self.frames({}, scale={}).of("Full Body")[1][0])
        self.rest = self.frames({}, scale={})
        self.parts = _parts(_meshes(self._model, self.rest))
        self.digest = _digest(self.parts)

    def carriers(self, body: str) -> tuple[str, ...]:
        """The body itself, its parent, and so on up to the root."""
        chain = [body]
        while (parent := int(self._model.body_parentid[self.bodies.index(chain[-1])])) != 0:
            chain.append(self.bodies[parent])
        return tuple(chain)

    def frames(self, joints: Mapping[str, float], *, scale: Mapping[str, float]) -> BodyFrames:
        """Forward kinematics.

        Args:
            joints: angle in radians by joint; joints not named stay at rest, and those that the
                model couples to another (shoulder blade, kneecap, lumbar levels) follow it.
            scale: size by body, 1 where not named.

        Raises:
            AnatomySourceError: a joint or body is not in the model.
        """
        model = copy.copy(self._model)
        size = np.array([scale.get(name, 1.0) for name in self.bodies])
        unknown = (set(scale) - set(self.bodies)) | (set(joints) - set(self._joints))
        if unknown:
            raise AnatomySourceError(f"myo-sim {self.version} has no {sorted(unknown)}")
        model.body_pos[:] *= size[model.body_parentid][:, None]
        model.jnt_pos[:] *= size[model.jnt_bodyid][:, None]
        data = mujoco.MjData(model)
        data.qpos[:] = self._positions(joints, size=size)
        mujoco.mj_kinematics(model, data)
        return BodyFrames(
            names=self.bodies,
            rotation=np.array(data.xmat, dtype=np.float64).reshape(-1, 3, 3),
            origin_mm=np.array(data.xpos, dtype=np.float64) * 1000.0 - [self._midline_mm, 0.0, 0.0],
        )

    def _positions(self, joints: Mapping[str, float], *, size: FloatArray) -> FloatArray:
        """Joint positions with the model's couplings: q = q0 + polynomial(q_leader - q0_leader)."""
        model = self._model
        rest = np.array(model.qpos0)
        positions = rest.copy()
        for name, value in joints.items():
            positions[model.jnt_qposadr[self._joints[name]]] = value
        for index in np.flatnonzero(model.eq_type == mujoco.mjtEq.mjEQ_JOINT):
            follower = int(model.jnt_qposadr[model.eq_obj1id[index]])
            leader = int(model.eq_obj2id[index])
            lead = 0.0
            if leader >= 0:
                address = int(model.jnt_qposadr[leader])
                lead = float(positions[address] - rest[address])
            positions[follower] = rest[follower] + float(
                np.polynomial.polynomial.polyval(lead, model.eq_data[index, :5])
            )
        slides = model.jnt_type == mujoco.mjtJoint.mjJNT_SLIDE
        addresses = model.jnt_qposadr[slides]
        positions[addresses] *= size[model.jnt_bodyid[slides]]
        return positions


def _load_model(name: str) -> Any:
    """The compiled model. The package's remarks on its own XML say nothing about this use of it."""
    previous = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(lambda _message: None)  # else MuJoCo writes MUJOCO_LOG.TXT into the working folder
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return myo_sim.load_model(name)
    except (KeyError, ValueError, OSError) as error:
        raise AnatomySourceError(f"myo-sim {_package_version()} cannot load {name!r}: {error}") from error
    finally:
        mujoco.set_mju_user_warning(previous)


def _package_version() -> str:
    try:
        return version("myo-sim")
    except PackageNotFoundError as error:
        raise AnatomySourceError("myo-sim is not installed: pip install 'bmnode[simulation]'") from error


def _digest(parts: tuple[Part, ...]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.name.encode())
        digest.update(np.round(part.vertices, 2).astype("<f8").tobytes())
        digest.update(part.faces.astype("<i8").tobytes())
        digest.update(repr(part.keep).encode())
    return digest.hexdigest()


def _meshes(model: Any, rest: BodyFrames) -> dict[str, tuple[str, trimesh.Trimesh]]:
    """The bones' surfaces by mesh name: (body, mesh in the rest frame)."""
    found: dict[str, tuple[str, trimesh.Trimesh]] = {}
    for geom in range(model.ngeom):
        mesh = int(model.geom_dataid[geom])
        if mesh < 0 or model.geom_group[geom] != 0:
            continue
        first, count = int(model.mesh_vertadr[mesh]), int(model.mesh_vertnum[mesh])
        face, faces = int(model.mesh_faceadr[mesh]), int(model.mesh_facenum[mesh])
        in_body = np.zeros(9)
        mujoco.mju_quat2Mat(in_body, model.geom_quat[geom])
        body = model.body(model.geom_bodyid[geom]).name
        rotation, origin = rest.of(body)
        vertices = model.mesh_vert[first : first + count] @ in_body.reshape(3, 3).T + model.geom_pos[geom]
        surface = trimesh.Trimesh(
            vertices * 1000.0 @ rotation.T + origin, model.mesh_face[face : face + faces], process=False
        )
        surface.merge_vertices(merge_tex=True, merge_norm=True)
        found[model.mesh(mesh).name] = (body, surface)
    return found


def _part(mesh: trimesh.Trimesh, *, name: str, bone: Bone | None, body: str, keep: tuple[HalfSpace, ...] = ()) -> Part:
    return Part(
        name=name,
        bone=bone,
        body=body,
        vertices=np.asarray(mesh.vertices, dtype=np.float64),
        faces=np.asarray(mesh.faces, dtype=np.int64),
        keep=keep,
    )


def _parts(meshes: dict[str, tuple[str, trimesh.Trimesh]]) -> tuple[Part, ...]:
    expected = set(MESH_BONES) | set(CUTS) - {CHEST_FRONT} | {CHEST_MESH, NECK_MESH}
    if set(meshes) != expected:
        raise AnatomySourceError(
            f"myo-sim {_package_version()} has other bone meshes than expected: "
            f"missing {_some(expected - set(meshes))}; new {_some(set(meshes) - expected)}"
        )
    parts = [_part(meshes[name][1], name=name, bone=bone, body=meshes[name][0]) for name, bone in MESH_BONES.items()]
    for name in set(CUTS) & set(meshes):
        parts += _cut(meshes[name][1], name=name, body=meshes[name][0])
    parts += _chest(meshes[CHEST_MESH][1], body=meshes[CHEST_MESH][0])
    parts += _neck(meshes[NECK_MESH][1], body=meshes[NECK_MESH][0])
    return tuple(sorted(parts, key=lambda part: part.name))


def _some(names: set[str]) -> str:
    first = sorted(names)[:_NAMED]
    return f"{len(names)} ({', '.join(first)}{', ...' if len(names) > _NAMED else ''})" if names else "none"


def _cut(mesh: trimesh.Trimesh, *, name: str, body: str) -> list[Part]:
    return [
        _part(mesh, name=piece, bone=bone, body=body, keep=half_spaces)
        for piece, (bone, half_spaces) in CUTS[name].items()
    ]


def _pieces(mesh: trimesh.Trimesh) -> list[trimesh.Trimesh]:
    return [piece for piece in mesh.split(only_watertight=False) if piece.is_watertight]


def _chest(mesh: trimesh.Trimesh, *, body: str) -> list[Part]:
    """The 24 ribs, the sternum and the costal cartilages, which the model has as one mesh."""
    ribs: dict[str, list[trimesh.Trimesh]] = {"LEFT": [], "RIGHT": []}
    front: list[trimesh.Trimesh] = []
    for piece in _pieces(mesh):
        if len(piece.faces) == CHEST_FRONT_FACES:
            front.append(piece)
        elif len(piece.faces) in RIB_FACES:
            ribs["LEFT" if piece.vertices[:, 0].mean() > 0 else "RIGHT"].append(piece)
        elif len(piece.faces) != CHEST_DISCARDED_FACES:
            raise AnatomySourceError(f"the chest mesh has an unknown piece of {len(piece.faces)} faces")
    counts = (len(front), len(ribs["LEFT"]), len(ribs["RIGHT"]))
    if counts != (1, RIB_PAIRS, RIB_PAIRS):
        raise AnatomySourceError(f"the chest mesh splits into {counts} (front, left ribs, right ribs), not (1, 12, 12)")
    parts = _cut(front[0], name=CHEST_FRONT, body=body)
    for side, pieces in ribs.items():
        from_above = sorted(pieces, key=lambda piece: -float(piece.bounds[1][2]))
        parts += [
            _part(piece, name=f"rib_{number}_{side.lower()}", bone=Bone[f"RIB_{number}_{side}"], body=body)
            for number, piece in enumerate(from_above, start=1)
        ]
    return parts


def _neck(mesh: trimesh.Trimesh, *, body: str) -> list[Part]:
    """The seven cervical vertebrae, which the model has as one mesh with their discs."""
    pieces = [piece for piece in _pieces(mesh) if len(piece.faces) >= VERTEBRA_MIN_FACES]
    from_above = sorted(pieces, key=lambda piece: -float(piece.vertices[:, 2].mean()))
    if len(from_above) != 7:
        raise AnatomySourceError(f"the neck mesh splits into {len(from_above)} vertebrae, not 7")
    return [
        _part(piece, name=f"cervical{number}", bone=Bone[f"C{number}"], body=body)
        for number, piece in enumerate(from_above, start=1)
    ]
