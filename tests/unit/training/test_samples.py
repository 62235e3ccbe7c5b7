"""Samples: fresh every time, true to their labels, and the same from the same chance."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from operators.kernels.planar_regions.parts import PART_NUMBERS, PlanarPart
from pipelines.training.planar.cases import Case
from pipelines.training.planar.samples import Augmentation, Sample, draw_sample
from tests.unit.training.cases import FAINT, HOT, LEFT, RIGHT, blocks

STILL = Augmentation(
    bone_log_sd=0.0,
    organ_log_sd=0.0,
    lesion_log_sd=0.0,
    healthy_share=0.0,
    decoy_chance=0.0,
    kilocounts=(900.0, 900.0),
    mirror_chance=0.0,
    turn_deg=0.0,
    move_px=0.0,
    stretch=0.0,
    blur_px=0.0,
    visible=0.2,
)


def _draw(seed: int = 1, **changes: object) -> Sample:
    rule = dataclasses.replace(STILL, **changes)  # type: ignore[arg-type]  # of the fields' own types
    return draw_sample([blocks()], augmentation=rule, random=np.random.default_rng(seed))


def test_the_same_chance_gives_the_same_sample() -> None:
    """A training can be repeated; another chance gives another sample."""
    first, second, other = _draw(4), _draw(4), _draw(5)
    assert torch.equal(first.views, second.views)
    assert not torch.equal(first.views, other.views)


def test_a_metastasis_is_hot_where_it_is_labelled() -> None:
    """Among many samples every label lies on what was added, and both views have it."""
    found = [_draw(seed) for seed in range(8)]
    labelled = [sample for sample in found if sample.lesions.any()]
    assert labelled
    for sample in labelled:
        for view in range(2):
            mask = sample.lesions[view, 0] > 0
            assert mask[HOT].all()
            assert sample.views[view, 0][mask].mean() > 1.3 * sample.views[view, 0][RIGHT].median()


def test_what_hardly_shows_is_not_labelled() -> None:
    """A network is not taught to see what nobody can."""
    assert not any(bool(_draw(seed).lesions[0, 0][FAINT].any()) for seed in range(8))


def test_healthy_people_have_no_label() -> None:
    """And their decoys are hot without being metastases."""
    plain, decoy = _draw(healthy_share=1.0), _draw(healthy_share=1.0, decoy_chance=1.0)
    assert not plain.lesions.any()
    assert not decoy.lesions.any()
    assert decoy.views[0, 0, 385, 65] > 1.5 * plain.views[0, 0, 385, 65]


def test_a_mirrored_patient_has_the_other_sides_names() -> None:
    """Image and names change together: what lies on the left of the image stays the patient's right."""
    right, left = PART_NUMBERS[PlanarPart.FEMUR_RIGHT], PART_NUMBERS[PlanarPart.FEMUR_LEFT]
    mirrored = _draw(mirror_chance=1.0)
    for view in range(2):
        columns = {
            number: float((mirrored.parts[view] == number).nonzero()[:, 1].double().mean()) for number in (right, left)
        }
        assert columns[right] < columns[left]
    assert not torch.equal(mirrored.parts, _draw().parts)


def _column(mask: torch.Tensor) -> float:
    """The mean column of a mask."""
    return float(mask.nonzero()[:, 1].double().mean())


def test_image_and_labels_are_moved_together() -> None:
    """However a body is turned, stretched and moved, its bones stay brighter than what lies around them."""
    for seed in range(6):
        sample = _draw(seed, turn_deg=5.0, move_px=10.0, stretch=0.15, healthy_share=1.0)
        view, bone = sample.views[0, 0], sample.parts[0] > 0
        assert bone.sum() > 1000
        assert (view[bone] > 1.2 * view[(view > 0) & ~bone].median()).double().mean() > 0.9


def test_more_counts_are_less_noise() -> None:
    """Counts are drawn as a camera draws them: noise falls with their root."""
    few, many = (_draw(healthy_share=1.0, kilocounts=(total, total)).views[0, 0][LEFT] for total in (200.0, 20_000.0))
    assert float(few.std() / few.mean()) > 5.0 * float(many.std() / many.mean())


def test_a_body_is_kept_as_it_was_made(tmp_path: Path) -> None:
    """The second training sees the same bodies as the first."""
    case = blocks()
    case.save(tmp_path / "case.npz")
    kept = Case.load(tmp_path / "case.npz")
    for field in dataclasses.fields(Case):
        np.testing.assert_array_equal(getattr(kept, field.name), getattr(case, field.name))
    assert [path.name for path in tmp_path.iterdir()] == ["case.npz"]


@pytest.mark.parametrize("changes", [{"visible": 1.5}, {"kilocounts": (2.0, 1.0)}, {"kilocounts": (1.0,)}])
def test_an_augmentation_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    """Before hours are spent on it."""
    with pytest.raises(ValueError, match=r"kilocounts|shares"):
        dataclasses.replace(STILL, **changes)  # type: ignore[arg-type]  # as above
