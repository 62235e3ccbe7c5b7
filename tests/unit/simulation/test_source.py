"""The skeleton of the installed package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.source import AnatomySourceError, Source


def test_the_source_has_every_bone_but_the_sixth_lumbar(builder: AnatomyBuilder) -> None:
    """All bones of the table come from the package; only L6 is made."""
    assert {part.bone for part in builder.source.parts} - {None} == set(Bone) - {Bone.L6}


def test_another_skeleton_is_refused() -> None:
    """A model with other meshes is refused, and the message names what is missing."""
    with pytest.raises(AnatomySourceError, match=r"other bone meshes than expected: missing \d+ \(1mc_l, .*; new "):
        Source("myolegs")


def test_an_unknown_model_is_refused() -> None:
    """A package without the model is refused with its name."""
    with pytest.raises(AnatomySourceError, match="cannot load 'no such model'"):
        Source("no such model")


def test_unknown_joints_and_bodies_are_refused(builder: AnatomyBuilder) -> None:
    """A joint or body that the model lacks is an error, not ignored."""
    with pytest.raises(AnatomySourceError, match="tail"):
        builder.source.frames({"tail": 1.0}, scale={})
    with pytest.raises(AnatomySourceError, match="tail"):
        builder.source.frames({}, scale={"tail": 1.0})


def test_shoulder_blades_follow_the_arm(builder: AnatomyBuilder) -> None:
    """Raising the arm turns the shoulder blade through the model's own coupling."""
    rest = builder.source.frames({}, scale={}).of("scapula_l")[0]
    raised = builder.source.frames({"shoulder_elv_l": np.radians(120.0)}, scale={}).of("scapula_l")[0]
    angle = np.degrees(np.arccos((np.trace(rest.T @ raised) - 1) / 2))
    assert 20.0 < angle < 70.0


def test_a_body_twice_the_size_has_its_joints_twice_as_far(builder: AnatomyBuilder) -> None:
    """A segment's size moves the joints at its far end."""
    source = builder.source
    normal, long = source.frames({}, scale={}), source.frames({}, scale={"femur_l": 2.0})

    def thigh_mm(frames: object) -> float:
        assert isinstance(frames, type(normal))
        return float(np.linalg.norm(frames.of("tibia_l")[1] - frames.of("femur_l")[1]))

    assert thigh_mm(long) == pytest.approx(2.0 * thigh_mm(normal))


def test_loading_leaves_no_log_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MuJoCo's log file does not appear in the working folder."""
    monkeypatch.chdir(tmp_path)
    Source()
    assert not list(tmp_path.iterdir())
