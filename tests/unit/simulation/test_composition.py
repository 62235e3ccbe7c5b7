"""What the skeleton weighs, against published figures and against what the docs say about it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from operators.kernels.bone_scan_index.tables import spiers_1968
from operators.simulation.anatomy.bones import SPIERS_1968_PERCENT, Bone, Region
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.composition import compositions, region_ratios
from operators.simulation.anatomy.person import PersonSpec

_DOC = Path(__file__).parents[3] / "docs" / "explanation" / "simulated-anatomy.md"
_ROW = re.compile(r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", re.MULTILINE)


def _total_ml(builder: AnatomyBuilder, spec: PersonSpec) -> float:
    return sum(one.total_ml for one in compositions(builder.skeleton(spec), builder.templates).values())


def test_taller_and_male_skeletons_are_larger(builder: AnatomyBuilder, man: PersonSpec, woman: PersonSpec) -> None:
    """Volume rises with height, and at the same height a man's skeleton is the larger."""
    volumes = [
        _total_ml(builder, replace(man, height_cm=height, weight_kg=75.0)) for height in (150.0, 165.0, 180.0, 195.0)
    ]
    assert volumes == sorted(volumes)
    assert _total_ml(builder, replace(woman, height_cm=176.0)) < _total_ml(builder, man)


def test_skeletons_have_a_plausible_volume(builder: AnatomyBuilder, man: PersonSpec, woman: PersonSpec) -> None:
    """The reference man's skeleton holds 4 to 7 litres, the reference woman's 3 to 5.5."""
    assert 4000.0 < _total_ml(builder, man) < 7000.0
    assert 3000.0 < _total_ml(builder, woman) < 5500.0


@pytest.mark.parametrize(
    ("bones", "low_ml", "high_ml"),
    [
        ([Bone.L1, Bone.L3, Bone.L5], 30.0, 90.0),
        ([Bone.T1, Bone.T6, Bone.T12], 12.0, 60.0),
        ([Bone.C3, Bone.C5], 6.0, 20.0),
        ([Bone.RIB_1_LEFT, Bone.RIB_6_RIGHT], 4.0, 25.0),
        ([Bone.FEMUR_LEFT, Bone.FEMUR_RIGHT], 300.0, 550.0),
        ([Bone.TIBIA_LEFT, Bone.TIBIA_RIGHT], 180.0, 350.0),
        ([Bone.HUMERUS_LEFT], 110.0, 220.0),
        ([Bone.HIP_LEFT, Bone.HIP_RIGHT], 230.0, 420.0),
        ([Bone.SKULL], 400.0, 900.0),
    ],
)
def test_single_bones_have_a_plausible_volume(
    builder: AnatomyBuilder, man: PersonSpec, bones: list[Bone], low_ml: float, high_ml: float
) -> None:
    """A bone of the reference man holds a volume within a wide anatomical range."""
    found = compositions(builder.skeleton(man), builder.templates)
    for bone in bones:
        assert low_ml < found[bone].total_ml < high_ml


def test_both_sides_weigh_alike(builder: AnatomyBuilder, man: PersonSpec) -> None:
    """A bone and its partner differ by less than 12 %: the source's holes do not lose one side."""
    found = compositions(builder.skeleton(man), builder.templates)
    for bone, one in found.items():
        if bone.partner is not None:
            assert one.total_ml == pytest.approx(found[bone.partner].total_ml, rel=0.12)


def test_the_docs_tell_how_the_shares_differ_from_the_table(
    builder: AnatomyBuilder, man: PersonSpec, woman: PersonSpec
) -> None:
    """The table in the docs gives each region's ratio to the Spiers table as it is."""
    rows = {Region(name): (float(table), float(m), float(w)) for name, table, m, w in _ROW.findall(_DOC.read_text())}
    assert set(rows) == set(SPIERS_1968_PERCENT)
    of_man, of_woman = (region_ratios(compositions(builder.skeleton(one), builder.templates)) for one in (man, woman))
    for region, (table, male, female) in rows.items():
        assert table == SPIERS_1968_PERCENT[region]
        assert male == pytest.approx(of_man[region], abs=0.011)
        assert female == pytest.approx(of_woman[region], abs=0.011)


def test_the_skeleton_is_judged_by_the_table_of_the_bone_scan_index() -> None:
    """Simulator and Bone Scan Index each keep Spiers' table, since neither may import the other: they are the same."""
    index = {region.value: percent for region, percent in spiers_1968().percent.items()}
    assert {region.value: percent for region, percent in SPIERS_1968_PERCENT.items()} == index
