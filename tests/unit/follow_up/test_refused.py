"""A comparison that cannot be made gives its reason, and the present scan's own result stands as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.domain.results import Outcome, ResultSet
from bmnode.domain.study import Branch, Reason, Refusal
from bmnode.priors.handover import PriorInput, SearchOutcome, write_prior_input
from operators.graph.contract import NotAssessableError, StudyInput
from pipelines.follow_up.register import register_prior
from tests.unit.follow_up.prior_folders import PRESENT, alone, assert_refused, present, write_prior


def never(_study: StudyInput) -> ResultSet:
    raise AssertionError("nobody asked for an assessment")


def test_nobody_looked_nothing_is_said() -> None:
    """Without a folder the result goes on as it is, the very object."""
    result = alone()
    assert register_prior(result, study=present(None), assess_alone=never) is result


def test_an_unfinished_folder_is_a_reason(tmp_path: Path) -> None:
    """A folder without `priors.json` does not end the job."""
    assert_refused(register_prior(alone(), study=present(tmp_path), assess_alone=never), "cannot be read")


def test_none_comparable_is_told_in_the_words_of_the_search(tmp_path: Path) -> None:
    """What was said of the candidates stands in the report; nothing is claimed of a comparison."""
    told = PriorInput(study_uid=PRESENT, outcome=SearchOutcome.NONE_COMPARABLE, explanation="Two were too old.")
    write_prior_input(told, tmp_path)
    found = register_prior(alone(), study=present(tmp_path), assess_alone=never)
    assert isinstance(found, ResultSet)
    assert found.limitations == ("Two were too old.",)
    assert found.evaluations == ()


def test_a_damaged_result_of_the_prior_is_a_reason(tmp_path: Path) -> None:
    """A SEG that cannot be read is no ground to compare on, and none to leave out the present result."""
    folder = write_prior(tmp_path, results=True)
    assert_refused(register_prior(alone(), study=present(folder), assess_alone=never), "cannot be used")


def test_another_examination_is_a_reason(tmp_path: Path) -> None:
    """An MR is not compared with a CT, whatever the search thought."""
    folder = write_prior(tmp_path, results=False, Modality="MR", SeriesDescription="ADC")
    found = register_prior(alone(), study=present(folder), assess_alone=never)
    assert isinstance(found, ResultSet)
    assert "not compared with" in found.limitations[-1]


@pytest.mark.parametrize("raised", [True, False])
def test_a_prior_that_is_not_assessable_is_a_reason(tmp_path: Path, *, raised: bool) -> None:
    """Assessed anew and refused, by exception or as a result: the present result says why."""
    refusal = Refusal(reason=Reason.BONE_NOT_FOUND, explanation="There is no bone in it.")

    def refuse(study: StudyInput) -> ResultSet:
        if raised:
            raise NotAssessableError(refusal.reason, refusal.explanation)
        return ResultSet(
            study_uid=study.request.study_uid,
            outcome=Outcome.NOT_ASSESSABLE,
            branch=Branch.CT,
            input_series_uids=(),
            refusal=refusal,
        )

    folder = write_prior(tmp_path, results=False)
    assert_refused(register_prior(alone(), study=present(folder), assess_alone=refuse), "no bone in it")
