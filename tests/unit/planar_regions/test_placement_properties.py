"""What a view in the body's own frame must not depend on: counts, the side that it was seen from, the pixel's size."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.placement import Placement, feature
from operators.kernels.scintigraphy import body_mask
from operators.kernels.scintigraphy_body import body_frame
from pipelines.bone_scan.profile import load

RULE = load().regions.feature
FEW = settings(max_examples=15, deadline=None)


def person(pixel_mm: float, *, room: tuple[int, int] = (20, 20)) -> npt.NDArray[np.float64]:
    """Counts of head, trunk, an arm on the right side alone and two legs, 1.7 m tall, with so much room left and up."""
    rows, columns = (int(size / pixel_mm) for size in (1700.0, 480.0))
    y, x = np.meshgrid(np.arange(rows) / rows, (np.arange(columns) + 0.5) / columns - 0.5, indexing="ij")
    inside = (y < 0.13) & (np.abs(x) < 0.17)
    inside |= (y >= 0.13) & (y < 0.52) & (np.abs(x) < 0.36)
    inside |= (y >= 0.17) & (y < 0.5) & (x < -0.38) & (x > -0.48)
    inside |= (y >= 0.52) & (np.abs(np.abs(x) - 0.17) < 0.11)
    counts = np.where(inside, 40.0 + 60.0 * np.exp(-((x / 0.06) ** 2)), 0.5)
    return np.pad(counts, ((room[0], 20), (room[1], 20)), constant_values=0.5)


def view(counts: npt.NDArray[np.float64], pixel_mm: float, *, is_posterior: bool = False) -> ViewImage:
    """A view of the patient as the detector saw it."""
    seen = np.ascontiguousarray(counts[:, ::-1] if is_posterior else counts)
    pixel = (pixel_mm, pixel_mm)
    body = body_mask(seen, pixel_mm=pixel, rule=load().body)
    frame = body_frame(body, field=seen > 0)
    assert frame is not None
    return ViewImage(counts=seen, body=body, frame=frame, pixel_mm=pixel, is_posterior=is_posterior)


@FEW
@given(factor=st.floats(0.2, 20.0))
def test_counts_do_not_change_what_is_compared(factor: float) -> None:
    """A scan twice as long looks the same."""
    plain = feature(view(person(4.8), 4.8), rule=RULE)
    assert feature(view(person(4.8) * factor, 4.8), rule=RULE) == pytest.approx(plain, rel=1e-6, abs=1e-6)


@FEW
@given(pixel=st.sampled_from([2.4, 4.0, 4.8]))
def test_both_views_lie_alike_in_the_frame(pixel: float) -> None:
    """What the posterior detector saw is laid as from the front: the right arm on the same side, at the same place."""
    front, back = view(person(pixel), pixel), view(person(pixel), pixel, is_posterior=True)
    one, other = Placement.of(front), Placement.of(back)
    assert other.scale == pytest.approx(one.scale)
    assert other.offset == pytest.approx(one.offset, abs=1e-6)
    assert feature(back, rule=RULE) == pytest.approx(feature(front, rule=RULE), abs=1e-9)


@FEW
@given(up=st.integers(10, 60), left=st.integers(10, 60), pixel=st.sampled_from([2.4, 4.0, 4.8]))
def test_place_and_pixel_leave_the_frame(up: int, left: int, pixel: float) -> None:
    """The body's frame shows the same person wherever he lies in the field and however fine the pixels are."""
    plain, other = view(person(4.8), 4.8), view(person(pixel, room=(up, left)), pixel)
    one, two = (Placement.of(item).on_frame(feature(item, rule=RULE)) for item in (plain, other))
    shown = (one > 0.2) | (two > 0.2)
    assert float(np.corrcoef(one[shown], two[shown])[0, 1]) > 0.95
