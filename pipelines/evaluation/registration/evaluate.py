"""One simulated pair from its folders to its record."""

from __future__ import annotations

from pathlib import Path

from operators.simulation.cohort.protocol_keys import Modality
from pipelines.evaluation.registration.pair import load_scan, true_motions
from pipelines.evaluation.registration.records import PairRecord, WayRecord
from pipelines.evaluation.registration.scores import Ground
from pipelines.evaluation.registration.ways import run_ways

NOTHING_SHARED = "no bone with a known motion lies in both fields"


def evaluate_pair(now: Path, then: Path, *, key: str) -> PairRecord:
    """Every way on the studies in two folders (`dicom` and `truth`, as the simulator writes them)."""
    current, prior = load_scan(now), load_scan(then)
    motions, without = true_motions(current.truth, prior.truth)
    ground = Ground(current=current.true_names, prior=prior.true_names, motions=motions)
    record = PairRecord(
        key=key,
        patient=int(now.parents[1].name.rpartition("-")[2]),
        modality=Modality(current.truth.modality),
        ways={},
        bones_without_motion=without,
        why_not="" if ground.is_shared else NOTHING_SHARED,
    )
    if not ground.is_shared:
        return record
    for way, run in run_ways(current, prior).items():
        record.ways[way] = WayRecord(
            scores=None if run.way is None else ground.score(run.way),
            refusal=run.refusal,
            folded=run.folded,
            seconds=run.seconds,
            memory_mb=run.memory_mb,
        )
    return record
