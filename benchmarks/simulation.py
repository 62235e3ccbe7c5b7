"""How long one study of each modality takes to simulate, and how much memory: `python benchmarks/simulation.py`.

Every study has a process of its own, so that its peak memory is its own. It is made twice: first with
the depth fields of the skeleton cached and everything else made anew, then with the patient's anatomy cached as
well, which is what the target speaks of. Both times include writing DICOM and truth.

Exit status 1 where a target is missed.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import resource
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from operators.simulation.acquire import simulate_study
from operators.simulation.cohort.plan import places, plan
from operators.simulation.cohort.specification import parse
from operators.simulation.compose import SceneBuilder

THREADS = 2
HEAD = f"{'study':32} {'first':>8} {'cached':>8} {'target':>8} {'of it':>6} {'memory':>8} {'of 4 GB':>8} {'objects':>8}"
MEMORY_LIMIT_GB = 4.0
_KB_A_GB = 1e6
_SEED = 11


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A study to time.

    Args:
        name: as printed.
        study: its table in a cohort file.
        limit_s: wall time that it may take when the anatomy is cached.
    """

    name: str
    study: str
    limit_s: float


CASES = (
    Case(name="planar, both views", study='modality = "planar"', limit_s=5.0),
    Case(name="SPECT/CT, 400 mm", study='modality = "spect"\n[study.ct]\neffective_mas = 30', limit_s=60.0),
    Case(name="PET/CT, 4 mm, skull to thigh", study='modality = "pet"\nvoxel_mm = 4.0\nslice_mm = 4.0', limit_s=60.0),
    Case(
        name="CT, 1.5 mm, chest to pelvis",
        study='modality = "ct"\nregion = "chest_to_pelvis"\nslice_mm = 1.5\nincrement_mm = 1.5',
        limit_s=60.0,
    ),
    Case(
        name="MRI, trunk, T1 STIR Dixon DWI",
        study='modality = "mri"\nregion = "trunk"\nsequences = ["t1", "stir", "dixon", "dwi"]',
        limit_s=60.0,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Of one case: wall seconds with and without the anatomy made before, peak memory, instances."""

    first_s: float
    cached_s: float
    peak_gb: float
    instances: int


def measure(case: Case, depth_fields: Path) -> Timing:
    """Make the study twice in this process; the folder holds the skeleton's depth fields and nothing else."""
    torch.set_num_threads(THREADS)
    spec = parse(
        f'[cohort]\nname = "benchmark"\npatients = 1\n[disease]\nburden = "multiple"\n[[study]]\n{case.study}\n',
        origin="benchmark",
    )
    (place,) = places(spec, _SEED)
    with tempfile.TemporaryDirectory() as scratch:
        builder = SceneBuilder(Path(shutil.copytree(depth_fields, Path(scratch) / "anatomies")))
        study = plan(spec, _SEED, place, builder=builder)
        seconds = []
        for run in range(2):
            began = time.perf_counter()
            made = simulate_study(
                dataclasses.replace(study, seed=study.seed + run), builder=builder, out=Path(scratch) / str(run)
            )
            seconds.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KB_A_GB
    return Timing(first_s=seconds[0], cached_s=seconds[1], peak_gb=peak, instances=len(made.files))


def line(case: Case, found: Timing) -> str:
    """One row of the table."""
    return (
        f"{case.name:32} {found.first_s:7.1f}s {found.cached_s:7.1f}s {case.limit_s:7.0f}s "
        f"{found.cached_s / case.limit_s:6.0%} {found.peak_gb:6.2f}GB {found.peak_gb / MEMORY_LIMIT_GB:8.0%} "
        f"{found.instances:8d}"
    )


def missed(timings: Mapping[Case, Timing]) -> Sequence[str]:
    """Names of the cases over their limit of time or memory."""
    return [
        case.name for case, found in timings.items() if found.cached_s > case.limit_s or found.peak_gb > MEMORY_LIMIT_GB
    ]


def main() -> int:
    """Measure every case and print the table."""
    timings: dict[Case, Timing] = {}
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as depth_fields:
        print(f"depth fields of {len(SceneBuilder(Path(depth_fields)).anatomy.templates)} parts made", flush=True)
        print(HEAD)
        for case in CASES:
            with context.Pool(1) as pool:
                timings[case] = pool.apply(measure, (case, Path(depth_fields)))
            print(line(case, timings[case]), flush=True)
    slow = missed(timings)
    print(
        f"{len(timings) - len(slow)} of {len(timings)} within time and memory"
        + (f"; not {', '.join(slow)}" * bool(slow))
    )
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
