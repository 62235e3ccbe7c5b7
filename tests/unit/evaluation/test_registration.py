"""How registration is measured: overlap, distance and error of known cases, pairs, targets and what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bmnode.domain.bones import Bone
from bmnode.domain.evaluations import Verdict
from bmnode.domain.registration_evaluations import RegistrationReport
from bmnode.domain.simulators import SimulatedStudy
from operators.kernels.registration.bones import SidedBone
from operators.kernels.skeleton_sites.sites import SkeletonMap
from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.pairs import pairs_of
from pipelines.evaluation.registration.records import PairRecord, WayRecord
from pipelines.evaluation.registration.scores import Ground, Scores, dice, hausdorff_95_mm
from pipelines.evaluation.registration.table import NO_MOTION, rows_of
from pipelines.evaluation.registration.ways import Way

SACRUM = SidedBone(bone=Bone.SACRUM)


def ball(offset_mm: float, *, step_mm: float = 0.25) -> npt.NDArray[np.bool_]:
    """A ball of 10 mm radius, moved along the first axis."""
    axis = np.arange(-12.0, 22.0, step_mm)
    other = np.arange(-12.0, 12.0, step_mm)
    z, y, x = np.meshgrid(axis - offset_mm, other, other, indexing="ij")
    return np.asarray(z * z + y * y + x * x <= 100.0)


@pytest.mark.parametrize(("offset_mm", "overlap"), [(2.0, 0.8505), (5.0, 0.6328), (10.0, 0.3125)])
def test_r3_balls_overlap_as_reckoned(offset_mm: float, overlap: float) -> None:
    """R-3: two balls of 10 mm, apart by 2, 5 and 10 mm, have the Dice of the lens between them."""
    assert dice(ball(0.0), ball(offset_mm)) == pytest.approx(overlap, abs=2e-3)


def test_distance_of_surfaces() -> None:
    """A ball that is 5 mm off: hardly a place of its surface is further from the other's than that, many are nearly."""
    one, other = ball(0.0, step_mm=0.5), ball(5.0, step_mm=0.5)
    found = hausdorff_95_mm(one, other, spacing_mm=np.full(3, 0.5))
    assert 4.0 < found <= 5.0
    assert hausdorff_95_mm(one, one, spacing_mm=np.full(3, 0.5)) == 0.0
    assert np.isnan(hausdorff_95_mm(one, np.zeros_like(one), spacing_mm=np.full(3, 0.5)))
    assert np.isnan(dice(np.zeros_like(one), np.zeros_like(one)))


def names(*, shift: int, length: int = 30) -> SkeletonMap:
    """A block of sacrum in a field of `length` slices, 2 mm voxels, `shift` slices above the first six."""
    bones = np.zeros((length, 20, 20), dtype=np.uint8)
    bones[6 + shift : 16 + shift, 5:15, 5:15] = Bone.SACRUM
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = 2.0
    matrix[3, 3] = 1.0
    return SkeletonMap(
        bones=bones, sides=np.zeros(bones.shape, dtype=np.int8), matrix=matrix, certain=frozenset(), method="T"
    )


def up(mm: float) -> npt.NDArray[np.float64]:
    """A shift along z."""
    motion = np.eye(4)
    motion[2, 3] = mm
    return motion


def test_error_is_the_distance_from_the_true_place() -> None:
    """The true motion scores 0 mm and full overlap; one that is 4 mm short scores 4 mm at every point."""
    ground = Ground(current=names(shift=0), prior=names(shift=4), motions={SACRUM: up(8.0)})
    right = ground.score(lambda points: points + np.array([0.0, 0.0, 8.0]))
    assert (right.error_mm, right.dice, right.hausdorff_mm, right.bones) == (0.0, 1.0, 0.0, 1)
    short = ground.score(lambda points: points + np.array([0.0, 0.0, 4.0]))
    assert (short.error_mm, short.error_p95_mm) == pytest.approx((4.0, 4.0))
    assert short.dice == pytest.approx(0.8)


def test_what_the_prior_does_not_show_does_not_count() -> None:
    """Points beyond the prior's field are no error, and a pair without a point in both has no score."""
    cut = Ground(current=names(shift=0), prior=names(shift=0, length=12), motions={SACRUM: np.eye(4)})
    assert cut.score(lambda points: points).points == 600
    away = Ground(current=names(shift=0), prior=names(shift=0), motions={SACRUM: up(900.0)})
    assert not away.is_shared
    with pytest.raises(ValueError, match="both fields"):
        away.score(lambda points: points)


def record(ours: float, *, rigid: float = 6.0, **changes: object) -> PairRecord:
    """A CT pair with these mean errors."""
    scores = Scores(error_mm=ours, error_p95_mm=2 * ours, dice=0.9, hausdorff_mm=1.0, points=10, bones=3)
    way = WayRecord(scores=scores, refusal="", folded=0.0, seconds=9.0, memory_mb=900.0)
    ways = {Way.OURS: way, Way.RIGID: replace(way, scores=replace(scores, error_mm=rigid), memory_mb=None)}
    made = PairRecord(key="k", patient=1, modality=Modality.CT, ways=ways, bones_without_motion=2)
    return replace(made, **changes)  # type: ignore[arg-type] # any field


def judged(*records: PairRecord) -> Verdict:
    """The verdict on ours."""
    return next(row.verdict for row in rows_of(records) if row.method == Way.OURS)


def test_targets() -> None:
    """Met by good pairs; missed by an error too large, one pair worse than rigid, folding, time, or a refusal."""
    good = record(0.5)
    ours = good.ways[Way.OURS]
    assert judged(good, record(0.9)) is Verdict.MET
    assert judged(record(1.6)) is Verdict.MISSED
    assert judged(good, record(0.5, rigid=0.4)) is Verdict.MISSED
    for bad in (replace(ours, folded=1e-5), replace(ours, seconds=61.0)):
        assert judged(record(0.5, ways={**good.ways, Way.OURS: bad})) is Verdict.MISSED
    refused = replace(ours, scores=None, refusal="too few bones fit", folded=None)
    assert judged(good, record(0.5, ways={**good.ways, Way.OURS: refused})) is Verdict.MISSED
    assert judged(record(0.5, ways={}, why_not="nothing shared")) is Verdict.NOT_EVALUABLE


def test_what_has_no_figures_is_counted() -> None:
    """Refused pairs, pairs without anything in both fields and bones without a rigid motion stand in the row."""
    row = next(
        row for row in rows_of([record(0.5), record(0.5, ways={}, why_not="nothing shared")]) if row.method == Way.OURS
    )
    assert (row.pairs, row.refused, row.error_mm, row.worst_error_mm) == (2, 0, 0.5, 0.5)
    assert row.not_evaluable == {"nothing shared": 1, NO_MOTION: 2}
    report = RegistrationReport(cohort="c", seed=1, pairs=2, version="V", rows=rows_of([record(0.5)]))
    assert report.is_met
    assert "met 1, missed 0" in report.summary
    assert "0.50 mm" in report.summary


def test_records_are_of_one_key(tmp_path: Path) -> None:
    """A record comes back whole for its key, and not for another."""
    record(0.5).save(tmp_path / "a.json")
    assert PairRecord.load(tmp_path / "a.json", key="k") == record(0.5)
    assert PairRecord.load(tmp_path / "a.json", key="other") is None
    (tmp_path / "b.json").write_text("{}")
    assert PairRecord.load(tmp_path / "b.json", key="k") is None


def test_pairs_are_of_one_patient_and_modality() -> None:
    """Each later study with its own earlier one; what has no CT, and a first time point, makes none."""

    def study(patient: str, timepoint: str, modality: str) -> SimulatedStudy:
        return SimulatedStudy(
            patient=patient,
            timepoint=timepoint,
            name=modality,
            modality=modality,
            study_uid="1",
            dicom=Path(),
            truth=Path(),
            instances=1,
            lesions=0,
            made_now=True,
        )

    studies = tuple(
        study(patient, time, modality)
        for patient in ("1", "2")
        for time in ("baseline", "follow-up-1", "follow-up-2")
        for modality in ("ct", "mri", "pet")
    )
    found = pairs_of(studies)
    assert len(found) == 8
    assert all(now.patient == then.patient and now.modality == then.modality for now, then in found)
    assert {(now.timepoint, then.timepoint) for now, then in found} == {
        ("follow-up-1", "baseline"),
        ("follow-up-2", "follow-up-1"),
    }
