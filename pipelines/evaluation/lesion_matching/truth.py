"""Which lesions of two simulated scans are one, and what became of each, by what was simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.codes import Finding
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.results import FindingResult, ResultSet
from operators.kernels.lesion_matching.contract import Lesion, LesionGroup
from operators.kernels.lesion_matching.match import grouped
from operators.kernels.lesion_matching.places import share_within, voxel_places
from operators.kernels.registration.bones import SidedBone
from operators.simulation.truth.label_maps import LabelMap
from operators.simulation.truth.model import LabelKind, SeriesTruth, StudyTruth
from operators.simulation.truth.read import TruthFolder
from pipelines.evaluation.found import overlap_in_volume
from pipelines.follow_up.contract import Drawn
from pipelines.follow_up.drawn import lesions_of
from pipelines.follow_up.match import LEAST_SHOWN
from pipelines.training.site_accuracy import bone_of

FloatArray = npt.NDArray[np.float64]
Motions = Mapping[SidedBone, FloatArray]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Seen:
    """A mask of one scan with what it truly shows.

    Args:
        things: names of the lesions and benign changes in it; empty of a candidate on nothing that was simulated.
        bone: of the lesion or change that it shows most of; None where that is not known.
    """

    drawn: Drawn
    things: frozenset[str]
    bone: SidedBone | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Story:
    """What is true of two lists of masks.

    Args:
        groups: as the match should give them.
        open_prior, open_current: masks whose event is not known: they show nothing simulated, or lie alone in a bone
            whose motion is not known.
        nothing_prior, nothing_current: of those, the ones that show nothing simulated.
    """

    groups: tuple[LesionGroup, ...]
    open_prior: frozenset[int]
    open_current: frozenset[int]
    nothing_prior: frozenset[int]
    nothing_current: frozenset[int]


def measured_series(truth: StudyTruth) -> SeriesTruth:
    """The series that lesions are drawn on: the emission image of a PET/CT, else the CT. Raises StopIteration."""
    wanted = "PT" if any(item.modality == "PT" for item in truth.series) else "CT"
    return next(item for item in truth.series if item.modality == wanted)


def true_masks(truth: TruthFolder) -> tuple[Seen, ...]:
    """Every lesion that has a voxel in the measured series."""
    labels = truth.labels(measured_series(truth.study).series_uid, LabelKind.LESIONS)
    boxes = ndimage.find_objects(labels.values)
    found = []
    for lesion in truth.study.lesions:
        box = boxes[lesion.label - 1] if lesion.label <= len(boxes) else None
        if box is not None:
            mask = _cropped(labels, box, lesion.label)
            drawn = Drawn(finding=_finding(lesion.name), mask=mask, geometry=labels.geometry)
            found.append(Seen(drawn=drawn, things=frozenset({lesion.name}), bone=_bone(truth.study, lesion.name)))
    return tuple(found)


def _cropped(labels: LabelMap, box: tuple[slice, ...], label: int) -> CroppedMask:
    k, j, i = box
    z, y, x = labels.values.shape
    return CroppedMask(
        grid_shape=(z, y, x),
        origin=(k.start, j.start, i.start),
        values=np.ascontiguousarray(labels.values[k, j, i] == label),
    )


def _finding(name: str) -> FindingResult:
    return FindingResult(tracking_id=name, tracking_uid="1.2", finding_type=Finding.LESION)


def found_masks(truth: TruthFolder, result: ResultSet) -> tuple[Seen, ...]:
    """What the branch found, each with all that it shares a voxel with.

    Raises ValueError where a candidate lies on another grid than the truth.
    """
    study, uid = truth.study, measured_series(truth.study).series_uid
    drawn = lesions_of(result)
    findings = [item.finding for item in drawn]
    parts = [
        (LabelKind.LESIONS, [(item.name, item.label) for item in study.lesions]),
        (LabelKind.DECOYS, [(item.name, item.label) for item in study.decoys]),
    ]
    names = [name for _, items in parts for name, _ in items]
    tables = [
        overlap_in_volume(result, findings, truth.labels(uid, kind), numbers=[label for _, label in items])
        for kind, items in parts
    ]
    shared = np.concatenate(tables, axis=0)
    return tuple(
        Seen(
            drawn=item,
            things=frozenset(names[row] for row in np.flatnonzero(shared[:, column])),
            bone=_bone(study, names[int(shared[:, column].argmax())]) if shared[:, column].any() else None,
        )
        for column, item in enumerate(drawn)
    )


def _bone(study: StudyTruth, name: str) -> SidedBone | None:
    bones = {item.name: item.bone for item in study.lesions} | {item.name: item.bone for item in study.decoys}
    bone, side = bone_of(bones[name])
    return None if bone is None else SidedBone(bone=bone, side=side)


def related(current: StudyTruth, prior: StudyTruth) -> frozenset[tuple[str, str]]:
    """Names (prior, current) of one and the same thing: a lesion and what it came from, and a benign change."""
    pairs = {(before, lesion.name) for lesion in current.lesions for before in lesion.partners}
    stayed = {item.name for item in prior.decoys} & {item.name for item in current.decoys}
    return frozenset(pairs | {(name, name) for name in stayed})


def story_of(
    prior: Sequence[Seen],
    current: Sequence[Seen],
    *,
    pairs: frozenset[tuple[str, str]],
    motions: Motions,
    fields: tuple[Sequence[VolumeGeometry], Sequence[VolumeGeometry]],
) -> Story:
    """What is true of the masks of two scans.

    Args:
        pairs: of `related`.
        motions: (4, 4) from the current to the prior scan, of every bone that moved as one.
        fields: the grids of the prior, then of the current scan; a scan shows a place that lies in all of its own.
    """
    links = np.array(
        [[any((a, b) in pairs for a in before.things for b in now.things) for now in current] for before in prior],
        dtype=np.bool_,
    ).reshape(len(prior), len(current))
    back: Motions = {name: np.asarray(np.linalg.inv(motion)) for name, motion in motions.items()}
    shown_then = [_is_shown(item, motions=back, fields=fields[1]) for item in prior]
    shown_now = [_is_shown(item, motions=motions, fields=fields[0]) for item in current]
    nothing_prior, nothing_current = (
        frozenset(number for number, item in enumerate(side) if not item.things) for side in (prior, current)
    )
    return Story(
        groups=grouped(links, prior=_as_shown(shown_then), current=_as_shown(shown_now)),
        open_prior=nothing_prior | _unknown(shown_then, linked=links.any(axis=1)),
        open_current=nothing_current | _unknown(shown_now, linked=links.any(axis=0)),
        nothing_prior=nothing_prior,
        nothing_current=nothing_current,
    )


def _as_shown(shown: Sequence[bool | None]) -> list[Lesion]:
    return [Lesion(centroid_mm=(0.0, 0.0, 0.0), shown_by_both=value is not False) for value in shown]


def _unknown(shown: Sequence[bool | None], *, linked: npt.ArrayLike) -> frozenset[int]:
    """Masks without a link of which it is not known whether the other scan shows their place."""
    pairs = zip(shown, np.asarray(linked).tolist(), strict=True)
    return frozenset(number for number, (value, has_link) in enumerate(pairs) if value is None and not has_link)


def _is_shown(item: Seen, *, motions: Motions, fields: Sequence[VolumeGeometry]) -> bool | None:
    """Whether the other scan truly shows the place; None where the bone's motion is not known."""
    motion = None if item.bone is None else motions.get(item.bone)
    if motion is None:
        return None
    places = voxel_places(item.drawn.mask, item.drawn.geometry) @ motion[:3, :3].T + motion[:3, 3]
    return all(share_within(places, field) >= LEAST_SHOWN for field in fields)
