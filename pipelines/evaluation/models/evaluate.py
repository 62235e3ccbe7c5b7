"""One simulated planar scan through the branch's own steps, by thresholds and by a model, against its truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray
from bmnode.domain.pipelines import PipelineRequest
from bmnode.selection.classify import classify
from bmnode.selection.headers import read_study
from operators.graph.contract import NotAssessableError, StudyInput
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap
from operators.simulation.truth.label_maps import PlanarLabels
from operators.simulation.truth.read import TruthFolder, load_truth
from pipelines.bone_scan.branch import DetectedScan, describe, detect, normalise, read_views
from pipelines.bone_scan.model import ScanModel
from pipelines.bone_scan.views import BothViews, DetectedView, PreparedView
from pipelines.evaluation.found import overlap_in_view
from pipelines.evaluation.models.records import FoundCandidate, ScanRecord, WayRecord
from pipelines.evaluation.quantities import Quantity, reported
from pipelines.evaluation.truths import projected_index
from pipelines.training.bone_scan.figures import DICE_MIN_PX, stands_out
from pipelines.training.bone_scan.simulated import parts_of_bones

_VIEWS = ("ANT", "POST")
_NOT_BOTH = "not_both_views"


def evaluate_scan(folder: Path, *, patient: int, key: str, model: ScanModel | None) -> ScanRecord:
    """Assess the scan in `folder` (`dicom`, `truth`) by thresholds and, where there is one, by the model.

    Raises ValueError where truth and image do not lie on the same pixels.
    """
    truth = load_truth(folder / "truth")
    shadows = shadows_of(truth)
    nothing = ((), ())
    shown = tuple(tuple(int(item) for item in np.flatnonzero(view)) for view in _any(shadows.lesions, axis=(2, 3)).T)
    record = ScanRecord(
        key=key,
        patient=patient,
        shown=(shown[0], shown[1]),
        conspicuous=nothing,
        index=projected_index(shadows),
        has_model=model is not None,
    )
    try:
        prepared = normalise(read_views(study_of(folder, truth)))
        ruled = detect(prepared)
    except NotAssessableError as error:
        return replace(record, refusal=str(error.refusal.reason))
    if ruled.both is None:
        return replace(record, refusal=_NOT_BOTH)
    return replace(
        record,
        conspicuous=_conspicuous(shadows, ruled.both, ruled.views),
        thresholds=_way(ruled, shadows),
        model=None if model is None else _way(detect(prepared, model=model), shadows),
    )


def study_of(folder: Path, truth: TruthFolder) -> StudyInput:
    """The study in `folder`, read as a branch takes it. Raises NotAssessableError."""
    files = tuple(sorted(path for path in (folder / "dicom").rglob("*") if path.is_file()))
    reading = read_study(files, study_uid=truth.study.study_uid)
    request = PipelineRequest(study_uid=truth.study.study_uid, files=files, seed="evaluation")
    classification = classify(reading.headers)
    if classification.refusal is not None:
        raise NotAssessableError(classification.refusal.reason, classification.refusal.explanation)
    return StudyInput(request=request, headers=reading.headers, classification=classification, files=reading.files)


def shadows_of(truth: TruthFolder) -> PlanarLabels:
    """The shadows with the anterior view first."""
    (series,) = truth.study.series
    order = [series.views.index(name) for name in _VIEWS]
    labels = truth.planar(series.series_uid)
    return PlanarLabels(lesions=labels.lesions[:, order], bones=labels.bones[order])


def _way(detected: DetectedScan, shadows: PlanarLabels) -> WayRecord:
    both, asked = detected.both, detected.asked
    if both is None:
        raise ValueError("the views of an evaluated scan are paired")
    views = [detected.views[number] for number in (both.anterior, both.posterior)]
    parts = parts_of_bones(shadows.bones)
    result = describe(detected)
    return WayRecord(
        not_used="" if asked is None else "; ".join(asked.reasons),
        candidates=tuple(item for number, view in enumerate(views) for item in _candidates(view, number, shadows)),
        parts=(_parts(parts[0], views[0].prepared), _parts(parts[1], views[1].prepared)),
        lesions=(_overlap(views[0], shadows, 0), _overlap(views[1], shadows, 1)),
        index=reported(result.measurements, Quantity.BSI),
    )


def _candidates(view: DetectedView, number: int, shadows: PlanarLabels) -> list[FoundCandidate]:
    spots = [(index, view.spots[index]) for index in view.candidates]
    masks = [_mask(spot.box, spot.mask, shadows.bones.shape[1:]) for _, spot in spots]
    table = overlap_in_view(_head_up(view.prepared, shadows.lesions[:, number]), masks)
    return [
        FoundCandidate(
            view=number,
            score=_score(view, index),
            lesions=tuple(int(lesion) for lesion in np.flatnonzero(table[:, column])),
        )
        for column, (index, _) in enumerate(spots)
    ]


def _score(view: DetectedView, index: int) -> float:
    output = view.output_of(index)
    return float(view.spots[index].values(view.prepared.uptake).max()) if output is None else output


def _mask(box: tuple[slice, slice], inside: BoolArray, shape: tuple[int, ...]) -> BoolArray:
    mask = np.zeros(shape, dtype=np.bool_)
    mask[box] |= inside
    return mask


def _any(maps: npt.NDArray[np.bool_], *, axis: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    return np.asarray(maps.any(axis=axis), dtype=np.bool_)


def _head_up(prepared: PreparedView, maps: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Shadows (..., row, column) head up, as the branch's masks are."""
    return maps[..., ::-1, ::-1] if prepared.view.is_head_down else maps


def _overlap(view: DetectedView, shadows: PlanarLabels, number: int) -> float | None:
    true = _head_up(view.prepared, _any(shadows.lesions[:, number], axis=(0,)))
    found = view.mask_of(candidates=True)
    total = int(true.sum()) + int(found.sum())
    return 2.0 * int((true & found).sum()) / total if total else None


def _parts(true: PartMap, prepared: PreparedView) -> dict[str, float]:
    """Dice of every part with enough pixels in the truth; 0 where the branch names none at all."""
    regions = prepared.regions
    true = true[::-1, ::-1] if prepared.view.is_head_down else true
    found = np.zeros_like(true) if regions is None else regions.parts
    scores = {}
    for part, number in PART_NUMBERS.items():
        one, other = found == number, true == number
        if int(other.sum()) >= DICE_MIN_PX:
            scores[part.value] = 2.0 * int((one & other).sum()) / (int(one.sum()) + int(other.sum()))
    return scores


def _conspicuous(
    shadows: PlanarLabels, both: BothViews, views: Sequence[DetectedView]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    found = []
    for number, index in enumerate((both.anterior, both.posterior)):
        prepared = views[index].prepared
        own = _head_up(prepared, shadows.lesions[:, number])
        every = _any(own, axis=(0,))
        found.append(
            tuple(
                lesion for lesion, shadow in enumerate(own) if stands_out(shadow, every=every, uptake=prepared.uptake)
            )
        )
    return found[0], found[1]
