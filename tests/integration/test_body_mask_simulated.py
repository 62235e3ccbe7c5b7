"""The patient's mask on CTs of simulated people whose every bone is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.kernels.bone import body_mask
from operators.kernels.morphology import block_factors, block_means, expand_blocks
from operators.kernels.orientation import PatientAxes
from operators.readers.volume import read_volume
from operators.simulation.truth.model import LabelKind
from operators.simulation.truth.read import load_truth
from pipelines.ct.profile import profile
from tests.integration.test_simulate import simulate

pytestmark = pytest.mark.timeout(600)

COHORT = """
[cohort]
name = "lean"
patients = 1
seed = 5

[person]
sex = "F"
height_cm = 172
weight_kg = 42.5

[disease]
burden = "none"
primary = "breast"

[[study]]
modality = "ct"
region = "chest"
pixel_mm = 2.5
slice_mm = 4
increment_mm = 4
arms = "above_head"
"""


def test_every_bone_of_a_very_lean_chest_is_in_the_mask(tmp_path: Path) -> None:
    """A chest's wall thinner than what tells the table from the patient is not lost, nor are the lungs behind it."""
    file = tmp_path / "lean.toml"
    file.write_text(COHORT, encoding="utf-8")
    said = simulate(file, "--out", tmp_path / "out", cache=tmp_path / "cache")
    assert said.returncode == 0, said.stderr
    (study,) = (tmp_path / "out").glob("patient-*/baseline/ct")
    volume = read_volume(sorted((study / "dicom").iterdir()))
    truth = load_truth(study / "truth")
    (series,) = (item for item in truth.study.series if LabelKind.BONES in item.files)
    axes = PatientAxes.from_geometry(volume.geometry)
    bones = np.asarray(axes.turn(truth.labels(series.series_uid, LabelKind.BONES).values)) > 0
    turned = axes.turn(volume.array).astype(np.float32)
    skeleton = profile().skeleton
    factors = block_factors(axes.spacing_mm, working_mm=skeleton.bone.working_mm)
    z, y, x = (step * factor for step, factor in zip(axes.spacing_mm, factors, strict=True))
    mask = body_mask(block_means(turned, factors), spacing_mm=(z, y, x), profile=skeleton)
    assert expand_blocks(mask, factors, shape=turned.shape)[bones].mean() == pytest.approx(1.0, abs=0.002)
