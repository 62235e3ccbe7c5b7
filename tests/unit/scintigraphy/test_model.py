"""A learned model in the branch: used where it fits and told apart, else left out with the reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.codes import Finding
from bmnode.domain.models import FeatureSpread, InputContract, ModelChoice, Range
from bmnode.domain.results import ResultSet, Verdict
from bmnode.domain.study import Branch
from bmnode.errors import BundleRefusedError, ConfigError
from bmnode.models.bundle import Bundle
from operators.kernels.planar_network import METHOD, beside_place, network_spots, same_side_share
from operators.kernels.planar_regions.parts import PART_NUMBERS, PlanarPart, mirrored
from operators.kernels.scintigraphy import HotSpot
from operators.kernels.scintigraphy_body import Uptake
from pipelines.app import BoneMetastasisPipeline
from pipelines.bone_scan.branch import DetectedScan, definition, describe, detect, normalise, read_views
from pipelines.bone_scan.model import ScanModel
from pipelines.bone_scan.spots import NETWORK_OUTPUT
from pipelines.bone_scan.views import PreparedScan
from tests.support.known_model import CONTRACT, HOT, Change, known_model
from tests.support.models import planar_bundle
from tests.unit.scintigraphy.scans import study_of


@pytest.fixture(scope="module")
def prepared(scan: Path) -> PreparedScan:
    """The synthetic scan, ready for detection."""
    return normalise(read_views(study_of(scan)))


@pytest.fixture(scope="module")
def ruled(prepared: PreparedScan) -> DetectedScan:
    """The scan by the rules."""
    return detect(prepared)


def _lesions(result: ResultSet) -> list[str]:
    return [item.tracking_id for item in result.findings if item.finding_type == Finding.LESION]


def test_candidates_are_the_models(prepared: PreparedScan, ruled: DetectedScan) -> None:
    """What it calls hot is the one candidate, with its output as evidence; what place sets aside stays set aside."""
    result = describe(detect(prepared, model=known_model(ruled)))
    (lesion,) = [item for item in result.findings if item.finding_type == Finding.LESION]
    (evidence,) = [item for item in lesion.measurements if item.concept == NETWORK_OUTPUT]
    assert (evidence.value, evidence.method) == (HOT, METHOD)
    assert lesion.site is not None
    by_rules = [item for item in describe(ruled).findings if item.finding_type != Finding.LESION]
    assert len(result.findings) - 1 == len(by_rules)


def test_the_report_says_who_found_the_candidates(prepared: PreparedScan, ruled: DetectedScan) -> None:
    """Name, version and digest of the bundle stand first; the output is named as no calibrated probability."""
    result = describe(detect(prepared, model=known_model(ruled)))
    first = result.algorithms[0]
    assert (first.name, first.version) == ("test-model", "1.0.0")
    assert f"bundle_sha256={'d' * 64}" in first.parameters
    assert any("test-model 1.0.0" in text and "no calibrated probability" in text for text in result.limitations)
    (check,) = [item for item in result.quality if item.name == "Input of the learned model"]
    assert check.verdict is Verdict.PASS
    assert "out-of-distribution score" in check.explanation


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        (dataclasses.replace(CONTRACT, tracers=("HDP",)), "tracer MDP"),
        (dataclasses.replace(CONTRACT, spacing_mm=Range(low=1.0, high=2.0)), "spacing 2.4 x 2.4 mm"),
        (
            dataclasses.replace(CONTRACT, features=(FeatureSpread(name="anterior_mean", mean=90.0, sd=1.0),)),
            "unlike the images of the training",
        ),
    ],
)
def test_outside_its_contract_nothing_is_the_models(
    prepared: PreparedScan, ruled: DetectedScan, contract: InputContract, said: str
) -> None:
    """The findings are those of the rules, to the last number, and the report says why."""
    result = describe(detect(prepared, model=known_model(ruled, contract=contract)))
    plain = describe(ruled)
    assert (result.findings, result.measurements, result.algorithms) == (
        plain.findings,
        plain.measurements,
        plain.algorithms,
    )
    assert any("was not used" in text and said in text for text in result.limitations)
    (check,) = [item for item in result.quality if item.name == "Input of the learned model"]
    assert check.verdict is Verdict.WARN


def test_a_model_with_the_sides_changed_is_not_believed(prepared: PreparedScan, ruled: DetectedScan) -> None:
    """Left for right in the parts alone is enough; so is a model that names no paired bone."""
    changes: tuple[Change, ...] = (lambda parts: mirrored(parts)[:, ::-1], np.zeros_like)
    for change in changes:
        result = describe(detect(prepared, model=known_model(ruled, change=change)))
        assert _lesions(result) == _lesions(describe(ruled))
        assert any("was not used" in text for text in result.limitations)


def test_without_a_model_nothing_is_said_of_one(ruled: DetectedScan) -> None:
    """No evidence, no algorithm, no check, no sentence."""
    result = describe(ruled)
    assert not any("model" in check.name for check in result.quality)
    assert not any("learned" in text for text in result.limitations)
    assert all(item.concept != NETWORK_OUTPUT for found in result.findings for item in found.measurements)


def test_a_bundle_is_loaded_whole_or_not(tmp_path: Path) -> None:
    """By the digest that was chosen; a bundle that was changed since is refused."""
    folder = planar_bundle(tmp_path / "bundle")
    model = ScanModel.from_folder(folder)
    assert (str(model.id), model.level) == ("test-butterfly 1.2.3", 0.5)
    with pytest.raises(BundleRefusedError, match="not the bundle that was chosen"):
        ScanModel.from_folder(folder, digest="0" * 64)


def test_a_model_changes_the_pipelines_version(tmp_path: Path) -> None:
    """The same images may then give another result: they are assessed again, and the report names another version."""
    folder = planar_bundle(tmp_path / "bundle")
    choice = ModelChoice(folder=folder, digest=Bundle.from_folder(folder).digest)
    plain = BoneMetastasisPipeline()
    assert plain.with_models({}).version == plain.version
    assert plain.with_models({Branch.BONE_SCAN: choice}).version != plain.version
    with pytest.raises(ConfigError, match="takes no learned model"):
        plain.with_models({Branch.CT: choice})


def test_a_branch_with_a_model_has_the_same_steps(ruled: DetectedScan) -> None:
    """The graph is the same; only what detection is given differs."""
    assert [step.name for step in definition(known_model(ruled)).steps] == [step.name for step in definition().steps]


def _box(row: int, column: int, size: int) -> HotSpot:
    return HotSpot(origin=(row, column), mask=np.ones((size, size), dtype=np.bool_))


_SPOTS = st.lists(st.builds(_box, st.integers(0, 20), st.integers(0, 20), st.integers(1, 6)), max_size=6)
_RULED = st.lists(
    st.tuples(st.builds(_box, st.integers(0, 20), st.integers(0, 20), st.integers(1, 6)), st.sampled_from(Uptake)),
    max_size=6,
)


@given(found=_SPOTS, ruled_spots=_RULED)
def test_no_pixel_is_both_candidate_and_set_aside(
    found: list[HotSpot], ruled_spots: list[tuple[HotSpot, Uptake]]
) -> None:
    """And a bladder that the rules know is set aside whatever the network says."""
    kept, aside = beside_place(found, ruled_spots, shape=(30, 30))
    called, rest = np.zeros((30, 30), dtype=np.bool_), np.zeros((30, 30), dtype=np.bool_)
    for spot in kept:
        called[spot.box] |= spot.mask
    for spot, _ in aside:
        rest[spot.box] |= spot.mask
    assert not (called & rest).any()
    assert [spot for spot, uptake in ruled_spots if uptake is Uptake.BLADDER] == [
        spot for spot, uptake in aside if uptake is Uptake.BLADDER
    ]
    assert all(uptake is not Uptake.CANDIDATE for _, uptake in aside)


def test_spots_lie_above_the_level_alone() -> None:
    """A pixel at the level is no candidate's; a region of too few pixels is dropped."""
    output = np.zeros((10, 10), dtype=np.float32)
    output[1:4, 1:4], output[6:9, 6:9], output[0, 9] = 0.75, 0.5, 1.0
    (spot,) = network_spots(output, level=0.5, minimum_size=2)
    assert (spot.origin, spot.pixel_count) == ((1, 1), 9)


def test_sides_are_compared_where_both_name_one() -> None:
    """Other bones, and pixels that one map leaves out, say nothing of sides."""
    left, right, skull = (
        PART_NUMBERS[part] for part in (PlanarPart.FEMUR_LEFT, PlanarPart.RIBS_RIGHT, PlanarPart.SKULL)
    )
    one = np.array([[left, left, right, skull, 0]], dtype=np.uint8)
    other = np.array([[left, right, right, left, left]], dtype=np.uint8)
    assert same_side_share(one, other) == pytest.approx(2 / 3)
    assert same_side_share(one, np.zeros_like(one)) is None
