from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import PersonSpec
from operators.simulation.fields.planar import planar_field
from operators.simulation.images import PlanarScan
from operators.simulation.matter import Matter
from operators.simulation.physics import camera_table
from operators.simulation.physics.camera import counted_share, fwhm_mm, photopeak_window
from operators.simulation.physics.planar import expected_kilocounts, planar_truth, scan_planar, views_of
from operators.simulation.physics.planar_view import ANT, POST, View
from operators.simulation.physics.uptake import suv_map
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.scene import Scene
from tests.unit.simulation.emission.phantoms import DEPTH, VOXEL_MM, Index, body, box, grid, lesion, planar_grid

PROTOCOL = PlanarProtocol(kilocounts=1000.0)
WINDOW = photopeak_window(20.0)


def _point_in_air(at: Index) -> Scene:
    return body(planar_grid(), **lesion(planar_grid(), at))


def _point_in_muscle(at: Index) -> Scene:
    return body(planar_grid(), box(planar_grid(), Matter.MUSCLE), **lesion(planar_grid(), at))


def _expected(scene: Scene, protocol: PlanarProtocol = PROTOCOL) -> PlanarScan:
    return scan_planar(scene, protocol, seed=1, noise=False)


def _centre(image: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(image.shape)
    weight = np.where(image > 0.2 * image.max(), image, 0.0)
    return float((rows * weight).sum() / weight.sum()), float((columns * weight).sum() / weight.sum())


def _width(profile: np.ndarray) -> float:
    """At half the height, in pixels, between the pixels that lie around it."""
    half, top = profile.max() / 2.0, int(profile.argmax())
    right = next(i for i in range(top, len(profile)) if profile[i] < half)
    left = next(i for i in range(top, -1, -1) if profile[i] < half)
    beyond = (half - profile[right]) / (profile[right - 1] - profile[right])
    before = (half - profile[left]) / (profile[left + 1] - profile[left])
    return float(right - beyond - (left + before))


def _view(number: int, *, at: Index, mu: torch.Tensor | None = None) -> View:
    activity = torch.zeros(120, DEPTH, 128)
    activity[at] = 10.0
    return View.of(number, activity=activity, mu=torch.zeros_like(activity) if mu is None else mu, step_mm=VOXEL_MM)


def test_in_air_every_photon_in_the_window_is_counted() -> None:
    """Without attenuation the image holds the activity times the window's share; through the couch 5 % less."""
    share = float(counted_share(1.0, WINDOW))
    for number, left in ((ANT, 1.0), (POST, camera_table.COUCH_TRANSMISSION)):
        counts = _view(number, at=(60, 12, 64)).counts(PROTOCOL, WINDOW, higher_orders=1.0)
        assert float(counts.sum()) == pytest.approx(10.0 * share * left, rel=1e-3)


@pytest.mark.parametrize("planes", [1, 5, 12])
def test_a_slab_attenuates_exponentially(planes: int) -> None:
    """Behind a slab of thickness d the primary counts are exp(-mu d) of those in air, in front of it all of them."""
    mu = torch.zeros(120, DEPTH, 128)
    mu[:, 2 : 2 + planes] = 0.0154
    before, behind = (
        float(_view(ANT, at=(60, row, 64), mu=mu).counts(PROTOCOL, WINDOW, higher_orders=0.0).sum()) for row in (1, 20)
    )
    assert behind / before == pytest.approx(math.exp(-0.0154 * planes * VOXEL_MM), rel=1e-3)


def test_the_photopeak_window_counts_what_its_width_lets_through() -> None:
    """Energy resolution 9.5 %: 20 % wide counts 98.7 %, 15 % 93.7 %, 10 % 78.5 % of the primary photons."""
    found = [float(counted_share(1.0, photopeak_window(percent))) for percent in (20.0, 15.0, 10.0)]
    assert found == pytest.approx([0.987, 0.937, 0.785], abs=0.002)


def test_the_blur_has_the_protocols_width_at_100_mm() -> None:
    """At 100 mm from the collimator a point is as wide as the protocol says, at half its height, in both axes."""
    assert fwhm_mm(100.0, at_100_mm=8.0) == pytest.approx(8.0)
    protocol = PlanarProtocol(collimator_distance_mm=14 * VOXEL_MM)
    mu = torch.zeros(120, DEPTH, 128)
    mu[:, 2, :] = 0.0021
    counts = _view(ANT, at=(60, 2 + 7, 64), mu=mu).counts(protocol, WINDOW, higher_orders=0.0).numpy()
    for axis in (0, 1):
        found = _width(counts.sum(axis=axis)) * protocol.pixel_mm
        assert found == pytest.approx(fwhm_mm(21 * VOXEL_MM, at_100_mm=8.0), rel=0.03)


def test_the_blur_grows_with_the_distance_from_the_detector() -> None:
    """The deeper a point lies, the lower its peak against its sum; the posterior view sees it the other way round."""
    body_mu = torch.zeros(120, DEPTH, 128)
    body_mu[:, 2:-2, 40:88] = 0.0025
    protocol = PlanarProtocol(collimator_distance_mm=60.0)
    for number, order in ((ANT, 1), (POST, -1)):
        peaks = []
        for row in (8, 12, 16, 20)[::order]:
            counts = _view(number, at=(60, row, 64), mu=body_mu).counts(protocol, WINDOW, higher_orders=0.0)
            peaks.append(float(counts.max() / counts.sum()))
        assert peaks == sorted(peaks, reverse=True)


def test_scatter_grows_with_depth_and_with_the_window() -> None:
    """A point 10 cm deep in water has a fifth to two fifths scatter in a 20 % window, less when shallow or narrower."""
    mu = torch.zeros(120, 60, 128)
    mu[:, 2:58, 20:108] = camera_table.WATER_MU_MM

    def fraction(row: int, percent: float) -> float:
        activity = torch.zeros_like(mu)
        activity[60, row, 64] = 1.0
        view = View.of(ANT, activity=activity, mu=mu, step_mm=VOXEL_MM)
        window = photopeak_window(percent)
        whole = view.leaving(PROTOCOL, window, higher_orders=camera_table.HIGHER_ORDERS).sum()
        return 1.0 - float(view.leaving(PROTOCOL, window, higher_orders=0.0).sum() / whole)

    assert 0.2 < fraction(23, 20.0) < 0.4
    assert fraction(7, 20.0) < fraction(23, 20.0) < fraction(40, 20.0)
    assert fraction(23, 10.0) < fraction(23, 20.0)


def test_the_patients_right_is_left_in_front_and_right_behind() -> None:
    """A point in the patient's right half (x below 0) is on the left of ANT and on the right of POST."""
    scan = _expected(_point_in_air((300, 12, 50)))
    assert _centre(scan.photopeak[ANT])[1] < 127.5 < _centre(scan.photopeak[POST])[1]


@pytest.mark.parametrize("at", [(300, 12, 50), (120, 3, 90), (480, 20, 64)])
def test_to_pixel_leads_to_the_source(at: Index) -> None:
    """The affine of each view maps the source's LPS position to where its counts are, head up."""
    scene = _point_in_air(at)
    scan = _expected(scene)
    position = np.array([*scene.geometry.position_lps(at), 1.0])
    for view in (ANT, POST):
        assert np.allclose(scan.to_pixel[view] @ position, _centre(scan.photopeak[view]), atol=0.15)
    assert scan.to_pixel[0, 0] @ (position + np.array([0, 0, 100.0, 0])) < scan.to_pixel[0, 0] @ position


def test_a_mirrored_patient_gives_mirrored_images() -> None:
    """Left and right of the scene exchanged are left and right of both images exchanged, but for scatter's cells."""
    scene = _point_in_muscle((300, 6, 55))
    mirrored = body(
        scene.geometry,
        scene.matter[:, :, ::-1],
        lesions=scene.lesions[:, :, ::-1].copy(),
        lesion_fraction=scene.lesion_fraction[:, :, ::-1].copy(),
    )
    plain, turned = _expected(scene).photopeak, _expected(mirrored).photopeak
    assert np.allclose(plain[:, :, ::-1], turned, atol=0.01 * plain.max())


def test_a_source_in_front_is_brighter_in_front() -> None:
    """Behind 80 mm of muscle fewer counts arrive than in front of it."""
    front = _expected(_point_in_muscle((280, 4, 64))).photopeak.max(axis=(1, 2))
    back = _expected(_point_in_muscle((280, 19, 64))).photopeak.max(axis=(1, 2))
    assert front[ANT] > 2.0 * front[POST]
    assert back[POST] > 2.0 * back[ANT]


def test_the_anterior_photopeak_has_the_protocols_counts() -> None:
    """Expected counts are exactly the protocol's, counted ones within Poisson's noise."""
    scene = _point_in_muscle((280, 10, 64))
    assert _expected(scene).photopeak[ANT].sum(dtype=np.float64) == pytest.approx(1e6, rel=1e-5)
    counted = scan_planar(scene, PROTOCOL, seed=4).photopeak[ANT].sum(dtype=np.float64)
    assert abs(counted - 1e6) < 5.0 * 1e3


def test_the_camera_counts_whole_photons_with_poissons_variance() -> None:
    """Counts are whole; their squared deviation from the expected ones is the expected one."""
    scene = body(planar_grid(), box(planar_grid(), Matter.MUSCLE))
    expected, counted = _expected(scene).photopeak, scan_planar(scene, PROTOCOL, seed=4).photopeak
    assert np.array_equal(counted, np.rint(counted))
    inside = expected > 3.0
    assert np.mean((counted[inside] - expected[inside]) ** 2 / expected[inside]) == pytest.approx(1.0, abs=0.03)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Two scans with one seed are equal, with another seed they are not."""
    scene = _point_in_muscle((280, 10, 64))
    one, two, other = (scan_planar(scene, PROTOCOL, seed=seed).photopeak for seed in (7, 7, 8))
    assert one.tobytes() == two.tobytes() != other.tobytes()


def test_the_scatter_window_shows_the_body_and_fewer_primaries() -> None:
    """The lower window's frames come with the protocol's wish alone; a deep point is blurred there by its scatter."""
    scene = _point_in_muscle((280, 19, 64))
    assert _expected(scene).scatter is None
    scan = _expected(scene, PlanarProtocol(kilocounts=1000.0, scatter_window=True))
    assert scan.scatter is not None
    sharp, dull = (float(frame[ANT].max() / frame[ANT].sum()) for frame in (scan.photopeak, scan.scatter))
    assert dull < 0.5 * sharp


def test_beyond_the_detector_there_are_no_counts() -> None:
    """What lies beside the field of view is cut."""
    scene = body(planar_grid(), box(planar_grid(), Matter.MUSCLE, columns=slice(2, 126)))
    scan = _expected(scene, PlanarProtocol(field_width_mm=480.0))
    edge = round((614.4 - 480.0) / 2.0 / 2.4)
    assert scan.photopeak[:, :, : edge - 1].sum() == 0.0
    assert scan.photopeak[0, 500, edge + 1] > 0.0


def test_the_shadow_of_a_lesion_is_where_it_shines() -> None:
    """The truth's pixels of a one-voxel lesion surround the brightest pixel of the same view."""
    scene = _point_in_muscle((280, 10, 70))
    truth, scan = planar_truth(scene, PROTOCOL), _expected(scene)
    for view in (ANT, POST):
        rows, columns = np.nonzero(truth.lesions[0, view])
        assert 1 <= len(rows) <= 16
        assert np.allclose((rows.mean(), columns.mean()), _centre(scan.photopeak[view]), atol=0.6)


def test_the_truth_names_the_bone_that_shines_through() -> None:
    """Of sternum before spine each view names the nearer one; beside bones there is none."""
    geometry = planar_grid()
    bones = np.zeros(geometry.shape, dtype=np.uint8)
    bones[270:290, 3:5, 60:68] = Bone.STERNUM
    bones[270:290, 18:20, 60:68] = Bone.T6
    scene = body(
        geometry,
        box(geometry, Matter.MUSCLE),
        bones=bones,
        bone_fraction=np.where(bones > 0, 255, 0).astype(np.uint8),
    )
    truth = planar_truth(scene, PROTOCOL).bones
    row = 1024 - 2 * 280
    assert truth[ANT, row, 128] == Bone.STERNUM
    assert truth[POST, row, 128] == Bone.T6
    assert truth[ANT, row, 100] == 0


def test_more_dose_and_slower_sweeps_give_more_counts() -> None:
    """The counts that a camera would collect are proportional to dose and time."""
    scene = _point_in_muscle((280, 10, 64))
    plain = expected_kilocounts(scene, PROTOCOL)
    assert expected_kilocounts(scene, PlanarProtocol(dose_mbq=340.0)) == pytest.approx(plain / 2.0, rel=1e-5)
    assert expected_kilocounts(scene, PlanarProtocol(scan_speed_cm_min=30.0)) == pytest.approx(plain / 2.0, rel=1e-5)


def test_another_grid_is_refused() -> None:
    """A scene that does not tile the image raises ValueError and says what would."""
    with pytest.raises(ValueError, match=r"cubes of 4\.8 mm"):
        scan_planar(body(grid((512, DEPTH, 128), 4.0), Matter.MUSCLE), PROTOCOL, seed=1)


def test_an_empty_field_is_refused() -> None:
    """Nobody under the camera has no counts to scale."""
    with pytest.raises(ValueError, match="nobody"):
        scan_planar(body(planar_grid()), PROTOCOL, seed=1)


def test_the_field_holds_the_whole_person(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """The grid tiles 1024 rows of 256 pixels, is centred on the body, and begins above the head."""
    field = planar_field(PROTOCOL, builder, man, frame_of_reference_uid="1.2.3")
    low, high = builder.body(man).bounds()
    first, last = np.array(field.position_lps((0, 0, 0))), np.array(field.position_lps((511, field.shape[1] - 1, 127)))
    assert field.shape[::2] == (512, 128)
    assert field.spacing_mm == pytest.approx((4.8, 4.8, 4.8))
    assert (first[1:] <= low[1:] + VOXEL_MM).all()
    assert (last[1:] >= high[1:] - VOXEL_MM).all()
    assert first[0] + last[0] == pytest.approx(low[0] + high[0])
    assert 50.0 < last[2] - high[2] < 150.0


def test_parts_of_the_uptake_add_up_to_the_scan() -> None:
    """Whoever weighs parts gets what one projection of their sum gives, attenuation, scatter and blur included."""
    geometry = planar_grid()
    scene = body(geometry, box(geometry, Matter.MUSCLE), **lesion(geometry, (280, 10, 60)))
    suv = suv_map(scene, tracer=PROTOCOL.tracer, uptake_minutes=PROTOCOL.uptake_minutes).numpy()
    upper = np.zeros_like(suv)
    upper[275:] = suv[275:]
    parts = list(views_of(scene, PROTOCOL, uptakes=[upper, suv - upper]))
    whole = _expected(scene).photopeak
    together = parts[0] + parts[1]
    np.testing.assert_allclose(together * (whole.sum() / together.sum()), whole, rtol=1e-3, atol=1e-4 * whole.max())
    assert parts[0].sum() > 0 < parts[1].sum()


def test_parts_on_another_grid_are_refused() -> None:
    """Both would be projected as if they were the camera's own voxels."""
    scene = body(grid((8, 8, 8), 5.0))
    with pytest.raises(ValueError, match="planar_field"):
        list(views_of(scene, PROTOCOL, uptakes=[]))
