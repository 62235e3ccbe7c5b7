"""Fills the folder in which a job is told of earlier examinations; see `bmnode.priors.handover`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bmnode.domain.ids import digest
from bmnode.domain.objects import ResultKind, SegEncoding, encoding_of
from bmnode.domain.records import ResultRecord, StoredInstance
from bmnode.domain.results import Outcome
from bmnode.domain.states import JobState
from bmnode.errors import InputError
from bmnode.priors.examination import Examination
from bmnode.priors.handover import (
    PRIOR_FOLDER,
    PRIORS_FILE,
    PriorInput,
    PriorRole,
    PriorStudy,
    SearchOutcome,
    read_prior_input,
    write_prior_input,
)
from bmnode.priors.reading import is_own_result
from bmnode.priors.search import Found
from bmnode.storage import Database, Instances, Jobs, Results

_REPORTS = "1.2.840.10008.5.1.4.1.1.88."
_SEGMENTATIONS = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})
_OTHERS_OF_OURS = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.66.1",  # Spatial Registration
        "1.2.840.10008.5.1.4.1.1.66.3",  # Deformable Spatial Registration
        "1.2.840.10008.5.1.4.1.1.7",  # Secondary Capture
        "1.2.840.10008.5.1.4.1.1.104.1",  # Encapsulated PDF
    }
)
"""SOP classes besides reports and segmentations in which bmnode writes."""
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


@dataclass(kw_only=True, slots=True)
class _Sorted:
    """The files of one earlier examination, by where they are linked."""

    images: dict[str, Path] = field(default_factory=dict)
    results: dict[str, Path] = field(default_factory=dict)
    reviews: dict[str, Path] = field(default_factory=dict)
    hashes: list[str] = field(default_factory=list)


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
        files = {item.study_uid: self._files(item.study_uid) for item in _roles(found)}
        told = PriorInput(
            study_uid=current.study_uid,
            outcome=found.outcome,
            explanation=found.explanation,
            considered=found.considered,
            priors=tuple(
                _told(item, roles=roles, current=current, found=found, files=files[item.study_uid])
                for item, roles in _roles(found).items()
            ),
        )
        hashes = [value for item in files.values() for value in (*sorted(item.hashes), *sorted(item.results))]
        roles = [f"{item.study_uid} {role}" for item in told.priors for role in item.roles]
        compared = digest((*roles, *hashes)) if told.priors else ""
        name = digest((compared, *told.sentences()))[:16]
        return PriorFolder(path=self._write(job_id, name, told, files), compared=compared)

    def _write(self, job_id: str, name: str, told: PriorInput, files: Mapping[str, _Sorted]) -> Path:
        final = self.results_dir / job_id / f"priors-{name}"
        if (final / PRIORS_FILE).is_file():
            return final
        shutil.rmtree(final, ignore_errors=True)
        final.mkdir(parents=True)
        for study_uid, found in files.items():
            for kind, links in (("images", found.images), ("results", found.results), ("reviews", found.reviews)):
                folder = final / PRIOR_FOLDER / study_uid / kind
                folder.mkdir(parents=True)
                for link, target in links.items():
                    (folder / link).symlink_to(target.absolute())
        write_prior_input(told, final)
        return final

    def _files(self, study_uid: str) -> _Sorted:
        found = _Sorted()
        with self.database.read() as connection:
            instances = Instances(connection).of_study(study_uid)
            jobs = Jobs(connection).of_study(study_uid)
            results = [
                Results(connection).of_job(job.job_id)
                for job in jobs
                if job.state is JobState.SUCCEEDED and job.outcome == Outcome.ASSESSED
            ]
        own = _last_run(results[-1]) if results else ()
        found.results.update({_name(item.sop_instance_uid): self.results_dir / item.path for item in own})
        for item in instances:
            path, name = self.locate(item), _name(item.sop_instance_uid)
            says_something = item.sop_class_uid.startswith(_REPORTS) or item.sop_class_uid in _SEGMENTATIONS
            if (says_something or item.sop_class_uid in _OTHERS_OF_OURS) and is_own_result(path):
                if not own:
                    found.results[name] = path
                continue
            found.hashes.append(item.sha256)
            if says_something:
                found.reviews[name] = path
            else:
                found.images[name] = path
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


def _name(sop_instance_uid: str) -> str:
    return f"{sop_instance_uid}.dcm"


def _roles(found: Found) -> dict[Examination, list[PriorRole]]:
    choice = found.choice
    roles: dict[Examination, list[PriorRole]] = {}
    chosen = ((PriorRole.LATEST, choice.latest), (PriorRole.BASELINE, choice.baseline), (PriorRole.NADIR, choice.nadir))
    for role, examination in chosen:
        if examination is not None:
            roles.setdefault(examination, []).append(role)
    return roles


def _told(
    prior: Examination, *, roles: Sequence[PriorRole], current: Examination, found: Found, files: _Sorted
) -> PriorStudy:
    """Raises ValueError for an examination without a day; none such is comparable."""
    if prior.performed_at is None or current.performed_at is None:
        raise ValueError("what is compared has a day")
    day = prior.performed_at.date()
    caveats = next(item.caveats for item in found.considered if item.study_uid == prior.study_uid)
    folder = Path(PRIOR_FOLDER) / prior.study_uid
    return PriorStudy(
        study_uid=prior.study_uid,
        performed_on=day,
        days_before=max((current.performed_at.date() - day).days, 1),  # zones may differ; it is no day of today
        roles=tuple(roles),
        images=tuple(folder / "images" / name for name in sorted(files.images)),
        results=tuple(folder / "results" / name for name in sorted(files.results)),
        reviews=tuple(folder / "reviews" / name for name in sorted(files.reviews)),
        caveats=caveats,
    )
