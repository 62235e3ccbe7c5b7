"""What candidates on CT must not depend on: left and right, head and feet, the place in the field, the grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import BoolArray
from operators.kernels.bone import WorkingBone
from operators.kernels.ct_candidates import Candidate, facet_zone, find_candidates, shell_share
from operators.kernels.ct_orientation import Agreement, Orientation
from operators.kernels.morphology import Spacing
from operators.kernels.orientation import PatientAxes
from pipelines.ct.profile import profile
from tests.unit.operators.series import geometry_of

PROFILE = profile()
UNKNOWN = Agreement.NOT_EVALUABLE
SPACING: Spacing = (2.0, 2.0, 2.0)
FIELD_MM = (72.0, 88.0, 104.0)
BONE_MM = (22.0, 30.0, 36.0)
"""Half axes of a vertebra-like body in the middle of the field; its cortex is 2.5 mm thick."""
EXACT = settings(max_examples=8, deadline=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Focus:
    """A ball in the marrow: its place from the middle of the bone, mm."""

    place_mm: tuple[float, float, float]
    radius_mm: float
    hu: float

    def inside(self, offsets: npt.NDArray[np.float64]) -> BoolArray:
        """Of places (3, z, y, x) from the middle of the bone, mm."""
        gap = offsets - np.asarray(self.place_mm)[:, None, None, None]
        return np.asarray((gap**2).sum(axis=0) <= self.radius_mm**2)


FOCI = st.builds(
    Focus,
    place_mm=st.tuples(st.floats(-5.0, 5.0), st.floats(-12.0, 12.0), st.floats(-16.0, 16.0)),
    radius_mm=st.floats(7.5, 10.0),
    hu=st.sampled_from([60.0, 700.0]),
)


def work(focus: Focus | None, *, spacing: Spacing = SPACING, noise: float = 18.0) -> WorkingBone:
    """An ellipsoid of bone in soft tissue, without a canal."""
    shape = tuple(2 * round(size / step / 2.0) for size, step in zip(FIELD_MM, spacing, strict=True))
    z, y, x = ((np.arange(count) - (count - 1) / 2.0) * step for count, step in zip(shape, spacing, strict=True))
    offsets = np.stack(np.meshgrid(z, y, x, indexing="ij"))
    bone = ((offsets / np.asarray(BONE_MM)[:, None, None, None]) ** 2).sum(axis=0) <= 1.0
    marrow = ((offsets / (np.asarray(BONE_MM) - 2.5)[:, None, None, None]) ** 2).sum(axis=0) <= 1.0
    hu = np.where(marrow, 180.0, np.where(bone, 700.0, 40.0))
    if focus is not None:
        hu = np.where(focus.inside(offsets) & bone, focus.hu, hu)
    hu += np.random.default_rng(7).normal(scale=noise, size=hu.shape) * np.where(hu > 600.0, 4.0, 1.0)
    return of(hu, np.asarray(bone), np.zeros_like(bone), spacing=spacing)


def of(hu: npt.NDArray[np.floating], bone: BoolArray, canal: BoolArray, *, spacing: Spacing = SPACING) -> WorkingBone:
    """A working grid of its own."""
    depth, rows, columns = hu.shape
    geometry = geometry_of((depth, rows, columns), spacing_mm=spacing)
    return WorkingBone(
        hu=hu.astype(np.float32),
        bone=bone,
        canal=canal,
        contrast=np.zeros_like(bone),
        spacing_mm=spacing,
        axes=PatientAxes.from_geometry(geometry),
        factors=(1, 1, 1),
        full_shape=(depth, rows, columns),
        orientation=Orientation(back=UNKNOWN, head=UNKNOWN, sides=UNKNOWN),
        cavity_ml=0.0,
        cavity_share=0.0,
    )


def found(item: WorkingBone) -> list[Candidate]:
    """With the branch's own thresholds."""
    return find_candidates(item, limits=PROFILE.candidates, types=PROFILE.typing)


def volume_ml(item: WorkingBone) -> float:
    """Of the one candidate that there must be."""
    (candidate,) = found(item)
    return candidate.mask.voxel_count * item.voxel_volume_ml


def same(one: BoolArray, other: BoolArray) -> bool:
    """All but one voxel in a hundred: sums in single precision leave a voxel on either side of a limit."""
    shared = np.count_nonzero(one & other)
    return bool(2 * shared >= 0.99 * (np.count_nonzero(one) + np.count_nonzero(other)))


@EXACT
@given(focus=FOCI, axes=st.sampled_from([(0,), (2,), (0, 2), (1,)]))
def test_candidates_follow_a_flip(focus: Focus, axes: tuple[int, ...]) -> None:
    """Left and right, head and feet, and without a canal front and back: the same voxels, the same reference."""
    plain = work(focus)
    turned = of(np.flip(plain.hu, axes).copy(), np.flip(plain.bone, axes).copy(), np.flip(plain.canal, axes).copy())
    (one,), (other,) = found(plain), found(turned)
    assert same(one.mask.to_array(), np.flip(other.mask.to_array(), axes))
    assert other.reference.mean_hu == pytest.approx(one.reference.mean_hu, abs=0.1)
    assert other.reference.sd_hu == pytest.approx(one.reference.sd_hu, abs=0.1)


@EXACT
@given(focus=FOCI, before=st.tuples(*[st.integers(0, 9)] * 3), after=st.tuples(*[st.integers(0, 9)] * 3))
def test_candidates_do_not_depend_on_the_place_in_the_field(
    focus: Focus, before: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    """A wider field, or a patient who lies elsewhere in it, gives the same voxels; the reference keeps its HU."""
    plain = work(focus)
    room = list(zip(before, after, strict=True))
    wide = of(np.pad(plain.hu, room, constant_values=40.0), np.pad(plain.bone, room), np.pad(plain.canal, room))
    (one,), (other,) = found(plain), found(wide)
    inside = tuple(slice(first, first + size) for first, size in zip(before, plain.bone.shape, strict=True))
    assert other.mask.grid_shape == wide.bone.shape
    assert same(one.mask.to_array(), other.mask.to_array()[inside])
    # Blocks that begin at another voxel average other pairs.
    assert other.reference.mean_hu == pytest.approx(one.reference.mean_hu, abs=2.0)


@EXACT
@given(focus=FOCI, spacing=st.sampled_from([(2.0, 2.0, 2.0), (1.6, 1.6, 1.6), (3.0, 2.0, 2.0), (2.5, 1.5, 1.5)]))
def test_candidates_have_their_volume_on_every_grid(focus: Focus, spacing: Spacing) -> None:
    """A ball of the marrow is found once, with its volume, whatever the voxel."""
    true_ml = 4.0 / 3.0 * np.pi * focus.radius_mm**3 / 1000.0
    assert volume_ml(work(focus, spacing=spacing)) == pytest.approx(true_ml, rel=0.25)


@EXACT
@given(spacing=st.sampled_from([(2.0, 2.0, 2.0), (1.6, 1.6, 1.6), (3.0, 2.0, 2.0)]), noise=st.floats(5.0, 30.0))
def test_healthy_bone_has_none_on_any_grid(spacing: Spacing, noise: float) -> None:
    """Neither finer voxels nor noise make a candidate of marrow and cortex."""
    assert found(work(None, spacing=spacing, noise=noise)) == []


@EXACT
@given(focus=FOCI, more=st.floats(0.0, 400.0))
def test_a_denser_or_softer_focus_is_not_smaller(focus: Focus, more: float) -> None:
    """What stands out more from the marrow is found with as many voxels or more, but for noise."""
    stronger = focus.hu + more if focus.hu > 180.0 else focus.hu - more / 20.0
    clearer = Focus(place_mm=focus.place_mm, radius_mm=focus.radius_mm, hu=stronger)
    assert volume_ml(work(clearer)) >= 0.95 * volume_ml(work(focus))


@EXACT
@given(seed=st.integers(0, 2**16), axis=st.sampled_from([0, 2]))
def test_the_joints_are_the_same_on_both_sides(seed: int, axis: int) -> None:
    """The zone about a canal mirrors with it, left to right and head to feet, and lies beside and behind it only."""
    canal = np.zeros((40, 60, 50), dtype=np.bool_)
    random = np.random.default_rng(seed)
    z, y, x = (int(random.integers(10, size - 14)) for size in canal.shape)
    canal[z : z + 5, y : y + 4, x : x + 4] = True
    hu = np.zeros(canal.shape, dtype=np.float32)
    zone = facet_zone(of(hu, canal, canal), limits=PROFILE.candidates)
    mirrored = facet_zone(of(hu, canal, np.flip(canal, axis).copy()), limits=PROFILE.candidates)
    assert np.array_equal(np.flip(mirrored, axis), zone)
    assert np.all(zone[canal])
    assert not zone[:, :y].any()


@EXACT
@given(seed=st.integers(0, 2**16), axes=st.sampled_from([(0,), (1,), (2,), (0, 1, 2)]))
def test_the_shell_does_not_know_how_the_grid_is_held(seed: int, axes: tuple[int, ...]) -> None:
    """The share of bone around a candidate is that of the flipped image; all bone gives 1, none 0."""
    (candidate,) = found(work(Focus(place_mm=(0.0, 0.0, 0.0), radius_mm=9.0, hu=700.0)))
    part = candidate.mask
    bone = np.random.default_rng(seed).random(part.grid_shape) < 0.5
    turned = type(part).from_array(np.flip(part.to_array(), axes))
    share = shell_share(part, bone, spacing_mm=SPACING, radius_mm=6.0)
    assert shell_share(turned, np.flip(bone, axes), spacing_mm=SPACING, radius_mm=6.0) == pytest.approx(share)
    assert shell_share(part, np.ones_like(bone), spacing_mm=SPACING, radius_mm=6.0) == 1.0
    assert shell_share(part, np.zeros_like(bone), spacing_mm=SPACING, radius_mm=6.0) == 0.0
