"""Bone on CT by attenuation: what is bone, with its marrow, without cranial cavity, canal, table and contrast.

Works in patient orientation on blocks of about two millimetres, so that time and memory follow
the patient and not the matrix; the mask is given back on the CT's own grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from operators.kernels.canal import CanalLimits, find_canal
from operators.kernels.cavity import CavityLimits, find_cavities
from operators.kernels.components import components, label, largest, minimum_voxels
from operators.kernels.contrast import ContrastLimits, find_contrast
from operators.kernels.ct_orientation import Orientation, OrientationLimits, judge_orientation
from operators.kernels.morphology import (
    Spacing,
    block_factors,
    block_means,
    close_gaps,
    dilate,
    expand_blocks,
    fill_slices,
    open_parts,
)
from operators.kernels.orientation import PatientAxes

METHOD = "CT_BONE_150_V3"
_CAVITY_CM2 = 20.0
_LIMB_ML = 25.0
"""Of an arm or leg that lies apart from the rest in the field, at least."""
_LIMB_DENSE = 0.5
"""Share of bone in it, at most: what is denser is equipment."""
_LUNG_OPENING_MM = 8.0
"""Half of what clothes, blankets and the blurred outline of the skin are thick at most."""
_LUNG_BESIDE = 0.6
"""Share of a lung that lies no further to the front or back than the patient's core in its slice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneLimits:
    """Thresholds of the bone mask: the 150 HU of Yip and Jeraj 2014, the rest conventions of this project.

    A component is bone where `dense_share` of its voxels exceed `dense_hu`: contrast in vessels,
    kidneys and bowel is seldom as dense as cortex.
    """

    bone_hu: float
    dense_hu: float
    dense_share: float
    marrow_hu: float
    body_hu: float
    working_mm: float
    closing_mm: float
    table_opening_mm: float
    minimum_component_ml: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneProfile:
    """All that the bone mask of a CT depends on."""

    bone: BoneLimits
    cavity: CavityLimits
    canal: CanalLimits
    contrast: ContrastLimits
    orientation: OrientationLimits


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WorkingBone:
    """CT and bone in patient orientation on the working grid.

    `hu` float32 (z, y, x), `bone` with marrow and without cavities and canal, `contrast` the
    contrast medium that was taken out of it, `factors` the voxels a block, `orientation` whether the image
    shows the patient as its header says. `cavity_ml` is what bone encloses and is not its marrow, above all the
    cranial cavity, `cavity_share` the share of the slices that show 20 cm2 of it or more.
    """

    hu: npt.NDArray[np.float32]
    bone: BoolArray
    canal: BoolArray
    contrast: BoolArray
    spacing_mm: Spacing
    axes: PatientAxes
    factors: tuple[int, int, int]
    full_shape: tuple[int, int, int]
    orientation: Orientation
    cavity_ml: float
    cavity_share: float

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one block, ml."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def to_grid(self, mask: BoolArray) -> BoolArray:
        """A mask of blocks on the CT's own grid (slice, row, column)."""
        turned = expand_blocks(mask, self.factors, shape=self.full_shape)
        return np.ascontiguousarray(self.axes.turn_back(turned)).astype(np.bool_, copy=False)


def segment_bone(hu: npt.NDArray[np.float32], geometry: VolumeGeometry, *, profile: BoneProfile) -> WorkingBone:
    """Bone of a CT (slice, row, column) in HU; an empty mask where there is none."""
    limits = profile.bone
    axes = PatientAxes.from_geometry(geometry)
    turned = axes.turn(hu)
    factors = block_factors(axes.spacing_mm, working_mm=limits.working_mm)
    blocks = block_means(turned.astype(np.float32, copy=False), factors)
    z, y, x = (step * factor for step, factor in zip(axes.spacing_mm, factors, strict=True))
    spacing = (z, y, x)
    body = body_mask(blocks, spacing_mm=spacing, profile=profile)
    box = _box_of_body(body, spacing_mm=spacing, profile=profile)
    filled, canal, contrast, cavities = (np.zeros(blocks.shape, dtype=np.bool_) for _ in range(4))
    filled[box], canal[box], contrast[box], cavities[box] = _in_body(
        blocks[box], body[box], spacing_mm=spacing, profile=profile
    )
    return WorkingBone(
        hu=blocks,
        bone=filled & ~canal,
        canal=canal,
        contrast=contrast,
        spacing_mm=spacing,
        axes=axes,
        factors=factors,
        full_shape=(turned.shape[0], turned.shape[1], turned.shape[2]),
        cavity_ml=float(np.count_nonzero(cavities)) * z * y * x / 1000.0,
        cavity_share=float(np.mean(cavities.sum(axis=(1, 2)) * y * x / 100.0 >= _CAVITY_CM2)),
        orientation=judge_orientation(blocks, filled, body, spacing_mm=spacing, limits=profile.orientation),
    )


def _box_of_body(body: BoolArray, *, spacing_mm: Spacing, profile: BoneProfile) -> tuple[slice, slice, slice]:
    """Rows and columns that show the patient, with the widest margin of the limits: most of a field is air."""
    contrast = profile.contrast
    margin_mm = max(
        profile.bone.closing_mm, profile.canal.margin_mm, contrast.rim_mm, contrast.texture_mm, contrast.margin_mm
    )
    sides = []
    for axis, spacing in ((1, spacing_mm[1]), (2, spacing_mm[2])):
        shown = np.flatnonzero(body.any(axis=(0, 3 - axis)))
        margin = int(margin_mm / spacing) + 2
        first, last = (int(shown[0]), int(shown[-1])) if shown.size else (0, 0)
        sides.append(slice(max(0, first - margin), last + margin + 1))
    rows, columns = sides
    return slice(None), rows, columns


def _in_body(
    hu: npt.NDArray[np.float32], body: BoolArray, *, spacing_mm: Spacing, profile: BoneProfile
) -> tuple[BoolArray, BoolArray, BoolArray, BoolArray]:
    """Bone with its marrow and the canal, the canal, contrast medium, and cavities of bone."""
    limits = profile.bone
    dense = (hu > limits.bone_hu) & body
    contrast = find_contrast(hu, dense, spacing_mm=spacing_mm, limits=profile.contrast)
    dense = _bony_components(dense & ~contrast, hu, spacing_mm=spacing_mm, limits=limits)
    closed = close_gaps(dense, radius_mm=limits.closing_mm, spacing_mm=spacing_mm) & body
    filled = _with_marrow(closed, hu, limits=limits)
    cavities = find_cavities(closed, filled, spacing_mm=spacing_mm, limits=profile.cavity)
    filled &= ~cavities
    canal = find_canal(hu, filled, body, spacing_mm=spacing_mm, limits=profile.canal)
    return filled, canal, contrast, cavities


def _with_marrow(closed: BoolArray, blocks: npt.NDArray[np.float32], *, limits: BoneLimits) -> BoolArray:
    """Bone with what it encloses in an axial slice, and with marrow that a coronal or sagittal slice encloses.

    The latter planes also enclose muscle (obturator foramen), hence their own HU limit. Air is no marrow
    (sinuses, mastoid cells).
    """
    filled = fill_slices(closed) & (blocks > limits.body_hu)
    marrow = blocks > limits.marrow_hu
    for order in ((1, 0, 2), (2, 0, 1)):
        across = fill_slices(closed.transpose(order))
        filled |= across.transpose(tuple(int(axis) for axis in np.argsort(order))) & marrow
    return filled


def body_mask(blocks: npt.NDArray[np.float32], *, spacing_mm: Spacing, profile: BoneProfile) -> BoolArray:
    """The patient without the table: what survives an opening and is patient, grown back and filled by slices.

    Lungs count as tissue in the opening: a lean chest's wall is thinner than what it takes away. `blocks` are HU
    (z, y, x), y to the back. Computed on blocks of twice the size, since the outline needs no more.
    """
    double, limits = (2, 2, 2), profile.bone
    coarse = block_means(blocks, double)
    z, y, x = (step * 2.0 for step in spacing_mm)
    spacing, radius_mm = (z, y, x), limits.table_opening_mm
    tissue = coarse > limits.body_hu
    opened = open_parts(tissue, radius_mm=radius_mm, spacing_mm=spacing)
    lungs = _lungs(coarse, largest(opened), spacing_mm=spacing, limits=profile.orientation)
    if lungs.any():
        near = dilate(lungs, radius_mm=2.0 * radius_mm, spacing_mm=spacing)
        lungs |= fill_slices(tissue | lungs) & near  # bronchi, and recesses as narrow as the one behind a sternum
        opened = open_parts(tissue | lungs, radius_mm=radius_mm, spacing_mm=spacing)
    core = _patient(coarse, opened, spacing_mm=spacing, limits=limits)
    grown = dilate(core, radius_mm=radius_mm, spacing_mm=spacing) & (tissue | lungs)
    return expand_blocks(fill_slices(grown), double, shape=blocks.shape)


def _patient(
    coarse: npt.NDArray[np.float32], opened: BoolArray, *, spacing_mm: Spacing, limits: BoneLimits
) -> BoolArray:
    """The largest part, and the others that are soft for the most and hold bone: an arm beside the trunk, a leg."""
    patient = largest(opened)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    least = minimum_voxels(_LIMB_ML, voxel_volume_ml=voxel_ml)
    for part in components(opened & ~patient, minimum_voxels=least, connectivity=6):
        dense = coarse[part.box][part.values] > limits.bone_hu
        if np.count_nonzero(dense) * voxel_ml >= limits.minimum_component_ml and float(dense.mean()) <= _LIMB_DENSE:
            patient[part.box] |= part.values
    return patient


def _lungs(
    coarse: npt.NDArray[np.float32], core: BoolArray, *, spacing_mm: Spacing, limits: OrientationLimits
) -> BoolArray:
    """Lungs by their HU, beside a core of the patient: no foam of a table, which lies behind it, nor a blanket before.

    They need not be enclosed: the field may cut them.
    """
    airy = (coarse > limits.lung_lowest_hu) & (coarse < limits.lung_highest_hu)
    lungs = np.zeros_like(airy)
    rows = np.arange(core.shape[1])[None, :]
    shown = np.asarray(core.any(axis=2))
    between = (rows >= np.argmax(shown, axis=1)[:, None]) & (
        rows < core.shape[1] - np.argmax(shown[:, ::-1], axis=1)[:, None]
    )
    beside = (between & np.asarray(shown.any(axis=1))[:, None])[:, :, None]
    least = minimum_voxels(limits.lung_ml, voxel_volume_ml=float(np.prod(spacing_mm)) / 1000.0)
    opened = open_parts(airy, radius_mm=_LUNG_OPENING_MM, spacing_mm=spacing_mm)
    for part in components(opened, minimum_voxels=least, connectivity=6):
        if float(np.mean(np.broadcast_to(beside, airy.shape)[part.box][part.values])) >= _LUNG_BESIDE:
            lungs[part.box] |= part.values
    return lungs


def _bony_components(
    dense: BoolArray, blocks: npt.NDArray[np.float32], *, spacing_mm: Spacing, limits: BoneLimits
) -> BoolArray:
    labels = label(dense, connectivity=6)
    counts = np.bincount(labels.ravel())
    very_dense = np.bincount(labels[blocks > limits.dense_hu], minlength=len(counts))
    keep = counts * (float(np.prod(spacing_mm)) / 1000.0) >= limits.minimum_component_ml
    keep &= very_dense >= limits.dense_share * counts
    keep[0] = False
    result: BoolArray = keep[labels]
    return result
