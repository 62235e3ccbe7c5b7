"""A voxel's value is the volume-weighted mean of what fills it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.mixture import Palette, Table, paint
from operators.simulation.tracer import Tracer
from tests.unit.simulation.core import phantom


def _table(values: dict[int, float]) -> Table:
    table = np.zeros(256, dtype=np.float32)
    for index, value in values.items():
        table[index] = value
    return table


def _hu(appearance: Appearance) -> tuple[float, float]:
    return appearance.lytic_hu, appearance.sclerotic_hu


def _suv(appearance: Appearance) -> tuple[float, float] | None:
    found = appearance.suv.get(Tracer.FDG)
    return None if found is None else (found, found)


HU = Palette(
    matter=_table({Matter.MUSCLE: 50.0, Matter.FAT: -100.0}),
    cortex=_table({Bone.L3: 1500.0}),
    spongiosa=_table({Bone.L3: 200.0}),
    yellow=_table({Bone.L3: -60.0}),
    focus=_hu,
)


def test_bone_is_cortex_and_core_in_their_shares() -> None:
    """127/255 of cortex and the rest spongiosa."""
    value = paint(phantom.scene(), HU)[0, 0, 0]
    assert float(value) == pytest.approx((127 * 1500 + 128 * 200) / 255, rel=1e-6)


def test_a_voxel_that_touches_bone_keeps_its_matter_in_the_rest() -> None:
    """A fifth of spongiosa in muscle."""
    assert float(paint(phantom.scene(), HU)[0, 0, 1]) == pytest.approx(0.2 * 200 + 0.8 * 50, rel=1e-6)


def test_the_core_of_a_shaft_is_yellow_marrow() -> None:
    """Where `medullary` is 1 the core takes the yellow value."""
    medullary = np.zeros(phantom.SHAPE, dtype=np.uint8)
    medullary[0, 0, 0] = 1
    value = paint(phantom.scene(medullary=medullary), HU)[0, 0, 0]
    assert float(value) == pytest.approx((127 * 1500 + 128 * -60) / 255, rel=1e-6)


def test_a_lesion_mixes_by_its_fraction_and_its_sclerosis() -> None:
    """Two fifths of a lesion that is a fifth sclerotic, in muscle."""
    image = paint(phantom.scene(), HU)
    assert float(image[1, 1, 0]) == pytest.approx(640.0)
    assert float(image[1, 1, 1]) == pytest.approx(0.4 * (40 + 0.2 * 600) + 0.6 * 50, rel=1e-5)


def test_a_focus_without_a_value_leaves_the_tissues_own() -> None:
    """The metal has no SUV for FDG: there the muscle's stays."""
    palette = Palette(
        matter=_table({Matter.MUSCLE: 0.7}), cortex=HU.cortex, spongiosa=HU.spongiosa, yellow=HU.yellow, focus=_suv
    )
    image = paint(phantom.scene(), palette)
    assert float(image[1, 2, 3]) == pytest.approx(0.7)
    assert float(image[1, 1, 0]) == pytest.approx(8.0)


def test_slabs_are_parts_of_the_whole() -> None:
    """Painting some slices gives the same numbers as painting all."""
    scene = phantom.scene()
    torch.testing.assert_close(paint(scene, HU, slices=slice(1, 2)), paint(scene, HU)[1:2], rtol=0, atol=0)


def test_a_palette_with_a_hole_is_refused() -> None:
    """A value that is not a number would spread through every blur."""
    broken = HU.matter.copy()
    broken[7] = np.nan
    with pytest.raises(ValueError, match="256 finite"):
        Palette(matter=broken, cortex=HU.cortex, spongiosa=HU.spongiosa, yellow=HU.yellow, focus=_hu)
