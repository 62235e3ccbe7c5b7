"""The skeleton and its body on a grid: which bone, which tissue, how much of each voxel is bone and cortex.

A cortex is thinner than most voxels. So beside the maps, which say what lies at a voxel's
centre, there are the fractions of the voxel that are bone and that are cortex: physics uses these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import CORTEX, Bone, Cortex, Tissue
from operators.simulation.anatomy.outline import Outline
from operators.simulation.anatomy.pose import PlacedPart, PosedSkeleton
from operators.simulation.anatomy.shape import shaped_templates
from operators.simulation.anatomy.templates import STEP_MM, Template

FloatArray = npt.NDArray[np.float64]
ByteArray = npt.NDArray[np.uint8]
Box = tuple[slice, slice, slice]

_OUTSIDE_MM = -12.7
_SLAB_SLICES = 32


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AnatomyVolume:
    """A person on a grid; all arrays are uint8 (slice, row, column).

    Args:
        bones: value of `Bone` at the voxel's centre, 0 where there is none.
        tissue: value of `Tissue` at the voxel's centre.
        bone_fraction: part of the voxel inside bone (cortex, spongiosa, marrow), 255 is all of it.
        cortex_fraction: part of the voxel that is cortex, 255 is all of it.
    """

    geometry: VolumeGeometry
    bones: ByteArray
    tissue: ByteArray
    bone_fraction: ByteArray
    cortex_fraction: ByteArray

    def __post_init__(self) -> None:
        for array in (self.bones, self.tissue, self.bone_fraction, self.cortex_fraction):
            if array.dtype != np.uint8 or array.shape != self.geometry.shape:
                raise ValueError("an anatomy's arrays are uint8 and have their grid's shape")

    @property
    def body(self) -> npt.NDArray[np.bool_]:
        """Voxels whose centre lies in the body (slice, row, column)."""
        return np.asarray(self.tissue != Tissue.OUTSIDE)

    def volume_ml(self, bone: Bone) -> float:
        """Volume of the voxels with this label."""
        return float(np.count_nonzero(self.bones == bone)) * self.geometry.voxel_volume_ml


def axial_geometry(
    low_mm: npt.ArrayLike, high_mm: npt.ArrayLike, *, spacing_mm: float, frame_of_reference_uid: str
) -> VolumeGeometry:
    """A grid of cubes along the LPS axes that holds the box between two corners (x, y, z); slice 0 is the lowest.

    Raises:
        ValueError: the spacing is not positive or the box is empty.
    """
    low, high = np.asarray(low_mm, dtype=np.float64), np.asarray(high_mm, dtype=np.float64)
    if spacing_mm <= 0 or np.any(high <= low):
        raise ValueError(f"a grid needs a positive spacing and a box with a volume, got {spacing_mm} mm")
    count = np.ceil((high - low) / spacing_mm).astype(int)
    matrix = np.zeros((4, 4))
    matrix[0, 2] = matrix[1, 1] = matrix[2, 0] = spacing_mm
    matrix[:3, 3] = low + spacing_mm / 2
    matrix[3, 3] = 1.0
    shape = (int(count[2]), int(count[1]), int(count[0]))
    return VolumeGeometry.from_matrix(matrix, shape=shape, frame_of_reference_uid=frame_of_reference_uid)


def voxelise(
    skeleton: PosedSkeleton, body: Outline, geometry: VolumeGeometry, *, templates: Mapping[str, Template]
) -> AnatomyVolume:
    """Put a posed skeleton and its body on a grid of any orientation and spacing.

    Where bones touch, a voxel belongs to the bone in which its centre lies deeper, so no voxel
    has two labels. Memory: seven bytes a voxel, and one part of the skeleton at a time.
    """
    canvas = _Canvas.empty(geometry)
    templates = shaped_templates(templates, skeleton.warps)
    for placed in skeleton.parts:
        canvas.draw(placed, templates[placed.part.name])
    canvas.fill_body(body)
    return AnatomyVolume(
        geometry=geometry,
        bones=canvas.bones,
        tissue=canvas.tissue,
        bone_fraction=canvas.bone_fraction,
        cortex_fraction=canvas.cortex_fraction,
    )


def cortex_mm(cortex: Cortex, along: FloatArray) -> FloatArray:
    """Thickness of the cortex at a place along a bone (0 and 1 are its ends), before the bone's own size."""
    rise = np.clip((0.5 - np.abs(along - 0.5) - 0.12) / 0.18, 0.0, 1.0)
    smooth = rise * rise * (3.0 - 2.0 * rise)
    return np.asarray(cortex.end_mm + (cortex.shaft_mm - cortex.end_mm) * smooth)


def in_shaft(along: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether a place along a long bone lies in the part whose core is marrow."""
    return np.asarray(np.abs(along - 0.5) < 0.3)


@dataclass(kw_only=True, slots=True)
class _Canvas:
    geometry: VolumeGeometry
    bones: ByteArray
    tissue: ByteArray
    bone_fraction: ByteArray
    cortex_fraction: ByteArray
    deepest: npt.NDArray[np.float16]

    @classmethod
    def empty(cls, geometry: VolumeGeometry) -> _Canvas:
        bones, tissue, bone_fraction, cortex_fraction = (np.zeros(geometry.shape, dtype=np.uint8) for _ in range(4))
        return cls(
            geometry=geometry,
            bones=bones,
            tissue=tissue,
            bone_fraction=bone_fraction,
            cortex_fraction=cortex_fraction,
            deepest=np.zeros(geometry.shape, dtype=np.float16),
        )

    def draw(self, placed: PlacedPart, template: Template) -> None:
        to_rest = np.linalg.inv(placed.affine) @ self.geometry.matrix
        box = _box(placed, template, self.geometry)
        if box is None:
            return
        depth = _sample(template, to_rest, box) * placed.thickness
        width = float(np.cbrt(np.prod(self.geometry.spacing_mm)))
        index = np.argwhere(depth > -width / 2)
        if not len(index):
            return
        start = np.array([axis.start for axis in box])
        voxels = index + start
        depths = depth[tuple(index.T)].astype(np.float64)
        at = tuple(voxels.T)
        if placed.bone is None:
            inside = (depths > 0) & (self.bones[at] == 0)
            self.tissue[tuple(voxels[inside].T)] = Tissue.CARTILAGE
            return
        rest = voxels @ to_rest[:3, :3].T + to_rest[:3, 3]
        layers = _Layers.of(placed, depths, along=template.along(rest), width=width)
        self.bone_fraction[at] = _added(self.bone_fraction[at], layers.bone)
        self.cortex_fraction[at] = _added(self.cortex_fraction[at], layers.cortex)
        deeper = (depths > 0) & (depths > self.deepest[at])
        at = tuple(voxels[deeper].T)
        self.deepest[at] = depths[deeper]
        self.tissue[at] = layers.tissue[deeper]
        self.bones[at] = np.where(layers.tissue[deeper] == Tissue.SKULL_CAVITY, 0, placed.bone)

    def fill_body(self, body: Outline) -> None:
        for first in range(0, self.geometry.shape[0], _SLAB_SLICES):
            slab = slice(first, min(first + _SLAB_SLICES, self.geometry.shape[0]))
            skin = body.on_grid(body.skin, self.geometry, slices=slab)
            fascia = body.on_grid(body.fascia, self.geometry, slices=slab)
            tissue = self.tissue[slab]
            free = tissue == Tissue.OUTSIDE
            tissue[free & (fascia <= 0)] = Tissue.LEAN
            tissue[free & (fascia > 0) & (skin <= 0)] = Tissue.FAT


def _added(fraction: ByteArray, more: FloatArray) -> ByteArray:
    return np.minimum(fraction + np.rint(255.0 * more), 255).astype(np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layers:
    bone: FloatArray
    cortex: FloatArray
    tissue: ByteArray

    @classmethod
    def of(cls, placed: PlacedPart, depth: FloatArray, *, along: FloatArray, width: float) -> _Layers:
        assert placed.bone is not None
        cortex = CORTEX[placed.bone.kind]
        thick = cortex_mm(cortex, along) * placed.thickness * placed.cortex

        def below(level: FloatArray | float) -> FloatArray:
            """Part of the voxel deeper than a level, as if it were a slab along the depth."""
            return np.clip(0.5 + (depth - level) / width, 0.0, 1.0)

        tissue = np.where(depth < thick, Tissue.CORTEX, Tissue.SPONGIOSA)
        bone, shell = below(0.0), below(0.0) - below(thick)
        if cortex.wall_mm is not None:
            wall = cortex.wall_mm * placed.thickness
            bone = bone - below(wall)
            shell = shell + below(wall - thick) - below(wall)
            tissue = np.where(depth > wall - thick, Tissue.CORTEX, tissue)
            tissue = np.where(depth > wall, Tissue.SKULL_CAVITY, tissue)
        elif cortex.medullary:
            tissue = np.where((tissue == Tissue.SPONGIOSA) & in_shaft(along), Tissue.MEDULLARY, tissue)
        return cls(bone=bone, cortex=shell, tissue=tissue.astype(np.uint8))


def _box(placed: PlacedPart, template: Template, geometry: VolumeGeometry) -> Box | None:
    """The voxels that a template can touch; None where it lies off the grid."""
    size = (np.array(template.depth.shape[::-1]) - 1) * template.step_mm
    corners = np.array(template.origin_mm) + np.array(list(np.ndindex(2, 2, 2))) * size
    in_lps = corners @ placed.affine[:3, :3].T + placed.affine[:3, 3]
    to_index = np.linalg.inv(geometry.matrix)
    index = in_lps @ to_index[:3, :3].T + to_index[:3, 3]
    first = np.clip(np.floor(index.min(axis=0)), 0, geometry.shape).astype(int)
    last = np.clip(np.ceil(index.max(axis=0)) + 1, 0, geometry.shape).astype(int)
    if np.any(first >= last):
        return None
    k, j, i = (slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return k, j, i


def _sample(template: Template, to_rest: FloatArray, box: Box) -> npt.NDArray[np.float32]:
    """Depth (millimetres of the source) at the voxels of a box."""
    to_node = np.zeros((3, 4))
    to_node[:, :3] = to_rest[2::-1, :3] / template.step_mm
    to_node[:, 3] = (to_rest[2::-1, 3] - np.array(template.origin_mm)[::-1]) / template.step_mm
    start = np.array([axis.start for axis in box], dtype=np.float64)
    sampled = ndimage.affine_transform(
        template.depth.astype(np.float32),
        to_node[:, :3],
        offset=to_node[:, 3] + to_node[:, :3] @ start,
        output_shape=tuple(axis.stop - axis.start for axis in box),
        order=1,
        cval=_OUTSIDE_MM / STEP_MM,
    )
    return np.asarray(sampled * STEP_MM)
