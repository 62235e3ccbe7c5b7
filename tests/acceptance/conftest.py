"""A node and a real Orthanc beside it, as at a site; and `bmnode run` on the studies of a simulated patient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bmnode.app import build_runner
from bmnode.cli.entry import main
from bmnode.cli.session import Session
from bmnode.cli.wiring import FolderReport, Services
from bmnode.clock import SystemClock
from bmnode.config import Settings
from bmnode.domain.objects import ResultKind
from bmnode.domain.peers import Peer
from bmnode.domain.pipelines import ReportProgress
from bmnode.folder_run import run_folder
from bmnode.results.reading import Report, read_report
from bmnode.storage import Database
from bmnode.testing.node import AE_TITLE, NodePlan, NodeProcess, is_delivered
from bmnode.testing.orthanc import OrthancPeer
from bmnode.testing.ports import LOOPBACK, free_ports
from tests.support.polling import eventually
from tests.support.simulated import Patient, simulate_patient

RESULTS_ARRIVE_S = 180.0
_RESULT_MODALITIES = frozenset({"SR", "SEG", "OT", "DOC"})
"""Pictures are of modality OT, documents DOC: the site's archive takes every kind of object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Orthanc and a running node that know each other."""

    orthanc: OrthancPeer
    node: NodeProcess

    def series(self, study_uid: str) -> dict[str, list[str]]:
        """Orthanc's series identifiers of a study by modality; empty where it has none of it."""
        rest = self.orthanc.rest
        found = rest.studies.lookup(study_uid)
        by_modality: dict[str, list[str]] = {}
        for identifier in rest.studies.get_series_ids(found) if found else ():
            modality = rest.get_json(f"series/{identifier}")["MainDicomTags"]["Modality"]
            by_modality.setdefault(modality, []).append(identifier)
        return by_modality

    def await_results(self, study_uid: str, *, seg: bool) -> None:
        """Wait until the node has delivered every object, then see that Orthanc has SR, and all others if due."""
        database = Database(self.node.plan.settings.database_url)
        try:
            eventually(lambda: is_delivered(database, study_uid), timeout_s=RESULTS_ARRIVE_S)
        finally:
            database.dispose()
        assert set(self.series(study_uid)) >= (_RESULT_MODALITIES if seg else {"SR"})

    def download_results(self, study_uid: str, folder: Path) -> dict[str, list[Path]]:
        """Orthanc's own files of a study's results, by modality."""
        rest = self.orthanc.rest
        folder.mkdir(parents=True, exist_ok=True)
        files: dict[str, list[Path]] = {}
        for modality, identifiers in self.series(study_uid).items():
            if modality not in _RESULT_MODALITIES:
                continue
            for identifier in identifiers:
                for instance in rest.series.get_instances_ids(identifier):
                    path = folder / f"{modality}-{instance}.dcm"
                    path.write_bytes(rest.get_binary(f"instances/{instance}/file"))
                    files.setdefault(modality, []).append(path)
        return files


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, orthanc_configuration: Path) -> Iterator[Site]:
    """A site that has just been installed: Orthanc routes to the node, the node delivers to Orthanc."""
    folder = tmp_path_factory.mktemp("site")
    port = free_ports(1)[0]
    known = Peer(name="bmnode", ae_title=AE_TITLE, host=LOOPBACK, port=port)
    with OrthancPeer(folder / "orthanc", configuration=orthanc_configuration, known_peers=[known]) as orthanc:
        archive = replace(orthanc.as_peer(), objects=tuple(ResultKind))
        plan = NodePlan(folder=folder / "node", port=port, peers=(archive,), label_in="orthanc")
        with NodeProcess(plan, clock=SystemClock()) as node:
            yield Site(orthanc=orthanc, node=node)


Assess = Callable[[Path], tuple[int, Report]]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Patient:
    """One simulated patient: planar scan, PET/CT, MR; made once, since it takes most of the time."""
    base = tmp_path_factory.getbasetemp()
    cache = (base.parent if base.name.startswith("popen-") else base) / "anatomy"
    return simulate_patient(tmp_path_factory.mktemp("patient"), cache=cache)


@pytest.fixture(scope="session")
def assess(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assess]:
    """`bmnode run` on a folder: its exit code and the report that it wrote. One child serves all folders."""
    base = tmp_path_factory.mktemp("run")
    runner = build_runner(Settings(), log_path=base / "child.log", clock=SystemClock())

    def run(
        settings: Settings, input_dir: Path, out_dir: Path, report: ReportProgress, *, prior_dir: Path | None = None
    ) -> FolderReport:
        return run_folder(settings, input_dir, out_dir, report, prior_dir=prior_dir, runner=runner)

    def call(folder: Path) -> tuple[int, Report]:
        out = folder.parent / f"{folder.name}-out"
        with pytest.raises(SystemExit) as ended:
            main(["run", str(folder), "--out", str(out)], session=Session(outside=Services(run_folder=run)))
        return int(ended.value.code or 0), read_report(out / "sr.dcm")

    yield call
    runner.close()
