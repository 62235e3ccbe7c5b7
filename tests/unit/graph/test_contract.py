"""What a branch hands to the graph, and what the pipeline says of itself before it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bmnode.domain.pipelines import Pipeline, PipelineRequest
from bmnode.domain.results import Outcome
from bmnode.domain.study import Branch, Classification, Reason, Refusal, SeriesHeader, SeriesRole, StudyHeaders
from operators.graph.contract import NotAssessableError, StudyInput, refuse
from pipelines.app import PIPELINE, BoneMetastasisPipeline


def header(uid: str, *, synthetic: bool = False) -> SeriesHeader:
    """A series of nothing in particular."""
    return SeriesHeader(
        series_uid=uid, modality="CT", sop_class_uid="1.2", instance_count=1, frame_count=1, synthetic=synthetic
    )


def test_refusal_names_its_input() -> None:
    """A refused study's result carries the reason, the series that were there and whether they are simulated."""
    headers = StudyHeaders(study_uid="1.2", series=(header("1"), header("2", synthetic=True)))
    refusal = Refusal(reason=Reason.NO_IMAGES, explanation="Nothing.")
    result = refuse("1.2", refusal, headers=headers, branch=Branch.CT)
    assert result.outcome is Outcome.NOT_ASSESSABLE
    assert result.refusal == refusal
    assert result.input_series_uids == ("1", "2")
    assert result.synthetic


def test_not_assessable_error_carries_its_refusal() -> None:
    """What a step raises is what the reader is told."""
    error = NotAssessableError(Reason.MISSING_GEOMETRY, "No spacing.")
    assert error.refusal == Refusal(reason=Reason.MISSING_GEOMETRY, explanation="No spacing.")


def test_roles_are_empty_where_nothing_has_them() -> None:
    """A branch may ask for any role."""
    study = StudyInput(
        request=PipelineRequest(study_uid="1.2", files=(), seed="s"),
        headers=StudyHeaders(study_uid="1.2", series=(header("1"),)),
        classification=Classification(branch=Branch.CT, roles={SeriesRole.ANATOMY: ("1",)}),
        files={},
    )
    assert study.role(SeriesRole.ANATOMY) == ("1",)
    assert study.role(SeriesRole.EMISSION) == ()
    assert not study.synthetic


def test_version_changes_with_the_thresholds(tmp_path: Path) -> None:
    """Another threshold is another version, so that the same study is assessed anew."""
    profile = tmp_path / "pipeline.toml"
    pipeline: Pipeline = BoneMetastasisPipeline(profiles=lambda: (profile,))
    profile.write_text("threshold = 2.0\n")
    before = pipeline.version
    profile.write_text("threshold = 2.5\n")
    assert pipeline.version != before
    profile.write_text("threshold = 2.0\n")
    assert pipeline.version == before


def test_entry_point_is_light() -> None:
    """Asking the shipped pipeline for its name loads neither MONAI Deploy nor torch."""
    program = (
        "import sys; from pipelines.app import PIPELINE; assert PIPELINE.name == 'bone_metastasis';"
        "print([m for m in ('torch', 'monai', 'holoscan', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert PIPELINE.name == "bone_metastasis"
