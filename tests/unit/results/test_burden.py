"""Burden over time: every value at its place, gaps where nothing could be evaluated, nothing joined that differs."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bmnode.domain.codes import Concept, Unit
from bmnode.domain.objects import OutputOptions, ResultKind
from bmnode.domain.results import BurdenPoint, Measurement
from bmnode.results.burden import (
    CHART,
    axis_end,
    burden_curves,
    burden_legend,
    burden_panels,
    place,
)
from bmnode.results.canvas import LINE
from bmnode.results.pictures import compose_burden, draw_pictures
from bmnode.results.wire import load_result_set, save_result_set
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

FIRST = date(2025, 1, 1)
MTV = Measurement(concept=Concept.METABOLIC_VOLUME, value=40.0, unit=Unit.ML, method="MTV_41_V1")
TLG = Measurement(concept=Concept.TOTAL_LESION_GLYCOLYSIS, value=300.0, unit=Unit.GRAM, method="TLG_V1")


def point(days: int, *measurements: Measurement, synthetic: bool = False) -> BurdenPoint:
    """A study so many days after the first."""
    return BurdenPoint(studied_on=FIRST + timedelta(days=days), measurements=measurements, synthetic=synthetic)


def valued(value: float, measurement: Measurement = MTV) -> Measurement:
    """The measurement with another value."""
    return dataclasses.replace(measurement, value=value)


HISTORY = (
    point(0, valued(40.0), valued(300.0, TLG)),
    point(100, valued(20.0)),
    point(400, valued(80.0), valued(150.0, TLG)),
)


def test_each_quantity_has_a_value_or_none_at_every_date() -> None:
    """Dates in order, whatever the order given; what is absent is none, not zero."""
    volume, glycolysis = burden_curves(HISTORY[::-1])
    assert volume.dates == tuple(item.studied_on for item in HISTORY)
    assert volume.values == (40.0, 20.0, 80.0)
    assert glycolysis.values == (300.0, None, 150.0)


def test_fewer_than_three_studies_have_no_picture() -> None:
    """Two points are a difference, not a course."""
    assert list(compose_burden(HISTORY[:2])) == []
    assert len(list(compose_burden(HISTORY))) == 1


def test_numbers_of_two_methods_are_two_curves() -> None:
    """A new version of the rule begins a curve of its own; the old one has nothing there."""
    other = dataclasses.replace(MTV, method="MTV_41_V2")
    old, new = burden_curves([point(0, MTV), point(10, MTV), point(20, other)])
    assert (old.quantity.method, old.values) == ("MTV_41_V1", (40.0, 40.0, None))
    assert (new.quantity.method, new.values) == ("MTV_41_V2", (None, None, 40.0))


def test_units_and_methods_are_named_and_gaps_are_said() -> None:
    """The words below the charts hold every value, and that one was not evaluable."""
    text = " ".join(line for line, _ in burden_legend(burden_curves(HISTORY)))
    assert "Metabolic Volume [ml], MTV_41_V1: 2025-01-01 40; 2025-04-11 20; 2026-02-05 80" in text
    assert "Total Lesion Glycolysis [g], TLG_V1: 2025-01-01 300; 2025-04-11 not evaluable; 2026-02-05 150" in text


def test_marks_are_where_date_and_value_put_them() -> None:
    """Filled marks lie in proportion to time and value; one that was not evaluable is open, on the axis."""
    volume, glycolysis = burden_curves(HISTORY)
    grey = burden_panels([volume])[0].grey
    (x0, y0), (x1, y1), (x2, y2) = (place(volume, index) for index in range(3))
    assert (x1 - x0) / (x2 - x0) == pytest.approx(0.25)
    assert (y0 - y1) / (y0 - y2) == pytest.approx(-0.5)
    assert all(grey[round(y), round(x)] == 0 for x, y in ((x0, y0), (x1, y1), (x2, y2)))
    open_mark = burden_panels([glycolysis])[0].grey
    x, y = place(glycolysis, 1)
    assert open_mark[round(y), round(x)] == 255
    assert open_mark[round(y), round(x - 5) : round(x - 3)].min() == 0


def test_a_gap_breaks_the_line() -> None:
    """Half way between two values a line is drawn only where nothing lies between them."""
    volume, glycolysis = burden_curves(HISTORY)
    middle = [
        np.mean([place(volume, 1), place(volume, 2)], axis=0),
        np.mean([place(volume, 0), place(volume, 1)], axis=0),
    ]
    grey = burden_panels([volume])[0].grey
    assert all(grey[round(y) - 1 : round(y) + 2, round(x)].min() == 0 for x, y in middle)
    broken = burden_panels([glycolysis])[0].grey
    for one, other in ((0, 2), (0, 1), (1, 2)):
        x, y = np.mean([place(glycolysis, one), place(glycolysis, other)], axis=0)
        assert broken[round(y) - 2 : round(y) + 3, round(x)].min() > 0


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(0.0, 1e7)), min_size=3, max_size=12),
    gaps=st.lists(st.integers(0, 2000), min_size=12, max_size=12),
)
def test_any_history_stays_inside_its_chart(values: list[float | None], gaps: list[int]) -> None:
    """Whatever the values and dates, two studies of one day included, every mark is on the paper, every value said."""
    days = np.cumsum(gaps)
    points = [
        point(int(day), *([] if value is None else [valued(value)])) for day, value in zip(days, values, strict=False)
    ]
    curves = burden_curves(points)
    assert len(curves) == (1 if any(value is not None for value in values) else 0)
    for curve in curves:
        places = [place(curve, index) for index in range(len(values))]
        assert all(0 <= x < CHART[0] and 0 <= y < CHART[1] for x, y in places)
        text = " ".join(" ".join(line for line, _ in burden_legend([curve])).split())
        assert text.count("not evaluable") == values.count(None)
        assert burden_panels([curve])[0].grey.shape == CHART[::-1]


@pytest.mark.parametrize(
    ("largest", "end"), [(0.0, 1.0), (5e-324, 1.0), (0.04, 0.05), (1.0, 1.0), (80.0, 100.0), (2.1, 2.5), (6e5, 1e6)]
)
def test_the_value_axis_ends_at_a_round_number(largest: float, end: float) -> None:
    """1, 2, 2.5 or 5 times a power of ten, at or above the largest value."""
    assert axis_end(largest) == pytest.approx(end)


def test_simulated_data_say_so() -> None:
    """One simulated study among the points and the picture is headed SIMULATED."""
    (real,) = compose_burden(HISTORY)
    (simulated,) = compose_burden([*HISTORY[:2], dataclasses.replace(HISTORY[2], synthetic=True)])
    assert simulated.image.height - real.image.height == LINE
    with pytest.raises(ValueError, match="simulated"):
        dataclasses.replace(
            result_sets.negative(sources.SourceSeries(study_uid="1.2", series_uid="1.3", files=(), instance_uids=())),
            history=(point(0, MTV, synthetic=True),),
        )


def test_it_is_a_picture_a_capture_and_a_page(tmp_path: Path) -> None:
    """PNG, Secondary Capture and a page of the PDF, each verified; the folder between processes keeps the history."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    plain = result_sets.volumetric(series)
    result_set = dataclasses.replace(plain, history=HISTORY)
    paths = draw_pictures(result_set, source_files=series.files, out_dir=tmp_path)
    assert [path.name for path in paths] == ["volume-1.png", "burden-1.png"]
    context = dataclasses.replace(CONTEXT, output=OutputOptions(pictures=True, document=True))
    objects = write_results(result_set, source_files=series.files, out_dir=tmp_path / "out", context=context)
    captures = [pydicom.dcmread(item.path) for item in objects if item.kind is ResultKind.SC]
    np.testing.assert_array_equal(captures[1].pixel_array, np.asarray(Image.open(paths[1])))
    pages = {}
    for name, one in (("with", result_set), ("without", plain)):
        found = write_results(one, source_files=series.files, out_dir=tmp_path / name, context=context)
        (document,) = [pydicom.dcmread(item.path) for item in found if item.kind is ResultKind.PDF]
        pages[name] = document.EncapsulatedDocument.count(b"/Type /Page\n") or document.EncapsulatedDocument.count(
            b"/Type /Page"
        )
    assert pages["with"] == pages["without"] + 1
    save_result_set(result_set, tmp_path / "wire")
    assert load_result_set(tmp_path / "wire").history == HISTORY
