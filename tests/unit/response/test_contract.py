"""What every response criterion returns."""

from __future__ import annotations

import pytest

from operators.kernels.response import (
    bsi_change,
    lesion_limits,
    mda,
    metrads,
    mipsma,
    pcwg3,
    percist,
    promise_pattern,
    recip,
    recist,
    uicc,
    who,
)
from operators.kernels.response.contract import Assessment, Figure, Rule, exceeds, reaches
from operators.kernels.response.recip import RULE, RecipCategory, RecipInputs

INPUTS = RecipInputs(baseline_volume_ml=1.0, follow_up_volume_ml=1.0, new_lesion=False)


def test_every_rule_names_itself_apart() -> None:
    """No two criteria share a method name, and each fits the 64 characters of a measurement's method."""
    modules = (bsi_change, mda, metrads, mipsma, pcwg3, percist, promise_pattern, recip, recist, uicc, who)
    methods = [module.RULE.method for module in modules] + [
        table.rule.method for table in (lesion_limits.NAF_LIN2016, lesion_limits.FDG_QIBA2016)
    ]
    assert len(set(methods)) == len(methods)
    assert all(len(method) <= 64 for method in methods)
    assert {"PERCIST_1.0", "RECIP_1.0", "RECIST_1.1", "PCWG3_2+2_2016", "MDA_SUM_2004"} <= set(methods)


@pytest.mark.parametrize("reasons", [(), ("no full stop",)])
def test_a_category_without_a_sentence_is_refused(reasons: tuple[str, ...]) -> None:
    """No category, abstaining included, comes without a reason that a reader can read."""
    with pytest.raises(ValueError, match="reason"):
        Assessment(category=RecipCategory.NOT_EVALUABLE, rule=RULE, inputs=INPUTS, reasons=reasons)


def test_figures_are_found_by_name_and_finite() -> None:
    """What is not defined is absent, never infinite or not a number."""
    figure = Figure(name="change", value=-30.0, unit="%")
    found = Assessment(category=RecipCategory.PR, rule=RULE, inputs=INPUTS, reasons=("It fell.",), figures=(figure,))
    assert found.figure("change") == -30.0
    assert found.figure("other") is None
    with pytest.raises(ValueError, match="finite"):
        Figure(name="change", value=float("nan"), unit="%")


def test_a_rule_has_a_version_and_a_source() -> None:
    """A category can be traced to the paper."""
    with pytest.raises(ValueError, match="version"):
        Rule(name="PERCIST", version="", source="Wahl 2009")


@pytest.mark.parametrize(
    ("value", "limit", "at_least", "above"),
    [
        (100.0 * (1.0 - 0.7), 30.0, True, False),
        (2.6 - 1.8, 0.8, True, False),
        (100.8 - 100.0, 0.8, True, False),
        (0.8 - 1e-6, 0.8, False, False),
        (0.8 + 1e-6, 0.8, True, True),
    ],
)
def test_rounding_does_not_move_a_boundary(value: float, limit: float, at_least: bool, above: bool) -> None:
    """A value that is exactly at a limit in decimals is at it, and a real difference is not."""
    assert reaches(value, limit) is at_least
    assert exceeds(value, limit) is above
