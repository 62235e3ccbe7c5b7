"""Whether a model knows left from right and head from feet, judged by its maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError, ConfigError
from bmnode.models.bundle import Bundle
from bmnode.models.layout import INFERENCE, METADATA
from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart
from operators.kernels.scintigraphy_body import BodyFrame
from operators.models.planar import PlanarModel
from pipelines.evaluation.sides.command import PATIENT_SEED, check_sides
from pipelines.evaluation.sides.judge import judge
from pipelines.training.recipe import RECIPES, Recipe
from tests.support.bundles import change_json
from tests.support.models import planar_bundle

_BOXES = {
    PlanarPart.SKULL: (slice(0, 10), slice(15, 25)),
    PlanarPart.PELVIS_RIGHT: (slice(40, 50), slice(5, 19)),
    PlanarPart.PELVIS_LEFT: (slice(40, 50), slice(21, 35)),
    PlanarPart.LOWER_LEG_RIGHT: (slice(80, 95), slice(5, 15)),
    PlanarPart.LOWER_LEG_LEFT: (slice(80, 95), slice(25, 35)),
}


def _true() -> PartMap:
    parts = np.zeros((100, 40), dtype=np.uint8)
    for part, box in _BOXES.items():
        parts[box] = PART_NUMBERS[part]
    return parts


def test_a_model_that_is_right_passes() -> None:
    """With every share at its whole."""
    report = judge([_true(), _true()[:, ::-1]], [_true(), _true()[:, ::-1]])
    assert (report.named_share, report.right_side_share, report.is_upright, report.problems) == (1.0, 1.0, True, ())


def test_one_view_with_the_sides_changed_is_refused() -> None:
    """The posterior view read as if it were an anterior one: the classical error, whatever the other view is like."""
    mirrored = _true()[:, ::-1]
    report = judge([_true(), mirrored], [_true(), _true()])
    assert report.right_side_share == pytest.approx(0.5)
    assert any("right side" in problem for problem in report.problems)


def test_a_body_upside_down_is_refused() -> None:
    """Sides may be right there; the order of the body is not."""
    report = judge([_true()] * 2, [_true(), _true()[::-1]])
    assert not report.is_upright
    assert report.problems


def test_a_model_that_finds_nothing_is_refused() -> None:
    """No wrong side is no proof of a right one: the share is not evaluable, not perfect."""
    report = judge([_true()] * 2, [np.zeros_like(_true())] * 2)
    assert report.right_side_share is None
    assert len(report.problems) == 2


def test_a_truth_without_sides_judges_nothing() -> None:
    """A defect of the check, and no pass."""
    with pytest.raises(ValueError, match="no left"):
        judge([np.zeros_like(_true())], [_true()])


def test_nobody_is_trained_on_the_patient_who_judges() -> None:
    """By none of the recipes that come along."""
    for path in RECIPES.glob("*.toml"):
        assert PATIENT_SEED not in Recipe.from_file(path).people.train_seeds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A planar bundle that was never trained."""
    return planar_bundle(tmp_path / "bundle")


def _view(*, is_posterior: bool) -> ViewImage:
    counts = np.zeros((300, 120))
    counts[20:280, 30:80] = np.random.default_rng(int(is_posterior)).poisson(9.0, (260, 50))
    body = counts > 0
    frame = BodyFrame(
        top=20,
        bottom=279,
        midline=55.0,
        width=50,
        touches_side=False,
        touches_end=False,
        split_top=0.0,
        split_bottom=1.0,
    )
    return ViewImage(counts=counts, body=body, frame=frame, pixel_mm=(2.4, 2.0), is_posterior=is_posterior)


def test_maps_come_on_the_views_own_grid(folder: Path) -> None:
    """Whatever the pixels' size, every pixel of the view is judged, and twice alike."""
    model = PlanarModel.from_bundle(Bundle.from_folder(folder))
    views = _view(is_posterior=False), _view(is_posterior=True)
    for one, other in zip(model.find(*views), model.find(*views), strict=True):
        assert one.parts.shape == one.lesion.shape == (300, 120)
        assert 0.0 <= float(one.lesion.min()) <= float(one.lesion.max()) <= 1.0
        np.testing.assert_array_equal(one.parts, other.parts)
        np.testing.assert_array_equal(one.lesion, other.lesion)


@pytest.mark.parametrize("preprocessing", [{"input": "OTHER"}, {}])
def test_a_model_for_another_input_is_refused(folder: Path, preprocessing: dict[str, str]) -> None:
    """A network that saw something else in training is not given this."""
    change_json(folder, INFERENCE, lambda content: content.update(preprocessing=preprocessing))
    with pytest.raises(BundleRefusedError) as refused:
        PlanarModel.from_bundle(Bundle.from_folder(folder))
    assert refused.value.fault == BundleFault.CONFIGURATION


def test_a_branch_without_a_check_cannot_pass(folder: Path, tmp_path: Path) -> None:
    """What cannot be tried is told as such, and counts as not verified."""
    change_json(folder, METADATA, lambda content: content["bmnode"]["contract"].update(branch="ct"))
    with pytest.raises(ConfigError, match="ct cannot be verified"):
        check_sides(folder, cache_dir=tmp_path / "cache")
