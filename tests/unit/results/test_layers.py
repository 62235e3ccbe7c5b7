"""A large segmentation is written so that a viewer opens it in time."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from bmnode.domain.codes import Finding
from bmnode.domain.geometry import CroppedMask
from bmnode.domain.objects import ResultKind
from bmnode.domain.results import ResultSet, Segment
from bmnode.results.layers import opens_slowly
from bmnode.results.reading import frame_mask, read_object, segment_frames
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

SHAPE = (300, 12, 14)
COLUMNS = 12


def crowded(series: sources.SourceSeries) -> ResultSet:
    """Twelve columns of one pixel along all slices, and a bone that holds them all."""
    few = result_sets.volumetric(series)
    segments = []
    for index in range(COLUMNS + 1):
        values = np.zeros(SHAPE, dtype=np.bool_)
        values.reshape(SHAPE[0], -1)[:, index if index < COLUMNS else slice(None)] = True
        segments.append(
            Segment(
                label=f"Part {index}",
                category=Finding.ABNORMAL_STRUCTURE if index < COLUMNS else Finding.ANATOMICAL_STRUCTURE,
                type=Finding.LESION if index < COLUMNS else Finding.BONE,
                mask=CroppedMask.from_array(values),
            )
        )
    (segmentation,) = few.segmentations
    return dataclasses.replace(
        few, findings=(), segmentations=(dataclasses.replace(segmentation, segments=tuple(segments)),)
    )


def test_a_large_segmentation_is_parted_and_no_voxel_is_lost(tmp_path: Path) -> None:
    """Lesions come in one object and the bone in another, each without overlap; together they hold every voxel."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT", shape=SHAPE)
    result_set = crowded(series)
    assert opens_slowly(result_set.segmentations[0])
    objects = write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)
    written = [read_object(item.path) for item in objects if item.kind is ResultKind.SEG]
    assert [len(dataset.SegmentSequence) for dataset in written] == [COLUMNS, 1]
    assert [dataset.SegmentsOverlap for dataset in written] == ["NO", "NO"]
    lesions, bone = (
        sum(int(frame_mask(dataset, frame).sum()) for frame in segment_frames(dataset)) for dataset in written
    )
    assert (lesions, bone) == (COLUMNS * SHAPE[0], int(np.prod(SHAPE)))


def test_a_small_segmentation_stays_whole(tmp_path: Path) -> None:
    """Segments that overlap stay in one object where a viewer opens it at once."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    result_set = result_sets.volumetric(series)
    assert not opens_slowly(result_set.segmentations[0])
    objects = write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)
    (seg,) = [item for item in objects if item.kind is ResultKind.SEG]
    assert read_object(seg.path).SegmentsOverlap == "YES"
