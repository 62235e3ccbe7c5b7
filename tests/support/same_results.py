"""Whether a result set that was read back is the one that was written, in everything that DICOM can hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from bmnode.domain.geometry import CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.domain.results import FindingResult, Measurement, ResultSet, Segment, Segmentation
from bmnode.results.drawn_outlines import drawn_outline
from bmnode.results.text import plain

Place = tuple[float, float, float]


COMPARED = {
    "study_uid", "outcome", "branch", "input_series_uids", "refusal", "findings", "measurements", "evaluations",
    "segmentations", "planar_segmentations", "quality", "algorithms", "limitations", "notices", "synthetic",
}  # fmt: skip
ELSEWHERE = {"registrations", "history"}
"""Registrations are compared in a test of their own; the history of the pictures is in no report."""


def assert_same_result(found: ResultSet, expected: ResultSet, *, same_grid: bool) -> None:
    """Every field; masks voxel by voxel, by index where the grid came back and always by place in the patient."""
    assert {field.name for field in dataclasses.fields(ResultSet)} == COMPARED | ELSEWHERE, "a field is not compared"
    for name in ("study_uid", "outcome", "branch", "synthetic", "evaluations"):
        assert getattr(found, name) == getattr(expected, name), name
    assert set(found.input_series_uids) >= set(expected.input_series_uids)
    assert_same_refusal(found, expected)
    assert_same_numbers(found.measurements, expected.measurements)
    assert [dataclasses.astuple(item) for item in found.quality] == [
        (plain(item.name), item.verdict, plain(item.explanation)) for item in expected.quality
    ]
    assert list(found.limitations) == [plain(item) for item in expected.limitations]
    assert list(found.notices) == [plain(item) for item in expected.notices]
    if expected.refusal is None:
        assert found.algorithms == expected.algorithms
    for one, other in zip(found.findings, expected.findings, strict=True):
        assert_same_finding(one, other)
    for mine, theirs in zip(found.segmentations, expected.segmentations, strict=True):
        assert_same_segmentation(mine, theirs, same_grid=same_grid)
    for view, wanted in zip(found.planar_segmentations, expected.planar_segmentations, strict=True):
        assert view.source_instance_uid == wanted.source_instance_uid
        assert (view.frame_number or 1, view.shape) == (wanted.frame_number or 1, wanted.shape)
        assert_same_segments(view.segments, wanted.segments)


def assert_same_refusal(found: ResultSet, expected: ResultSet) -> None:
    """The reason, and the explanation in ASCII."""
    if expected.refusal is None:
        assert found.refusal is None
        return
    assert found.refusal is not None
    assert found.refusal.reason is expected.refusal.reason
    assert found.refusal.explanation == plain(expected.refusal.explanation)


def assert_same_numbers(found: Sequence[Measurement], expected: Sequence[Measurement]) -> None:
    """Exactly the same values, units, derivations and methods, in the same order."""
    assert [dataclasses.replace(item, method=plain(item.method, limit=64)) for item in expected] == list(found)


def assert_same_finding(found: FindingResult, expected: FindingResult) -> None:
    """Identity, place, codes, numbers; outlines in single precision, of which viewers' reports have corners more."""
    assert found.tracking_id == plain(expected.tracking_id)
    for name in ("tracking_uid", "finding_type", "site", "laterality", "segment", "evaluations", "came_from"):
        assert getattr(found, name) == getattr(expected, name), name
    assert_same_numbers(found.measurements, expected.measurements)
    for one, other in zip(found.polygons, expected.polygons, strict=True):
        assert_same_outline(drawn_outline(one), drawn_outline(other))


def assert_same_outline(found: ImagePolygon, expected: ImagePolygon) -> None:
    """The same image and frame, the corners as SCOORD holds them (FL)."""
    assert found.sop_instance_uid == expected.sop_instance_uid
    assert (found.frame_number or 1) == (expected.frame_number or 1)
    np.testing.assert_array_equal(np.asarray(found.points, np.float32), np.asarray(expected.points, np.float32))


def assert_same_segmentation(found: Segmentation, expected: Segmentation, *, same_grid: bool) -> None:
    """Segments in order, every voxel at its place in the patient; the grid and its slices where they came back."""
    assert found.source_series_uid == expected.source_series_uid
    assert_same_segments(found.segments, expected.segments, compare_masks=same_grid)
    for one, other in zip(found.segments, expected.segments, strict=True):
        np.testing.assert_allclose(
            places(one.mask, found.geometry), places(other.mask, expected.geometry), rtol=0.0, atol=1e-4
        )
    if same_grid:
        assert found.source_instance_uids == expected.source_instance_uids
        assert found.geometry.is_same_grid(expected.geometry)
    assert abs(found.geometry.voxel_volume_ml / expected.geometry.voxel_volume_ml - 1.0) < 1e-6


def assert_same_segments(found: Sequence[Segment], expected: Sequence[Segment], *, compare_masks: bool = True) -> None:
    """Names, codes and tracking of every segment, and its voxels by index."""
    for one, other in zip(found, expected, strict=True):
        assert one.label == plain(other.label, limit=64)
        for name in ("category", "type", "site", "laterality", "tracking_uid"):
            assert getattr(one, name) == getattr(other, name), name
        if compare_masks:
            np.testing.assert_array_equal(one.mask.to_array(), other.mask.to_array())


def places(mask: CroppedMask, geometry: VolumeGeometry) -> np.ndarray:
    """The centre of every voxel of a mask (voxel, xyz) in LPS millimetres, in the order of its index."""
    index = np.argwhere(mask.values) + mask.origin
    return np.asarray((geometry.matrix @ np.c_[index, np.ones(len(index))].T)[:3].T)
