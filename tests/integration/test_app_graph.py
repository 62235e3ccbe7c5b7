"""The operator graph: routing at run time, refusals, errors, repeated runs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from bmnode.domain.ids import derive_uid
from bmnode.domain.pipelines import PipelineRequest, Progress
from bmnode.domain.results import Outcome, ResultSet, Verdict
from bmnode.domain.study import Branch, Reason, SeriesRole
from bmnode.errors import InputError
from operators.graph.contract import BranchDefinition, ComparisonDefinition, NotAssessableError, Step, StudyInput
from pipelines.app import BoneMetastasisPipeline

STUDY = derive_uid("graph", "study")
MODALITIES = {
    Branch.BONE_SCAN: "NM",
    Branch.SPECT: "NM",
    Branch.CT: "CT",
    Branch.MRI: "MR",
    Branch.PET_CT: "PT",
}
IMAGE_TYPES = {
    Branch.BONE_SCAN: ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"],
    Branch.SPECT: ["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
    Branch.MRI: ["DERIVED", "SECONDARY", "ADC"],
}


@dataclass(kw_only=True)
class Recorder:
    """Light branches that write down which steps ran."""

    ran: list[str] = field(default_factory=list)
    fail: Callable[[], Any] | None = None
    answer: Callable[[StudyInput], object] | None = None

    def branches(self) -> tuple[BranchDefinition, ...]:
        """One branch of three steps for each modality."""
        return tuple(self._branch(branch) for branch in Branch)

    def _branch(self, branch: Branch) -> BranchDefinition:
        def first(study: StudyInput) -> StudyInput:
            self.ran.append(f"{branch}:first")
            return study

        def second(study: StudyInput) -> StudyInput:
            self.ran.append(f"{branch}:second")
            if self.fail is not None:
                self.fail()
            return study

        def third(study: StudyInput) -> object:
            self.ran.append(f"{branch}:third")
            return self.answer(study) if self.answer else assessed(study, branch)

        steps = (("first", first), ("second", second), ("third", third))
        return BranchDefinition(branch=branch, steps=tuple(Step(name=name, run=run) for name, run in steps))

    def run(self, files: tuple[Path, ...], report: Callable[[Progress], None] = lambda _: None) -> ResultSet:
        """Run the whole graph with these branches."""
        pipeline = BoneMetastasisPipeline(branches=self.branches)
        return pipeline.run(PipelineRequest(study_uid=STUDY, files=files, seed="seed"), report)


def assessed(study: StudyInput, branch: Branch) -> ResultSet:
    """A result without findings."""
    return ResultSet(
        study_uid=study.request.study_uid,
        outcome=Outcome.ASSESSED,
        branch=branch,
        input_series_uids=tuple(study.files),
    )


def write_study(folder: Path, branch: Branch, **values: Any) -> tuple[Path, ...]:
    """Headers of a study that takes the branch, twelve slices with a pixel each."""
    paths = []
    for index in range(12):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        uid = UID(derive_uid("graph", branch, str(index)))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.StudyInstanceUID = STUDY
        dataset.SeriesInstanceUID = derive_uid("graph", branch)
        dataset.PatientID = "P"
        dataset.Modality = MODALITIES[branch]
        dataset.ImageType = IMAGE_TYPES.get(branch, ["ORIGINAL", "PRIMARY"])
        dataset.SeriesDescription = "BONE MDP" if dataset.Modality == "NM" else ""
        dataset.PixelSpacing = [1, 1]
        dataset.ImagePositionPatient = [0, 0, index]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.Rows = dataset.Columns = dataset.SamplesPerPixel = 1
        dataset.BitsAllocated = 16
        dataset.PixelData = b"\0\0"
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        path = folder / f"{branch}-{index}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


@pytest.mark.parametrize("branch", list(Branch))
def test_only_the_chosen_branch_is_executed(tmp_path: Path, branch: Branch) -> None:
    """The study is routed at run time: its branch's steps run once, in order, and no other branch's."""
    recorder = Recorder()
    result = recorder.run(write_study(tmp_path, branch))
    assert recorder.ran == [f"{branch}:{name}" for name in ("first", "second", "third")]
    assert result.branch is branch


def test_branch_gets_its_files_by_role(tmp_path: Path) -> None:
    """The first step receives headers, roles and the files of each series."""
    seen: list[StudyInput] = []

    def answer(study: StudyInput) -> ResultSet:
        seen.append(study)
        return assessed(study, Branch.CT)

    files = write_study(tmp_path, Branch.CT)
    Recorder(answer=answer).run(files)
    (study,) = seen
    (series,) = study.role(SeriesRole.ANATOMY)
    assert set(study.files[series]) == set(files)
    assert study.request.seed == "seed"


def test_refused_study_reaches_the_end_through_no_branch(tmp_path: Path) -> None:
    """A study that no branch can assess is a result with its reason."""
    recorder = Recorder()
    result = recorder.run(write_study(tmp_path, Branch.CT, BodyPartExamined="HEAD"))
    assert recorder.ran == []
    assert result.outcome is Outcome.NOT_ASSESSABLE
    assert result.refusal is not None
    assert result.refusal.reason is Reason.UNSUPPORTED_EXAMINATION
    assert result.branch is None


def _not_assessable() -> None:
    raise NotAssessableError(Reason.MISSING_CALIBRATION, "No dose.")


def _unreadable() -> None:
    raise InputError("the slices overlap")


@pytest.mark.parametrize(
    ("fail", "reason"), [(_not_assessable, Reason.MISSING_CALIBRATION), (_unreadable, Reason.UNREADABLE_INPUT)]
)
def test_refusal_in_a_branch_skips_the_rest(tmp_path: Path, fail: Callable[[], None], reason: Reason) -> None:
    """What a step finds not assessable is the result; the steps after it do not run."""
    recorder = Recorder(fail=fail)
    result = recorder.run(write_study(tmp_path, Branch.PET_CT))
    assert recorder.ran == ["pet_ct:first", "pet_ct:second"]
    assert result.refusal is not None
    assert result.refusal.reason is reason
    assert result.branch is Branch.PET_CT


class PeculiarError(Exception):
    """An error that nothing else raises."""


def _break() -> None:
    raise PeculiarError("a defect")


def test_defect_comes_out_with_its_own_type(tmp_path: Path) -> None:
    """An exception in a step is neither swallowed nor renamed, and the next run is not affected."""
    recorder = Recorder(fail=_break)
    files = write_study(tmp_path, Branch.MRI)
    with pytest.raises(PeculiarError, match="a defect"):
        recorder.run(files)
    assert Recorder().run(files).branch is Branch.MRI


def test_branch_must_end_with_a_result(tmp_path: Path) -> None:
    """A last step that returns something else is a defect."""
    with pytest.raises(TypeError, match="ResultSet"):
        Recorder(answer=lambda _: "done").run(write_study(tmp_path, Branch.CT))


def test_graph_that_comes_to_rest_without_a_result_is_an_error() -> None:
    """An operator that emits nothing stalls the graph; that does not read as success."""
    from operators.graph.base import IN, OUT, GraphRun, SinkOperator, SourceOperator
    from operators.graph.runner import GraphStalledError, chain, run_graph
    from operators.graph.runtime import Application

    class Silent(SourceOperator[str]):
        """Computes and gives nothing on."""

        def compute(self, _op_input: Any, _op_output: Any, _context: Any) -> None:
            """Do nothing."""

    class End(SinkOperator[str]):
        """Never reached."""

        def finish(self, value: object) -> None:
            """Fail if it is."""
            raise AssertionError(f"{value} arrived between {OUT} and {IN}")

    request = PipelineRequest(study_uid="1.2", files=(), seed="s")
    run = GraphRun(request=request, report=lambda _: None)

    def compose(app: Application) -> None:
        start = Silent(app, run=run, at=Progress(fraction=0.0, step="silent"))
        chain(app, (start, End(app, run=run, at=Progress(fraction=1.0, step="end"))))

    with pytest.raises(GraphStalledError):
        run_graph(compose, run=run)


def test_progress_grows_and_ends_at_one(tmp_path: Path) -> None:
    """Every operator reports its step, with fractions that only grow."""
    seen: list[Progress] = []
    Recorder().run(write_study(tmp_path, Branch.SPECT), seen.append)
    fractions = [item.fraction for item in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert [item.step for item in seen] == [
        "load_study",
        "select_modality",
        "spect:first",
        "spect:second",
        "spect:third",
        "collect_result",
    ]


def test_unreadable_files_are_reported_with_the_result(tmp_path: Path) -> None:
    """A study is assessed without the files that cannot be read, and the result says how many."""
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"not an image")
    result = Recorder().run((*write_study(tmp_path, Branch.CT), broken))
    checks = {item.name: item for item in result.quality}
    assert checks["Readable files"].verdict is Verdict.WARN
    assert "1 of 13 files" in checks["Readable files"].explanation


def test_an_unknown_age_is_told(tmp_path: Path) -> None:
    """A study that states neither age nor birth date is assessed as an adult's, and the result says so."""
    (check,) = Recorder().run(write_study(tmp_path, Branch.CT)).quality
    assert (check.name, check.verdict) == ("Age of the patient", Verdict.NOT_EVALUABLE)


def test_nothing_readable_is_a_refusal(tmp_path: Path) -> None:
    """A study of broken files alone is not assessable, with that reason."""
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"not an image")
    refusal = Recorder().run((broken,)).refusal
    assert refusal is not None
    assert refusal.reason is Reason.UNREADABLE_INPUT


def test_many_runs_in_one_process(tmp_path: Path) -> None:
    """A warm child runs study after study."""
    files = {branch: write_study(tmp_path, branch) for branch in Branch}
    for _ in range(4):
        for branch, paths in files.items():
            assert Recorder().run(paths).branch is branch


def test_arguments_of_the_process_are_left_alone(tmp_path: Path) -> None:
    """Holoscan does not parse the worker's arguments, warns of no stack limit, and writes nothing to its output."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from bmnode.domain.pipelines import PipelineRequest\n"
        "from pipelines.app import BoneMetastasisPipeline\n"
        "pipeline = BoneMetastasisPipeline(branches=lambda: ())\n"
        f"request = PipelineRequest(study_uid={STUDY!r}, files=(Path('missing.dcm'),), seed='s')\n"
        "result = pipeline.run(request, lambda _: None)\n"
        "print(result.refusal.reason, sys.argv[1:])\n"
    )
    arguments = ["--driver", "--worker", "--config", "nowhere.yaml", "--log-level", "DEBUG"]
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).resolve().parents[2],
        env={name: value for name, value in os.environ.items() if not name.startswith("HOLOSCAN")},
        preexec_fn=_low_stack_limit,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"unreadable_input {arguments}\n"


def _low_stack_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (8 * 1024 * 1024, hard))


@pytest.mark.parametrize("looked", [True, False])
def test_a_result_is_compared_where_somebody_looked_for_a_prior(tmp_path: Path, *, looked: bool) -> None:
    """Register, match and assess run once, in this order, on the branch's result; without a folder none does."""
    recorder = Recorder()
    steps: list[str] = []

    def register(result: ResultSet, *, study: StudyInput) -> tuple[ResultSet, StudyInput]:
        steps.append("register")
        return result, study

    def match(pair: tuple[ResultSet, StudyInput]) -> tuple[ResultSet, StudyInput]:
        steps.append("match")
        return pair

    def assess(pair: tuple[ResultSet, StudyInput]) -> ResultSet:
        steps.append("assess")
        return replace(pair[0], limitations=("Compared.",))

    pipeline = BoneMetastasisPipeline(
        branches=recorder.branches,
        comparison=lambda _: ComparisonDefinition(register=register, match=match, assess=assess),
    )
    request = PipelineRequest(
        study_uid=STUDY,
        files=write_study(tmp_path, Branch.CT),
        seed="seed",
        priors_dir=tmp_path if looked else None,
    )
    result = pipeline.run(request, lambda _: None)
    assert steps == (["register", "match", "assess"] if looked else [])
    assert result.limitations == (("Compared.",) if looked else ())
