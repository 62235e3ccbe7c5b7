"""The demo's play: patients are made, sent, assessed, delivered, compared and drawn."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file

from bmnode.clock import Clock
from bmnode.delivery.sender import CStoreSender
from bmnode.demo.truth import Comparison, compare, is_candidate
from bmnode.domain.pipelines import Progress, ReportProgress
from bmnode.domain.results import Outcome
from bmnode.domain.study import Reason
from bmnode.errors import NotFoundError, PeerRefusedError
from bmnode.results.pictures import draw_pictures
from bmnode.results.reading import Report, read_report
from bmnode.results.wire import load_result_set
from bmnode.storage import Database, Jobs, Results
from bmnode.testing.archive import EmbeddedArchive
from bmnode.testing.node import NodePlan, NodeProcess, is_delivered
from bmnode.testing.patients import DEMO_PATIENTS, demo_cohort
from bmnode.testing.patients.spec import StudyTruth

REAL_SCAN = "JPEG-LL.dcm"
"""A real whole-body bone scan of the NEMA compression samples, as the package pydicom-data carries it."""
WAIT_S = 300.0
_POLL_S = 0.25

OpenBar = Callable[[str], AbstractContextManager[ReportProgress]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Guest:
    """One study of the demo. A real one has no truth."""

    name: str
    description: str
    study_uid: str
    files: tuple[Path, ...]
    truth: StudyTruth | None
    expected_refusal: Reason | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What came of a study, by the objects that arrived in the archive."""

    guest: Guest
    report: Report
    comparison: Comparison | None
    objects: tuple[Path, ...]
    pictures: tuple[Path, ...]

    @property
    def candidate_count(self) -> int:
        """How many findings the report takes for lesions."""
        return sum(is_candidate(finding) for finding in self.report.findings)

    @property
    def as_expected(self) -> bool:
        """Whether a study to refuse was refused for its reason, and the others were assessed."""
        if self.guest.expected_refusal is not None:
            return self.report.reason is self.guest.expected_refusal
        return self.report.outcome is Outcome.ASSESSED


def real_scan() -> Guest | None:
    """The real bone scan, or None where its package is not installed. Nothing is downloaded."""
    found = get_testdata_file(REAL_SCAN, download=False)
    if found is None:
        return None
    header = dcmread(found, stop_before_pixels=True, specific_tags=["StudyInstanceUID"])
    return Guest(
        name="bone-scan-real",
        description="Whole-body bone scan, one view",
        study_uid=str(header.StudyInstanceUID),
        files=(Path(found),),
        truth=None,
    )


def guests(folder: Path) -> Iterator[Guest]:
    """The demo's studies one by one, each when it is ready: the real scan first, then the synthetic ones."""
    real = real_scan()
    if real is not None:
        yield real
    for study in demo_cohort(folder):
        yield Guest(
            name=study.dicom_folder.parent.name,
            description=study.description,
            study_uid=study.study_uid,
            files=study.files,
            truth=study.truth,
            expected_refusal=study.refusal,
        )


def await_results(database: Database, invited: Sequence[Guest], *, clock: Clock, report: ReportProgress) -> None:
    """Wait until every study's job has ended and its objects are delivered. Raises NotFoundError after `WAIT_S`."""
    deadline = clock.monotonic_s() + WAIT_S
    waiting = {guest.study_uid for guest in invited}
    while waiting:
        waiting = {study_uid for study_uid in waiting if not is_delivered(database, study_uid)}
        done = len(invited) - len(waiting)
        report(Progress(fraction=done / len(invited), step=f"{done} of {len(invited)} results in the archive"))
        if waiting and clock.monotonic_s() > deadline:
            raise NotFoundError(f"{len(waiting)} studies had no result within {WAIT_S:g} s: see node.log")
        clock.sleep_s(_POLL_S)


def collect(guest: Guest, *, archive: EmbeddedArchive, database: Database, plan: NodePlan, out: Path) -> Ending:
    """Copy a study's objects out of the archive, read them, compare with the truth and draw.

    Raises NotFoundError where an object that the node delivered is not in the archive.
    """
    folder = out / guest.name
    folder.mkdir(parents=True, exist_ok=True)
    held = {item.sop_instance_uid: item.path for item in archive.instances()}
    with database.read() as connection:
        (job,) = Jobs(connection).of_study(guest.study_uid)
        records = Results(connection).of_job(job.job_id)
    copies: dict[str, list[Path]] = {}
    for record in records:
        if record.sop_instance_uid not in held:
            raise NotFoundError(f"{record.kind} of {guest.name} was delivered but is not in the archive")
        copy = folder / Path(record.path).name
        shutil.copyfile(held[record.sop_instance_uid], copy)
        copies.setdefault(record.kind, []).append(copy)
    report = read_report(copies["sr"][0])
    result_set = load_result_set((plan.settings.node.data_dir / "results" / records[0].path).parent)
    return Ending(
        guest=guest,
        report=report,
        comparison=None
        if guest.truth is None
        else compare(guest.truth, report=report, segmentations=copies.get("seg", ())),
        objects=tuple(path for paths in copies.values() for path in paths),
        pictures=draw_pictures(result_set, source_files=guest.files, out_dir=folder),
    )


def play(out: Path, *, clock: Clock, bar: OpenBar) -> list[Ending]:
    """The whole play. What the node and the archive keep stays in `out/work`.

    Args:
        out: folder of the results; what an earlier demo left in it is removed.
        clock: time.
        bar: opens a progress bar with a label.
    """
    shutil.rmtree(out, ignore_errors=True)
    work = out / "work"
    with EmbeddedArchive(work / "archive", ae_title="ARCHIVE") as archive:
        plan = NodePlan(folder=work / "node", peers=(archive.as_peer(),))
        stage = Stage(plan=plan, archive=archive, clock=clock, bar=bar)
        with NodeProcess(plan, clock=clock) as node:
            with bar("Making and sending") as report:
                invited = list(_invite(work / "patients", node=node, clock=clock, report=report))
            return stage.end(invited, out=out)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Where the play takes place."""

    plan: NodePlan
    archive: EmbeddedArchive
    clock: Clock
    bar: OpenBar

    def end(self, invited: Sequence[Guest], *, out: Path) -> list[Ending]:
        """Wait for every result, then compare and draw."""
        database = Database(self.plan.settings.database_url)
        try:
            with self.bar("Assessing") as report:
                await_results(database, invited, clock=self.clock, report=report)
            endings: list[Ending] = []
            with self.bar("Comparing and drawing") as report:
                for guest in invited:
                    endings.append(collect(guest, archive=self.archive, database=database, plan=self.plan, out=out))
                    report(Progress(fraction=len(endings) / len(invited), step=guest.name))
            return endings
        finally:
            database.dispose()


def _invite(folder: Path, *, node: NodeProcess, clock: Clock, report: ReportProgress) -> Iterator[Guest]:
    sender = CStoreSender("DEMO", clock=clock)
    expected = len(DEMO_PATIENTS) + 1
    for number, guest in enumerate(guests(folder), start=1):
        refused = [item for item in sender.send(node.plan.as_peer, guest.files) if not item.accepted]
        if refused:
            raise PeerRefusedError(f"the node refused {len(refused)} images of {guest.name}: {refused[0].detail}")
        report(Progress(fraction=min(number / expected, 1.0), step=f"{guest.name}, {len(guest.files)} images"))
        yield guest
