"""Routing rules."""

from __future__ import annotations

from typing import Any

import pytest

from bmnode.config.settings import RouteSettings
from bmnode.domain.study import Branch, Classification, Reason, Refusal, SeriesHeader, StudyHeaders
from bmnode.selection.rules import RouteRule, RuleMatch, explain_no_match, match

BONE = Classification(branch=Branch.BONE_SCAN)
REFUSED = Classification(refusal=Refusal(reason=Reason.UNSUPPORTED_TRACER, explanation="Not a bone tracer."))


def headers(**values: Any) -> StudyHeaders:
    """A study of one NM series."""
    defaults: dict[str, Any] = {
        "series_uid": "1",
        "modality": "NM",
        "sop_class_uid": "1.2",
        "instance_count": 1,
        "frame_count": 1,
        "body_part": "WHOLE BODY",
        "protocol_text": "WHOLE BODY BONE | MDP",
    }
    return StudyHeaders(study_uid="1.2", series=(SeriesHeader(**{**defaults, **values}),))


def rule(name: str = "bones", **values: Any) -> RouteRule:
    """A rule that matches everything unless told otherwise."""
    return RouteRule(name=name, **{"pipeline": "bone_metastasis", "destinations": ("PACS",), **values})


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"modalities": ("CT", "NM")},
        {"source_ae": ("GAMMA1",)},
        {"body_part": ("Whole Body",)},
        {"description": "body\\s+bone"},
        {"branches": (Branch.BONE_SCAN,)},
    ],
)
def test_rule_applies_where_its_conditions_hold(conditions: dict[str, Any]) -> None:
    """Every kind of condition can hold, and an empty one always does."""
    found = match([rule(**conditions)], headers=headers(), classification=BONE, source_ae="GAMMA1")
    assert found == (RuleMatch(pipeline="bone_metastasis", rules=("bones",), destinations=("PACS",), priority=10),)


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ({"enabled": False}, "disabled"),
        ({"modalities": ("CT",)}, "modality CT"),
        ({"source_ae": ("OTHER",)}, "calling AE title 'GAMMA1'"),
        ({"body_part": ("CHEST",)}, "body part CHEST"),
        ({"description": "knee"}, "description"),
        ({"branches": (Branch.CT,)}, "branch bone_scan"),
    ],
)
def test_rule_that_does_not_apply_says_why(conditions: dict[str, Any], why: str) -> None:
    """Where no rule applies the study is not for us, and the condition that failed is named."""
    rules = [rule(**conditions)]
    assert match(rules, headers=headers(), classification=BONE, source_ae="GAMMA1") == ()
    assert why in explain_no_match(rules, headers=headers(), classification=BONE, source_ae="GAMMA1")


def test_refusals_are_reported_unless_the_rule_says_no() -> None:
    """A study that cannot be assessed is routed for its refusal, except by rules that forbid it or name branches."""
    assert match([rule()], headers=headers(), classification=REFUSED, source_ae="A")
    for silent in (rule(report_refusals=False), rule(branches=(Branch.BONE_SCAN,))):
        assert not match([silent], headers=headers(), classification=REFUSED, source_ae="A")


def test_rules_for_one_pipeline_are_merged_by_urgency() -> None:
    """One job a pipeline: destinations joined in the order of priority, 1 before 10."""
    rules = [
        rule("b", destinations=("PACS", "ARCHIVE"), priority=5, label_in="ARCHIVE"),
        rule("a", destinations=("VIEWER", "PACS"), priority=1),
        rule("c", pipeline="other", priority=3),
    ]
    found = match(rules, headers=headers(), classification=BONE, source_ae="A")
    assert [item.pipeline for item in found] == ["bone_metastasis", "other"]
    assert found[0].rules == ("a", "b")
    assert found[0].destinations == ("VIEWER", "PACS", "ARCHIVE")
    assert found[0].priority == 1
    assert found[0].labels == ("ARCHIVE",)


def test_own_results_alone_are_never_routed() -> None:
    """A study that holds nothing but bmnode's own results matches no rule, so results cannot start jobs."""
    empty = StudyHeaders(study_uid="1.2", series=())
    assert match([rule()], headers=empty, classification=REFUSED, source_ae="A") == ()
    assert "own results" in explain_no_match([rule()], headers=empty, classification=REFUSED, source_ae="A")


def test_rule_takes_over_every_setting() -> None:
    """A rule carries the values of its `[[routes]]` table."""
    route = RouteSettings(
        name="ct",
        modalities=("CT",),
        branches=(Branch.CT,),
        source_ae=("CT1",),
        body_part=("CHEST",),
        description="staging",
        destinations=("PACS",),
        priority=2,
        report_refusals=False,
    )
    built = RouteRule.from_settings(route)
    assert {name: getattr(built, name) for name in RouteSettings.model_fields} == route.model_dump()


def test_description_must_be_a_regular_expression() -> None:
    """A rule with a broken expression is refused when it is made."""
    with pytest.raises(ValueError, match="regular expression"):
        rule(description="(")
