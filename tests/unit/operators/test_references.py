"""Liver and blood pool: found by rule on a torso of simple bodies, checked by their uptake, honestly missing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.codes import Concept, Derivation, Measurable, MiPsma
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.coarse_ct import CoarseCt, find_lungs
from operators.kernels.measurement import statistics
from operators.kernels.reference_place import Point, aorta_lines, liver_places
from operators.kernels.reference_spine import vertebral_bodies
from operators.kernels.reference_uptake import PlausibleUptake, Reference, first_plausible, sphere, tube
from pipelines.pet_ct.branch import profile
from pipelines.pet_ct.references import (
    References,
    lesion_classes,
    lesion_ratios,
    percist_limit,
    reference_checks,
    reference_measurements,
)
from tests.unit.operators.series import geometry_of

SPACING = (4.0, 4.0, 4.0)
SHAPE = (84, 64, 96)
CANAL = (200.0, 192.0)
AORTA = (162.0, 214.0)
LIMITS = profile().reference


def torso(*, liver_hu: float = 55.0, aorta: bool = True, lungs: bool = True, canal: bool = True) -> CoarseCt:
    """A trunk with spine, lungs, liver in abdominal fat, and an aorta between left lung and spine (y, x in mm)."""
    z, y, x = (
        axis * step for axis, step in zip(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), SPACING, strict=True)
    )
    hu = np.full(SHAPE, -1000.0)
    hu[((y - 128.0) / 110.0) ** 2 + ((x - 192.0) / 170.0) ** 2 <= 1.0] = -100.0
    inner = ((y - 128.0) / 95.0) ** 2 + ((x - 192.0) / 150.0) ** 2 <= 1.0
    hu[inner] = np.where(z[inner] < 200.0, -100.0, 45.0)
    if lungs:
        chest = inner & (z >= 200.0) & ~((np.abs(x - 192.0) <= 45.0) & (y <= 125.0)) & (np.abs(x - 192.0) >= 5.0)
        hu[chest] = -800.0
    liver = (((z - 190.0) / 75.0) ** 2 + ((y - 128.0) / 80.0) ** 2 + ((x - 115.0) / 62.0) ** 2) <= 1.0
    hu[liver & inner] = liver_hu
    if aorta:
        hu[(y - AORTA[0]) ** 2 + (x - AORTA[1]) ** 2 <= 13.0**2] = 40.0
    spine = (y - 190.0) ** 2 + (x - 192.0) ** 2 <= 22.0**2
    hole = (y - CANAL[0]) ** 2 + (x - CANAL[1]) ** 2 <= 8.0**2
    hu[spine] = 300.0
    hu[hole] = 20.0
    values = hu.astype(np.float32)
    matrix = np.array([[0, 0, 4.0, 0], [0, 4.0, 0, 0], [4.0, 0, 0, 0], [0, 0, 0, 1.0]])
    return CoarseCt(
        hu=values,
        bone=spine & ~hole,
        canal=hole if canal else np.zeros(SHAPE, dtype=np.bool_),
        lung=find_lungs(values, voxel_volume_ml=0.064),
        spacing_mm=SPACING,
        matrix=matrix,
    )


def inside_liver(place: Point, *, margin_mm: float) -> bool:
    """Whether a point (LPS) lies in the liver by a margin."""
    x, y, z = place
    radii = np.array([62.0, 80.0, 75.0]) - margin_mm
    return bool(np.sum(((np.array([x, y, z]) - [115.0, 128.0, 190.0]) / radii) ** 2) <= 1.0)


def test_the_liver_sphere_lies_deep_in_the_right_lobe() -> None:
    """The first place holds a sphere of 3 cm that the liver encloses."""
    assert inside_liver(liver_places(torso(), limits=LIMITS.liver)[0], margin_mm=15.0)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**16), shift=st.integers(-6, 6))
def test_noise_and_place_in_the_field_do_not_matter(seed: int, shift: int) -> None:
    """A noisy CT, and one whose field begins elsewhere, give a place in the liver as well."""
    plain = torso()
    noise = np.random.default_rng(seed).normal(scale=12.0, size=SHAPE).astype(np.float32)
    moved = replace(
        plain,
        hu=np.roll(plain.hu + noise, shift, axis=1),
        bone=np.roll(plain.bone, shift, axis=1),
        canal=np.roll(plain.canal, shift, axis=1),
        lung=np.roll(plain.lung, shift, axis=1),
        matrix=plain.matrix @ np.array([[1, 0, 0, 0], [0, 1, 0, -shift], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
    )
    assert inside_liver(liver_places(moved, limits=LIMITS.liver)[0], margin_mm=12.0)
    line = aorta_lines(moved, limits=LIMITS.aorta)[0]
    assert max(np.hypot(y - AORTA[0], x - AORTA[1]) for x, y, _ in line) <= 8.0


@pytest.mark.parametrize("liver_hu", [5.0, 260.0])
def test_fluid_or_contrast_pools_are_no_liver(liver_hu: float) -> None:
    """What has not the density of liver gives no sphere."""
    assert not liver_places(torso(liver_hu=liver_hu), limits=LIMITS.liver)


def test_without_lungs_or_spine_nothing_is_placed() -> None:
    """The rule stands on both: where the field lacks one, there is no reference."""
    for ct in (torso(lungs=False), torso(canal=False)):
        assert liver_places(ct, limits=LIMITS.liver) == ()
        assert aorta_lines(ct, limits=LIMITS.aorta) == ()


def test_vertebral_bodies_lie_before_the_canal() -> None:
    """Bone around a line before the canal, on another grid than the CT's; none without a canal."""
    ct = torso()
    matrix = np.array([[0, 0, 4.5, 0], [0, 4.0, 0, 0], [6.0, 0, 0, 0], [0, 0, 0, 1.0]])
    grid = VolumeGeometry.from_matrix(matrix, shape=(50, 60, 80), frame_of_reference_uid="1.2.3")
    bone = np.ones(grid.shape, dtype=np.bool_)
    bone[:, 45:] = False
    bodies = vertebral_bodies(bone, grid, ct, ahead_mm=26.0, radius_mm=18.0)
    assert bodies is not None
    places = np.argwhere(bodies) @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    assert np.hypot(places[:, 0] - CANAL[1], places[:, 1] - (CANAL[0] - 26.0)).max() <= 20.0
    assert not bodies[:, 45:].any()
    assert vertebral_bodies(bone, grid, torso(canal=False), ahead_mm=26.0, radius_mm=18.0) is None
    assert vertebral_bodies(np.zeros_like(bone), grid, ct, ahead_mm=26.0, radius_mm=18.0) is None


def test_the_aorta_is_a_line_of_two_centimetres_above_the_diaphragm() -> None:
    """Its points lie on the axis, and no stretch overlaps another."""
    lines = aorta_lines(torso(), limits=LIMITS.aorta)
    assert len(lines) > 1
    heights = [(line[0][2], line[-1][2]) for line in lines]
    assert all(high - low == pytest.approx(20.0) for low, high in heights)
    assert all(low >= 240.0 for low, _ in heights)
    ordered = sorted(heights)
    assert all(first[1] < second[0] for first, second in pairwise(ordered))
    assert max(np.hypot(y - AORTA[0], x - AORTA[1]) for line in lines for x, y, _ in line) <= 6.0


def test_no_aorta_is_found_where_lung_reaches_the_spine() -> None:
    """Nothing to the left of the spine but lung: not found."""
    assert aorta_lines(torso(aorta=False), limits=LIMITS.aorta) == ()


def region(geometry: VolumeGeometry, centre: Point) -> CroppedMask | None:
    """A sphere of 3 cm."""
    return sphere(geometry, centre, radius_mm=15.0)


GRID = geometry_of((40, 40, 40), spacing_mm=(3.0, 2.0, 2.0))
CENTRE = GRID.position_lps((20.0, 20.0, 20.0))
EVEN = PlausibleUptake(lowest=1.0, highest=4.0, variation=0.25)


def test_the_regions_have_the_size_that_percist_names() -> None:
    """A sphere of 14.1 ml; a cylinder of 1.57 ml, cut off at its ends."""
    ball = region(GRID, CENTRE)
    assert ball is not None
    assert ball.voxel_count * GRID.voxel_volume_ml == pytest.approx(14.137, rel=0.03)
    fine = geometry_of((60, 40, 40), spacing_mm=(1.0, 1.0, 1.0))
    x, y, z = fine.position_lps((30.0, 20.0, 20.0))
    line = tuple((x, y, z + along) for along in np.linspace(-9.5, 9.5, 6))
    cylinder = tube(fine, line, radius_mm=5.0)
    assert cylinder is not None
    assert np.count_nonzero(cylinder.values.any(axis=(1, 2))) in (19, 20)
    assert cylinder.voxel_count / 1000.0 == pytest.approx(1.57, rel=0.1)


def test_a_region_off_the_grid_is_left_out_and_the_next_is_taken() -> None:
    """What the image holds too little of is no reference."""
    array = np.full(GRID.shape, 2.0, dtype=np.float32)
    beside = region(GRID, GRID.position_lps((20.0, 20.0, 0.0)))
    assert region(GRID, GRID.position_lps((20.0, 20.0, -100.0))) is None
    found, why_not = first_plausible(array, GRID, [beside], least_ml=11.0, limits=EVEN)
    assert found is None
    assert "outside the emission image" in why_not
    found, why_not = first_plausible(array, GRID, [beside, region(GRID, CENTRE)], least_ml=11.0, limits=EVEN)
    assert found is not None
    assert (found.values.mean, why_not) == (2.0, "")
    assert first_plausible(array, GRID, [], least_ml=11.0, limits=EVEN)[1] == "no place for it was found on the CT."


def test_uneven_or_implausible_uptake_is_no_reference() -> None:
    """A metastasis in the liver, or a liver without uptake, is not normal tissue."""
    array = np.full(GRID.shape, 2.0, dtype=np.float32)
    array[18:23, 18:23, 18:23] = 9.0
    assert "not even" in first_plausible(array, GRID, [region(GRID, CENTRE)], least_ml=11.0, limits=EVEN)[1]
    low = first_plausible(array * 0.01, GRID, [region(GRID, CENTRE)], least_ml=11.0, limits=EVEN)[1]
    assert "not plausible" in low


def reference(mean: float, deviation: float) -> Reference:
    """A reference of that mean and SD."""
    pair: npt.NDArray[np.float32] = np.array([[[mean - deviation, mean + deviation]]], dtype=np.float32)
    mask = CroppedMask.from_array(np.ones(pair.shape, dtype=np.bool_))
    return Reference(mask=mask, values=statistics(pair, mask))


BOTH = References(liver=reference(2.0, 0.2), blood=reference(1.6, 0.15))


def test_percist_limit_of_the_worked_case() -> None:
    """Liver 2.0 +- 0.2 gives 3.40 in the SUL of its own; half the lean mass half of it; other tracers none."""
    assert percist_limit(BOTH, lean_share=1.0, tracer_key="FDG") == pytest.approx(3.40, rel=1e-6)
    assert percist_limit(BOTH, lean_share=0.5, tracer_key="FDG") == pytest.approx(1.70, rel=1e-6)
    assert percist_limit(BOTH, lean_share=1.0, tracer_key="PSMA") is None
    assert percist_limit(BOTH, lean_share=None, tracer_key="FDG") is None
    assert percist_limit(replace(BOTH, liver=None), lean_share=1.0, tracer_key="FDG") is None


def test_a_lesion_is_measurable_from_the_limit_on() -> None:
    """At the limit it is, below it is not; without a limit nothing is said."""
    for sul_peak, value in ((3.4, Measurable.YES), (3.39, Measurable.NO)):
        (item,) = lesion_classes(BOTH, suv_mean=5.0, sul_peak=sul_peak, limit=3.4, ligand=None)
        assert (item.concept, item.value) == (Concept.PERCIST_MEASURABLE, value)
    assert lesion_classes(BOTH, suv_mean=5.0, sul_peak=3.4, limit=None, ligand=None) == ()


@pytest.mark.parametrize(
    ("ligand", "suv_mean", "expected"),
    [
        ("PSMA-11", 1.5, MiPsma.SCORE_0),
        ("PSMA-11", 1.7, MiPsma.SCORE_1),
        ("PSMA-11", 6.0, MiPsma.NOT_EVALUABLE),
        ("PSMA-1007", 1.5, MiPsma.SCORE_0),
        ("PSMA-1007", 1.7, MiPsma.NOT_EVALUABLE),
        ("PSMA", 1.7, MiPsma.NOT_EVALUABLE),
    ],
)
def test_the_score_is_given_as_far_as_the_references_reach(ligand: str, suv_mean: float, expected: object) -> None:
    """Parotid and spleen are not measured: below the liver the score is known, above it is not evaluable."""
    (item,) = lesion_classes(BOTH, suv_mean=suv_mean, sul_peak=None, limit=None, ligand=ligand)
    assert item.value == expected


def test_ratios_and_figures_stand_only_for_what_was_found() -> None:
    """A missing reference has neither a measurement nor a ratio, and its check says why."""
    missing = References(liver=BOTH.liver, why_no_blood="it lies outside the emission image.")
    (ratio,) = lesion_ratios(missing, suv_max=8.0)
    assert ratio.value == pytest.approx(4.0)
    assert "LIVER" in ratio.method
    concepts = [
        (item.concept, item.derivation) for item in reference_measurements(missing, lean_share=None, tracer_key="FDG")
    ]
    assert concepts == [
        (Concept.LIVER_REFERENCE, Derivation.MEAN),
        (Concept.LIVER_REFERENCE, Derivation.STANDARD_DEVIATION),
    ]
    assert [check.verdict.value for check in reference_checks(missing)] == ["pass", "not_evaluable"]
    assert "outside the emission image" in reference_checks(missing)[1].explanation
    assert [item.label for item in missing.regions] == ["Liver reference region"]
