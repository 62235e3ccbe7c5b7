"""The true values of simulated lesions and studies, as `quantities` defines them, and which lesions can be compared."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone_scan_index.index import index_from_fractions
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneLabel, BoneRegion
from operators.kernels.bone_scan_index.tables import spiers_1968
from operators.simulation.anatomy.bones import Bone
from operators.simulation.cohort.protocol_keys import Modality
from operators.simulation.tracer import Tracer
from operators.simulation.truth.label_maps import LabelMap, PlanarLabels
from operators.simulation.truth.model import FocusTruth, LesionTruth, StudyTruth
from pipelines.evaluation.quantities import Quantity

ByteArray = npt.NDArray[np.uint8]

CUT = "cut by the field"
NO_VOXEL = "fills no voxel by half"
DECOY = "shares voxels with a benign change"
NO_TRUTH = "its true value is not known"
NO_VOLUME = "the study gives no volume to measure on"
_KVP = 120.0
_SPINE = {"C": BoneLabel.CERVICAL_SPINE, "T": BoneLabel.THORACIC_SPINE, "L": BoneLabel.LUMBAR_SPINE}
_OTHERS = {"skull": BoneLabel.SKULL, "mandible": BoneLabel.SKULL, "rib": BoneLabel.RIBS, "hip": BoneLabel.PELVIS} | {
    "sacrum": BoneLabel.SACRUM,
    "coccyx": BoneLabel.SACRUM,
    "sternum": BoneLabel.STERNUM,
}


def diameter_mm(volume_ml: float) -> float:
    """Of the ball of this volume."""
    return 10.0 * math.cbrt(6.0 * volume_ml / math.pi)


def resolution_mm(study: StudyTruth) -> float:
    """What blurs a study most: the FWHM of an emission image (positron range included), else the slices' distance.

    Raises KeyError on a planar scan, whose resolution depends on the depth.
    """
    protocol, modality = study.protocol, Modality(study.modality)
    if modality in (Modality.PET, Modality.SPECT):
        return math.hypot(float(protocol["resolution_mm"]), Tracer(protocol["tracer"]).nuclide.positron_range_mm)
    if modality is Modality.MRI:
        return float(protocol["slice_mm"]) + float(protocol["gap_mm"])
    return max(float(protocol["increment_mm"]), float(protocol["slice_mm"]))


def true_values(lesion: LesionTruth, study: StudyTruth) -> dict[Quantity, float]:
    """What is true of a lesion in its study's modality; a value that the truth does not hold is left out."""
    found = {Quantity.VOLUME: lesion.volume_ml}
    modality = Modality(study.modality)
    if modality is Modality.MRI:
        found[Quantity.ADC_MEAN] = lesion.focus.adc_um2_s
    if lesion.mean_sclerosis is None or lesion.sclerosis_range is None:
        return found
    if modality is Modality.CT and study.protocol["kvp"] == _KVP and study.protocol["contrast"] == "none":
        found[Quantity.HU_MEAN] = _between(lesion.focus.lytic_hu, lesion.focus.sclerotic_hu, at=lesion.mean_sclerosis)
    ends = _suv_ends(lesion.focus, tracer=str(study.protocol.get("tracer")))
    if modality in (Modality.PET, Modality.SPECT) and ends is not None:
        mean = _between(*ends, at=lesion.mean_sclerosis)
        found[Quantity.SUV_MEAN] = mean
        found[Quantity.SUV_MAX] = max(_between(*ends, at=part) for part in lesion.sclerosis_range)
        found[Quantity.TLG] = mean * lesion.volume_ml
    return found


def _suv_ends(focus: FocusTruth, *, tracer: str) -> tuple[float, float] | None:
    """Where the lesion is lytic and where it is sclerotic; None for a tracer that it was not given."""
    if tracer not in focus.suv:
        return None
    return focus.lytic_suv.get(tracer, focus.suv[tracer]), focus.suv[tracer]


def _between(lytic: float, sclerotic: float, *, at: float) -> float:
    return lytic + (sclerotic - lytic) * at


def why_not(mask: npt.NDArray[np.bool_], decoys: ByteArray) -> str:
    """Why a lesion cannot be compared with its truth on this grid; empty where it can.

    Args:
        mask, decoys: of the lesion and of benign changes, (slice, row, column) on one grid.
    """
    if not mask.any():
        return NO_VOXEL
    if any(mask.take(end, axis=axis).any() for axis in range(3) for end in (0, -1)):
        return CUT
    return DECOY if decoys[mask].any() else ""


def on_grid(labels: LabelMap, geometry: VolumeGeometry) -> ByteArray:
    """The labels in the order of another geometry's slices, rows and columns.

    Raises ValueError where its voxels are not the same ones, to a tenth of a voxel: a truth is never resampled.
    """
    step = np.linalg.inv(labels.geometry.matrix) @ geometry.matrix
    corners = np.array(
        [[i * (n - 1) for i, n in zip(bits, geometry.shape, strict=True)] for bits in np.ndindex(2, 2, 2)]
    )
    there = np.c_[corners, np.ones(8)] @ step.T[:, :3]
    axes = np.abs(np.rint(step[:3, :3])).argmax(axis=0)
    whole = np.rint(there)
    if sorted(axes) != [0, 1, 2] or np.abs(there - whole).max() > 0.1:
        raise ValueError("the truth lies on other voxels than the image")
    values = labels.values.transpose(axes)
    low, high = whole.min(axis=0)[axes], whole.max(axis=0)[axes]
    if (low < 0).any() or (high >= values.shape).any():
        raise ValueError("the image reaches beyond its truth")
    turned = [bool(step[axis, number] < 0) for number, axis in enumerate(axes)]
    k, j, i = (slice(int(first), int(last) + 1) for first, last in zip(low, high, strict=True))
    return np.asarray(np.flip(values[k, j, i], axis=tuple(number for number, flip in enumerate(turned) if flip)))


def label_of(bone: Bone) -> BoneLabel | None:
    """The bone's label in a planar skeleton map; None for those below elbow and knee, which it does not show."""
    if bone.kind == "vertebra":
        return _SPINE[bone.name[0]]
    if bone.kind in _OTHERS:
        return _OTHERS[bone.kind]
    return next((label for label in BoneLabel if label.value == bone.name.lower()), None)


def skeleton_map(bones: ByteArray) -> ByteArray:
    """A shadow of bones (row, column), values of `Bone`, with the numbers of the label set BS80K_12_SIDED."""
    numbers = {label: number for number, label in BS80K_SIDED.numbers.items()}
    table = np.zeros(256, dtype=np.uint8)
    for bone in Bone:
        label = label_of(bone)
        table[bone] = 0 if label is None else numbers[label]
    return np.asarray(table[bones], dtype=np.uint8)


def projected_index(labels: PlanarLabels) -> float:
    """The index by area, %: of each row the higher share of both views; a row that no view shows adds nothing."""
    shares: dict[BoneRegion, list[float]] = defaultdict(lambda: [0.0])
    for view, bones in enumerate(labels.bones):
        skeleton, hot = skeleton_map(bones), labels.lesions[:, view].any(axis=0)
        for region in BS80K_SIDED.regions:
            own = BS80K_SIDED.labels_of(region)
            there = np.isin(skeleton, [number for number, label in BS80K_SIDED.numbers.items() if label in own])
            if there.any():
                shares[region].append(float(np.count_nonzero(there & hot)) / float(np.count_nonzero(there)))
    coefficients = spiers_1968().percent
    return math.fsum(coefficients[region] * max(found) for region, found in shares.items())


def true_index(study: StudyTruth) -> float | None:
    """The Bone Scan Index by volume, %; None where the truth does not hold the bones' volumes."""
    whole: dict[BoneRegion, float] = defaultdict(float)
    part: dict[BoneRegion, float] = defaultdict(float)
    for pose in study.bones:
        if pose.volume_ml is None:
            return None
        if pose.bone.kind != "patella":
            whole[BoneRegion(pose.bone.region.value)] += pose.volume_ml
    for lesion in study.lesions:
        if lesion.bone.kind != "patella":
            part[BoneRegion(lesion.bone.region.value)] += lesion.volume_ml * (1.0 - lesion.flesh_share)
    fractions: Mapping[BoneRegion, float | None] = {
        region: min(1.0, part[region] / whole[region]) for region in BS80K_SIDED.regions if whole[region] > 0.0
    }
    return index_from_fractions(fractions, table=spiers_1968()).index_percent
