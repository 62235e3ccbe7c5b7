"""Every outline of a lesion has a place in a viewer, and leads back to its lesion."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.ids import derive_uid, is_uid
from bmnode.domain.objects import ResultKind
from bmnode.results.drawn_outlines import drawn_outline, lesions_of, outline_uid
from bmnode.results.reading import read_report
from bmnode.results.regions import are_same_outlines
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_every_outline_leads_back_to_its_lesion(counts: list[int], random: Random) -> None:
    """Whatever the number of lesions and outlines and their order, no two share a UID and each finds its lesion."""
    lesions = [derive_uid("test", "lesion", str(index)) for index in range(len(counts))]
    expected = {
        outline_uid(lesion, number): lesion
        for lesion, count in zip(lesions, counts, strict=True)
        for number in range(1, count + 1)
    }
    assert len(expected) == sum(counts)
    assert all(is_uid(uid) for uid in expected)
    uids = list(expected)
    random.shuffle(uids)
    assert lesions_of(uids) == expected


def test_an_outline_without_its_lesion_stands_for_itself() -> None:
    """Where the first outline was taken out, the second is not known to be anybody's."""
    second = outline_uid("2.25.1", 2)
    assert lesions_of([second]) == {second: second}


def test_outlines_are_counted_from_one() -> None:
    """There is no outline 0."""
    with pytest.raises(ValueError, match="counted from 1"):
        outline_uid("2.25.1", 0)


def test_viewers_can_tell_both_views_of_a_lesion_apart(tmp_path: Path) -> None:
    """In the outlines' report each outline has its own Tracking UID, the first that of the lesion; in the root both
    stand under that one; and either report reads back as one lesion with both outlines."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.planar_segmented(series)
    objects = write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)
    paths = {item.kind: item.path for item in objects}
    lesion = result_set.findings[0]
    assert len(lesion.polygons) == 2
    drawn = tracking_uids(paths[ResultKind.ROI_SR])
    assert drawn[:2] == [lesion.tracking_uid, outline_uid(lesion.tracking_uid, 2)]
    assert len(drawn) == len(set(drawn))
    assert outline_uid(lesion.tracking_uid, 2) not in tracking_uids(paths[ResultKind.SR])
    for kind in (ResultKind.SR, ResultKind.ROI_SR):
        first = read_report(paths[kind]).findings[0]
        assert (first.tracking_id, first.tracking_uid) == (lesion.tracking_id, lesion.tracking_uid)
        assert [polygon.frame_number for polygon in first.polygons] == [1, 2]


@given(st.integers(3, 9))
def test_no_drawn_outline_is_taken_for_a_rectangle(corners: int) -> None:
    """Whatever the number of corners, there are six points or more, on the same line around the same area."""
    angles = np.arange(corners) * 2.0 * np.pi / corners
    points = [(float(x), float(y)) for x, y in zip(50 + 9 * np.cos(angles), 50 + 9 * np.sin(angles), strict=True)]
    polygon = ImagePolygon(sop_instance_uid="2.25.1", frame_number=2, points=(*points, points[0]))
    drawn = drawn_outline(polygon)
    assert len(drawn.points) >= 6
    assert set(polygon.points) <= set(drawn.points)
    assert drawn.frame_number == 2
    assert area(drawn) == pytest.approx(area(polygon))
    assert are_same_outlines([drawn], [polygon])


def area(polygon: ImagePolygon) -> float:
    """By the shoelace formula."""
    x, y = np.transpose(polygon.points)
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2.0)


def tracking_uids(path: Path) -> list[str]:
    """The Tracking UID of every group of a report."""
    dataset = pydicom.dcmread(path)
    return [
        str(item.UID)
        for container in dataset.ContentSequence
        if container.ConceptNameCodeSequence[0].CodeValue == "126010"
        for group in container.ContentSequence
        for item in group.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "112040"
    ]
