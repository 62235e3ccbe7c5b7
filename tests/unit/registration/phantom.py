"""Bones of known form in known places: lobes of cortex about marrow in soft tissue, each moved on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bmnode.domain.bones import Bone
from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.ct_orientation import Agreement, Orientation
from operators.kernels.orientation import PatientAxes
from operators.kernels.registration import se3
from operators.kernels.registration.bones import SidedBone
from operators.kernels.registration.global_align import CtBone
from operators.kernels.skeleton_sites.sites import SkeletonMap
from pipelines.follow_up.registration import profile

FloatArray = npt.NDArray[np.float64]
Lobe = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Centre and semi-axes, LPS millimetres."""

PELVIS: Mapping[SidedBone, tuple[Lobe, ...]] = {
    SidedBone(bone=Bone.SACRUM): (((0, 20, 0), (30, 14, 34)), ((0, 34, -24), (10, 8, 18))),
    SidedBone(bone=Bone.L5): (((0, 4, 52), (25, 17, 13)), ((0, 38, 50), (5, 14, 8)), ((0, 26, 54), (36, 5, 5))),
    SidedBone(bone=Bone.L4): (((0, -2, 88), (24, 17, 14)), ((0, 32, 84), (5, 14, 8)), ((0, 20, 90), (38, 5, 5))),
    SidedBone(bone=Bone.HIP, side=1): (((62, 6, 18), (12, 34, 34)), ((66, -12, -36), (24, 20, 24))),
    SidedBone(bone=Bone.HIP, side=-1): (((-62, 6, 18), (12, 34, 34)), ((-66, -12, -36), (24, 20, 24))),
    SidedBone(bone=Bone.FEMUR, side=1): (((100, -10, -70), (17, 14, 15)), ((112, -10, -112), (13, 14, 40))),
}
"""Six bones, apart from each other by a few millimetres and more."""

Motions = Mapping[SidedBone, FloatArray]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Phantom:
    """A scan of bones.

    Args:
        motions: of single bones, (4, 4) about LPS zero; the others follow `whole`.
        whole: of all, applied last.
        centre_mm, size_mm: of the field, (x, y, z).
        noise_hu: standard deviation.
    """

    bones: Mapping[SidedBone, tuple[Lobe, ...]] = field(default_factory=lambda: PELVIS)
    motions: Motions = field(default_factory=dict)
    whole: FloatArray = field(default_factory=lambda: np.eye(4))
    centre_mm: tuple[float, float, float] = (0.0, 5.0, -20.0)
    size_mm: tuple[float, float, float] = (290.0, 130.0, 290.0)
    spacing_mm: float = 3.0
    noise_hu: float = 10.0
    seed: int = 0
    frame: str = "1.2.840.1"

    def motion(self, name: SidedBone) -> FloatArray:
        """Where a bone's own points went."""
        return np.asarray(self.whole @ self.motions.get(name, np.eye(4)))

    @property
    def geometry(self) -> VolumeGeometry:
        """Axial slices from below."""
        shape = tuple(round(size / self.spacing_mm) for size in self.size_mm[::-1])
        matrix = np.zeros((4, 4))
        matrix[[2, 1, 0], [0, 1, 2]] = self.spacing_mm
        matrix[:3, 3] = np.array(self.centre_mm) - np.array(self.size_mm) / 2.0
        matrix[3, 3] = 1.0
        return VolumeGeometry.from_matrix(
            matrix, shape=(shape[0], shape[1], shape[2]), frame_of_reference_uid=self.frame
        )

    def scan(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
        """HU, bones and sides (slice, row, column)."""
        geometry = self.geometry
        index = np.indices(geometry.shape).reshape(3, -1).T
        points = index @ geometry.matrix[:3, :3].T + geometry.matrix[:3, 3]
        hu = np.full(len(points), 40.0)
        bones, sides = np.zeros(len(points), dtype=np.uint8), np.zeros(len(points), dtype=np.int8)
        for name, lobes in self.bones.items():
            back = np.linalg.inv(self.motion(name))
            depth = depth_mm(points @ back[:3, :3].T + back[:3, 3], lobes)
            solid = 1.0 / (1.0 + np.exp(-np.clip(depth, -40.0, 40.0)))
            marrow = 1.0 / (1.0 + np.exp(-np.clip(depth - 6.0, -40.0, 40.0)))
            hu += solid * (600.0 - 40.0) - marrow * 350.0
            bones[depth > 0.0] = name.bone
            sides[depth > 0.0] = name.side
        hu += np.random.default_rng(self.seed).normal(0.0, self.noise_hu, len(hu))
        shape = geometry.shape
        return hu.reshape(shape).astype(np.float32), bones.reshape(shape), sides.reshape(shape)

    def ct(self) -> CtBone:
        """The scan as registration takes it; its voxels are its working blocks."""
        hu, bones, _ = self.scan()
        return profile().ct(work_of(hu, bones > 0, self.geometry), self.geometry)

    def skeleton(self) -> SkeletonMap:
        """The true names."""
        _, bones, sides = self.scan()
        return SkeletonMap(bones=bones, sides=sides, matrix=self.geometry.matrix, certain=frozenset(), method="PHANTOM")


def depth_mm(points: FloatArray, lobes: tuple[Lobe, ...]) -> FloatArray:
    """How far inside the nearest lobe points (n, 3) lie, about; negative outside."""
    depths = []
    for centre, radii in lobes:
        share = np.linalg.norm((points - np.array(centre)) / np.array(radii), axis=1)
        depths.append((1.0 - share) * min(radii))
    return np.asarray(np.max(depths, axis=0))


def work_of(hu: npt.NDArray[np.float32], bone: npt.NDArray[np.bool_], geometry: VolumeGeometry) -> WorkingBone:
    """A bone segmentation whose blocks are the voxels themselves."""
    nothing = np.zeros_like(bone)
    axes = PatientAxes.from_geometry(geometry)
    unknown = Agreement.NOT_EVALUABLE
    return WorkingBone(
        hu=hu,
        bone=bone,
        canal=nothing,
        contrast=nothing,
        spacing_mm=axes.spacing_mm,
        axes=axes,
        factors=(1, 1, 1),
        full_shape=geometry.shape,
        orientation=Orientation(back=unknown, head=unknown, sides=unknown),
        cavity_ml=0.0,
        cavity_share=0.0,
    )


def turned(degrees: tuple[float, float, float], shift_mm: tuple[float, float, float], *, name: SidedBone) -> FloatArray:
    """A motion (4, 4): a rotation vector about the middle of a bone's first lobe, then a shift."""
    motion = se3.about(se3.exp(np.array([*np.radians(degrees), 0.0, 0.0, 0.0])), np.array(PELVIS[name][0][0]))
    motion[:3, 3] += shift_mm
    return motion


def inner_points(name: SidedBone) -> FloatArray:
    """Points (n, 3) on and in a bone where it lies unmoved."""
    random = np.random.default_rng(3)
    cloud = []
    for centre, radii in PELVIS[name]:
        rays = random.normal(size=(200, 3))
        cloud.append(np.array(centre) + rays / np.linalg.norm(rays, axis=1, keepdims=True) * np.array(radii))
    return np.concatenate(cloud)
