"""How lesion matching is measured: what is true of two scans' masks, what a match is worth, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bmnode.domain.bones import Bone
from bmnode.domain.codes import Finding
from bmnode.domain.evaluations import Masks, Verdict
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.matching_evaluations import MatchingReport
from bmnode.domain.results import FindingResult
from operators.kernels.lesion_matching.contract import LesionEvent, LesionGroup
from operators.kernels.registration.bones import SidedBone
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.lesion_matching.evaluate import DILATED, RULES
from pipelines.evaluation.lesion_matching.page import PAGE, page, target_lines
from pipelines.evaluation.lesion_matching.records import PairRecord
from pipelines.evaluation.lesion_matching.scores import NO_EVENT, NO_THING, Tally, links_of, tally, together
from pipelines.evaluation.lesion_matching.table import LEAST_F1, rows_of
from pipelines.evaluation.lesion_matching.truth import Seen, Story, story_of
from pipelines.follow_up.contract import Drawn

SACRUM, FEMUR = SidedBone(bone=Bone.SACRUM), SidedBone(bone=Bone.FEMUR, side=1)
OURS = RULES[0].method


def grid(slices: int) -> VolumeGeometry:
    """Voxels of 2 mm, from LPS zero on."""
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = 2.0
    matrix[3, 3] = 1.0
    return VolumeGeometry.from_matrix(matrix, shape=(slices, 20, 20), frame_of_reference_uid="1.2")


WHOLE, UPPER = (grid(40),), (grid(20),)


def seen(first_slice: int, *things: str, bone: SidedBone | None = SACRUM) -> Seen:
    """A cube of four voxels that shows these things."""
    mask = CroppedMask(grid_shape=WHOLE[0].shape, origin=(first_slice, 8, 8), values=np.ones((4, 4, 4), dtype=np.bool_))
    finding = FindingResult(tracking_id="a lesion", tracking_uid="1.2", finding_type=Finding.LESION)
    drawn = Drawn(finding=finding, mask=mask, geometry=WHOLE[0])
    return Seen(drawn=drawn, things=frozenset(things), bone=bone)


def told(prior: list[Seen], current: list[Seen], *pairs: tuple[str, str], shift_mm: float = 0.0) -> Story:
    """Of a whole prior scan and a current one of the lower half, in which everything lies `shift_mm` lower."""
    motion = np.eye(4)
    motion[2, 3] = shift_mm
    return story_of(prior, current, pairs=frozenset(pairs), motions={SACRUM: motion}, fields=(WHOLE, UPPER))


def events(story: Story) -> list[str]:
    return [group.event.value for group in story.groups]


def test_what_belongs_together_is_one_group() -> None:
    """One that goes on, one that became two, and two in one mask that the branch did not part."""
    prior = [seen(2, "m1"), seen(8, "m2"), seen(14, "m3", "m4")]
    current = [seen(2, "m1"), seen(8, "m2a"), seen(10, "m2b"), seen(14, "m3"), seen(16, "m4")]
    pairs = [("m1", "m1"), ("m2", "m2a"), ("m2", "m2b"), ("m3", "m3"), ("m4", "m4")]
    story = told(prior, current, *pairs)
    assert events(story) == ["persistent", "split", "split"]
    assert links_of(story.groups) == {(0, 0), (1, 1), (1, 2), (2, 3), (2, 4)}


def test_a_place_that_is_not_shown_is_told_by_the_true_motion() -> None:
    """Alone and within the other field it is gone; beyond it, by where its bone truly lies now, not assessable."""
    assert events(told([seen(4, "m1")], [])) == ["disappeared"]
    assert events(told([seen(30, "m1")], [])) == ["not_assessable"]
    assert events(told([seen(30, "m1")], [], shift_mm=40.0)) == ["disappeared"]
    assert events(told([], [seen(4, "m1")])) == ["new"]
    assert events(told([], [seen(4, "m1")], shift_mm=-40.0)) == ["not_assessable"]


def test_a_lesion_alone_in_a_bone_without_a_motion_is_left_open() -> None:
    """Whether its place is shown is not known; one with a partner needs no place."""
    story = told([seen(2, "m1", bone=FEMUR), seen(8, "m2", bone=None)], [seen(2, "m1", bone=FEMUR)], ("m1", "m1"))
    assert sorted(story.open_prior) == [1]
    assert not story.open_current


def group(event: LesionEvent, prior: tuple[int, ...], current: tuple[int, ...]) -> LesionGroup:
    return LesionGroup(event=event, prior=prior, current=current)


def test_a_match_is_held_against_the_truth() -> None:
    """A wrong link costs precision and both events; what shows nothing simulated costs nothing and is counted."""
    prior = [seen(2, "m1"), seen(8, "m2"), seen(14), seen(16, "m9", bone=None)]
    current = [seen(2, "m1"), seen(10, "n1"), seen(14)]
    story = told(prior, current, ("m1", "m1"))
    said = (
        group(LesionEvent.PERSISTENT, (0,), (0,)),
        group(LesionEvent.PERSISTENT, (1,), (1,)),
        group(LesionEvent.PERSISTENT, (2,), (2,)),
        group(LesionEvent.DISAPPEARED, (3,), ()),
    )
    found = tally(said, story)
    assert (found.true, found.proposed, found.right) == (1, 2, 1)
    assert found.events == {
        "persistent": {"persistent": 2},
        "disappeared": {"persistent": 1},
        "new": {"persistent": 1},
    }
    assert found.left_out == {NO_THING: 1, NO_EVENT: 1}


def test_a_candidate_on_nothing_that_is_linked_to_a_lesion_is_wrong() -> None:
    """It would give a lesion's name to what is none."""
    found = tally((group(LesionEvent.PERSISTENT, (0,), (0,)),), told([seen(2, "m1")], [seen(2)]))
    assert (found.true, found.proposed, found.right, dict(found.left_out)) == (0, 1, 0, {})


def test_tallies_add_up() -> None:
    """Over pairs of scans everything is a sum."""
    one = Tally(true=3, proposed=2, right=1, events={"new": {"new": 1}}, left_out={NO_EVENT: 1})
    other = Tally(true=1, proposed=1, right=1, events={"new": {"persistent": 2}, "split": {"split": 3}})
    assert together([one, other]) == Tally(
        true=4,
        proposed=3,
        right=2,
        events={"new": {"new": 1, "persistent": 2}, "split": {"split": 3}},
        left_out={NO_EVENT: 1},
    )


def record(true: int, proposed: int, right: int, *, found: tuple[int, int, int] = (10, 10, 10)) -> PairRecord:
    """A pair of CTs with these links on true masks and on those found."""

    def rules(counts: tuple[int, int, int]) -> dict[str, Tally]:
        one = Tally(true=counts[0], proposed=counts[1], right=counts[2], events={"new": {"new": 3, "split": 1}})
        return {OURS: one, DILATED.method: Tally()}

    return PairRecord(
        key="k",
        modality=Modality.CT,
        tallies={Masks.TRUE: rules((true, proposed, right)), Masks.FOUND: rules(found)},
    )


def verdicts(*records: PairRecord) -> dict[Masks, Verdict]:
    return {row.masks: row.verdict for row in rows_of(records) if row.method == OURS}


def test_targets() -> None:
    """F1 of all links together: 0.97 on true masks and 0.93 on those found; a pair that is refused misses both."""
    assert LEAST_F1 == {Masks.TRUE: 0.97, Masks.FOUND: 0.93}
    assert verdicts(record(100, 100, 97)) == {Masks.TRUE: Verdict.MET, Masks.FOUND: Verdict.MET}
    assert verdicts(record(100, 100, 96))[Masks.TRUE] is Verdict.MISSED
    assert verdicts(record(100, 100, 97, found=(100, 100, 92)))[Masks.FOUND] is Verdict.MISSED
    refused = PairRecord(key="k", modality=Modality.CT, refusal="the field folds")
    assert set(verdicts(record(9, 9, 9), refused).values()) == {Verdict.MISSED}
    assert set(verdicts(refused).values()) == {Verdict.NOT_EVALUABLE}


def test_only_the_rule_in_force_is_judged() -> None:
    """The other rule stands beside it for the reader, without a target."""
    report = MatchingReport(cohort="c", seed=1, pairs=1, version=OURS, rows=rows_of([record(4, 5, 4)]))
    assert [row.verdict for row in report.rows if row.method == DILATED.method] == [Verdict.REPORTED] * 2
    assert not report.is_met
    assert "met 1, missed 1" in report.summary
    assert "ct, true masks: F1 0.889 of 4 links" in report.summary
    ours = next(row for row in report.rows if row.method == OURS)
    assert (ours.precision, ours.recall, ours.right_events) == (0.8, 1.0, 0.75)


def test_what_has_no_figures_is_counted() -> None:
    """A pair that was refused, and one whose study the branch refused, stand in the row with their reasons."""
    without = replace(record(2, 2, 2), tallies={}, why_not={Masks.FOUND: "a study was refused: bone_not_found"})
    refused = PairRecord(key="k", modality=Modality.CT, refusal="the field folds")
    rows = {row.masks: row for row in rows_of([record(2, 2, 2), without, refused]) if row.method == OURS}
    assert (rows[Masks.FOUND].scans, rows[Masks.FOUND].refused) == (3, 1)
    assert rows[Masks.FOUND].not_evaluable == {"the field folds": 1, "a study was refused: bone_not_found": 1}
    assert rows[Masks.TRUE].not_evaluable == {"the field folds": 1}


def test_records_are_of_one_key(tmp_path: Path) -> None:
    """A record comes back whole for its key, and not for another; a damaged one is none."""
    record(3, 2, 1).save(tmp_path / "a.json")
    assert PairRecord.load(tmp_path / "a.json", key="k") == record(3, 2, 1)
    assert PairRecord.load(tmp_path / "a.json", key="other") is None
    (tmp_path / "b.json").write_text("{}")
    assert PairRecord.load(tmp_path / "b.json", key="k") is None


@pytest.mark.parametrize("values", [{"right": 3}, {"refused": 2}, {"target": "F1"}])
def test_a_row_cannot_contradict_itself(values: dict[str, int | str]) -> None:
    """More right links than there are, more refusals than scans, or a target without a verdict cannot be made."""
    row = next(row for row in rows_of([record(2, 2, 2)]) if row.method == DILATED.method)
    with pytest.raises(ValueError, match=r"row is judged|what is right"):
        replace(row, **values)  # type: ignore[arg-type]  # of one field each


def test_the_page_says_what_is_simulated_and_what_is_asked() -> None:
    """Every table stands below a heading that says so, and the page in the docs has the targets in force."""
    on_disk = (Path(__file__).parents[3] / PAGE).read_text(encoding="utf-8")
    report = MatchingReport(cohort="c", seed=1, pairs=1, version=OURS, rows=rows_of([record(4, 5, 4)]))
    for text in (page([report]), on_disk):
        headings = [line for line in text.splitlines() if line.startswith("##") and line != "## Targets"]
        assert headings
        assert all(line.endswith("(SIMULATED)") for line in headings)
        assert [line for line in target_lines() if line not in text] == []
    assert "| ct | true | `BMNODE_LESION_MATCH_V3` | 1 | 0 | 4 | 5 | 4 | 0.800 | 1.000 | 0.889 | 0.750 |" in page(
        [report]
    )
    assert "| new | 3 | 1 |" in page([report])
