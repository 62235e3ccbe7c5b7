"""What `study priors` and `study compare` promise: every candidate with its reason, and a comparison by hand."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from bmnode.cli.documents import KINDS
from bmnode.domain.states import JobEvent
from bmnode.priors.handover import Considered, PriorInput, PriorRole, PriorStudy, SearchOutcome, write_prior_input
from bmnode.storage import AuditTrail, Database, Jobs, PriorSearches
from tests.unit.cli.conftest import JOB, NOW, STUDY, Outside, Run

TOLD = PriorInput(
    study_uid=STUDY,
    outcome=SearchOutcome.FOUND,
    explanation="2 examination(s) considered, 1 comparable; not compared: 1 too_old.",
    considered=(
        Considered(study_uid="1.7.1", place="pacs", performed_on=date(2025, 9, 15)),
        Considered(study_uid="1.7.2", place="node", objection="too_old"),
    ),
    priors=(
        PriorStudy(
            study_uid="1.7.1",
            performed_on=date(2025, 9, 15),
            days_before=100,
            roles=(PriorRole.LATEST,),
            images=(Path("prior/1.7.1/images/1.dcm"),),
        ),
    ),
)


@pytest.fixture
def searched(database: Database, tmp_path: Path) -> Database:
    """The job succeeded, and its search found a prior that it was not run with."""
    folder = tmp_path / "bmnode-data" / "results" / JOB / "priors-1"
    folder.mkdir(parents=True)
    write_prior_input(TOLD, folder)
    with database.write() as connection:
        for event in (JobEvent.RETRIED, JobEvent.STARTED, JobEvent.SUCCEEDED):
            Jobs(connection).apply(JOB, event, at=NOW)
        searches = PriorSearches(connection)
        searches.begin(JOB, run_by=NOW, search_until=NOW + timedelta(hours=1))
        searches.settle(JOB, outcome="found", folder=f"{JOB}/priors-1", compared="c")
    return database


def test_every_candidate_is_shown_with_its_reason(run: Run, searched: Database) -> None:
    """The one that is compared has its role, the other one what speaks against it."""
    shown = run("study", "priors", STUDY, "--json").json
    considered = shown.pop("considered")
    assert shown.keys() == KINDS["prior_search"].keys()
    assert (shown["outcome"], shown["explanation"], shown["is_used"]) == ("found", TOLD.explanation, False)
    assert [item.keys() == KINDS["prior_candidate"].keys() for item in considered] == [True, True]
    assert [(item["study_uid"], item["roles"], item["objection"]) for item in considered] == [
        ("1.7.1", ["latest"], None),
        ("1.7.2", [], "too_old"),
    ]
    table = run("study", "priors", STUDY).out
    assert "too_old" in table
    assert "latest" in table


def test_a_job_that_looked_for_none_is_not_found(run: Run, database: Database) -> None:
    """Nobody looked is told apart from nothing was found."""
    assert run("study", "priors", STUDY).code == 3
    assert run("study", "priors", "1.2.3.999").code == 3


def test_a_prior_can_be_asked_for(run: Run, searched: Database, outside: Outside) -> None:
    """The search begins anew with the one study, is handed to the engine, and is audited."""
    answer = run("study", "compare", STUDY, "1.7.2", "--json").json
    assert answer == {"study_uid": STUDY, "prior_study_uid": "1.7.2", "job_id": JOB}
    with searched.read() as connection:
        search = PriorSearches(connection).get(JOB)
        entry = AuditTrail(connection).entries()[-1]
    assert (search.wanted_study_uid, search.outcome) == ("1.7.2", None)
    assert outside.asked == [("prior", JOB)]
    assert (entry.event, entry.subject) == ("prior_asked_for", STUDY)


def test_a_comparison_that_cannot_be_is_refused(run: Run, database: Database, outside: Outside) -> None:
    """A study with itself, and a job that has not succeeded, are refused, and nothing changes."""
    assert run("study", "compare", STUDY, STUDY).code == 10
    assert run("study", "compare", STUDY, "1.7.2").code == 10
    assert outside.asked == []
    with database.read() as connection:
        assert PriorSearches(connection).find(JOB) is None
