"""Segments that overlap, parted into segmentations without overlap. Nothing of any segment is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bmnode.domain.codes import Finding
from bmnode.domain.results import ResultSet, Segment, Segmentation, SegmentReference
from bmnode.results.seg_parts import segments_overlap

MOST_STEPS = 10_000_000
"""OHIF 3.13 looks for every segment on every slice through all frames, where any two segments overlap: so many steps
take it some ten seconds, and the skeleton and sixty lesions of a whole-body CT would take thirty times as many [P]."""


def opens_slowly(segmentation: Segmentation) -> bool:
    """Whether a viewer would take long to open it as one object, if its segments overlap."""
    frames = sum(len(segment.mask.values) for segment in segmentation.segments)
    return len(segmentation.segments) * segmentation.geometry.shape[0] * frames > MOST_STEPS


def disjoint(result_set: ResultSet, *, only: Callable[[Segmentation], bool] | None = None) -> ResultSet:
    """The same findings on segmentations whose segments do not overlap: each segmentation, or each of those that `only`
    names, becomes as many as it takes, lesions before anatomy, the segments in their order."""
    segmentations: list[Segmentation] = []
    moved: dict[SegmentReference, SegmentReference] = {}
    for index, segmentation in enumerate(result_set.segmentations):
        is_parted = only is None or only(segmentation)
        everything = [list(range(1, len(segmentation.segments) + 1))]
        for numbers in _layers(segmentation.segments) if is_parted else everything:
            for new, old in enumerate(numbers, 1):
                before = SegmentReference(segmentation_index=index, segment_number=old)
                moved[before] = SegmentReference(segmentation_index=len(segmentations), segment_number=new)
            segments = tuple(segmentation.segments[number - 1] for number in numbers)
            segmentations.append(replace(segmentation, segments=segments))
    findings = tuple(
        finding if finding.segment is None else replace(finding, segment=moved[finding.segment])
        for finding in result_set.findings
    )
    return replace(result_set, findings=findings, segmentations=tuple(segmentations))


def _layers(segments: Sequence[Segment]) -> list[list[int]]:
    """Segment numbers (from 1) in groups without overlap, each segment in the first group that has room for it."""
    layers: list[list[int]] = []
    order = sorted(range(len(segments)), key=lambda at: (segments[at].category != Finding.ABNORMAL_STRUCTURE, at))
    for at in order:
        for layer in layers:
            if not any(segments_overlap((segments[at], segments[number - 1])) for number in layer):
                layer.append(at + 1)
                break
        else:
            layers.append([at + 1])
    return [sorted(layer) for layer in layers]
