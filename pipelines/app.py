"""The one MONAI Deploy application: load, select, one branch, collect.

    load_study -> select_modality -+-> bone_scan: step -> step ... -+-> register -> match -> assess -> collect_result
                                   +-> spect: ...                  -+                                       |
                                   +-> ct, mri, pet_ct: ...        -+                                       |
                                   +-> (not assessable) ----------------------------------------------------+

`select_modality` chooses the way at run time; the other branches are not executed. MONAI Deploy
and the branches are imported when a study is first run, so that asking for the name and the
version costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib.metadata import version as distribution_version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bmnode.domain.ids import digest
from bmnode.domain.models import ModelChoice
from bmnode.domain.pipelines import PipelineRequest, Progress, ReportProgress
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch
from bmnode.errors import ConfigError
from operators.graph.contract import BranchDefinition, ComparisonDefinition, StudyInput

if TYPE_CHECKING:
    from operators.graph.base import GraphRun
    from operators.graph.runtime import Application
    from pipelines.bone_scan.model import ScanModel

_NO_MODELS: Mapping[Branch, ModelChoice] = MappingProxyType({})
_BRANCH_START = 0.1
_BRANCH_END = 0.8
_COMPARISON_END = 0.97
"""Between these shares of a run's progress lie the branch's steps, then the comparison; reading and collecting take the
rest."""


def load_branches(models: Mapping[Branch, ModelChoice] = _NO_MODELS) -> tuple[BranchDefinition, ...]:
    """Every branch of the pipeline, with the learned models that were chosen for it.

    Raises BundleRefusedError where a bundle is not whole, ConfigError where its branch takes none.
    """
    from pipelines.bone_scan.branch import BRANCH as BONE_SCAN
    from pipelines.bone_scan.branch import definition
    from pipelines.ct.branch import BRANCH as CT
    from pipelines.mri.branch import BRANCH as MRI
    from pipelines.pet_ct.branch import BRANCH as PET_CT
    from pipelines.spect.branch import BRANCH as SPECT

    for branch in models:
        if branch is not Branch.BONE_SCAN:
            raise ConfigError(f"the branch {branch} takes no learned model in this version")
    if not models:
        return (BONE_SCAN, SPECT, CT, MRI, PET_CT)
    return (definition(_scan_model(models[Branch.BONE_SCAN])), SPECT, CT, MRI, PET_CT)


@cache
def _scan_model(choice: ModelChoice) -> ScanModel:
    """Loaded once a process: a bundle is never changed in its place."""
    from pipelines.bone_scan.model import ScanModel

    return ScanModel.from_folder(choice.folder, digest=choice.digest)


def load_comparison(branches: Sequence[BranchDefinition]) -> ComparisonDefinition:
    """How a result is compared with that of an earlier scan, which a branch assesses where nobody did before."""
    from pipelines.follow_up.assess import assess_pair
    from pipelines.follow_up.match import match_prior
    from pipelines.follow_up.register import register_prior

    register = partial(register_prior, assess_alone=partial(_assess_alone, {item.branch: item for item in branches}))
    return ComparisonDefinition(register=register, match=match_prior, assess=assess_pair)


def _assess_alone(branches: Mapping[Branch, BranchDefinition], study: StudyInput) -> ResultSet:
    """A study by the steps of its branch. Raises NotAssessableError."""
    branch = study.classification.branch
    if branch is None:
        raise ValueError("a study without a branch is not assessed")
    value: object = study
    for step in branches[branch].steps:
        value = step.run(value)
    if not isinstance(value, ResultSet):
        raise TypeError(f"a branch ends with a ResultSet, not with a {type(value).__name__}")
    return value


def profile_paths() -> tuple[Path, ...]:
    """The `pipeline.toml` of every branch, and what registers scans."""
    folder = Path(__file__).parent
    return (*(folder / branch / "pipeline.toml" for branch in Branch), folder / "follow_up" / "registration.toml")


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneMetastasisPipeline:
    """Satisfies `bmnode.domain.pipelines.Pipeline`."""

    name: str = "bone_metastasis"
    branches: Callable[[], Sequence[BranchDefinition]] = load_branches
    comparison: Callable[[Sequence[BranchDefinition]], ComparisonDefinition] = load_comparison
    profiles: Callable[[], Sequence[Path]] = profile_paths
    models: Mapping[Branch, ModelChoice] = field(default_factory=dict)

    def with_models(self, models: Mapping[Branch, ModelChoice]) -> BoneMetastasisPipeline:
        """The same with these bundles, by branch. Raises what `load_branches` does.

        They are loaded now, so that a bundle that is refused is known before the first study.
        """
        load_branches(models)
        return replace(self, branches=partial(load_branches, models), models=dict(models))

    @property
    def version(self) -> str:
        """The distribution's version and the head of the digest of every threshold and model in force."""
        texts = [path.read_text(encoding="utf-8") for path in self.profiles()]
        texts += [f"{branch}={choice.digest}" for branch, choice in sorted(self.models.items())]
        return f"{distribution_version('bmnode')}+{digest(texts)[:12]}"

    def warm_up(self) -> None:
        """Import MONAI Deploy and every branch: seconds that the first study shall not wait for."""
        from operators.graph import runner  # noqa: F401 - for its import alone

        self.comparison(self.branches())

    def run(self, request: PipelineRequest, report: ReportProgress) -> ResultSet:
        """Assess one study. Raises only what is a defect; what cannot be assessed is a result.

        `report` is called from the graph's own thread, not from the caller's.
        """
        from operators.graph.base import GraphRun
        from operators.graph.runner import run_graph

        run = GraphRun(request=request, report=report)
        branches = tuple(self.branches())
        comparison = self.comparison(branches)
        return run_graph(lambda app: _compose(app, run=run, branches=branches, comparison=comparison), run=run)


def _compose(
    app: Application, *, run: GraphRun, branches: Sequence[BranchDefinition], comparison: ComparisonDefinition
) -> None:
    """Build the graph of one run."""
    from operators.graph.base import StageOperator
    from operators.graph.runner import chain, route
    from operators.nodes.collect_result import CollectResult
    from operators.nodes.compare import Assess, Match, Register
    from operators.nodes.load_study import LoadStudy
    from operators.nodes.run_step import RunStep
    from operators.nodes.select_modality import END, SelectModality

    load = LoadStudy(app, run=run, at=Progress(fraction=0.0, step="load_study"))
    select = SelectModality(app, run=run, at=Progress(fraction=_BRANCH_START, step="select_modality"))
    collect = CollectResult(app, run=run, at=Progress(fraction=1.0, step="collect_result"))
    register = Register(app, run=run, at=_compared(0), register=comparison.register)
    match = Match(app, run=run, at=_compared(1), match=comparison.match)
    assess = Assess(app, run=run, at=_compared(2), assess=comparison.assess)
    chain(app, (load, select))
    chain(app, (register, match, assess, collect))
    targets: dict[str, StageOperator[object, object] | CollectResult] = {END: collect}
    for definition in branches:
        steps = [
            RunStep(app, run=run, at=at, branch=definition.branch, step=step)
            for step, at in zip(definition.steps, _progress(definition), strict=True)
        ]
        chain(app, (*steps, register))
        targets[str(definition.branch)] = steps[0]
    route(app, select, targets=targets, chosen=lambda: select.chosen)


def _progress(definition: BranchDefinition) -> tuple[Progress, ...]:
    """Where each step of a branch starts; the operator's name is the branch's and the step's."""
    share = (_BRANCH_END - _BRANCH_START) / max(len(definition.steps), 1)
    return tuple(
        Progress(fraction=_BRANCH_START + share * index, step=f"{definition.branch}:{step.name}")
        for index, step in enumerate(definition.steps)
    )


def _compared(number: int) -> Progress:
    """Where each operator of the comparison starts."""
    names = ("register", "match", "assess")
    share = (_COMPARISON_END - _BRANCH_END) / len(names)
    return Progress(fraction=_BRANCH_END + share * number, step=names[number])


PIPELINE = BoneMetastasisPipeline()
