"""One study from a folder, and earlier ones from another, without network or database."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from bmnode.app import DEFAULT_PIPELINE, build_runner
from bmnode.clock import SystemClock
from bmnode.config import Settings
from bmnode.domain.follow_up_codes import NOT_COMPARED, FollowUp
from bmnode.domain.ids import digest
from bmnode.domain.ledger import LedgerEntry
from bmnode.domain.pipelines import ReportProgress
from bmnode.errors import NotFoundError, ResultError
from bmnode.priors.comparable import PriorRule
from bmnode.priors.given import GivenPriors, GivenStudies, tell_of_given
from bmnode.priors.reading import Site
from bmnode.results.pictures import draw_pictures
from bmnode.results.reading import read_object
from bmnode.results.wire import load_result_set
from bmnode.run.attempts import attempt_name
from bmnode.run.child_runner import LocalChildRunner
from bmnode.run.runner import RunOutcome, RunRequest
from bmnode.selection.classify import classify
from bmnode.selection.headers import StudyReading, read_study
from bmnode.work.ledger import REPORT_CLASS, ledger_entry_of

DAMAGED_REPORTS = "report(s) among the earlier files cannot be read: their numbers are in no history."


@dataclass(frozen=True, kw_only=True, slots=True)
class RunReport:
    """What came of one study from a folder."""

    outcome: str
    branch: str | None
    reason: str | None
    objects: tuple[Path, ...]
    pictures: tuple[Path, ...]
    comparison: str | None = None
    """How it was compared with an earlier study, in the words of the report; None where none was given, or none could
    be compared."""
    priors: tuple[str, ...] = ()
    """Sentences on the earlier studies that were given, and on why one was not compared."""


def run_folder(
    settings: Settings,
    input_dir: Path,
    out_dir: Path,
    report: ReportProgress,
    *,
    prior_dir: Path | None = None,
    runner: LocalChildRunner | None = None,
) -> RunReport:
    """Assess the study in a folder, without network or database; the results replace those of an earlier run.

    With `prior_dir` it is compared with the latest comparable study in that folder, by the rules of `[priors]`. The
    node's own objects are taken for what was said of it, where they lie beside its images. With a `runner` it is used
    and left open, for one child to serve many folders; else one is started and closed.

    Raises NotFoundError where a folder holds no DICOM study, RunError where the run failed.
    """
    clock = SystemClock()
    files = tuple(sorted(path.absolute() for path in input_dir.rglob("*") if path.is_file()))
    reading = read_study(files)
    inputs = tuple(path for paths in reading.files.values() for path in paths)
    if not inputs:
        raise NotFoundError(f"{input_dir} holds no DICOM images of a study")
    out_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out_dir, prefix=".run-") as folder:
        work = Path(folder).absolute()
        priors = None if prior_dir is None else _told(settings, prior_dir, reading, into=work / "priors")
        request = RunRequest(
            job_id="run",
            job_digest=_job_digest(settings, reading.headers.study_uid, inputs=inputs, priors=priors),
            attempt=1,
            study_uid=reading.headers.study_uid,
            pipeline=DEFAULT_PIPELINE,
            files=inputs,
            output_dir=work,
            created_at=clock.now(),
            series_uids=tuple(reading.files),
            output=settings.results.output,
            priors_dir=None if priors is None else priors.folder,
        )
        used = runner or build_runner(settings, log_path=work / "child.log", clock=clock)
        try:
            outcome = asyncio.run(used.run(request, report))
        finally:
            if runner is None:
                used.close()
        return _hand_over(outcome, work / attempt_name(1), inputs=inputs, out_dir=out_dir, priors=priors)


def _told(settings: Settings, prior_dir: Path, reading: StudyReading, *, into: Path) -> GivenPriors:
    chosen = settings.priors
    given = GivenStudies.from_folder(prior_dir.absolute(), site=Site(zone=chosen.zone, issuer=chosen.issuer))
    entries, damaged = _entries(given)
    told = tell_of_given(
        replace(given, entries=entries),
        [path for paths in reading.files.values() for path in paths],
        study_uid=reading.headers.study_uid,
        branch=classify(reading.headers).branch,
        rule=PriorRule(oldest=timedelta(days=chosen.oldest_days)),
        into=into,
    )
    if not damaged:
        return told
    return replace(told, sentences=(*told.sentences, f"{damaged} {DAMAGED_REPORTS}"))


def _entries(given: GivenStudies) -> tuple[tuple[LedgerEntry, ...], int]:
    """What the node's own reports in the folder say of earlier studies, and how many of them cannot be read."""
    found, damaged = [], 0
    for item in (item for items in given.files.values() for item in items if item.sop_class_uid == REPORT_CLASS):
        try:
            entry = ledger_entry_of(read_object(item.path))
        except ResultError:
            damaged += 1
            continue
        if entry is not None:
            found.append(entry)
    replaced = {uid for entry in found for uid in entry.predecessor_uids}
    return tuple(entry for entry in found if entry.report_uid not in replaced), damaged


def _job_digest(settings: Settings, study_uid: str, *, inputs: tuple[Path, ...], priors: GivenPriors | None) -> str:
    """Other priors are another input, and so is what was said of priors that are not compared."""
    whole = digest((study_uid, *sorted(_sha256(path) for path in inputs)))
    if priors is not None:
        whole = digest((whole, priors.compared, *priors.sentences))
    return settings.results.output.distinguish(whole)


def _hand_over(
    outcome: RunOutcome, attempt: Path, *, inputs: tuple[Path, ...], out_dir: Path, priors: GivenPriors | None
) -> RunReport:
    result = load_result_set(attempt)
    pictures = draw_pictures(result, source_files=inputs, out_dir=out_dir)
    objects = []
    for item in outcome.objects:
        source = attempt.parent / item.path
        objects.append(source.replace(out_dir / source.name))
    compared = (item.value.meaning for item in result.evaluations if item.concept == FollowUp.COMPARISON)
    refused = tuple(sentence for sentence in result.limitations if sentence.startswith(NOT_COMPARED))
    return RunReport(
        outcome=outcome.outcome.value,
        branch=None if outcome.branch is None else outcome.branch.value,
        reason=None if outcome.refusal is None else f"{outcome.refusal.reason}: {outcome.refusal.explanation}",
        objects=tuple(objects),
        pictures=pictures,
        comparison=next(compared, None),
        priors=() if priors is None else (*priors.sentences, *refused),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
