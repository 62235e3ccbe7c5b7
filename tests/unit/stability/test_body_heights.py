"""Heights of vertebral bodies from their outlines, and what becomes of a collapsed one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.bones import Bone
from operators.kernels.stability.body_collapse import (
    BodyCollapse,
    CollapseLimits,
    OutlinedSpine,
    Unmeasured,
    body_collapse,
)
from operators.kernels.stability.body_heights import HeightLimits, OutlinedBody, outlined_body
from pipelines.ct.profile import profile

FEW = settings(max_examples=8, deadline=None)
LEVELS = (Bone.L4, Bone.L3, Bone.L2)
DISC_MM, HEIGHT_MM = 8.0, 26.0
Spacing = tuple[float, float, float]
Bool = npt.NDArray[np.bool_]


def limits() -> CollapseLimits:
    """The branch's."""
    return profile().collapse


def spine(
    *,
    front: float = HEIGHT_MM,
    rear: float = HEIGHT_MM,
    tilt: float = 0.0,
    spacing_mm: Spacing = (1.0, 1.5, 1.5),
    left_mm: float = 0.0,
) -> OutlinedSpine:
    """L4, L3, L2 of 26 mm, 30 mm deep; L3 as high as told in front and at the back, all of it leaning by `tilt`."""
    size = (110.0, 104.0, 76.0)
    z, y, x = np.meshgrid(
        *((np.arange(round(length / step)) + 0.5) * step for length, step in zip(size, spacing_mm, strict=True)),
        indexing="ij",
    )
    along, behind = z - 55.0, y - 70.0  # 0 is L3's middle, on the canal's front wall
    up, ahead = along * np.cos(tilt) + behind * np.sin(tilt), along * np.sin(tilt) - behind * np.cos(tilt)
    aside = np.abs(x - 38.0 - left_mm)
    body = (ahead > 0.0) & (ahead <= 30.0) & (aside <= 20.0)
    arch = (ahead <= 0.0) & (ahead > -30.0) & (aside <= 16.0)
    canal = (ahead <= 0.0) & (ahead > -15.0) & (aside <= 9.0)
    high = rear + (front - rear) * ahead / 30.0
    bones = np.zeros(z.shape, dtype=np.uint8)
    step = HEIGHT_MM + DISC_MM
    for number, bone in enumerate(LEVELS, start=-1):
        here = high if bone is Bone.L3 else HEIGHT_MM
        bones[body & (np.abs(up - number * step) <= here / 2.0)] = bone
        bones[arch & ~canal & (np.abs(up - number * step) <= 10.0)] = bone
    return OutlinedSpine(
        bones=bones,
        outlined=frozenset(LEVELS),
        diseased=np.zeros(z.shape, dtype=np.bool_),
        canal=canal,
        spacing_mm=spacing_mm,
    )


def measured(built: OutlinedSpine, bone: Bone = Bone.L3) -> OutlinedBody:
    """The body of one vertebra."""
    found = outlined_body(built.bones == bone, built.canal, spacing_mm=built.spacing_mm, limits=limits().heights)
    assert found is not None
    return found


def found(built: OutlinedSpine) -> BodyCollapse:
    """The collapse of L3."""
    answer = body_collapse(Bone.L3, built, limits=limits())
    assert isinstance(answer, BodyCollapse)
    return answer


@FEW
@given(
    front=st.floats(8.0, 26.0),
    rear=st.floats(8.0, 26.0),
    tilt=st.floats(-0.3, 0.3),
    spacing=st.sampled_from([(1.0, 1.5, 1.5), (1.5, 1.0, 1.0), (2.0, 2.0, 2.0)]),
    left=st.floats(-12.0, 12.0),
)
def test_heights_are_the_bodys_on_any_grid(
    front: float, rear: float, tilt: float, spacing: Spacing, left: float
) -> None:
    """However the spine leans, lies in the field and is sampled, each height is right to a slice, in its own order."""
    heights = measured(spine(front=front, rear=rear, tilt=tilt, spacing_mm=spacing, left_mm=left)).heights
    expected = [rear + (front - rear) * share for share in (5.0 / 6.0, 0.5, 1.0 / 6.0)]
    assert heights.in_order == pytest.approx(expected, abs=spacing[0])


@FEW
@given(front=st.floats(8.0, 26.0), rear=st.floats(8.0, 26.0))
def test_a_mirrored_spine_has_the_same_heights(front: float, rear: float) -> None:
    """Sides do not matter."""
    built = spine(front=front, rear=rear, left_mm=6.0)
    other = replace(built, bones=built.bones[:, :, ::-1].copy(), canal=built.canal[:, :, ::-1].copy())
    assert measured(other).heights.in_order == pytest.approx(measured(built).heights.in_order, abs=0.2)


@FEW
@given(factor=st.sampled_from([0.8, 1.2]), front=st.floats(8.0, 26.0))
def test_units_scale_the_heights(factor: float, front: float) -> None:
    """Voxels larger by a factor make every height larger by it."""
    built, rule = spine(front=front), limits().heights
    sized = HeightLimits(**{name: getattr(rule, name) * factor for name in rule.__slots__})
    z, y, x = (step * factor for step in built.spacing_mm)
    other = outlined_body(built.bones == Bone.L3, built.canal, spacing_mm=(z, y, x), limits=sized)
    assert other is not None
    expected = [factor * height for height in measured(built).heights.in_order]
    assert other.heights.in_order == pytest.approx(expected, abs=0.6)


@FEW
@given(front=st.floats(8.0, 25.0), tilt=st.floats(-0.2, 0.2))
def test_a_wedge_is_measured_against_its_neighbours(front: float, tilt: float) -> None:
    """The loss is that of the front, within the noise that goes with it; the arch is no part of the body."""
    answer = found(spine(front=front, tilt=tilt))
    true = 1.0 - (HEIGHT_MM + (front - HEIGHT_MM) * 5.0 / 6.0) / HEIGHT_MM
    assert answer.found.fraction == pytest.approx(true, abs=1.5 / HEIGHT_MM)
    assert answer.noise_fraction == 0.2
    assert answer.involved_fraction == 0.0


def test_only_the_body_of_a_vertebra_counts_as_involved() -> None:
    """A lesion of the upper half of the body involves half of it; one of the arch involves none."""
    built = spine()
    body = measured(built).mask
    upper = body & (np.arange(body.shape[0])[:, None, None] >= 55)
    assert found(replace(built, diseased=upper)).involved_fraction == pytest.approx(0.5, abs=0.03)
    assert found(replace(built, diseased=(built.bones == Bone.L3) & ~body)).involved_fraction == 0.0


def test_what_cannot_be_measured_says_why() -> None:
    """No outline, thick slices, a cut vertebra, no canal, and a neighbour with a lesion or collapsed have a reason."""
    built = spine()
    diseased = built.bones == Bone.L2
    odd = np.arange(len(built.bones))[:, None, None] >= 21  # L4 has lost 13 of its 26 mm, its upper half
    first = int(np.flatnonzero((built.bones == Bone.L3).any(axis=(1, 2)))[0])
    cases = {
        Unmeasured.NOT_OUTLINED: replace(built, outlined=frozenset({Bone.L2, Bone.L4})),
        Unmeasured.THICK_SLICES: replace(built, spacing_mm=(3.0, 1.5, 1.5)),
        Unmeasured.NO_NEIGHBOUR: replace(built, diseased=diseased),
    }
    for reason, item in cases.items():
        assert body_collapse(Bone.L3, item, limits=limits()) is reason
    low = replace(built, bones=np.where((built.bones == Bone.L4) & odd, 0, built.bones).astype(np.uint8))
    assert body_collapse(Bone.L3, low, limits=limits()) is Unmeasured.NO_NEIGHBOUR
    cut = replace(built, bones=built.bones[first:], canal=built.canal[first:], diseased=built.diseased[first:])
    assert body_collapse(Bone.L3, cut, limits=limits()) is Unmeasured.CUT
    assert body_collapse(Bone.L3, replace(built, canal=np.zeros_like(built.canal)), limits=limits()) is Unmeasured.CUT


@pytest.mark.parametrize(("thickest_mm", "alike"), [(0.0, 0.2), (2.0, 1.0)])
def test_limits_that_cannot_be_followed_are_refused(thickest_mm: float, alike: float) -> None:
    """A limit beyond its range is refused when the profile is read."""
    with pytest.raises(ValueError, match="slices"):
        CollapseLimits(heights=limits().heights, thickest_mm=thickest_mm, alike=alike)
