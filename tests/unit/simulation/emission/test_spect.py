from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.fields.spect import spect_field
from operators.simulation.images import Content
from operators.simulation.matter import Matter
from operators.simulation.physics.spect import scan_spect
from operators.simulation.physics.uptake import suv_palette
from operators.simulation.protocols.spect import SpectProtocol, SpectUnit
from operators.simulation.tracer import Tracer
from tests.unit.simulation.emission.phantoms import Bytes, body, grid, lesion

PROTOCOL = SpectProtocol(voxel_mm=4.4, uptake_minutes=180.0)
SHAPE = (40, 64, 64)
INSIDE = (slice(8, 32), slice(20, 44), slice(20, 44))


def _phantom() -> Bytes:
    values = np.full(SHAPE, Matter.AIR, dtype=np.uint8)
    values[:, 10:54, 10:54] = Matter.MUSCLE
    return values


def _muscle_bqml(protocol: SpectProtocol = PROTOCOL) -> float:
    suv = suv_palette(Tracer.MDP, person={"spread": 0.0}, uptake_minutes=protocol.uptake_minutes).matter[Matter.MUSCLE]
    left = 0.5 ** (protocol.uptake_minutes * 60.0 / 21624.12)
    return float(float(suv) * protocol.dose_mbq * 1e6 * left / 70_000.0)


def test_a_large_even_region_has_its_true_activity() -> None:
    """Without noise the inside of a large block is within 1 % of its activity at the start, to the first slice."""
    volume = scan_spect(body(grid(SHAPE, 4.4), _phantom()), PROTOCOL, seed=1, noise=False)
    assert volume.content is Content.ACTIVITY_BQML
    assert np.allclose(volume.values[:, 20:44, 20:44], _muscle_bqml(), rtol=0.01)


def test_a_small_source_is_spread_by_the_resolution_and_kept() -> None:
    """A hot voxel keeps its activity and becomes as wide as the protocol says."""
    place = grid(SHAPE, 4.4)
    seen = scan_spect(body(place, **lesion(place, (20, 32, 32))), PROTOCOL, seed=1, noise=False).values
    left = 0.5 ** (PROTOCOL.uptake_minutes * 60.0 / 21624.12)
    assert seen.sum(dtype=np.float64) == pytest.approx(400.0 * PROTOCOL.dose_mbq * 1e6 * left / 70_000.0, rel=1e-3)
    distance = (np.arange(64) - 32) * 4.4
    profile = seen.sum(axis=(0, 1))
    sigma = np.sqrt((profile * distance**2).sum() / profile.sum())
    assert sigma * 2.3548 == pytest.approx(PROTOCOL.resolution_mm, rel=0.08)


def test_noise_keeps_the_mean_and_nothing_is_negative() -> None:
    """The mean over a large region is the truth within its noise."""
    scene = body(grid(SHAPE, 4.4), _phantom())
    noisy = scan_spect(scene, PROTOCOL, seed=3).values
    assert noisy.min() >= 0.0
    assert noisy[INSIDE].mean() == pytest.approx(_muscle_bqml(), rel=0.03)
    assert noisy[INSIDE].std() > 0.05 * _muscle_bqml()


def test_noise_falls_with_the_root_of_the_counts() -> None:
    """Four times the time a view, or twice the dose and twice the views, halve the noise."""
    scene = body(grid(SHAPE, 4.4), _phantom())

    def noise(protocol: SpectProtocol) -> float:
        values = scan_spect(scene, protocol, seed=3).values[INSIDE]
        return float(values.std() / values.mean())

    plain = noise(replace(PROTOCOL, seconds_per_view=10.0))
    assert noise(replace(PROTOCOL, seconds_per_view=40.0)) / plain == pytest.approx(0.5, rel=0.06)
    more = replace(PROTOCOL, seconds_per_view=10.0, dose_mbq=2.0 * PROTOCOL.dose_mbq, views=2 * PROTOCOL.views)
    assert noise(more) / plain == pytest.approx(0.5, rel=0.06)


def test_noise_is_correlated_over_the_resolution() -> None:
    """Neighbours deviate together, voxels three resolutions apart do not."""
    values = scan_spect(body(grid(SHAPE, 4.4), _phantom()), PROTOCOL, seed=3).values[INSIDE]
    near = np.corrcoef(values[:, :, :-1].ravel(), values[:, :, 1:].ravel())[0, 1]
    far = np.corrcoef(values[:, :, :-7].ravel(), values[:, :, 7:].ravel())[0, 1]
    assert near > 0.5
    assert abs(far) < 0.15


def test_counts_are_not_corrected_for_attenuation() -> None:
    """In counts the middle of a block is darker than its rim, in Bq/mL it is not."""
    scene = body(grid(SHAPE, 4.4), _phantom())
    volume = scan_spect(scene, replace(PROTOCOL, unit=SpectUnit.COUNTS), seed=1, noise=False)
    assert volume.content is Content.COUNTS
    middle, rim = volume.values[20, 32, 32], volume.values[20, 32, 15]
    assert 0.0 < middle < 0.8 * rim


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two scans with one seed are equal, with another seed they are not."""
    scene = body(grid(SHAPE, 4.4), _phantom())
    one, two, other = (scan_spect(scene, PROTOCOL, seed=seed).values.tobytes() for seed in (7, 7, 8))
    assert one == two != other


def test_the_field_is_centred_on_the_bone(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """The middle slice lies in the protocol's bone; the length is the protocol's, to a slice."""
    protocol = replace(PROTOCOL, centre=Bone.T8, length_mm=380.0)
    field = spect_field(protocol, builder, man, frame_of_reference_uid="1.2.3")
    heights = builder.skeleton(man).vertices(Bone.T8)[:, 2]
    middle = field.position_lps(((field.shape[0] - 1) / 2.0, 0.0, 0.0))[2]
    assert middle == pytest.approx((heights.min() + heights.max()) / 2.0, abs=0.1)
    assert 380.0 <= field.shape[0] * 4.4 < 380.0 + 4.4


def test_a_bone_that_is_not_there_is_refused(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """A field about L6 of somebody with five lumbar vertebrae raises ValueError with the bone's name."""
    with pytest.raises(ValueError, match="L6"):
        spect_field(replace(PROTOCOL, centre=Bone.L6), builder, man, frame_of_reference_uid="1.2.3")
