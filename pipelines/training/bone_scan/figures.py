"""Measure the branch on simulated scans with its own steps, against their truth.

    python -m pipelines.training.bone_scan.figures COHORT OUT

COHORT is a folder that `bmnode simulate` wrote; its planar studies are assessed one by one. OUT
takes the tables that `docs/reference/bone-scan-figures.md` shows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from bmnode.domain.pipelines import PipelineRequest
from bmnode.selection import classify, read_study
from operators.graph.contract import StudyInput
from operators.kernels.bone_scan_index.index import planar_index
from operators.kernels.bone_scan_index.planar import PlanarView as IndexView
from operators.kernels.bone_scan_index.tables import spiers_1968
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart, bone_labels
from operators.kernels.scintigraphy import Counts
from operators.simulation.truth.read import load_truth
from pipelines.bone_scan.branch import describe, detect, normalise, read_views
from pipelines.bone_scan.index import index_of
from pipelines.bone_scan.lesions import Lesion, lesions_of
from pipelines.bone_scan.views import BothViews, DetectedView
from pipelines.training.bone_scan.simulated import part_of_bone, parts_of_bones

CONSPICUOUS = 1.4
"""A lesion whose shadow shows so many times the counts of the ring around it in one view or the other."""
_RING_PX, _GAP_PX, _RING_MIN = 6, 2, 10
DICE_MIN_PX = 100
"""A part of fewer pixels in the truth is not compared."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Truth:
    """One scan's truth: shadows bool (lesion, view, row, column), parts (view, row, column), the lesions' parts."""

    shadows: npt.NDArray[np.bool_]
    parts: PartMap
    lesion_parts: tuple[PlanarPart, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientFigures:
    """One scan against its truth.

    `index` is None where it was withheld; `index_regions` is that of conspicuous true shadows on the
    branch's own regions; `seconds` are of the CPU.
    """

    dice: tuple[dict[PlanarPart, float], dict[PlanarPart, float]]
    wrong_side: tuple[float, float]
    lesions: int
    found: int
    conspicuous: int
    conspicuous_found: int
    false_lesions: int
    pairs_right: int
    pairs_wrong: int
    pairs_missed: int
    named: int
    named_right: int
    named_wrong_side: int
    index: float | None
    index_true: float
    index_conspicuous: float
    index_regions: float
    seconds: float


def assess(folder: Path) -> PatientFigures:
    """The figures of one study's folder. Raises ValueError where its two whole-body views were not both used."""
    study = _study(sorted((folder / "dicom").iterdir()))
    began = time.process_time()
    detected = detect(normalise(read_views(study)))
    describe(detected)
    seconds = time.process_time() - began
    views = detected.views
    both = detected.both
    if both is None:
        raise ValueError("the scan has not one whole view of each kind")
    profile = detected.scan.profile
    lesions = lesions_of(views, both, rule=profile.pairing)
    truth = _truth(folder)
    outcome = index_of(views, both, profile=profile)
    seen = [views[both.anterior], views[both.posterior]]
    shown = np.array([_is_conspicuous(truth, number, seen) for number in range(len(truth.shadows))], dtype=np.bool_)
    hits = np.array([_hits(truth, lesion, views, both) for lesion in lesions], dtype=np.bool_)
    hits = hits.reshape(len(lesions), len(truth.shadows))
    found = hits.any(axis=0) if len(lesions) else np.zeros(len(truth.shadows), dtype=np.bool_)
    pairs = _pairs(truth, lesions, views, both)
    named = [_named(truth, lesion, views, both) for lesion, row in zip(lesions, hits, strict=True) if row.any()]
    return PatientFigures(
        dice=(_dice(truth.parts[0], seen[0]), _dice(truth.parts[1], seen[1])),
        wrong_side=(_wrong_side(truth.parts[0], seen[0]), _wrong_side(truth.parts[1], seen[1])),
        lesions=len(truth.shadows),
        found=int(found.sum()),
        conspicuous=int(shown.sum()),
        conspicuous_found=int((found & shown).sum()),
        false_lesions=int((~hits.any(axis=1)).sum()),
        pairs_right=pairs[0],
        pairs_wrong=pairs[1],
        pairs_missed=pairs[2],
        named=len(named),
        named_right=sum(one == other for one, other in named),
        named_wrong_side=sum(one is not None and one == other.partner and one != other for one, other in named),
        index=None if outcome.index is None else outcome.index.index_percent,
        index_true=_index_of(truth.parts, _union(truth.shadows)),
        index_conspicuous=_index_of(truth.parts, _union(truth.shadows[shown])),
        index_regions=_index_of(_found_parts(seen), _union(truth.shadows[shown])),
        seconds=seconds,
    )


def _study(files: Sequence[Path]) -> StudyInput:
    reading = read_study(files)
    request = PipelineRequest(study_uid=reading.headers.study_uid, files=tuple(files), seed="figures")
    return StudyInput(
        request=request, headers=reading.headers, classification=classify(reading.headers), files=reading.files
    )


def _truth(folder: Path) -> Truth:
    truth = load_truth(folder / "truth")
    series = truth.study.series[0]
    order = [series.views.index(name) for name in ("ANT", "POST")]
    labels = truth.planar(series.series_uid)
    return Truth(
        shadows=labels.lesions[:, order],
        parts=parts_of_bones(labels.bones[order]),
        lesion_parts=tuple(part_of_bone(lesion.bone) for lesion in truth.study.lesions),
    )


def _dice(truth: PartMap, view: DetectedView) -> dict[PlanarPart, float]:
    regions = view.prepared.regions
    found = np.zeros_like(truth) if regions is None else regions.parts
    scores = {}
    for part, number in PART_NUMBERS.items():
        one, other = found == number, truth == number
        if int(other.sum()) >= DICE_MIN_PX:
            scores[part] = 2.0 * int((one & other).sum()) / (int(one.sum()) + int(other.sum()))
    return scores


def _wrong_side(truth: PartMap, view: DetectedView) -> float:
    """Share of the paired parts' pixels that carry the name of the other side."""
    regions = view.prepared.regions
    if regions is None:
        return 0.0
    left = [number for part, number in PART_NUMBERS.items() if part.is_left]
    right = [number for part, number in PART_NUMBERS.items() if part.is_right]
    wrong = int((np.isin(truth, left) & np.isin(regions.parts, right)).sum())
    wrong += int((np.isin(truth, right) & np.isin(regions.parts, left)).sum())
    return wrong / max(1, int(np.isin(truth, left + right).sum()))


def _is_conspicuous(truth: Truth, number: int, views: Sequence[DetectedView]) -> bool:
    every = _union(truth.shadows)
    return any(
        stands_out(truth.shadows[number, index], every=every[index], uptake=view.prepared.uptake)
        for index, view in enumerate(views)
    )


def stands_out(shadow: BoolArray, *, every: BoolArray, uptake: Counts) -> bool:
    """Whether a lesion shows `CONSPICUOUS` times the uptake of the ring around it, in one view (row, column).

    Args:
        shadow: of the lesion.
        every: the shadows of all lesions, which are no part of a ring.
        uptake: smoothed counts.
    """
    if not shadow.any():
        return False
    ring = ndimage.binary_dilation(shadow, iterations=_RING_PX)
    ring &= ~ndimage.binary_dilation(every, iterations=_GAP_PX)
    return bool(ring.sum() >= _RING_MIN and uptake[shadow].mean() >= CONSPICUOUS * np.median(uptake[ring]))


def _union(shadows: npt.NDArray[np.bool_]) -> BoolArray:
    """Shadows (lesion, view, row, column) as one mask (view, row, column)."""
    return np.asarray(shadows.any(axis=0), dtype=np.bool_)


def _shared(truth: Truth, view: DetectedView, spot: int, index: int) -> npt.NDArray[np.intp]:
    """Pixels that each true lesion's shadow shares with one hot spot."""
    found = view.spots[spot]
    return np.asarray(
        [int((shadow[found.box] & found.mask).sum()) for shadow in truth.shadows[:, index]], dtype=np.intp
    )


def _hits(truth: Truth, lesion: Lesion, views: Sequence[DetectedView], both: BothViews) -> BoolArray:
    hit = np.zeros(len(truth.shadows), dtype=np.bool_)
    for member in lesion.members:
        hit |= _shared(truth, views[member.view], member.spot, int(member.view == both.posterior)) > 0
    return hit


def _named(
    truth: Truth, lesion: Lesion, views: Sequence[DetectedView], both: BothViews
) -> tuple[PlanarPart | None, PlanarPart]:
    """The part that a lesion was given, and that of the true lesion that shares most with it."""
    total = np.zeros(len(truth.shadows), dtype=np.intp)
    for member in lesion.members:
        total += _shared(truth, views[member.view], member.spot, int(member.view == both.posterior))
    return lesion.part, truth.lesion_parts[int(total.argmax())]


def _pairs(
    truth: Truth, lesions: Iterable[Lesion], views: Sequence[DetectedView], both: BothViews
) -> tuple[int, int, int]:
    """Pairs of one true lesion, pairs of two, and true lesions under a candidate in each view that are no pair."""
    right = wrong = 0
    joined = np.zeros(len(truth.shadows), dtype=np.bool_)
    single = np.zeros((2, len(truth.shadows)), dtype=np.bool_)
    for lesion in lesions:
        touched = [_shared(truth, views[m.view], m.spot, int(m.view == both.posterior)) > 0 for m in lesion.members]
        for member, hit in zip(lesion.members, touched, strict=True):
            single[int(member.view == both.posterior)] |= hit
        if len(touched) == 2:
            shared = touched[0] & touched[1]
            joined |= shared
            right += int(shared.any())
            wrong += int(touched[0].any() and touched[1].any() and not shared.any())
    return right, wrong, int((single.all(axis=0) & ~joined).sum())


def _found_parts(views: Sequence[DetectedView]) -> PartMap:
    """The branch's regions (view, row, column), 0 where it has none."""
    found = [view.prepared.regions for view in views]
    shape = views[0].prepared.body.shape
    return np.stack([np.zeros(shape, dtype=np.uint8) if item is None else item.parts for item in found])


def _index_of(parts: PartMap, hot: BoolArray) -> float:
    """The index of masks on parts, both (view, row, column)."""
    views = [
        IndexView(labels=bone_labels(labels), hot=mask, excluded=np.zeros_like(mask))
        for labels, mask in zip(parts, hot, strict=True)
    ]
    index = planar_index(anterior=views[0], posterior=views[1], table=spiers_1968()).index_percent
    return 0.0 if index is None else index


def tables(patients: Sequence[PatientFigures]) -> str:
    """The figures of a cohort as Markdown."""
    total = {name: sum(getattr(one, name) for one in patients) for name in _COUNTED}
    index = [(one.index, one) for one in patients if one.index is not None]
    errors = np.array([[found - one.index_true, found - one.index_conspicuous] for found, one in index])
    regions = np.array([one.index_regions - one.index_conspicuous for one in patients])
    rows = [
        ("patients", f"{len(patients)}"),
        ("lesions found, of all", _share(total["found"], total["lesions"])),
        ("lesions found, of conspicuous ones", _share(total["conspicuous_found"], total["conspicuous"])),
        ("false candidates a patient, views paired", f"{total['false_lesions'] / len(patients):.1f}"),
        ("pairs that are one true lesion", _share(total["pairs_right"], total["pairs_right"] + total["pairs_wrong"])),
        ("true lesions seen in both views, not paired", f"{total['pairs_missed']}"),
        ("lesions named after the right part", _share(total["named_right"], total["named"])),
        ("lesions named after the other side", _share(total["named_wrong_side"], total["named"])),
        ("index less that of all true shadows", _difference(errors[:, 0])),
        ("index less that of conspicuous shadows", _difference(errors[:, 1])),
        ("of it by the regions alone: true shadows, found regions", _difference(regions)),
        ("index of patients without lesions", _healthy(patients)),
        ("CPU seconds a scan", f"{np.median([one.seconds for one in patients]):.2f} (median)"),
    ]
    text = ["| figure | value |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""]
    text += ["| part | Dice, anterior | Dice, posterior |", "| --- | --- | --- |"]
    for part in PlanarPart:
        cells = [[one.dice[view][part] for one in patients if part in one.dice[view]] for view in (0, 1)]
        shown = [f"{np.mean(cell):.2f}" if cell else "not seen" for cell in cells]
        text.append(f"| {part.value.replace('_', ' ')} | {shown[0]} | {shown[1]} |")
    sides = [f"{np.mean([one.wrong_side[view] for one in patients]):.2%}" for view in (0, 1)]
    text.append(f"| pixels with a part of the other side | {sides[0]} | {sides[1]} |")
    return "\n".join(text) + "\n"


_COUNTED = (
    "lesions",
    "found",
    "conspicuous",
    "conspicuous_found",
    "false_lesions",
    "pairs_right",
    "pairs_wrong",
    "pairs_missed",
    "named",
    "named_right",
    "named_wrong_side",
)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "none"


def _difference(errors: npt.NDArray[np.float64]) -> str:
    """Mean and limits of agreement (Bland and Altman, Lancet 1986;1:307)."""
    spread = 1.96 * float(errors.std(ddof=1)) if len(errors) > 1 else 0.0
    mean = float(errors.mean())
    return f"{mean:+.2f}, limits of agreement {mean - spread:+.2f} to {mean + spread:+.2f}"


def _healthy(patients: Sequence[PatientFigures]) -> str:
    found = [one.index for one in patients if one.lesions == 0 and one.index is not None]
    return ", ".join(f"{value:.2f}" for value in found) or "none"


def main() -> None:
    """Write the tables of the cohort COHORT into the file OUT."""
    folders = sorted(path.parent for path in Path(sys.argv[1]).glob("patient-*/*/bone-scan/manifest.json"))
    Path(sys.argv[2]).write_text(tables([assess(folder) for folder in folders]), encoding="utf-8")


if __name__ == "__main__":
    main()
