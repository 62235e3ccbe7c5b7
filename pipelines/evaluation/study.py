"""One simulated study from its folder to its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bmnode.domain.geometry import BoolArray, VolumeGeometry
from bmnode.domain.pipelines import PipelineRequest
from bmnode.domain.results import ResultSet
from bmnode.selection.classify import classify
from bmnode.selection.headers import read_study
from operators.graph.contract import NotAssessableError, StudyInput
from operators.simulation.cohort.protocol_keys import Modality
from operators.simulation.truth.label_maps import PlanarLabels
from operators.simulation.truth.model import LabelKind, LesionTruth, StudyTruth
from operators.simulation.truth.read import TruthFolder, load_truth
from pipelines.app import PIPELINE
from pipelines.evaluation import found
from pipelines.evaluation.blurred import FloatArray, blurred_truth, mean_seen
from pipelines.evaluation.given import Loaded, given_index, given_values, load
from pipelines.evaluation.matching import Matches, match
from pipelines.evaluation.quantities import OF_MODALITY, Quantity, reported
from pipelines.evaluation.records import LesionRecord, StudyRecord, Values
from pipelines.evaluation.truths import (
    NO_TRUTH,
    NO_VOLUME,
    NO_VOXEL,
    diameter_mm,
    on_grid,
    projected_index,
    resolution_mm,
    true_index,
    true_values,
    why_not,
)

_NONE: Values = {}
_EMISSION = (Modality.SPECT, Modality.PET)


def evaluate_study(folder: Path, *, patient: int, key: str) -> StudyRecord:
    """Measure on the true masks, run the branch, and set both beside the truth.

    Args:
        folder: with `dicom` and `truth`, as the simulator writes them.
        patient: number in the cohort.
        key: of the record.

    Raises ValueError where truth and image do not lie on the same voxels.
    """
    truth = load_truth(folder / "truth")
    files = tuple(sorted(path for path in (folder / "dicom").rglob("*") if path.is_file()))
    request = PipelineRequest(study_uid=truth.study.study_uid, files=files, seed=key)
    result = PIPELINE.run(request, lambda _: None)
    record = StudyRecord(
        key=key,
        patient=patient,
        modality=Modality(truth.study.modality),
        refusal="" if result.refusal is None else str(result.refusal.reason),
        lesions=(),
    )
    if record.modality is Modality.PLANAR:
        return _planar(record, truth, result)
    return _volumetric(record, truth, result, loaded=_loaded(request))


def _loaded(request: PipelineRequest) -> Loaded | None:
    reading = read_study(request.files, study_uid=request.study_uid)
    classification = classify(reading.headers)
    if classification.refusal is not None:
        return None
    study = StudyInput(request=request, headers=reading.headers, classification=classification, files=reading.files)
    try:
        return load(study)
    except NotAssessableError:
        return None


def _volumetric(record: StudyRecord, truth: TruthFolder, result: ResultSet, *, loaded: Loaded | None) -> StudyRecord:
    """Lesions that lie in the field, even in part; all of them where there is no volume to say so."""
    lesions = [lesion for lesion in truth.study.lesions if lesion.centre_lps is not None]
    if loaded is None:
        return replace(record, lesions=tuple(_lesion(item, truth.study, why=NO_VOLUME) for item in lesions))
    labels = truth.labels(loaded.series_uid, LabelKind.LESIONS)
    values = on_grid(labels, loaded.volume.geometry)
    decoys = on_grid(truth.labels(loaded.series_uid, LabelKind.DECOYS), loaded.volume.geometry)
    blurred = blurred_truth(truth, loaded.series_uid) if record.modality in _EMISSION else None
    inside = [
        lesion for lesion in lesions if _in_field(lesion, loaded.volume.geometry) or (values == lesion.label).any()
    ]
    measured = []
    for lesion in inside:
        mask = values == lesion.label
        seen = _seen(lesion, blurred, labels.values == lesion.label)
        item = _lesion(lesion, truth.study, why=why_not(mask, decoys), seen=seen)
        given = given_values(loaded, mask) if mask.any() else _NONE
        measured.append(replace(item, is_shown=bool(mask.any()), given=given))
    findings = found.candidates(result)
    pairs = match(found.overlap_in_volume(result, findings, labels, numbers=[lesion.label for lesion in inside]))
    reports = [found.found_values(item, OF_MODALITY[record.modality]) for item in findings]
    return replace(
        record,
        lesions=_with_partners(measured, pairs, reports),
        candidates=len(findings),
        parts=len(pairs.parts),
        false=len(pairs.false),
    )


def _lesion(lesion: LesionTruth, study: StudyTruth, *, why: str, seen: Values = _NONE) -> LesionRecord:
    """A lesion that was not yet looked for."""
    true = {**true_values(lesion, study), **seen}
    unknown = set(OF_MODALITY[Modality(study.modality)]) - set(true)
    diameter = diameter_mm(lesion.volume_ml)
    return LesionRecord(
        name=lesion.name,
        diameter_mm=diameter,
        resolutions=diameter / resolution_mm(study),
        is_shown=False,
        why_not=why or (NO_TRUTH if unknown else ""),
        true=true,
        given=_NONE,
    )


def _seen(lesion: LesionTruth, blurred: FloatArray | None, mask: BoolArray) -> Values:
    if blurred is None or not mask.any():
        return _NONE
    mean = mean_seen(blurred, mask)
    return {Quantity.SUV_MEAN_SEEN: mean, Quantity.TLG_SEEN: mean * lesion.volume_ml}


def _with_partners(
    lesions: Sequence[LesionRecord], pairs: Matches, values: Sequence[Values]
) -> tuple[LesionRecord, ...]:
    return tuple(
        replace(lesion, found=None if number is None else values[number])
        for lesion, number in zip(lesions, pairs.partner, strict=True)
    )


def _in_field(lesion: LesionTruth, geometry: VolumeGeometry) -> bool:
    """Whether the lesion's centre lies in a voxel of the grid."""
    if lesion.centre_lps is None:
        return False
    index = (np.linalg.inv(geometry.matrix) @ [*lesion.centre_lps, 1.0])[:3]
    return bool(np.all(index >= -0.5) and np.all(index < np.asarray(geometry.shape) - 0.5))


def _planar(record: StudyRecord, truth: TruthFolder, result: ResultSet) -> StudyRecord:
    """A lesion counts as found where a candidate of any view is its partner there; views are paired one by one."""
    (series,) = truth.study.series
    shadows = truth.planar(series.series_uid)
    findings = found.candidates(result)
    masks = [found.view_masks(item, shape=shadows.bones.shape) for item in findings]
    partners, matched, touching = _by_view(shadows, masks)
    lesions = [
        LesionRecord(
            name=lesion.name,
            diameter_mm=diameter_mm(lesion.volume_ml),
            resolutions=None,
            is_shown=bool(shadows.lesions[number].any()),
            why_not="" if shadows.lesions[number].any() else NO_VOXEL,
            true=_NONE,
            given=_NONE,
            found=_NONE if number in partners else None,
        )
        for number, lesion in enumerate(truth.study.lesions)
        if lesion.centre_lps is not None
    ]
    return replace(
        record,
        lesions=tuple(lesions),
        true=_index(true_index(truth.study), projected_index(shadows)),
        given=_index(*[given_index(shadows, views=series.views)] * 2),
        found=_index(*[reported(result.measurements, Quantity.BSI)] * 2),
        candidates=len(findings),
        parts=len(touching - matched),
        false=len(findings) - len(touching),
    )


def _by_view(
    shadows: PlanarLabels, masks: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]
) -> tuple[set[int], set[int], set[int]]:
    """Lesions with a partner, candidates that are one, and candidates that touch any lesion."""
    partners: set[int] = set()
    matched: set[int] = set()
    touching: set[int] = set()
    for view in range(len(shadows.bones)):
        table = found.overlap_in_view(shadows.lesions[:, view], [mask[view] for mask in masks])
        for lesion, candidate in enumerate(match(table).partner):
            if candidate is not None:
                partners.add(lesion)
                matched.add(candidate)
        touching |= {int(number) for number in np.flatnonzero(table.any(axis=0))}
    return partners, matched, touching


def _index(by_volume: float | None, by_area: float | None) -> Values:
    values = {Quantity.BSI: by_volume, Quantity.BSI_SEEN: by_area}
    return {quantity: value for quantity, value in values.items() if value is not None}
