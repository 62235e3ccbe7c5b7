"""The parts of a view, their sides and what they are in the index."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel
from operators.kernels.planar_regions.parts import (
    NUMBERED_PARTS,
    PART_NUMBERS,
    PlanarPart,
    bone_labels,
    mirrored,
)
from pipelines.bone_scan.sites import INVOLVEMENT, laterality_of, site_of

MAPS = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, len(PART_NUMBERS)))


@given(MAPS)
def test_mirroring_twice_changes_nothing(parts: np.ndarray) -> None:
    """The mirror image of the mirror image is the map."""
    assert np.array_equal(mirrored(mirrored(parts)), parts)


@given(MAPS)
def test_mirroring_exchanges_sides(parts: np.ndarray) -> None:
    """What was left is right, on the other side of the image, and the midline keeps its name."""
    other = mirrored(parts)
    for part, number in PART_NUMBERS.items():
        assert np.array_equal(other == PART_NUMBERS[part.partner], (parts == number)[:, ::-1])


def test_every_label_of_the_index_is_reached() -> None:
    """The parts lead to all of the twelve classes; only forearms and lower legs lead to none."""
    assert {part.label for part in PlanarPart} - {None} == set(BoneLabel)
    assert {part for part in PlanarPart if part.label is None} == {
        PlanarPart.FOREARM_LEFT,
        PlanarPart.FOREARM_RIGHT,
        PlanarPart.LOWER_LEG_LEFT,
        PlanarPart.LOWER_LEG_RIGHT,
    }


def test_labels_keep_their_side() -> None:
    """A left part never becomes a right label, and both sides of ribs and pelvis are one label."""
    numbers = dict(BS80K_SIDED.numbers)
    every = np.array([list(NUMBERED_PARTS)], dtype=np.uint8)
    for part, number in zip(NUMBERED_PARTS.values(), bone_labels(every)[0].tolist(), strict=True):
        label = numbers.get(number)
        assert label is part.label
        if label is not None and label not in (BoneLabel.RIBS, BoneLabel.PELVIS):
            assert label.value == part.value


def test_sites_and_concepts_are_distinct() -> None:
    """Two parts share site and side only where they are one; every region of the index has a concept of its own."""
    sites = [(site_of(part), laterality_of(part)) for part in PlanarPart]
    assert len(set(sites)) == len(sites)
    assert len({code.value for code in INVOLVEMENT.values()}) == len(BS80K_SIDED.regions)
