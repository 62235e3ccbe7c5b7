"""`python -m tests.soak [RUN ...] [--seed N] [--scale F]`: the long runs one after the other, with their figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.soak import fuzz, kills, peak_hour
from tests.support.tools import find_dcmtk

KILLS, CONVERSATIONS, DATA_SETS = 1000, 10_000, 10_000


def _kills(folder: Path, seed: int, scale: float) -> object:
    storescu = find_dcmtk("storescu")
    if storescu is None:
        sys.exit("DCMTK is not installed: `apt-get install dcmtk` (Debian, Ubuntu)")
    return kills.run(folder, storescu=storescu, seed=seed, kills=round(KILLS * scale))


def _pdus(folder: Path, seed: int, scale: float) -> object:
    return fuzz.run_pdus(folder, seed=seed, count=round(CONVERSATIONS * scale))


def _data_sets(folder: Path, seed: int, scale: float) -> object:
    return fuzz.run_data_sets(folder, seed=seed, count=round(DATA_SETS * scale))


def _peak_hour(folder: Path, seed: int, scale: float) -> object:
    return peak_hour.run(folder, seed=seed, scale=scale)


RUNS: Mapping[str, Callable[[Path, int, float], object]] = {
    "kills": _kills,
    "pdus": _pdus,
    "data-sets": _data_sets,
    "peak-hour": _peak_hour,
}


def main() -> None:
    """Run what was asked for; a run that fails raises."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"of {', '.join(RUNS)}; all without one")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn at random")
    parser.add_argument("--scale", type=float, default=1.0, help="part of the whole length, e.g. 0.05")
    arguments = parser.parse_args()
    if unknown := set(arguments.runs) - set(RUNS):
        parser.error(f"there is no run {', '.join(sorted(unknown))}")
    for name in arguments.runs or RUNS:
        with tempfile.TemporaryDirectory(prefix=f"soak-{name}-") as folder:
            sys.stdout.write(f"== {name}\n")
            sys.stdout.flush()
            sys.stdout.write(f"{RUNS[name](Path(folder), arguments.seed, arguments.scale)}\n")


if __name__ == "__main__":
    main()
