"""Fills the folder in which a job is told of earlier examinations; see `bmnode.priors.handover`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bmnode.domain.ids import digest
from bmnode.domain.objects import ResultKind, SegEncoding, encoding_of
from bmnode.domain.records import ResultRecord, StoredInstance
from bmnode.domain.results import Outcome
from bmnode.domain.states import JobState
from bmnode.errors import InputError
from bmnode.priors.examination import Examination
from bmnode.priors.handover import SearchOutcome, read_prior_input, write_prior_input
from bmnode.priors.identity import patient_digest
from bmnode.priors.search import Found
from bmnode.priors.telling import PriorFiles, compared, roles_of, told_of, write_folder
from bmnode.storage import Database, Instances, Jobs, Ledger, Results

FAILED = "The comparison with an earlier examination failed repeatedly: this report is of the present one alone."
DELETED = "What was to be compared was deleted from the node meanwhile: this report is of the present one alone."
_TOLD = frozenset({ResultKind.SR, ResultKind.ROI_SR, ResultKind.SEG, ResultKind.REG})


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorFolder:
    """A folder that was filled.

    Args:
        path: the folder.
        compared: names the examinations to compare and their files; empty for none.
    """

    path: Path
    compared: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PriorFolders:
    """Makes the folders.

    Args:
        database: where instances and results are looked up.
        locate: where an instance's file lies.
        results_dir: where the jobs' folders are.
    """

    database: Database
    locate: Callable[[StoredInstance], Path]
    results_dir: Path

    def fill(self, job_id: str, *, current: Examination, found: Found) -> PriorFolder:
        """The folder for what was found; the same finding gives the same folder. Raises OSError."""
        files = {item.study_uid: self._files(item.study_uid) for item in roles_of(found)}
        with self.database.read() as connection:
            entries = Ledger(connection).of_patient(patient_digest(current.patient.patient_id))
        told = told_of(current, found=found, files=files, entries=entries)
        what = compared(told, files=files)
        past = [json.dumps(item.to_json(), sort_keys=True) for item in told.history]
        name = digest((what, *told.sentences(), *past))[:16]
        path = self.results_dir / job_id / f"priors-{name}"
        write_folder(path, told, files=files)
        return PriorFolder(path=path, compared=what)

    def _files(self, study_uid: str) -> PriorFiles:
        found = PriorFiles()
        with self.database.read() as connection:
            instances = Instances(connection).of_study(study_uid)
            jobs = Jobs(connection).of_study(study_uid)
            results = [
                Results(connection).of_job(job.job_id)
                for job in jobs
                if job.state is JobState.SUCCEEDED and job.outcome == Outcome.ASSESSED
            ]
        for item in instances:
            found.add(
                self.locate(item),
                sop_class_uid=item.sop_class_uid,
                sop_instance_uid=item.sop_instance_uid,
                sha256=item.sha256,
            )
        own = _last_run(results[-1]) if results else ()
        if own:  # not what an archive sent back
            found.results = {item.sop_instance_uid: self.results_dir / item.path for item in own}
        return found


def is_whole(folder: str, *, results_dir: Path) -> bool:
    """Whether everything that a folder tells of is still there: a study may be rejected while a job waits for it."""
    links = (path for path in (results_dir / folder).rglob("*") if path.is_symlink())
    return all(link.exists() for link in links)


def set_aside(folder: str, *, results_dir: Path, explanation: str) -> str:
    """The folder that tells the same but has nothing to compare, for an attempt that is to succeed without.

    Folders are relative to `results_dir`. One that cannot be read or written stands for itself.
    """
    name = f"{folder}-{'deleted' if explanation == DELETED else 'set-aside'}"
    try:
        told = read_prior_input(results_dir / folder)
        alone = replace(told, outcome=SearchOutcome.SET_ASIDE, explanation=explanation, priors=())
        (results_dir / name).mkdir(exist_ok=True)
        write_prior_input(alone, results_dir / name)
    except (InputError, OSError):
        return folder
    return name


def _last_run(results: Sequence[ResultRecord]) -> Sequence[ResultRecord]:
    """Reports, segmentations and registrations of a job's last run, in the encoding that is always written."""
    told = [item for item in results if item.kind in _TOLD and encoding_of(item.path) is SegEncoding.BINARY]
    last = max((_attempt(item) for item in told), default=0)
    return [item for item in told if _attempt(item) == last]


def _attempt(item: ResultRecord) -> int:
    """Of `<job>/attempt-<n>/<file>`."""
    return int(Path(item.path).parts[1].rpartition("-")[2])
