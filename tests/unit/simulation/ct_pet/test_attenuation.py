"""Hounsfield units and attenuation of tissues."""

from __future__ import annotations

import numpy as np
import pytest

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics.attenuation import (
    hu_palette,
    mu_palette,
    spongiosa_hu,
    trabecular_l1_hu,
    water_mu,
)
from operators.simulation.protocols.ct import Contrast


def test_water_attenuates_as_published() -> None:
    """Water has 0.0154 /mm at 140.5 keV and 0.0096 /mm at 511 keV."""
    assert water_mu(140.5) == pytest.approx(0.0154, abs=0.0001)
    assert water_mu(511.0) == pytest.approx(0.0096, abs=0.0001)


def test_hounsfield_units_follow_their_definition() -> None:
    """HU at 120 kVp are 1000 (mu / mu of water - 1) at that voltage's effective energy, for every tissue."""
    hu, mu, water = hu_palette(kvp=120.0), mu_palette(69.5), water_mu(69.5)
    for name in ("matter", "cortex", "spongiosa", "yellow"):
        known = [int(item) for item in (Matter if name == "matter" else Bone)]
        expected = 1000.0 * (getattr(mu, name)[known] / water - 1.0)
        assert np.allclose(getattr(hu, name)[known], expected, atol=0.05)


def test_bone_and_iodine_brighten_as_the_voltage_falls() -> None:
    """Cortex, spongiosa and enhanced blood lose HU with every step of the voltage, muscle keeps its own."""
    palettes = [hu_palette(kvp=kvp, contrast=Contrast.PORTAL_VENOUS) for kvp in (80.0, 100.0, 120.0, 140.0)]
    for values in (
        [float(palette.cortex[Bone.FEMUR_LEFT]) for palette in palettes],
        [float(palette.spongiosa[Bone.L1]) for palette in palettes],
        [float(palette.matter[Matter.BLOOD]) for palette in palettes],
    ):
        assert values == sorted(values, reverse=True)
        assert values[0] > 1.2 * values[2]
    plain = [float(hu_palette(kvp=kvp).matter[Matter.MUSCLE]) for kvp in (80.0, 140.0)]
    assert plain[0] == pytest.approx(plain[1], abs=0.1)


def test_foci_have_their_own_units_at_120_kvp() -> None:
    """A focus of 30 and 700 HU has just these at 120 kVp without contrast, and the dense end more at 80 kVp."""
    look = Appearance(lytic_hu=30.0, sclerotic_hu=700.0)
    assert hu_palette(kvp=120.0).focus(look) == pytest.approx((30.0, 700.0), abs=0.1)
    low = hu_palette(kvp=80.0).focus(look)
    assert low is not None
    assert low[0] == pytest.approx(30.0, abs=0.1)
    assert low[1] > 850.0


def test_contrast_phases_enhance_in_their_order() -> None:
    """The aorta is brightest in the arterial phase, the liver in the portal venous one, bone hardly in any."""
    plain, arterial, venous = (hu_palette(contrast=phase).matter for phase in Contrast)
    assert arterial[Matter.BLOOD] > venous[Matter.BLOOD] > plain[Matter.BLOOD] + 80.0
    assert venous[Matter.LIVER] > arterial[Matter.LIVER] > plain[Matter.LIVER]
    bones = [float(hu_palette(contrast=phase).spongiosa[Bone.L3]) for phase in Contrast]
    assert max(bones) - min(bones) < 20.0


def test_people_differ_and_keep_their_bone_density() -> None:
    """Two people differ; another physiology of the same person has the same spongiosa; the reference has none of it."""
    first, second = ({"person_seed": seed, "seed": 5, "spread": 1.0} for seed in (1, 2))
    assert trabecular_l1_hu(first) != trabecular_l1_hu(second)
    assert hu_palette(person=first).matter[Matter.LIVER] != hu_palette(person=second).matter[Matter.LIVER]
    frail = first | {"osteopenia": 0.8}
    assert trabecular_l1_hu(frail) < trabecular_l1_hu(first) - 40.0
    later = first | {"seed": 6}
    assert spongiosa_hu(Bone.L4, person=later) == spongiosa_hu(Bone.L4, person=first)
    still = hu_palette(person=first | {"spread": 0.0})
    assert np.array_equal(still.matter, hu_palette().matter)


def test_drunk_contrast_fills_the_bowel() -> None:
    """Oral contrast brightens stomach and bowel above 100 HU and nothing else."""
    person = {"person_seed": 1, "spread": 0.0, "bowel_contrast": 1.0}
    change = hu_palette(person=person).matter - hu_palette().matter
    assert {Matter(int(index)) for index in np.flatnonzero(change)} == {
        Matter.STOMACH,
        Matter.SMALL_BOWEL,
        Matter.COLON,
    }
    assert change[Matter.SMALL_BOWEL] > 100.0


@pytest.mark.parametrize("kvp", [79.0, 141.0])
def test_other_tube_voltages_are_refused(kvp: float) -> None:
    """A voltage outside 80 to 140 kVp raises ValueError with the allowed range."""
    with pytest.raises(ValueError, match="80 to 140"):
        hu_palette(kvp=kvp)


@pytest.mark.parametrize("kev", [30.0, 700.0])
def test_energies_off_the_table_are_refused(kev: float) -> None:
    """A photon energy outside 40 to 600 keV raises ValueError with the allowed range."""
    with pytest.raises(ValueError, match="40 to 600"):
        mu_palette(kev)
