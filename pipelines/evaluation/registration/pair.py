"""Two simulated studies of one patient as registration sees them, and the true motion of every bone beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.selection.headers import read_study
from operators.kernels.registration.bones import SidedBone
from operators.kernels.registration.global_align import CtBone
from operators.kernels.resample import block_matrix
from operators.kernels.skeleton_sites.sites import SkeletonMap
from operators.readers.volume import read_volume
from operators.simulation.truth.label_maps import LabelMap
from operators.simulation.truth.model import LabelKind, StudyTruth
from operators.simulation.truth.read import load_truth
from pipelines.follow_up.scan import scan_of
from pipelines.training.site_accuracy import bone_of, without_sides

FloatArray = npt.NDArray[np.float64]
_RIGID = 1e-3
_AS_ONE_MM = 0.05


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scan:
    """One study's CT: what registration takes, the names as the node gives them, and the true ones."""

    ct: CtBone
    names: SkeletonMap
    true_names: SkeletonMap
    truth: StudyTruth


def load_scan(folder: Path) -> Scan:
    """The CT of a simulated study, alone or of a PET/CT or SPECT/CT. Raises StopIteration where it has none."""
    truth = load_truth(folder / "truth")
    files = tuple(sorted(path for path in (folder / "dicom").rglob("*") if path.is_file()))
    series = next(item for item in truth.study.series if item.modality == "CT")
    volume = read_volume(read_study(files, study_uid=truth.study.study_uid).files[series.series_uid])
    ct, names = scan_of(volume)
    return Scan(
        ct=ct,
        names=names,
        true_names=_true_names(truth.labels(series.series_uid, LabelKind.BONES), ct),
        truth=truth.study,
    )


def _true_names(labels: LabelMap, ct: CtBone) -> SkeletonMap:
    """The truth's labels at the middle of every working block, in the CT's frame of reference."""
    matrix = block_matrix(ct.work, ct.geometry, ct.work.factors)
    to_labels = np.linalg.inv(labels.geometry.matrix) @ matrix
    found = np.zeros(ct.work.bone.shape, dtype=np.uint8)
    rows, columns = np.indices(found.shape[1:])
    for number in range(len(found)):
        index = np.stack([np.full(rows.size, number), rows.ravel(), columns.ravel()])
        there = np.rint(to_labels[:3, :3] @ index + to_labels[:3, 3:]).astype(np.intp)
        inside = np.all((there >= 0) & (there < np.array(labels.values.shape)[:, None]), axis=0)
        found[number].reshape(-1)[inside] = labels.values[tuple(there[:, inside])]
    bones, sides = without_sides(found)
    return SkeletonMap(bones=bones, sides=sides, matrix=matrix, certain=frozenset(), method="SIMULATED_TRUTH")


def true_motions(current: StudyTruth, prior: StudyTruth) -> tuple[Mapping[SidedBone, FloatArray], int]:
    """Every bone's true motion (4, 4) from the current to the prior scan, and how many bones have none.

    A bone has none where its parts moved apart (hands, feet) or where it changed its form (a vertebra that collapsed).
    """
    there = {pose.bone: pose for pose in prior.bones}
    found: dict[SidedBone, FloatArray] = {}
    without = 0
    for pose in current.bones:
        bone, side = bone_of(pose.bone)
        if bone is None or pose.bone not in there:
            without += 1
            continue
        motions = [
            np.asarray(after) @ np.linalg.inv(np.asarray(before))
            for before, after in zip(pose.parts, there[pose.bone].parts, strict=True)
        ]
        rotation = motions[0][:3, :3]
        places = np.array([np.asarray(before)[:, 3] for before in pose.parts])
        apart = max(
            float(np.linalg.norm((places @ (motion - motions[0]).T)[:, :3], axis=1).max()) for motion in motions
        )
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > _RIGID or apart > _AS_ONE_MM:
            without += 1
            continue
        found[SidedBone(bone=bone, side=side)] = motions[0]
    return found, without
