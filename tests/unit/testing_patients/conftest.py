"""Each modality's study, written once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bmnode.testing.patients import DEMO_PATIENTS, SyntheticStudy, write_demo_cohort


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SyntheticStudy]:
    """The demo's studies by folder name."""
    directory: Path = tmp_path_factory.mktemp("cohort")
    studies = write_demo_cohort(directory)
    return {patient.folder: study for patient, study in zip(DEMO_PATIENTS, studies, strict=True)}
