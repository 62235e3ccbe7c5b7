"""The rows that the services share, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bmnode.domain.states import DeliveryState, JobState, StudyState


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredInstance:
    """An instance that was acknowledged: its file is in the spool under its UIDs, unless it was deleted since."""

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_uid: str
    series_uid: str
    sha256: str
    """Of the data set's bytes as they came, without preamble and file meta information."""
    size_bytes: int
    source_ae: str
    received_at: datetime
    deleted_at: datetime | None = None
    """When its file was deleted because it was kept for long enough; None: it is there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRecord:
    """A study as the node knows it."""

    study_uid: str
    state: StudyState
    version: int
    """Counts arrivals: a decision taken on one version does not hold for the next."""
    revision: int
    """The last frozen revision; 0 before the first."""
    instance_count: int
    source_ae: str
    first_received_at: datetime
    opened_at: datetime
    """When it began to receive, the last time: its first image, or the late one that opened it again."""
    last_received_at: datetime
    due_at: datetime | None
    """When the study is to be judged complete, if nothing more arrives."""
    rejections: int = 0
    """How often it was rejected, and all that there was of it deleted; images that came later are another work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionRecord:
    """The instances of a study at one moment, and what was decided about them."""

    study_uid: str
    revision: int
    input_digest: str
    instance_count: int
    created_at: datetime
    branch: str | None
    decision: str
    """`selected`, `not_for_us` or the refusal's reason."""
    explanation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRecord:
    """One pipeline on one revision."""

    job_id: str
    study_uid: str
    revision: int
    pipeline: str
    pipeline_version: str
    input_digest: str
    route: str
    destinations: tuple[str, ...]
    label_in: tuple[str, ...]
    """Peers in which the study gets a label once they have the results."""
    priority: int
    """1 is the most urgent (STAT), 10 the ordinary case."""
    state: JobState
    attempt: int
    progress: float
    step: str
    outcome: str | None
    reason: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorSearchRecord:
    """What is looked for on behalf of a job among the patient's earlier examinations, and what came of it."""

    job_id: str
    run_by: datetime
    """The job waits until then and no longer."""
    search_until: datetime
    """Places that do not answer are asked again until then."""
    attempts: int
    wanted_study_uid: str | None
    """The one study that somebody asked to compare; None: whichever fits."""
    outcome: str | None
    """A `bmnode.priors.handover.SearchOutcome`; None before the first search has ended."""
    folder: str | None
    """What the job is told, relative to the results directory; None before the first search has ended."""
    compared: str
    """Names the examinations that `folder` has to compare and their files; empty for none."""
    used: str
    """What `compared` was when the job was last run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedPriorRecord:
    """A study that the node had an archive send, to compare another one with it."""

    study_uid: str
    archive: str
    """Name of the peer."""
    began_at: datetime
    ended_at: datetime | None
    """None while it is being sent, and where a kill came between."""
    is_whole: bool
    """Whether everything came; a part of a study is never compared."""

    def explains(self, received_at: datetime) -> bool:
        """Whether an image that was received then came because it was fetched."""
        return self.began_at <= received_at and (self.ended_at is None or received_at <= self.ended_at)


@dataclass(frozen=True, kw_only=True, slots=True)
class JobEventRecord:
    """One line of a job's history."""

    job_id: str
    at: datetime
    event: str
    state: JobState
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultRecord:
    """One result object of a job, verified and on disk."""

    sop_instance_uid: str
    sop_class_uid: str
    series_uid: str
    job_id: str
    kind: str
    path: str
    """Relative to the results directory."""
    sha256: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryRecord:
    """One result object on its way to one destination."""

    sop_instance_uid: str
    destination: str
    job_id: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One line of the audit trail, chained to the one before by its hash."""

    sequence: int
    at: datetime
    event: str
    outcome: str
    actor: str
    subject: str
    detail: str
    previous_hash: str
    hash: str
