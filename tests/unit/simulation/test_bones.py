"""The table of bones."""

from __future__ import annotations

import pytest

from operators.simulation.anatomy.bones import CORTEX, SPIERS_1968_PERCENT, Bone, Cortex, Region, Side


def test_partners_are_the_same_bone_on_the_other_side() -> None:
    """Every left bone has its own right partner and back; bones of the midline have none."""
    for bone in Bone:
        partner = bone.partner
        if bone.side is None:
            assert partner is None
            continue
        assert partner is not None
        assert partner.partner is bone
        assert {bone.side, partner.side} == {Side.LEFT, Side.RIGHT}
        assert partner.name.rsplit("_", 1)[0] == bone.name.rsplit("_", 1)[0]


def test_every_bone_has_region_and_cortex() -> None:
    """No bone is without a region and a cortex, and every region has a bone."""
    assert {bone.region for bone in Bone} == set(Region)
    assert {bone.kind for bone in Bone} == set(CORTEX)


@pytest.mark.parametrize(
    ("bone", "region"),
    [
        (Bone.C1, Region.SPINE),
        (Bone.L6, Region.SPINE),
        (Bone.COCCYX, Region.SPINE),
        (Bone.RIB_12_RIGHT, Region.RIBS),
        (Bone.HIP_LEFT, Region.PELVIS),
        (Bone.FEMUR_RIGHT, Region.FEMUR_RIGHT),
    ],
)
def test_regions_are_those_of_the_table(bone: Bone, region: Region) -> None:
    """A bone counts where the Spiers table counts it."""
    assert bone.region is region


def test_spiers_table_sums_as_printed() -> None:
    """The table is the printed one: it sums to 100.1 per cent, and only the kneecaps have no row."""
    assert sum(SPIERS_1968_PERCENT.values()) == pytest.approx(100.1)
    assert set(Region) - set(SPIERS_1968_PERCENT) == {Region.PATELLA_LEFT, Region.PATELLA_RIGHT}


@pytest.mark.parametrize("fields", [{"end_mm": 0.0, "shaft_mm": 1.0}, {"end_mm": 2.0, "shaft_mm": 1.0}])
def test_an_impossible_cortex_is_refused(fields: dict[str, float]) -> None:
    """A cortex without thickness, or thinner in the shaft, cannot be made."""
    with pytest.raises(ValueError, match="cortex"):
        Cortex(end_mm=fields["end_mm"], shaft_mm=fields["shaft_mm"])


def test_a_wall_thinner_than_its_tables_is_refused() -> None:
    """A hollow bone's wall holds its two tables."""
    with pytest.raises(ValueError, match="wall"):
        Cortex(end_mm=2.0, shaft_mm=2.0, wall_mm=3.0)
