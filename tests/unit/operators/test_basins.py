"""Uptake divided by its peaks: what belongs to bone and what to an organ beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from operators.kernels.basins import BasinLimits, OrganUptake, divide, organ_uptake
from operators.kernels.uptake import UptakeLimits

LIMITS = BasinLimits(joined_share=0.7, bone_share=0.5)
UPTAKE = UptakeLimits(seed=4.0, floor=2.0, fraction=0.41, minimum_ml=0.0)


def line(*values: float) -> npt.NDArray[np.float64]:
    """An image of one row."""
    return np.array(values)[None, None, :]


def organs(values: npt.NDArray[np.float64], *, bone_from: int) -> OrganUptake:
    """Where bone starts at a column and runs to the end."""
    search = np.zeros(values.shape, dtype=np.bool_)
    search[:, :, bone_from:] = True
    return organ_uptake(values, search, uptake=UPTAKE, limits=LIMITS)


def test_a_lesion_keeps_what_is_its_own_beside_a_hotter_organ() -> None:
    """A valley divides it from the organ: the organ's flank in the bone goes, the lesion stays whole."""
    values = line(5.0, 12.0, 20.0, 12.0, 5.0, 4.0, 6.0, 9.0, 6.0, 3.0)
    found = organs(values, bone_from=4)
    assert found.mask[0, 0].tolist() == [False] * 4 + [True] + [False] * 5
    assert found.count == 1


def test_the_rim_of_an_organ_is_the_organ() -> None:
    """Uptake in bone that only falls away from a peak outside has no peak of its own."""
    found = organs(line(20.0, 18.0, 14.0, 9.0, 6.0, 4.0, 1.0), bone_from=3)
    assert found.mask[0, 0].tolist() == [False, False, False, True, True, True, False]


def test_an_organ_whose_hottest_voxel_lies_in_the_margin_is_no_lesion() -> None:
    """Noise may put a brain's peak beside the skull: most of it lies outside, and that decides."""
    found = organs(line(7.6, 7.5, 8.0, 7.9, 7.7, 8.1, 8.2, 2.0, 1.0), bone_from=5)
    assert found.mask[0, 0, 5:8].all()


def test_a_lesion_that_bulges_out_of_bone_remains() -> None:
    """A third of it outside: its peak and most of it lie in bone."""
    found = organs(line(1.0, 5.0, 8.0, 9.0, 8.0, 7.0, 1.0), bone_from=3)
    assert not found.mask.any()
    assert found.count == 0


def test_uneven_uptake_is_one_and_separate_peaks_are_two() -> None:
    """A saddle at 0.7 of the lower peak joins; a deeper one divides."""
    joined = divide(line(9.0, 6.5, 10.0), floor=1.0, joined_share=0.7)
    divided = divide(line(9.0, 6.0, 10.0), floor=1.0, joined_share=0.7)
    assert (joined.peaks.tolist(), divided.peaks.tolist()) == ([2], [0, 2])


def test_an_image_without_uptake_has_no_organ() -> None:
    """Nothing at the floor: nothing to divide."""
    found = organs(np.zeros((2, 2, 5)), bone_from=0)
    assert not found.mask.any()
    assert found.count == 0


_IMAGES = arrays.arrays(np.float64, (4, 5, 6), elements=st.integers(0, 6).map(float))


@given(image=_IMAGES, share=st.sampled_from([0.3, 0.6, 0.9, 1.0]))
def test_every_voxel_has_one_peak_that_is_not_lower(image: npt.NDArray[np.float64], share: float) -> None:
    """All voxels at the floor are divided, a peak is the highest of its part, and joining more leaves fewer."""
    basins = divide(image, floor=1.0, joined_share=share)
    assert basins.voxels.tolist() == np.flatnonzero(image.ravel() >= 1.0).tolist()
    assert (image.ravel()[basins.voxels] <= image.ravel()[basins.peaks[basins.of_voxel]]).all()
    assert len(basins.peaks) <= len(divide(image, floor=1.0, joined_share=1.0).peaks)


@pytest.mark.parametrize("wrong", [{"joined_share": 0.0}, {"joined_share": 1.1}, {"bone_share": -0.1}])
def test_shares_are_shares(wrong: dict[str, float]) -> None:
    """Limits check themselves."""
    with pytest.raises(ValueError, match="joined_share"):
        BasinLimits(**{"joined_share": 0.7, "bone_share": 0.5, **wrong})


_DISTINCT = arrays.arrays(np.float64, (3, 4, 5), elements=st.integers(1, 10_000).map(float), unique=True)


def labelled(image: npt.NDArray[np.float64], *, floor: float, share: float) -> npt.NDArray[np.float64]:
    """The value of the peak that every voxel belongs to, 0 under the floor."""
    basins = divide(image, floor=floor, joined_share=share)
    labels = np.zeros(image.size)
    labels[basins.voxels] = image.ravel()[basins.peaks[basins.of_voxel]]
    return labels.reshape(image.shape)


@settings(max_examples=40)
@given(
    image=_DISTINCT,
    share=st.sampled_from([0.3, 0.7, 1.0]),
    order=st.permutations((0, 1, 2)),
    flips=st.frozensets(st.sampled_from([0, 1, 2])),
)
def test_the_order_of_slices_rows_and_columns_changes_no_part(
    image: npt.NDArray[np.float64], share: float, order: list[int], flips: frozenset[int]
) -> None:
    """Turned and mirrored images have turned and mirrored parts, where no two voxels are equal."""
    turned = np.ascontiguousarray(np.flip(image, tuple(flips)).transpose(order))
    expected = np.flip(labelled(image, floor=2000.0, share=share), tuple(flips)).transpose(order)
    assert np.array_equal(labelled(turned, floor=2000.0, share=share), expected)


@settings(max_examples=40)
@given(image=_DISTINCT, exponent=st.integers(-10, 10))
def test_units_change_no_part(image: npt.NDArray[np.float64], exponent: int) -> None:
    """Bq/ml or kBq/ml: with the floor in the same unit the parts are the same."""
    factor = 2.0**exponent
    one = labelled(image, floor=2000.0, share=0.7)
    assert np.array_equal(labelled(image * factor, floor=2000.0 * factor, share=0.7), one * factor)
