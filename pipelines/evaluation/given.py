"""The kernels on the true masks: on the volume that the branch itself reads from the DICOM files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import BoolArray, CroppedMask
from bmnode.domain.study import Branch
from operators.graph.contract import StudyInput
from operators.kernels.bone_scan_index.index import planar_index
from operators.kernels.bone_scan_index.planar import PlanarView
from operators.kernels.bone_scan_index.tables import spiers_1968
from operators.kernels.measurement import statistics, volume_ml
from operators.readers.spect import SpectUnit
from operators.readers.volume import ImageVolume
from operators.simulation.truth.label_maps import PlanarLabels
from pipelines.ct import branch as ct
from pipelines.evaluation.quantities import Quantity
from pipelines.evaluation.records import Values
from pipelines.evaluation.truths import skeleton_map
from pipelines.mri import branch as mri
from pipelines.pet_ct import branch as pet_ct
from pipelines.spect import branch as spect

_MEAN = {Branch.CT: Quantity.HU_MEAN, Branch.MRI: Quantity.ADC_MEAN}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Loaded:
    """The volume that a branch measures on, and where it holds values; None is everywhere."""

    branch: Branch
    series_uid: str
    volume: ImageVolume
    known: BoolArray | None = None


def load(study: StudyInput) -> Loaded | None:
    """The volume of a tomographic study; None of a SPECT in counts, which has no SUV, and of a planar scan.

    Raises NotAssessableError where the branch cannot read the study.
    """
    branch = study.classification.branch
    return _LOADERS[branch](study) if branch is not None and branch in _LOADERS else None


def given_values(loaded: Loaded, mask: BoolArray) -> Values:
    """What the kernels measure on a mask (slice, row, column); a voxel without a value does not count."""
    region = CroppedMask.from_array(mask)
    size_ml = volume_ml(region, loaded.volume.geometry)
    found = {Quantity.VOLUME: size_ml}
    with_values = mask if loaded.known is None else mask & loaded.known
    if not with_values.any():
        return found
    values = statistics(loaded.volume.array, CroppedMask.from_array(with_values))
    if loaded.branch in _MEAN:
        return found | {_MEAN[loaded.branch]: values.mean}
    return found | {
        Quantity.SUV_MAX: values.maximum,
        Quantity.SUV_MEAN: values.mean,
        Quantity.SUV_MEAN_SEEN: values.mean,
        Quantity.TLG: values.mean * size_ml,
        Quantity.TLG_SEEN: values.mean * size_ml,
    }


def given_index(labels: PlanarLabels, *, views: tuple[str, ...]) -> float | None:
    """The Bone Scan Index of the true shadows of bones and lesions, %; no pixel is excluded."""
    maps = {
        view: PlanarView(
            labels=skeleton_map(labels.bones[number]),
            hot=np.asarray(labels.lesions[:, number].any(axis=0)),
            excluded=np.zeros(labels.bones.shape[1:], dtype=np.bool_),
        )
        for number, view in enumerate(views)
    }
    index = planar_index(anterior=maps.get("ANT"), posterior=maps.get("POST"), table=spiers_1968())
    return index.index_percent


def _ct(study: StudyInput) -> Loaded:
    prepared = ct.prepare(study)
    return Loaded(branch=Branch.CT, series_uid=prepared.series_uid, volume=prepared.volume)


def _mri(study: StudyInput) -> Loaded:
    prepared = mri.prepare(study)
    volume = prepared.adc.volume
    return Loaded(branch=Branch.MRI, series_uid=prepared.series_uid, volume=volume, known=volume.array > 0.0)


def _pet(study: StudyInput) -> Loaded:
    prepared = pet_ct.prepare(study)
    return Loaded(branch=Branch.PET_CT, series_uid=prepared.series_uid, volume=prepared.suv.volume)


def _spect(study: StudyInput) -> Loaded | None:
    prepared = spect.prepare(study)
    if prepared.spect.unit is SpectUnit.COUNTS:
        return None
    return Loaded(branch=Branch.SPECT, series_uid=prepared.series_uid, volume=prepared.spect.volume)


_LOADERS: Mapping[Branch, Callable[[StudyInput], Loaded | None]] = {
    Branch.CT: _ct,
    Branch.MRI: _mri,
    Branch.PET_CT: _pet,
    Branch.SPECT: _spect,
}
