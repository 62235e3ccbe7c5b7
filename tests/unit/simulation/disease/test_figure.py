"""Rough ellipsoids as functions of place."""

from __future__ import annotations

import numpy as np
import pytest

from operators.simulation.disease.figure import Figure
from operators.simulation.patient import Shape

TURNED = Shape(centre_mm=(10.0, -5.0, 30.0), radii_mm=(12.0, 7.0, 5.0), turn_deg=(20.0, 50.0, -30.0))


@pytest.mark.parametrize("roughness", [0.0, 0.1, 0.2, 0.35])
def test_a_rough_figure_has_the_volume_of_its_ellipsoid(roughness: float) -> None:
    """Roughness moves the surface and leaves the volume within 4 %."""
    shape = Shape(centre_mm=(0.0, 0.0, 0.0), radii_mm=(12.0, 9.0, 7.0), roughness=roughness, seed=5)
    figure = Figure.of(shape, np.eye(3))
    points = figure.lattice(0.5)
    assert len(points) * 0.125 / 1000.0 == pytest.approx(figure.volume_ml, rel=0.04)


def test_radii_are_millimetres_of_the_person() -> None:
    """In a person whose bones are a tenth smaller than the source's, 12 mm are 12/0.9 of the rest frame."""
    figure = Figure.of(Shape(centre_mm=(0.0, 0.0, 0.0), radii_mm=(12.0, 12.0, 12.0)), 0.9 * np.eye(3))
    relative, _ = figure.relative(np.array([[12.0 / 0.9, 0.0, 0.0]]))
    assert relative[0] == pytest.approx(1.0)


def test_the_depth_of_a_ball_is_exact() -> None:
    """Depth below a ball's surface is radius less distance."""
    figure = Figure.of(Shape(centre_mm=(1.0, 2.0, 3.0), radii_mm=(9.0, 9.0, 9.0)), np.eye(3))
    points = np.array([[1.0, 2.0, 3.0 + r] for r in (0.5, 4.0, 9.0, 11.0)])
    assert figure.depth_mm(points) == pytest.approx([8.5, 5.0, 0.0, -2.0])


def test_the_box_holds_the_figure() -> None:
    """No place outside the box lies inside a rough, turned figure."""
    rough = Shape(centre_mm=TURNED.centre_mm, radii_mm=TURNED.radii_mm, turn_deg=TURNED.turn_deg, roughness=0.3, seed=2)
    figure = Figure.of(rough, np.diag([0.9, 1.1, 1.0]))
    low, high = figure.box()
    points = np.random.default_rng(1).uniform(low - 8.0, high + 8.0, size=(40_000, 3))
    within = np.all((points >= low) & (points <= high), axis=1)
    assert not np.any((figure.depth_mm(points) > 0) & ~within)


def test_another_seed_is_another_surface() -> None:
    """Roughness is drawn by the seed alone."""
    places = np.random.default_rng(3).normal(size=(50, 3)) * 6.0
    shapes = [
        Shape(centre_mm=(0.0, 0.0, 0.0), radii_mm=(8.0, 8.0, 8.0), roughness=0.2, seed=seed) for seed in (1, 1, 2)
    ]
    one, same, other = (Figure.of(shape, np.eye(3)).depth_mm(places) for shape in shapes)
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
