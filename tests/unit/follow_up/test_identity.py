"""A lesion keeps its Tracking UID for ever, and what is said of it against the earlier scan is what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmnode.domain.codes import Code, Finding
from bmnode.domain.follow_up_codes import Change, Compared, Event, FollowUp, Repeatability
from bmnode.domain.results import FindingResult, ResultSet
from pipelines.follow_up.assess import assess_pair
from tests.unit.follow_up.pairs import matched_of, result_of

THEN, NOW = "1.2.10", "1.2.20"


def said(finding: FindingResult, concept: Code) -> Code:
    return next(item.value for item in finding.evaluations if item.concept == concept)


def change(finding: FindingResult, concept: Code) -> float | None:
    return next((item.value for item in finding.measurements if item.concept == concept), None)


def followed() -> ResultSet:
    """Lesion 1 grows, 2 splits into 2 and 3, 3 is gone, and 4 is new."""
    prior = result_of(THEN, [(0, 2), (10, 6), (30, 3)], suv_max=[10.0, 8.0, 5.0])
    current = result_of(NOW, [(0, 4), (10, 2), (13, 3), (20, 5)], suv_max=[14.0, 6.0, 7.0, 9.0])
    return assess_pair(matched_of(prior, current, [((0,), (0,)), ((1,), (1, 2)), ((2,), ()), ((), (3,))]))


def test_identity_goes_on_with_the_largest_part() -> None:
    """Persistent and the larger part of a split keep the UID; the rest have their own, under numbers nobody had."""
    found = followed()
    assert [(item.tracking_id, item.tracking_uid) for item in found.findings] == [
        ("bmnode lesion 1", f"{THEN}.9.1"),
        ("bmnode lesion 4", f"{NOW}.9.2"),
        ("bmnode lesion 2", f"{THEN}.9.2"),
        ("bmnode lesion 5", f"{NOW}.9.4"),
        ("bmnode lesion 3", f"{THEN}.9.3"),
    ]
    segments = [item.tracking_uid for item in found.segmentations[0].segments]
    assert segments == [item.tracking_uid for item in found.findings[:4]]


def test_every_lesion_of_either_scan_has_its_event() -> None:
    """What is gone stands in the report under its UID, without voxels and without a number."""
    found = followed()
    events = [said(item, FollowUp.EVENT) for item in found.findings]
    assert events == [Event.PERSISTENT, Event.SPLIT, Event.SPLIT, Event.NEW, Event.DISAPPEARED]
    gone = found.findings[-1]
    assert gone.segment is None
    assert gone.measurements == ()


def test_what_split_or_merged_names_where_it_came_from() -> None:
    """The part of a split with a UID of its own names the whole; what others merged into names them, not itself."""
    assert [item.came_from for item in followed().findings] == [(), (f"{THEN}.9.2",), (), (), ()]
    prior = result_of(THEN, [(0, 2), (2, 3), (5, 2)], suv_max=[10.0, 8.0, 5.0])
    current = result_of(NOW, [(0, 7)], suv_max=[14.0])
    (merged,) = assess_pair(matched_of(prior, current, [((0, 1, 2), (0,))])).findings
    assert (merged.tracking_uid, merged.came_from) == (f"{THEN}.9.2", (f"{THEN}.9.1", f"{THEN}.9.3"))


def test_no_lesion_comes_from_itself() -> None:
    """Links name other lesions, each once."""
    (lesion,) = result_of(NOW, [(0, 2)], suv_max=[1.0]).findings
    for origin in ((lesion.tracking_uid,), ("1.2", "1.2")):
        with pytest.raises(ValueError, match="came from"):
            replace(lesion, came_from=origin)


def test_changes_are_those_of_the_measurements() -> None:
    """Volume 0.064 to 0.512 ml is +700 %; a split is compared as a whole: 1.728 ml to 0.064 + 0.216 ml."""
    found = followed()
    assert change(found.findings[0], Change.VOLUME) == pytest.approx(700.0)
    assert change(found.findings[0], Change.SUV_MAX) == pytest.approx(40.0)
    assert change(found.findings[1], Change.VOLUME) is None
    assert change(found.findings[2], Change.VOLUME) == pytest.approx(100.0 * (0.280 - 1.728) / 1.728)
    assert change(found.findings[2], Change.SUV_MAX) == pytest.approx(-12.5)
    assert change(found.findings[3], Change.VOLUME) is None


def test_repeatability_is_judged_where_limits_hold() -> None:
    """FDG: +40 % is beyond the limits, new is progression, gone is a response; a split has no limits."""
    judged = [said(item, FollowUp.REPEATABILITY) for item in followed().findings]
    assert judged == [
        Repeatability.PROGRESSION,
        Repeatability.NOT_KNOWN,
        Repeatability.NOT_KNOWN,
        Repeatability.PROGRESSION,
        Repeatability.GONE,
    ]


def test_numbers_in_sentences_are_told_apart_from_tracked_ones() -> None:
    """A notice on "lesion 2" is not read as one on the tracked lesion 2, which is the first of this scan."""
    prior = result_of(THEN, [(0, 2), (10, 6)], suv_max=[10.0, 8.0])
    current = replace(result_of(NOW, [(10, 6), (0, 2)], suv_max=[8.0, 9.0]), notices=("Lesion 2 needs a look.",))
    found = assess_pair(matched_of(prior, current, [((0,), (1,)), ((1,), (0,))]))
    key = "1 is bmnode lesion 2, 2 is bmnode lesion 1."
    assert found.notices[0] == "Lesion 2 needs a look."
    assert found.notices[1].endswith(key)
    assert any(sentence.endswith(key) for sentence in found.limitations)


def test_the_same_numbers_need_no_key() -> None:
    """Where every lesion keeps its number nothing is explained."""
    prior = result_of(THEN, [(0, 2)], suv_max=[10.0])
    current = replace(result_of(NOW, [(0, 2)], suv_max=[8.0]), notices=("Lesion 1 needs a look.",))
    found = assess_pair(matched_of(prior, current, [((0,), (0,))]))
    assert found.notices == ("Lesion 1 needs a look.",)


def test_the_result_says_how_it_was_compared() -> None:
    """Days, the way of comparing and both time points of the history stand in the result."""
    found = followed()
    assert any(item.value == Compared.LESIONS for item in found.evaluations)
    assert [item.value for item in found.measurements if item.concept == Change.DAYS] == [90.0]
    assert [point.studied_on.isoformat() for point in found.history] == ["2026-04-02"]


@given(prior=st.integers(0, 4), current=st.integers(0, 4), data=st.data())
@settings(max_examples=30, deadline=None)
def test_no_identity_is_given_twice(prior: int, current: int, data: st.DataObject) -> None:
    """Whatever is matched with whatever, Tracking UIDs and names stay one a lesion, and no lesion is lost."""
    before = result_of(THEN, [(4 * n, 3) for n in range(prior)], suv_max=[5.0] * prior)
    now = result_of(NOW, [(4 * n, 3) for n in range(current)], suv_max=[5.0] * current)
    label = st.integers(0, 2)
    labels = [data.draw(label) for _ in range(prior)], [data.draw(label) for _ in range(current)]
    groups: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    for number in range(3):
        a, b = (tuple(i for i, value in enumerate(side) if value == number) for side in labels)
        groups += [(a, b)] if a and b else [((i,), ()) for i in a] + [((), (i,)) for i in b]
    found = assess_pair(matched_of(before, now, groups))
    names = [item.tracking_id for item in found.findings]
    assert len(set(names)) == len(names)
    kept = {item.tracking_uid for item in found.findings}
    assert len(kept) == len(found.findings) >= current


def test_what_is_set_aside_gives_way_to_a_lesion_of_its_name() -> None:
    """Where an earlier lesion has the name of something that is not followed, that is told apart, its segment too."""
    prior = result_of(THEN, [(0, 2)], suv_max=[10.0])
    current = result_of(NOW, [(0, 4), (10, 2)], suv_max=[14.0, 6.0])
    lesion, other = current.findings
    aside = replace(other, finding_type=Finding.ABNORMAL_STRUCTURE, tracking_id=prior.findings[0].tracking_id)
    found = assess_pair(matched_of(prior, replace(current, findings=(lesion, aside)), [((0,), (0,))]))
    assert [item.tracking_id for item in found.findings] == ["bmnode lesion 1", "bmnode lesion 1 of this scan"]
    assert [item.tracking_uid for item in found.findings] == [f"{THEN}.9.1", f"{NOW}.9.2"]
    assert [item.tracking_id for item in found.segmentations[0].segments] == [
        "bmnode lesion 1",
        "bmnode lesion 1 of this scan",
    ]
