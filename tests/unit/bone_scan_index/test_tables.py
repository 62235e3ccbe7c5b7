"""Coefficient tables are named, hashed and used as printed."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import pytest

from bmnode.errors import ConfigError
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel, BoneRegion, LabelSet
from operators.kernels.bone_scan_index.tables import CoefficientTable, load_table, spiers_1968

SHIPPED_SHA256 = "ee210a09ffe1e8e3fcd8f8f87c915ccab21df2fbef089f1112e4a7e3b27057c3"
FILE = resources.files("operators.kernels.bone_scan_index") / "coef_spiers1968.toml"


def written(folder: Path, *, text: str) -> Path:
    """A site's table on disk."""
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def site_text(*, replace: tuple[str, str] = ("", "")) -> str:
    """The shipped file under a site's id, with one piece replaced."""
    text = FILE.read_text(encoding="utf-8").replace("COEF_SPIERS1968", "SITE_2026")
    assert replace[0] in text
    return text.replace(replace[0], replace[1], 1) if replace[0] else text


def test_the_shipped_table_is_the_printed_one() -> None:
    """Every row as printed, 100.1 in sum, 67.3 of it under the twelve classes."""
    table = spiers_1968()
    single = {"skull": 16.6, "mandible": 1.8, "sternum": 0.3, "ribs": 4.4, "spine": 8.3, "pelvis": 7.5}
    paired = {"clavicle": 0.5, "scapula": 1.5, "humerus": 3.3, "ulna": 1.5, "radius": 1.2}
    paired |= {"hand": 1.5, "femur": 8.9, "tibia": 5.1, "fibula": 1.3, "foot": 5.8}
    printed = single | {f"{bone}_{side}": value for bone, value in paired.items() for side in ("left", "right")}
    assert {region.value: value for region, value in table.percent.items()} == printed
    assert table.total_percent == pytest.approx(100.1, abs=1e-9)
    assert sum(table.percent[region] for region in BS80K_SIDED.regions) == pytest.approx(67.3)


def test_other_content_needs_another_id() -> None:
    """The hash that goes into the report is that of the shipped file, and the file does not change under its id."""
    assert spiers_1968().sha256 == hashlib.sha256(FILE.read_bytes()).hexdigest() == SHIPPED_SHA256
    assert spiers_1968().id == "COEF_SPIERS1968"


def test_rescaling_changes_the_name() -> None:
    """A table that was brought to 100 says so, keeps its file's hash and is not rescaled twice."""
    table = spiers_1968()
    rescaled = table.normalised()
    assert rescaled.id == "COEF_SPIERS1968_NORM"
    assert rescaled.sha256 == table.sha256
    assert rescaled.total_percent == pytest.approx(100.0, abs=1e-9)
    assert rescaled.percent[BoneRegion.PELVIS] == pytest.approx(7.5 * 100 / 100.1)
    with pytest.raises(ValueError, match="already"):
        rescaled.normalised()


def test_a_site_table_is_used_as_it_stands(tmp_path: Path) -> None:
    """Its sum is reported and not corrected; its hash is its own."""
    table = load_table(written(tmp_path, text=site_text(replace=("pelvis = 7.5", "pelvis = 5"))))
    assert table.id == "SITE_2026"
    assert table.percent[BoneRegion.PELVIS] == 5.0
    assert table.total_percent == pytest.approx(97.6)
    assert table.sha256 != spiers_1968().sha256


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        (("pelvis = 7.5", "pelvsi = 7.5"), "unknown key 'pelvsi'; the nearest known is 'pelvis'"),
        (("pelvis = 7.5\n", ""), "missing pelvis"),
        (("pelvis = 7.5", "pelvis = -7.5"), "pelvis"),
        (("pelvis = 7.5", "pelvis = nan"), "pelvis"),
        (("pelvis = 7.5", 'pelvis = "7.5"'), "not a number"),
        (("pelvis = 7.5", "pelvis = true"), "not a number"),
        (("pelvis = 7.5", "pelvis = 750"), "sums to"),
        (('id = "SITE_2026"', 'id = "SITE_NORM"'), "rescaled"),
        (('id = "SITE_2026"', 'id = "COEF_SPIERS1968"  # edited'), "shipped table"),
        (('id = "SITE_2026"', 'id = " "'), "not empty"),
        (('id = "SITE_2026"', "unit = 1"), "unknown key 'unit'"),
        (("[percent]", "[percent"), "TOML"),
    ],
)
def test_a_site_table_with_a_mistake_is_refused(tmp_path: Path, replace: tuple[str, str], message: str) -> None:
    """The message names the key and the remedy; nothing is guessed."""
    with pytest.raises(ConfigError, match=message):
        load_table(written(tmp_path, text=site_text(replace=replace)))


def test_a_table_that_is_not_there_is_a_configuration_error(tmp_path: Path) -> None:
    """A wrong path is told as such."""
    with pytest.raises(ConfigError, match=r"site\.toml"):
        load_table(tmp_path / "site.toml")


def test_fractions_are_not_taken_for_per_cent() -> None:
    """A table that sums to 1 is in another unit and is refused."""
    table = spiers_1968()
    with pytest.raises(ValueError, match="per cent"):
        CoefficientTable(
            id="X", source="y", sha256="0", percent={region: value / 100 for region, value in table.percent.items()}
        )


@pytest.mark.parametrize(
    ("numbers", "rows"),
    [
        ({0: BoneLabel.SKULL}, {BoneLabel.SKULL: (BoneRegion.SKULL,)}),
        ({1: BoneLabel.SKULL, 2: BoneLabel.SKULL}, {BoneLabel.SKULL: (BoneRegion.SKULL,)}),
        ({1: BoneLabel.SKULL}, {BoneLabel.RIBS: (BoneRegion.RIBS,)}),
    ],
)
def test_a_label_set_that_loses_pixels_is_refused(
    numbers: dict[int, BoneLabel], rows: dict[BoneLabel, tuple[BoneRegion, ...]]
) -> None:
    """Background as a label, one label twice, or a label without a row would lose pixels silently."""
    with pytest.raises(ValueError, match="label"):
        LabelSet(name="bad", numbers=numbers, rows=rows)
