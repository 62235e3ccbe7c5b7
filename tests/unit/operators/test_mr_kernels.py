"""The vertebral region and marrow candidates on a synthetic ADC map with known truth."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.marrow import find_marrow_candidates
from operators.kernels.vertebral_region import find_region
from pipelines.mri.branch import profile
from tests.unit.operators.phantoms import CANAL_CENTRE_MM, VERTEBRA_CENTRE_MM, Array, ball, disc, grid, trunk_adc

CENTRE = (75.0, *VERTEBRA_CENTRE_MM)


def test_the_region_lies_inside_the_vertebral_bodies_along_the_whole_spine() -> None:
    """The canal is followed from end to end, and what lies in front of it is vertebra."""
    adc, geometry = trunk_adc()
    region = find_region(adc.astype(np.float32), geometry, limits=profile().region)
    assert region is not None
    _, _, y, x = grid()
    vertebra = disc(y, x, VERTEBRA_CENTRE_MM, (20.0, 24.0))
    assert float((region.mask & vertebra).sum()) / float(region.mask.sum()) > 0.95
    assert region.length_mm >= 140.0


def test_without_fluid_there_is_no_region() -> None:
    """No canal, no region: nothing is guessed."""
    adc, geometry = trunk_adc()
    assert find_region(np.minimum(adc, 1200.0).astype(np.float32), geometry, limits=profile().region) is None


def candidates(adc: Array, high_b: Array | None = None) -> int:
    """How many candidates the branch's own thresholds give."""
    _, geometry = trunk_adc()
    region = find_region(adc.astype(np.float32), geometry, limits=profile().region)
    assert region is not None
    found = find_marrow_candidates(
        adc.astype(np.float32),
        region.mask,
        geometry,
        limits=profile().marrow,
        high_b=None if high_b is None else high_b.astype(np.float32),
    )
    return len(found)


def test_normal_marrow_has_no_candidates() -> None:
    """Fatty marrow lies under the published range."""
    adc, _ = trunk_adc()
    assert candidates(adc) == 0


def test_a_long_lesion_is_found_and_a_disc_is_not() -> None:
    """The same ADC over 36 mm is a candidate, over 12 mm it is taken for a disc."""
    adc, _ = trunk_adc()
    _, z, y, x = grid()
    vertebra = disc(y, x, VERTEBRA_CENTRE_MM, (20.0, 24.0))
    long, short = adc.copy(), adc.copy()
    long[vertebra & (np.abs(z - 75.0) <= 18.0)] = 1000.0
    short[vertebra & (np.abs(z - 75.0) <= 6.0)] = 1000.0
    assert candidates(long) == 1
    assert candidates(short) == 0


def test_treated_marrow_above_the_range_is_no_candidate() -> None:
    """An ADC above 1400 is not viable tumour."""
    adc, _ = trunk_adc()
    adc[ball(CENTRE, 22.0)] = 2200.0
    assert candidates(adc) == 0


def test_noise_without_signal_is_no_candidate() -> None:
    """Where the scanner wrote 0 for half of the voxels, the rest is noise."""
    adc, _ = trunk_adc()
    lesion = ball(CENTRE, 22.0)
    adc[lesion] = 1000.0
    adc[lesion & (np.random.default_rng(0).random(adc.shape) < 0.4)] = 0.0
    assert candidates(adc) == 0


def test_a_dark_high_b_image_rules_a_candidate_out() -> None:
    """With a high b-value image the lesion must be bright on it."""
    adc, _ = trunk_adc()
    lesion = ball(CENTRE, 22.0)
    adc[lesion] = 1000.0
    dark = np.full(adc.shape, 100.0)
    bright = np.where(lesion, 300.0, 100.0)
    assert candidates(adc, high_b=dark) == 0
    assert candidates(adc, high_b=bright) == 1


def test_with_a_high_b_image_a_lesion_may_be_as_short_as_a_disc() -> None:
    """Over 15 mm, restricted diffusion is a candidate and a disc of the same ADC is none; the map alone cannot tell."""
    adc, _ = trunk_adc()
    _, z, y, x = grid()
    vertebra = disc(y, x, VERTEBRA_CENTRE_MM, (20.0, 24.0))
    short = vertebra & (np.abs(z - 75.0) <= 7.5)
    adc[short] = 1000.0
    assert candidates(adc) == 0
    assert candidates(adc, high_b=np.where(short, 300.0, 100.0)) == 1
    assert candidates(adc, high_b=np.where(short, 70.0, 100.0)) == 0


def test_brightness_within_the_spread_of_normal_marrow_is_no_candidate() -> None:
    """Normal marrow varies by 28 % at a high b-value: 1.4 times the median is within two deviations."""
    adc, _ = trunk_adc()
    lesion = ball(CENTRE, 14.0)
    adc[lesion] = 1000.0
    assert candidates(adc, high_b=np.where(lesion, 140.0, 100.0)) == 0


def test_muscle_is_not_taken_for_the_canal() -> None:
    """Where the canal ends, muscle of 1500 um2/s does not go on for it."""
    adc, geometry = trunk_adc()
    _, z, y, x = grid()
    adc[disc(y, x, CANAL_CENTRE_MM, (8.0, 10.0)) & (z < 60.0)] = 1500.0
    region = find_region(adc.astype(np.float32), geometry, limits=profile().region)
    assert region is not None
    first = int(np.flatnonzero(region.mask.any(axis=(1, 2)))[0])
    assert first * 3.0 >= 57.0


def test_a_vessel_brighter_than_the_canal_is_not_followed() -> None:
    """Blood of 3500 um2/s in reach of the path has no marrow before it: the region stays on the vertebral bodies."""
    adc, geometry = trunk_adc()
    _, _, y, x = grid()
    vessel = disc(y, x, (94.0, 140.0), (12.0, 12.0))
    adc[vessel] = 3500.0
    region = find_region(adc.astype(np.float32), geometry, limits=profile().region)
    assert region is not None
    assert float(np.mean(disc(y, x, VERTEBRA_CENTRE_MM, (20.0, 24.0))[region.mask])) > 0.95
    adc[disc(y, x, VERTEBRA_CENTRE_MM, (20.0, 24.0))] = 1500.0
    assert find_region(adc.astype(np.float32), geometry, limits=profile().region) is None


def test_a_canal_with_a_cord_in_it_is_followed_from_one_without() -> None:
    """Where a cord lowers the canal's mean to 1700 um2/s the region goes on; with 1700 all along there is none."""
    adc, geometry = trunk_adc()
    _, z, y, x = grid()
    canal = disc(y, x, CANAL_CENTRE_MM, (8.0, 10.0))
    adc[canal & (z >= 75.0)] = 1700.0
    region = find_region(adc.astype(np.float32), geometry, limits=profile().region)
    assert region is not None
    assert region.mask.any(axis=(1, 2)).all()
    adc[canal] = 1700.0
    assert find_region(adc.astype(np.float32), geometry, limits=profile().region) is None


def test_muscle_lies_beside_the_canal_and_in_nothing_else() -> None:
    """Muscle of the back is found on both sides, away from vertebra and canal; with another ADC it is not found."""
    adc, geometry = trunk_adc()
    region = find_region(adc.astype(np.float32), geometry, limits=profile().region)
    assert region is not None
    _, _, y, x = grid()
    other = disc(y, x, VERTEBRA_CENTRE_MM, (20.0, 24.0)) | disc(y, x, CANAL_CENTRE_MM, (8.0, 10.0))
    assert not (region.muscle & other).any()
    left, right = (region.muscle[:, :, half].any() for half in (slice(0, 70), slice(70, 140)))
    assert left
    assert right
    fatty = np.where((adc > 1000.0) & (adc < 2000.0), 300.0, adc)
    found = find_region(fatty.astype(np.float32), geometry, limits=profile().region)
    assert found is not None
    assert not found.muscle.any()


@settings(max_examples=4, deadline=None)
@given(flips=st.sets(st.sampled_from([0, 1, 2])))
def test_region_and_muscle_follow_the_patient_when_the_grid_is_flipped(flips: set[int]) -> None:
    """However the slices are stored, nearly the same voxels are meant."""
    adc, geometry = trunk_adc()
    matrix = geometry.matrix
    for axis in flips:
        matrix[:3, 3] += matrix[:3, axis] * (adc.shape[axis] - 1)
        matrix[:3, axis] *= -1.0
    flipped = VolumeGeometry.from_matrix(matrix, shape=geometry.shape, frame_of_reference_uid="1.2")
    straight = find_region(adc.astype(np.float32), geometry, limits=profile().region)
    turned = find_region(
        np.ascontiguousarray(np.flip(adc, tuple(flips))).astype(np.float32), flipped, limits=profile().region
    )
    assert straight is not None
    assert turned is not None
    for one, other in ((straight.mask, turned.mask), (straight.muscle, turned.muscle)):
        back = np.flip(other, tuple(flips))
        assert 2 * np.count_nonzero(one & back) / (np.count_nonzero(one) + np.count_nonzero(back)) > 0.95
