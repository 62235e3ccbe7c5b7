"""A patient's slices in a small atlas: where they lie does not depend on the field, the side or the turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from bmnode.domain.bones import VERTEBRAE, Bone
from operators.kernels.skeleton_sites.alignment import Alignment, align
from operators.kernels.skeleton_sites.atlas import SkeletonAtlas
from operators.kernels.skeleton_sites.atlas_namer import certain_bones
from operators.kernels.skeleton_sites.frame import Coarse, SpinePath
from pipelines.ct.branch import profile

STEP_MM = 8.0
LIMITS = replace(profile().sites.atlas.alignment, turns_deg=(-12.0, 0.0, 12.0), widths=(1.0,), blur_cells=0.0)
FEW = settings(max_examples=12, deadline=None)
V, U = np.arange(-64.0, 65.0, STEP_MM), np.arange(-80.0, 81.0, STEP_MM)
HEIGHTS = np.arange(-160.0, 481.0, STEP_MM)


def body(seed: int) -> npt.NDArray[np.float32]:
    """Shares of bone (height, v, u), different at every height, and in which the left is not the right."""
    noise = np.random.default_rng(seed).random((len(HEIGHTS), len(V), len(U)))
    smooth = ndimage.gaussian_filter(noise, 1.5)
    return np.asarray(np.clip((smooth - smooth.mean()) / smooth.std() * 0.4 + 0.4, 0.0, 1.0), dtype=np.float32)


def atlas_of(occupied: npt.NDArray[np.float32]) -> SkeletonAtlas:
    """An atlas of one posture; its names are not looked at here."""
    return SkeletonAtlas(
        sha256="0" * 64,
        occupied=occupied[None],
        bones=np.zeros((1, 2, 2, 2), dtype=np.uint8),
        heights_mm=HEIGHTS,
        v_mm=V,
        u_mm=U,
        fine_heights_mm=np.array([0.0, 1.0]),
        fine_v_mm=np.array([0.0, 1.0]),
        fine_u_mm=np.array([0.0, 1.0]),
        centre_mm=np.linspace(460.0, 20.0, len(VERTEBRAE)),
        people=1,
    )


ATLAS = atlas_of(body(1))


def patient(first: int, last: int, *, turn_deg: float = 0.0) -> tuple[Coarse, SpinePath]:
    """Slices `first` to `last` of the atlas itself as bone, turned about the spine, with room about them."""
    share = np.pad((ATLAS.occupied[0, first:last] > 0.5).astype(np.float32), ((0, 0), (4, 4), (4, 4)))
    turned = ndimage.rotate(share, turn_deg, axes=(1, 2), reshape=False, order=1)
    middle = [(len(V) - 1) / 2.0 + 4.0, (len(U) - 1) / 2.0 + 4.0]
    coarse = Coarse(
        share=np.asarray(turned, dtype=np.float32),
        outline=np.ones(share.shape, dtype=np.bool_),
        spacing_mm=(STEP_MM,) * 3,
        factors=(1, 1, 1),
    )
    path = SpinePath(middle_mm=np.tile(np.array(middle) * STEP_MM, (last - first, 1)), evidence=np.ones(last - first))
    return coarse, path


def found(first: int, last: int, *, turn_deg: float = 0.0, atlas: SkeletonAtlas = ATLAS) -> Alignment:
    """Where these slices are taken to lie."""
    return align(*patient(first, last, turn_deg=turn_deg), atlas=atlas, limits=LIMITS)


@FEW
@given(first=st.integers(0, 40), count=st.integers(25, 40))
def test_a_part_of_the_atlas_is_found_at_its_own_heights(first: int, count: int) -> None:
    """Whatever part of the body is in the field, each slice lies within half a step of where it was taken."""
    assert found(first, first + count).heights_mm == pytest.approx(HEIGHTS[first : first + count], abs=STEP_MM / 2.0)


@FEW
@given(first=st.integers(0, 20), count=st.integers(30, 50), cut=st.integers(1, 5))
def test_a_shorter_field_keeps_the_heights_of_its_slices(first: int, count: int, cut: int) -> None:
    """Slices cut off at either end change nothing for the others."""
    whole, part = found(first, first + count), found(first + cut, first + count - cut)
    assert part.heights_mm == pytest.approx(whole.heights_mm[cut:-cut], abs=STEP_MM / 2.0)


@FEW
@given(first=st.integers(0, 40), turn=st.sampled_from([-12.0, 0.0, 12.0]))
def test_a_turned_patient_is_found_turned(first: int, turn: float) -> None:
    """The turn is found with its sign, and the heights are those of the patient who is not turned."""
    plain, turned = found(first, first + 30), found(first, first + 30, turn_deg=turn)
    assert (plain.turn_deg, turned.turn_deg) == (0.0, -turn)
    assert turned.heights_mm == pytest.approx(plain.heights_mm, abs=STEP_MM)


@FEW
@given(first=st.integers(0, 40), turn=st.sampled_from([-12.0, 0.0, 12.0]))
def test_a_mirrored_patient_in_a_mirrored_atlas_lies_at_the_same_heights(first: int, turn: float) -> None:
    """Both mirrored, the heights and the likeness are the same, and the turn has the other sign."""
    coarse, path = patient(first, first + 30, turn_deg=turn)
    mirrored = replace(coarse, share=np.ascontiguousarray(coarse.share[:, :, ::-1]), outline=coarse.outline[:, :, ::-1])
    other = align(mirrored, path, atlas=atlas_of(np.ascontiguousarray(ATLAS.occupied[0, :, :, ::-1])), limits=LIMITS)
    plain = align(coarse, path, atlas=ATLAS, limits=LIMITS)
    assert other.turn_deg == -plain.turn_deg
    assert other.heights_mm == pytest.approx(plain.heights_mm)
    assert other.gain == pytest.approx(plain.gain, rel=1e-3)


@FEW
@given(first=st.integers(0, 40), count=st.integers(25, 40))
def test_heights_rise_from_slice_to_slice(first: int, count: int) -> None:
    """The course runs from the feet to the head and never turns round, on bone that the atlas does not know either."""
    coarse, path = patient(first, first + count)
    unlike = replace(coarse, share=np.ascontiguousarray(coarse.share[::-1]))
    rises = np.diff(align(unlike, path, atlas=ATLAS, limits=LIMITS).heights_mm)
    assert np.all(rises > 0.0)


@settings(max_examples=60, deadline=None)
@given(low=st.floats(-150.0, 300.0), high=st.floats(320.0, 480.0), more=st.floats(0.0, 150.0))
def test_a_longer_field_never_loses_a_trusted_name(low: float, high: float, more: float) -> None:
    """What is trusted in a part of the body is trusted in more of it, and no level is trusted without its end."""
    narrow, wide = (
        certain_bones(_at(*ends), atlas=ATLAS, anchor_mm=60.0)[0] for ends in ((low, high), (low - more, high + more))
    )
    assert narrow <= wide
    if low > -60.0:
        assert not {Bone.L1, Bone.L2, Bone.L3, Bone.L4, Bone.L5} & narrow


def _at(low: float, high: float) -> Alignment:
    heights = np.arange(low, high, 4.0)
    return Alignment(
        factors=(1, 1, 1),
        middle_mm=np.zeros((len(heights), 2)),
        heights_mm=np.append(heights, high),
        posture=0,
        turn_deg=0.0,
        width=1.0,
        length=1.0,
        gain=100.0,
    )
