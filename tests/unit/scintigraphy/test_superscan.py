"""A skeleton that takes nearly all of the tracer is noticed, however brightly it was scanned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.results import ResultSet, Verdict
from operators.kernels.scintigraphy import NormalLevel
from operators.kernels.scintigraphy_superscan import SuperscanRule, body_share
from tests.unit.scintigraphy import scans


def superscans(result: ResultSet) -> list[Verdict]:
    return [check.verdict for check in result.quality if check.name.startswith("Superscan")]


def test_a_usual_scan_carries_no_notice(tmp_path: Path) -> None:
    """Soft tissue is seen between the bones: both views pass."""
    result = scans.assess(*scans.write_scan(tmp_path).files)
    assert superscans(result) == [Verdict.PASS, Verdict.PASS]
    assert result.notices == ()


def test_a_skeleton_that_takes_three_times_as_much_is_named_at_the_head(tmp_path: Path) -> None:
    """The same scan with a skeleton thrice as bright is a possible superscan: a notice, and a warning a view."""
    result = scans.assess(scans.write_superscan(tmp_path))
    assert superscans(result) == [Verdict.WARN, Verdict.WARN]
    (notice,) = result.notices
    assert "possible superscan" in notice


@given(st.floats(0.01, 100.0), st.integers(0, 1))
def test_the_share_knows_neither_brightness_nor_side(factor: float, flipped: int) -> None:
    """A longer scan and a mirrored view give the same share."""
    counts = np.random.default_rng(4).poisson(20.0, (40, 30)).astype(float)
    body = np.zeros_like(counts, dtype=np.bool_)
    body[5:35, 8:20] = True
    level = NormalLevel(counts_per_pixel=40.0, pixels=9)
    once = body_share(counts, body=body, level=level)
    turned = slice(None, None, -1 if flipped else 1)
    scaled = NormalLevel(counts_per_pixel=40.0 * factor, pixels=9)
    assert body_share(factor * counts[:, turned], body=body[:, turned], level=scaled) == pytest.approx(once)


def test_a_view_without_body_and_a_limit_without_sense_are_refused() -> None:
    """Neither has an answer."""
    level = NormalLevel(counts_per_pixel=1.0, pixels=9)
    with pytest.raises(ValueError, match="without a body"):
        body_share(np.ones((4, 4)), body=np.zeros((4, 4), dtype=np.bool_), level=level)
    with pytest.raises(ValueError, match="between 0 and 1"):
        SuperscanRule(limit=1.0)
