"""A synthetic bone scan and variations of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread

from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import ResultSet
from bmnode.selection import classify, read_study
from bmnode.testing.patients.bone_scan import write_bone_scan
from bmnode.testing.patients.spec import PatientSpec, SyntheticStudy
from operators.graph.contract import StudyInput
from operators.kernels.scintigraphy import body_mask, skeleton_mask
from pipelines.bone_scan.branch import BRANCH
from pipelines.bone_scan.profile import load

SPEC = PatientSpec(seed=11, patient_id="SYN-0011", study_start=datetime(2025, 3, 10, 8, tzinfo=UTC))


def write_scan(directory: Path) -> SyntheticStudy:
    """A two-view MDP scan with five hot lesions."""
    return write_bone_scan(directory, spec=SPEC)


def vary(source: Path, target: Path, change: Callable[[Dataset], None]) -> Path:
    """A copy of an instance with a change."""
    dataset = dcmread(source)
    change(dataset)
    dataset.save_as(target)
    return target


def frames_of(dataset: Dataset) -> np.ndarray:
    """The counts (frame, row, column), writable."""
    return np.array(dataset.pixel_array)


def set_frames(dataset: Dataset, frames: np.ndarray) -> None:
    """Put other counts in."""
    dataset.PixelData = np.ascontiguousarray(frames.astype(np.uint16)).tobytes()
    dataset.NumberOfFrames = len(frames)
    dataset.Rows, dataset.Columns = frames.shape[1:]


def study_of(*paths: Path) -> StudyInput:
    """The files as the graph hands them to the branch."""
    reading = read_study(paths)
    request = PipelineRequest(study_uid=reading.headers.study_uid, files=tuple(paths), seed="test")
    return StudyInput(
        request=request,
        headers=reading.headers,
        classification=classify(reading.headers),
        files=reading.files,
    )


def assess(*paths: Path) -> ResultSet:
    """Run the branch's steps in order."""
    value: object = study_of(*paths)
    for step in BRANCH.steps:
        value = step.run(value)
    assert isinstance(value, ResultSet)
    return value


def write_superscan(directory: Path) -> Path:
    """The scan with a skeleton thrice as bright, which takes nearly all of the tracer."""
    (path,) = write_scan(directory / "usual").files
    profile = load()

    def brighten(dataset: Dataset) -> None:
        frames = frames_of(dataset).astype(float)
        for counts in frames:
            body = body_mask(counts, pixel_mm=(2.4, 2.4), rule=profile.body)
            counts[skeleton_mask(counts, body, pixel_mm=(2.4, 2.4), rule=profile.skeleton)] *= 3.0
        set_frames(dataset, frames)

    return vary(path, directory / "bright.dcm", brighten)
