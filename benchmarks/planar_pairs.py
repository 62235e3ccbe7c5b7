"""How well places and lesions of planar views are followed, on SIMULATED pairs of bone scans.

Run `bmnode simulate matching-planar --out FOLDER`, then `python -m benchmarks.planar_pairs FOLDER`. It prints, beside
the body's outline alone, how far the middle of each lesion's shadow lies from where the registration has it, and how
many links between candidates of both scans are right. A lesion that changed its form moved its own middle: the error
holds that too.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bmnode.domain.geometry import BoolArray
from bmnode.domain.results import ResultSet
from operators.graph.contract import StudyInput
from operators.kernels.planar_regions.part_motion import ViewMotion
from operators.simulation.truth.model import StudyTruth
from operators.simulation.truth.read import load_truth
from pipelines.bone_scan.branch import BRANCH
from pipelines.evaluation.lesion_matching.scores import links_of
from pipelines.evaluation.models.evaluate import shadows_of, study_of
from pipelines.follow_up.contract import Drawn
from pipelines.follow_up.match import Matcher
from pipelines.follow_up.planar import Sweep, motion_between

LEAST_PX = 4
"""A shadow of fewer pixels has no middle worth comparing."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scan:
    """One simulated bone scan: its views, the shadows of its lesions (lesion, view, row, column), its candidates."""

    sweep: Sweep
    truth: StudyTruth
    shadows: BoolArray
    found: tuple[Drawn, ...]

    @classmethod
    def of(cls, folder: Path) -> Scan:
        """Raises ValueError where the branch names no bones on it."""
        truth = load_truth(folder / "truth")
        study = study_of(folder, truth)
        sweep = Sweep.of(study)
        if sweep is None:
            raise ValueError(f"{folder}: no bone is named")
        shadows = sweep.seen_from_the_front(shadows_of(truth).lesions)
        return cls(sweep=sweep, truth=truth.study, shadows=shadows, found=sweep.lesions(_assessed(study)))

    def shown(self, drawn: Drawn) -> frozenset[str]:
        """The lesions whose shadows a candidate shares a pixel with."""
        inside = drawn.mask.to_array()
        return frozenset(
            lesion.name
            for number, lesion in enumerate(self.truth.lesions)
            if bool((self.shadows[number] & inside).any())
        )


@dataclass(kw_only=True, slots=True)
class Figures:
    """Of all pairs so far; errors in millimetres."""

    pairs: int = 0
    refused: int = 0
    errors: list[float] = field(default_factory=list)
    by_outline: list[float] = field(default_factory=list)
    true: int = 0
    made: int = 0
    right: int = 0

    def lines(self) -> Sequence[str]:
        """What is printed."""
        told = [f"SIMULATED, pairs {self.pairs}, refused {self.refused}"]
        for name, errors in (("part by part", self.errors), ("outline alone", self.by_outline)):
            values = np.array(errors)
            told.append(
                f"{name}: error of {values.size} shadows mean {values.mean():.1f} mm, median {np.median(values):.1f}, "
                f"95th percentile {np.percentile(values, 95):.1f}"
                if values.size
                else f"{name}: not evaluable"
            )
        f1 = f"{2 * self.right / (self.true + self.made):.3f}" if self.true + self.made else "not evaluable"
        told.append(f"links between candidates: true {self.true}, made {self.made}, right {self.right}, F1 {f1}")
        return told


def _assessed(study: StudyInput) -> ResultSet:
    value: Any = study
    for step in BRANCH.steps:
        value = step.run(value)
    result: ResultSet = value
    return result


def _middles(motion: ViewMotion, prior: BoolArray, current: BoolArray, *, mm: Sequence[float]) -> float:
    before, now = (np.argwhere(mask).mean(axis=0)[np.newaxis] for mask in (prior, current))
    return float(np.linalg.norm((motion.apply_inverse(before) - now) * np.array(mm)))


def _add(figures: Figures, prior: Scan, current: Scan) -> None:
    figures.pairs += 1
    views = motion_between(current.sweep, prior.sweep)
    if views is None:
        figures.refused += 1
        return
    mm = current.sweep.views[0].pixel_mm
    names = [lesion.name for lesion in prior.truth.lesions]
    for number, lesion in enumerate(current.truth.lesions):
        if len(lesion.partners) != 1:
            continue
        for view, motion in enumerate(views.views):
            before, now = prior.shadows[names.index(lesion.partners[0]), view], current.shadows[number, view]
            if min(np.count_nonzero(before), np.count_nonzero(now)) >= LEAST_PX:
                still = replace(motion, field=np.zeros_like(motion.field))
                figures.errors.append(_middles(motion, before, now, mm=mm))
                figures.by_outline.append(_middles(still, before, now, mm=mm))
    matcher = Matcher(
        field=views,
        bone_of=current.sweep.bone_of(),
        prior_fields=(prior.sweep.geometry,),
        current_fields=(current.sweep.geometry,),
    )
    came_from = {lesion.name: frozenset(lesion.partners) for lesion in current.truth.lesions}
    things = [prior.shown(item) for item in prior.found], [current.shown(item) for item in current.found]
    true = {
        (one, other)
        for one, before in enumerate(things[0])
        for other, now in enumerate(things[1])
        if any(came_from[name] & before for name in now)
    }
    made = {
        (one, other)
        for one, other in links_of(matcher.groups(prior.found, current.found))
        if things[0][one] and things[1][other]
    }
    figures.true, figures.made, figures.right = (
        figures.true + len(true),
        figures.made + len(made),
        figures.right + len(true & made),
    )


def main(folder: Path) -> None:
    """Measure every patient of the cohort, and print."""
    figures = Figures()
    for patient in sorted(folder.glob("patient-*")):
        prior, current = (Scan.of(patient / moment / "bone-scan") for moment in ("baseline", "follow-up-1"))
        _add(figures, prior, current)
        print(f"{patient.name}: shadows {len(figures.errors)}, links {figures.true} so far", flush=True)
    print("\n".join(figures.lines()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
