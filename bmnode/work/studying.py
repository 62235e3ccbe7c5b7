"""The study flow: a complete study becomes a revision, a decision and jobs, all in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
import structlog

from bmnode.clock import Clock
from bmnode.domain.records import JobRecord, RevisionRecord, StoredInstance, StudyRecord
from bmnode.domain.states import JobState, StudyState
from bmnode.domain.study import Reason
from bmnode.observe.references import study_ref
from bmnode.run.runner import Runner
from bmnode.storage import AuditTrail, Database, Examinations, FetchedPriors, Instances, Jobs, Studies, inputs_digest
from bmnode.storage.studies import IMAGES_DELETED
from bmnode.work.engine import Engine
from bmnode.work.finding import PriorOptions
from bmnode.work.requests import When, job_digest, job_id_of, run_key, run_request
from bmnode.work.selecting import Decision, PlannedJob, Selector

FETCHED_PRIOR = "fetched_prior"
"""Decision on a study that came only because it was fetched."""
NOT_LOADED = "not_loaded"
"""The version of a pipeline that the child could not load: its job fails, and says so in a result."""
_ACTOR = "worker"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFlow:
    """A `FlowHandler`. Subject: study, version, when (`due`: a receiving study; `now`: select a complete one again)."""

    database: Database
    engine: Engine
    runner: Runner
    select: Selector
    locate: Callable[[StoredInstance], Path]
    """Where an instance's file lies."""
    clock: Clock
    priors: PriorOptions | None = None
    """How a job's prior is looked for; None: jobs run at once, without."""

    async def handle(self, subject: tuple[str, ...]) -> None:
        """Select; nothing happens where an image arrived since, or where it was done before."""
        study_uid, version, when = subject
        found = await asyncio.to_thread(self._find, study_uid, int(version), When(when))
        if found is None:
            return
        study, instances = found
        files = {self.locate(instance): instance for instance in instances}
        decision = _without_deleted(instances)
        if decision is None:
            decision = await asyncio.to_thread(self.select, study, tuple(files))
        if When(when) is When.DUE:
            decision = await asyncio.to_thread(self._without_jobs_of_a_prior, decision, instances)
        versions = await self.runner.versions() if decision.jobs else {}
        inputs = [item for path, item in files.items() if decision.inputs is None or path in decision.inputs]
        await asyncio.to_thread(self._decide, study, decision, When(when), versions, inputs)

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        """Freeze the study with what went wrong, for the administrator to see."""
        study_uid, version, when = subject
        found = await asyncio.to_thread(self._find, study_uid, int(version), When(when))
        if found is not None:
            decision = Decision(
                branch=None,
                decision=Reason.PROCESSING_FAILED.value,
                explanation=f"selection failed: {error}",
                jobs=(),
            )
            await asyncio.to_thread(self._decide, found[0], decision, When(when), {}, found[1])

    def _find(self, study_uid: str, version: int, when: When) -> tuple[StudyRecord, list[StoredInstance]] | None:
        with self.database.read() as connection:
            study = Studies(connection).find(study_uid)
            if study is None or not _stands(study, version=version, when=when):
                return None
            return study, list(Instances(connection).of_study(study_uid))

    def _decide(
        self,
        study: StudyRecord,
        decision: Decision,
        when: When,
        versions: Mapping[str, str],
        inputs: list[StoredInstance],
    ) -> None:
        now = self.clock.now()
        with self.database.write() as connection:
            studies = Studies(connection)
            if not _stands(studies.get(study.study_uid), version=study.version, when=when):
                return
            if when is When.DUE:
                revision = studies.freeze(study.study_uid, at=now)
            else:
                revision = studies.get_revision(study.study_uid, study.revision)
            studies.decide(
                study.study_uid,
                revision.revision,
                branch=decision.branch,
                decision=decision.decision[:32],
                explanation=decision.explanation,
            )
            # Of a job's inputs as `Studies.freeze` takes it of all images.
            found = [(item.sop_instance_uid, item.sha256) for item in inputs]
            input_digest = inputs_digest(found, rejections=study.rejections)
            jobs = [
                self._job(planned, revision, versions=versions, input_digest=input_digest) for planned in decision.jobs
            ]
            if decision.patient_digest is not None:
                Examinations(connection).put(study.study_uid, patient_digest=decision.patient_digest)
            created = [job for job in jobs if self._create(connection, job, branch=decision.branch)]
            AuditTrail(connection).record(
                "study_selected",
                at=now,
                actor=_ACTOR,
                subject=study.study_uid,
                detail={
                    "revision": revision.revision,
                    "instances": revision.instance_count,
                    "decision": decision.decision,
                    "branch": decision.branch,
                    "jobs": [job.job_id for job in created],
                },
            )
        _log.info(
            "study_selected",
            study_ref=study_ref(study.study_uid),
            revision=revision.revision,
            instances=revision.instance_count,
            decision=decision.decision,
            branch=decision.branch,
            jobs=[job.job_id for job in created],
        )

    def _job(
        self, planned: PlannedJob, revision: RevisionRecord, *, versions: Mapping[str, str], input_digest: str
    ) -> JobRecord:
        version = versions.get(planned.pipeline, NOT_LOADED)
        whole = job_digest(
            study_uid=revision.study_uid,
            pipeline=planned.pipeline,
            pipeline_version=version,
            input_digest=input_digest,
        )
        return JobRecord(
            job_id=job_id_of(whole),
            study_uid=revision.study_uid,
            revision=revision.revision,
            pipeline=planned.pipeline,
            pipeline_version=version,
            input_digest=input_digest,
            route=planned.route,
            destinations=planned.destinations,
            label_in=planned.label_in,
            priority=planned.priority,
            state=JobState.QUEUED,
            attempt=0,
            progress=0.0,
            step="",
            outcome=None,
            reason=None,
            created_at=self.clock.now(),
            started_at=None,
            ended_at=None,
        )

    def _create(self, connection: sa.Connection, job: JobRecord, *, branch: str | None) -> bool:
        """Add a job and its run. False where this work is known: the same images, or only results that came back."""
        if not Jobs(connection).add(job):
            return False
        if self.priors is not None and branch is not None:
            self.priors.begin(connection, job, engine=self.engine, at=job.created_at)
        else:
            self.engine.enqueue(run_request(job, key=run_key(connection, job.job_id)), connection=connection)
        return True

    def _without_jobs_of_a_prior(self, decision: Decision, instances: list[StoredInstance]) -> Decision:
        """A study that came because the node fetched it is kept to be compared; one image that came otherwise makes it
        a study as any."""
        with self.database.read() as connection:
            fetched = FetchedPriors(connection).find(instances[0].study_uid) if instances else None
        if fetched is None or not all(fetched.explains(item.received_at) for item in instances):
            return decision
        return replace(
            decision,
            decision=FETCHED_PRIOR,
            explanation=f"fetched from {fetched.archive} as an earlier examination; it starts no job of its own",
            jobs=(),
        )


def _without_deleted(instances: list[StoredInstance]) -> Decision | None:
    """What to say where images were deleted: a part of a study is not assessed as if it were whole. Else None."""
    deleted = sum(item.deleted_at is not None for item in instances)
    if not deleted:
        return None
    explanation = f"{deleted} of {len(instances)} images were deleted by [retention]; have the whole study sent again"
    return Decision(branch=None, decision=IMAGES_DELETED, explanation=explanation, jobs=())


def _stands(study: StudyRecord, *, version: int, when: When) -> bool:
    """Whether the study still is as it was when the flow was asked for."""
    state = StudyState.RECEIVING if when is When.DUE else StudyState.COMPLETE
    return study.version == version and study.state is state
