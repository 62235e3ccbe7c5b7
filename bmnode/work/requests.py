"""The flows that the rows ask for. A key follows from the row's state, so asking twice is asking once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from bmnode.domain.commitment import CommitmentRequest
from bmnode.domain.ids import digest
from bmnode.domain.records import JobRecord, StudyRecord
from bmnode.domain.states import JobEvent
from bmnode.storage import Jobs
from bmnode.work.engine import FlowName, FlowRequest

_JOB_ID_CHARACTERS = 16
_ASKS_FOR_A_RUN = {
    "created",
    JobEvent.RETRIED.value,
    JobEvent.ATTEMPT_LOST.value,
    JobEvent.PRIOR_SETTLED.value,
    JobEvent.PRIOR_ARRIVED.value,
}


class When(StrEnum):
    """What a flow pays attention to."""

    DUE = "due"
    """Only to what is due by its row."""
    NOW = "now"
    """To everything: an administrator asked."""


class CommitStep(StrEnum):
    """What is done for a request for storage commitment."""

    ASK = "ask"
    SETTLE = "settle"
    """Act on its answer."""
    OVERDUE = "overdue"
    """Ask anew where none came."""


def job_digest(*, study_uid: str, pipeline: str, pipeline_version: str, input_digest: str) -> str:
    """What a job is: the same work has the same digest, and every UID of its results follows from it."""
    return digest((study_uid, pipeline, pipeline_version, input_digest))


def job_id_of(whole_digest: str) -> str:
    """A job's identifier: the head of its digest, 16 hex characters."""
    return whole_digest[:_JOB_ID_CHARACTERS]


def study_request(study: StudyRecord) -> FlowRequest:
    """Freeze this version of a study and select its jobs."""
    return FlowRequest(
        flow=FlowName.STUDY,
        key=f"study/{study.study_uid}/v{study.version}",
        subject=(study.study_uid, str(study.version), When.DUE.value),
    )


def selection_request(study: StudyRecord, *, at: datetime) -> FlowRequest:
    """Select jobs for a study that is complete, once more."""
    return FlowRequest(
        flow=FlowName.STUDY,
        key=f"study/{study.study_uid}/v{study.version}/{at.isoformat()}",
        subject=(study.study_uid, str(study.version), When.NOW.value),
    )


def run_key(connection: sa.Connection, job_id: str) -> str:
    """The key of the run that a queued job waits for: a new one after every lost attempt and every retry by hand."""
    asked = sum(event.event in _ASKS_FOR_A_RUN for event in Jobs(connection).events(job_id))
    return f"{run_prefix(job_id)}{asked}"


def run_prefix(job_id: str) -> str:
    """How the key of every run of a job begins."""
    return f"run/{job_id}/"


def run_request(job: JobRecord, *, key: str, delay_s: float = 0.0) -> FlowRequest:
    """Compute a job."""
    return FlowRequest(
        flow=FlowName.RUN, key=key, subject=(job.job_id,), delay_s=delay_s, priority=min(max(job.priority, 1), 10)
    )


def priors_prefix(job_id: str) -> str:
    """How the key of every search on behalf of a job begins."""
    return f"priors/{job_id}/"


def priors_request(job_id: str, *, at: datetime, delay_s: float = 0.0, priority: int = 10) -> FlowRequest:
    """Look for a job's priors. `at` is the time for which the search is planned."""
    return FlowRequest(
        flow=FlowName.PRIORS,
        key=f"{priors_prefix(job_id)}{at.isoformat()}",
        subject=(job_id,),
        delay_s=delay_s,
        priority=min(max(priority, 1), 10),
    )


def delivery_prefix(job_id: str, destination: str) -> str:
    """How the key of every attempt to deliver a job's objects to a destination begins."""
    return f"deliver/{job_id}/{destination}/"


def delivery_request(
    job_id: str, destination: str, *, at: datetime, delay_s: float = 0.0, priority: int = 10, when: When = When.DUE
) -> FlowRequest:
    """Send what a job owes to a destination. `at` is the time for which the attempt is planned."""
    return FlowRequest(
        flow=FlowName.DELIVER,
        key=f"{delivery_prefix(job_id, destination)}{at.isoformat()}/{when}",
        subject=(job_id, destination, when.value),
        delay_s=delay_s,
        priority=min(max(priority, 1), 10),
        lane=destination,
    )


def commit_prefix(transaction_uid: str) -> str:
    """How the key of everything that is done for a request for commitment begins."""
    return f"commit/{transaction_uid}/"


def commit_request(request: CommitmentRequest, step: CommitStep, *, at: datetime, delay_s: float = 0.0) -> FlowRequest:
    """Take a step of a request for storage commitment. `at` is the time for which it is planned."""
    return FlowRequest(
        flow=FlowName.COMMIT,
        key=f"{commit_prefix(request.transaction_uid)}{step}/{at.isoformat()}",
        subject=(request.transaction_uid, step.value),
        delay_s=delay_s,
        lane=request.destination,
    )
