"""What `study`, `job`, `delivery` and `audit` promise: rows change by their tables, and every change is audited."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from bmnode.domain.states import DeliveryEvent, DeliveryState, JobEvent, JobState, StudyState
from bmnode.storage import AuditTrail, Database, Deliveries, Jobs, Studies
from bmnode.storage.tables import audit
from bmnode.testing.clock import FakeClock
from tests.unit.cli.conftest import IGNORED, JOB, NOW, REPORT, STUDY, Outside, Run


def _last_audit(database: Database) -> tuple[str, str, str]:
    with database.read() as connection:
        entry = AuditTrail(connection).entries()[-1]
    return entry.event, entry.subject, entry.actor.split(":", maxsplit=1)[0]


def _apply(database: Database, *events: JobEvent) -> None:
    with database.write() as connection:
        for event in events:
            Jobs(connection).apply(JOB, event, at=NOW)


def test_studies_are_listed_with_their_decision(run: Run, database: Database) -> None:
    """Every received study is there: what it became, or why nothing came of it."""
    listed = {study["study_uid"]: study for study in run("study", "list", "--json").json["studies"]}
    assert listed[STUDY]["branch"] == "ct"
    assert listed[STUDY]["instance_count"] == 3
    assert listed[IGNORED]["decision"] == "not_for_us"
    assert STUDY in run("study", "list").out


def test_shown_study_has_series_revisions_and_jobs(run: Run, database: Database) -> None:
    """One command tells the whole way of a study."""
    shown = run("study", "show", STUDY, "--json").json
    assert shown["series"][0]["instance_count"] == 3
    assert [revision["revision"] for revision in shown["revisions"]] == [1]
    assert [job["job_id"] for job in shown["jobs"]] == [JOB]
    assert JOB in run("study", "show", STUDY).out


def test_a_study_tells_where_its_results_are_and_why(run: Run, database: Database) -> None:
    """Somebody who asks for one study sees which destination has not got it, and what that one said."""
    (delivery,) = run("study", "show", STUDY, "--json").json["deliveries"]
    assert (delivery["destination"], delivery["state"]) == ("pacs", "dead")
    assert (delivery["last_status"], delivery["last_error"]) == (0xA700, "out of resources")
    told = run("study", "show", STUDY).out
    assert "0xA700" in told
    assert "out of resources" in told


def test_rerun_queues_the_jobs_of_the_last_revision(run: Run, database: Database, outside: Outside) -> None:
    """A study is processed again: its job is queued from its first attempt and handed to the engine."""
    answer = run("study", "rerun", STUDY, "--json")
    assert answer.json == {"study_uid": STUDY, "jobs": [JOB], "selected_again": False}
    with database.read() as connection:
        job = Jobs(connection).get(JOB)
    assert (job.state, job.attempt) == (JobState.QUEUED, 0)
    assert outside.asked == [("job", JOB)]
    assert _last_audit(database) == ("study_rerun", STUDY, "administrator")


def test_rerun_of_a_study_without_jobs_selects_again(run: Run, database: Database, outside: Outside) -> None:
    """A study that no route took is judged by the routes of today."""
    assert run("study", "rerun", IGNORED, "--json").json["selected_again"] is True
    assert outside.asked == [("select", IGNORED)]


def test_rerun_of_unfinished_work_changes_nothing(run: Run, database: Database, outside: Outside) -> None:
    """What is being computed is not started a second time."""
    _apply(database, JobEvent.RETRIED, JobEvent.STARTED)
    assert run("study", "rerun", STUDY).code == 1
    assert outside.asked == []
    with database.read() as connection:
        assert Jobs(connection).get(JOB).state is JobState.RUNNING


def test_rejected_study_loses_its_unfinished_jobs(run: Run, database: Database, outside: Outside) -> None:
    """Rejecting takes the study and its work out, in the rows and in the engine, and deletes it."""
    _apply(database, JobEvent.RETRIED)
    answer = run("study", "reject", STUDY, "--json")
    assert answer.json == {"study_uid": STUDY, "state": "rejected", "cancelled": [JOB], "images": 3, "results": 1}
    with database.read() as connection:
        assert Studies(connection).get(STUDY).state is StudyState.REJECTED
        assert Jobs(connection).get(JOB).state is JobState.CANCELLED
    assert outside.asked == [("cancel", JOB)]
    assert _last_audit(database) == ("study_rejected", STUDY, "administrator")


def test_a_rejected_study_is_not_worked_on_again(run: Run, database: Database, outside: Outside) -> None:
    """What was deleted cannot be computed: retry and rerun say so instead of reporting on nothing."""
    run("study", "reject", STUDY)
    for command in (("job", "retry", JOB), ("study", "rerun", STUDY)):
        answer = run(*command)
        assert (answer.code, "deleted" in answer.err) == (3, True), command
    assert outside.asked == []
    assert STUDY in run("study", "show", STUDY).out


def test_a_study_is_not_rejected_from_another_machine(run: Run, database: Database, tmp_path: Path) -> None:
    """Where the spool is not, only the rows could be deleted: nothing is."""
    (tmp_path / "bmnode-data" / "spool" / "studies").rmdir()
    assert run("study", "reject", STUDY).code == 3
    with database.read() as connection:
        assert Studies(connection).get(STUDY).instance_count == 3


@pytest.mark.parametrize(
    ("peer", "method", "asked"),
    [
        ("pacs", "c-move", ("move", "pacs", "1.2.3")),
        ("orthanc", "rest", ("send", "orthanc", "1.2.3", "BMNODE")),
    ],
)
def test_study_is_pulled_by_what_the_peer_offers(
    run: Run, database: Database, outside: Outside, peer: str, method: str, asked: tuple[str, ...]
) -> None:
    """REST where it is configured, C-MOVE otherwise; either way it comes to this node's AE title."""
    answer = run("study", "pull", peer, "1.2.3", "--json")
    assert answer.json["method"] == method
    assert outside.asked == [asked]


def test_pull_from_an_unknown_peer_is_not_found(run: Run, database: Database) -> None:
    """A typing error is answered with the name that was meant."""
    answer = run("study", "pull", "pasc", "1.2.3")
    assert answer.code == 3
    assert "'pacs'" in answer.err


def test_jobs_are_listed_by_state(run: Run, database: Database) -> None:
    """The list of failures is short and complete."""
    assert [job["job_id"] for job in run("job", "list", "--state", "failed", "--json").json["jobs"]] == [JOB]
    assert run("job", "list", "--state", "queued", "--json").json["jobs"] == []
    assert JOB in run("job", "list").out


def test_shown_job_tells_history_results_and_deliveries(run: Run, database: Database) -> None:
    """Why a result is not in the PACS is answered by one command."""
    shown = run("job", "show", JOB, "--json").json
    assert [event["event"] for event in shown["history"]] == ["created", "started", "failed"]
    assert shown["results"][0]["sop_instance_uid"] == REPORT
    assert shown["deliveries"][0]["last_error"] == "out of resources"
    assert "out of resources" in run("job", "show", JOB).out


def test_retried_job_is_queued_and_handed_over(run: Run, database: Database, outside: Outside) -> None:
    """Row, history, engine and audit agree."""
    assert run("job", "retry", JOB, "--json").json["state"] == "queued"
    assert outside.asked == [("job", JOB)]
    assert _last_audit(database) == ("job_retried", JOB, "administrator")


def test_row_stays_as_it_was_when_the_engine_refuses(
    run: Run, database: Database, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row and flow are one transaction: no job is queued that nobody will run."""
    monkeypatch.setattr(outside, "enqueue_job", lambda *_, **__: 1 / 0)
    assert run("job", "retry", JOB).code == 70
    with database.read() as connection:
        assert Jobs(connection).get(JOB).state is JobState.FAILED


def test_cancelled_job_is_stopped(run: Run, database: Database, outside: Outside) -> None:
    """A running job is cancelled in its row first, then in the engine."""
    _apply(database, JobEvent.RETRIED, JobEvent.STARTED)
    assert run("job", "cancel", JOB, "--json").json["state"] == "cancelled"
    assert outside.asked == [("cancel", JOB)]
    assert _last_audit(database) == ("job_cancelled", JOB, "administrator")


def test_finished_job_cannot_be_cancelled(run: Run, database: Database, outside: Outside) -> None:
    """The answer says in which state the job is."""
    answer = run("job", "cancel", JOB)
    assert answer.code == 1
    assert "failed" in answer.err
    assert outside.asked == []


def test_requeue_hands_over_everything_unfinished(run: Run, database: Database, outside: Outside) -> None:
    """The engine's queue is rebuilt from the rows; what is finished is left alone."""
    assert run("job", "requeue", "--all-unfinished", "--json").json == {"jobs": [], "deliveries": 0}
    _apply(database, JobEvent.RETRIED)
    run("delivery", "retry", JOB)
    outside.asked.clear()
    assert run("job", "requeue", "--all-unfinished", "--json").json == {"jobs": [JOB], "deliveries": 1}
    assert outside.asked == [("job", JOB), ("delivery", JOB, "pacs")]
    assert _last_audit(database) == ("work_requeued", "node", "administrator")


def test_requeue_of_a_finished_job_points_to_retry(run: Run, database: Database) -> None:
    """Two similar commands are told apart by the message."""
    answer = run("job", "requeue", JOB)
    assert answer.code == 1
    assert "job retry" in answer.err


class _Working(FakeClock):
    """A clock during whose sleeps the node works."""

    def __init__(self, work: list[Callable[[], None]]) -> None:
        super().__init__()
        self._work = work

    def sleep_s(self, seconds: float) -> None:
        super().sleep_s(seconds)
        self._work.pop(0)()


@pytest.mark.parametrize(
    ("end", "outcome", "code"),
    [
        (JobEvent.SUCCEEDED, "assessed", 0),
        (JobEvent.SUCCEEDED, "not_assessable", 10),
        (JobEvent.FAILED, None, 1),
    ],
)
def test_followed_job_ends_with_its_outcome(
    run: Run, database: Database, outside: Outside, end: JobEvent, outcome: str | None, code: int
) -> None:
    """`--follow` shows each step and exits as the job did."""
    _apply(database, JobEvent.RETRIED, JobEvent.STARTED)

    def progress() -> None:
        with database.write() as connection:
            Jobs(connection).report_progress(JOB, progress=0.4, step="detect_lesions")

    def finish() -> None:
        with database.write() as connection:
            if outcome:
                Jobs(connection).set_outcome(JOB, outcome)
            Jobs(connection).apply(JOB, end, at=NOW)

    outside.clock = _Working([progress, finish])
    answer = run("job", "show", JOB, "--follow", "--json")
    assert answer.code == code
    assert "detect_lesions" in answer.err
    assert answer.json["state"] == end.value


def test_given_up_delivery_is_tried_again(run: Run, database: Database, outside: Outside) -> None:
    """After the PACS is back, one command sends everything that was given up."""
    assert run("delivery", "list", "--state", "dead", "--json").json["deliveries"][0]["last_status"] == 0xA700
    assert "0xA700" in run("delivery", "list").out
    (item,) = run("delivery", "retry", "--all-dead", "--json").json["deliveries"]
    assert (item["state"], item["attempts"]) == ("pending", 0)
    assert outside.asked == [("delivery", JOB, "pacs")]
    assert _last_audit(database) == ("delivery_retried", JOB, "administrator")


def test_pending_delivery_of_a_job_is_asked_for_now(run: Run, database: Database, outside: Outside) -> None:
    """A delivery that waits for its next attempt need not wait longer."""
    run("delivery", "retry", "--all-dead")
    outside.asked.clear()
    assert len(run("delivery", "retry", JOB, "--json").json["deliveries"]) == 1
    assert outside.asked == [("delivery", JOB, "pacs")]
    with database.read() as connection:
        assert Deliveries(connection).of_job(JOB)[0].state is DeliveryState.PENDING


def test_taken_object_is_sent_again_only_on_request(run: Run, database: Database, outside: Outside) -> None:
    """A PACS that lost an object gets it once more; nobody gets it twice by accident."""
    with database.write() as connection:
        (item,) = Deliveries(connection).of_job(JOB)
        pending = Deliveries(connection).apply(item, DeliveryEvent.RETRIED, at=NOW)
        Deliveries(connection).apply(pending, DeliveryEvent.ACCEPTED, at=NOW, status=0)
    assert run("delivery", "retry", JOB, "--json").json["deliveries"] == []
    assert outside.asked == []
    (sent,) = run("delivery", "retry", JOB, "--again", "--json").json["deliveries"]
    assert sent["state"] == "pending"
    assert outside.asked == [("delivery", JOB, "pacs")]


def test_retry_to_another_destination_touches_nothing(run: Run, database: Database, outside: Outside) -> None:
    """`--destination` narrows what is sent."""
    assert run("delivery", "retry", "--all-dead", "--destination", "orthanc", "--json").json["deliveries"] == []
    assert outside.asked == []


def test_exported_audit_is_complete_and_in_order(run: Run, database: Database, tmp_path: Path) -> None:
    """Standard output and file carry the same lines, each with the hash that chains it."""
    entries = run("audit", "export", "--json").json["entries"]
    assert [entry["sequence"] for entry in entries] == [1, 2]
    assert entries[1]["previous_hash"] == entries[0]["hash"]
    assert run("audit", "export", "--out", "audit.json", "--json").json["count"] == 2
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["entries"] == entries
    assert [entry["subject"] for entry in run("audit", "export", "--subject", JOB).json["entries"]] == [JOB]


def test_changed_audit_line_is_found(run: Run, database: Database) -> None:
    """Tampering is reported by line and by exit code."""
    assert run("audit", "verify", "--json").json == {"ok": True, "count": 2, "first_broken": None}
    with database.write() as connection:
        connection.execute(sa.update(audit).where(audit.c.sequence == 2).values(subject="somebody else"))
    answer = run("audit", "verify", "--json")
    assert (answer.code, answer.json["first_broken"]) == (1, 2)


def test_retention_shows_what_it_would_delete_and_deletes_it(
    run: Run, database: Database, outside: Outside, tmp_path: Path
) -> None:
    """A dry run changes nothing; the study with a failed job keeps its images either way."""
    outside.clock.advance(max((NOW - outside.clock.now()).total_seconds(), 0.0) + 3600.0)
    with (tmp_path / "bmnode.toml").open("a", encoding="utf-8") as file:
        file.write("[retention]\nassessed_after_h = 0.001\nunassessed_after_h = 0.001\n")
    told = run("retention", "run", "--dry-run", "--json").json
    assert (told["dry_run"], [item["study_uid"] for item in told["deleted"]]) == (True, [IGNORED])
    assert [item["deleted_count"] for item in run("study", "show", IGNORED, "--json").json["series"]] == [0]
    assert run("retention", "run", "--json").json["deleted"] == told["deleted"]
    assert [item["deleted_count"] for item in run("study", "show", IGNORED, "--json").json["series"]] == [1]
    assert _last_audit(database) == ("images_deleted", IGNORED, "administrator")
    assert "nothing" in run("retention", "run").out
