"""The result set of the lesions that stand after a reader's editing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bmnode.domain.earlier import Change, Decision, EarlierResult, LesionReview
from bmnode.domain.results import (
    FindingResult,
    Measurement,
    PlanarSegmentation,
    ResultSet,
    Segment,
    Segmentation,
    SegmentReference,
)
from bmnode.results.edited_set import EditedSet, lattice_of
from bmnode.results.regions import Lattice, move_mask

STUDY_LEFT_OUT = "What was measured on the whole study is left out: it is that of the lesions before they were edited."


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Standing:
    """A lesion that stands: its finding (the reference to a segment is set anew), its segment on a grid, and whether
    its segments on planar views hold as before."""

    finding: FindingResult
    segment: Segment | None
    lattice: Lattice | None
    keeps_views: bool


@dataclass(kw_only=True, slots=True, eq=False)
class _Home:
    """A segmentation in the making."""

    lattice: Lattice
    segments: list[tuple[str | None, Segment, Lattice]]


def assemble(
    earlier: EarlierResult, standing: Sequence[Standing], *, reviews: Sequence[LesionReview], edited: EditedSet
) -> ResultSet:
    """The earlier result set with the lesions that stand; what was no lesion in it stays."""
    base = earlier.result_set
    homes = _homes(base, standing)
    segmentations = tuple(_segmentation(home) for home in homes)
    references = {
        uid: SegmentReference(segmentation_index=index, segment_number=number)
        for index, home in enumerate(homes)
        for number, (uid, _, _) in enumerate(home.segments, 1)
        if uid is not None
    }
    findings = tuple(replace(item.finding, segment=references.get(item.finding.tracking_uid)) for item in standing)
    measurements, said = _of_the_study(base, reviews, edited)
    return replace(
        base,
        findings=findings,
        measurements=measurements,
        evaluations=() if said else base.evaluations,
        segmentations=segmentations,
        planar_segmentations=_views(base, standing),
        limitations=(*base.limitations, summary(reviews, is_verified=edited.is_verified), *said),
    )


def summary(reviews: Sequence[LesionReview], *, is_verified: bool) -> str:
    """One sentence for the reader of a report about the edited lesions."""
    counts = Counter(item.decision for item in reviews)
    parts = ", ".join(f"{decision.value} {counts[decision]}" for decision in Decision)
    return f"Lesions as edited by a reader, {'' if is_verified else 'not '}verified: {parts}."


def _homes(base: ResultSet, standing: Sequence[Standing]) -> list[_Home]:
    """Every grid with its segments in the earlier order, then the added ones; grids of their own come last."""
    homes = [_Home(lattice=lattice_of(item), segments=[]) for item in base.segmentations]
    at = {item.finding.tracking_uid: _home_of(homes, item.lattice) for item in standing if item.lattice is not None}
    stands = {item.finding.tracking_uid: item for item in standing}
    owners = {item.segment: item.tracking_uid for item in base.findings if item.segment is not None}
    placed = set()
    for index, segmentation in enumerate(base.segmentations):
        for number, segment in enumerate(segmentation.segments, 1):
            uid = owners.get(SegmentReference(segmentation_index=index, segment_number=number))
            if uid is None:
                homes[index].segments.append((None, segment, lattice_of(segmentation)))
            elif at.get(uid) == index:
                _settle(homes[index], stands[uid])
                placed.add(uid)
    for uid, home in at.items():
        if uid not in placed:
            _settle(homes[home], stands[uid])
    return [home for home in homes if home.segments]


def _home_of(homes: list[_Home], lattice: Lattice) -> int:
    """The first grid that shares its voxels, widened to hold it; else a new one."""
    for index, home in enumerate(homes):
        joined = home.lattice.join(lattice)
        if joined is not None:
            home.lattice = joined
            return index
    homes.append(_Home(lattice=lattice, segments=[]))
    return len(homes) - 1


def _settle(home: _Home, item: Standing) -> None:
    if item.segment is None or item.lattice is None:
        return
    finding = item.finding
    segment = replace(
        item.segment,
        site=finding.site,
        laterality=finding.laterality,
        tracking_id=finding.tracking_id,
        tracking_uid=finding.tracking_uid,
    )
    home.segments.append((finding.tracking_uid, segment, item.lattice))


def _segmentation(home: _Home) -> Segmentation:
    target = home.lattice.geometry
    return Segmentation(
        source_series_uid=home.lattice.source_series_uid,
        source_instance_uids=home.lattice.source_instance_uids,
        geometry=target,
        segments=tuple(
            replace(segment, mask=move_mask(segment.mask, source=lattice.geometry, target=target))
            for _, segment, lattice in home.segments
        ),
    )


def _views(base: ResultSet, standing: Sequence[Standing]) -> tuple[PlanarSegmentation, ...]:
    """The views with the segments of lesions whose outlines hold."""
    holds = {item.finding.tracking_uid for item in standing if item.keeps_views}
    kept = [
        (view, tuple(segment for segment in view.segments if segment.tracking_uid in holds))
        for view in base.planar_segmentations
    ]
    return tuple(replace(view, segments=segments) for view, segments in kept if segments)


def _of_the_study(
    base: ResultSet, reviews: Sequence[LesionReview], edited: EditedSet
) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
    """Measurements of the whole study that hold, and what to say where those of the earlier result do not."""
    is_touched = any(
        item.decision in (Decision.REJECTED, Decision.ADDED) or Change.REGION in item.changes for item in reviews
    )
    if not is_touched:
        return base.measurements, ()
    stated = [item for report in edited.reports for item in report.measurements]
    new = tuple(item for item in stated if item not in base.measurements)
    return new, (STUDY_LEFT_OUT,) if base.measurements or base.evaluations else ()
