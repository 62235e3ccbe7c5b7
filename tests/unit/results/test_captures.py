"""Pictures as Secondary Capture: what is drawn, with the statements burned in, only where it is asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from bmnode.domain.objects import OutputOptions, ResultKind
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch
from bmnode.errors import ResultError
from bmnode.results.canvas import LINE, banner
from bmnode.results.context import ResultObject
from bmnode.results.pictures import draw_pictures
from bmnode.results.sources import SourceStudy
from bmnode.results.verify import verify_object
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

WITH_PICTURES = dataclasses.replace(CONTEXT, output=OutputOptions(pictures=True))


def pictures_of(series: sources.SourceSeries, result_set: ResultSet, folder: Path) -> list[ResultObject]:
    """Write everything; the pictures among it."""
    objects = write_results(result_set, source_files=series.files, out_dir=folder, context=WITH_PICTURES)
    return [item for item in objects if item.kind is ResultKind.SC]


def test_the_captures_are_the_pictures(tmp_path: Path) -> None:
    """Pixel for pixel what `bmnode run` writes as PNG, in one series, numbered in their order."""
    series = sources.spect_recon(tmp_path / "in")
    result_set = result_sets.volumetric(series, branch=Branch.SPECT)
    drawn = draw_pictures(result_set, source_files=series.files, out_dir=tmp_path / "png")
    captures = [pydicom.dcmread(item.path) for item in pictures_of(series, result_set, tmp_path / "out")]
    assert len(captures) == len(drawn) == 2
    for path, capture in zip(drawn, captures, strict=True):
        np.testing.assert_array_equal(capture.pixel_array, np.asarray(Image.open(path).convert("RGB")))
    assert len({capture.SeriesInstanceUID for capture in captures}) == 1
    assert len({capture.SOPInstanceUID for capture in captures}) == 2
    assert [capture.InstanceNumber for capture in captures] == [1, 2]


@pytest.mark.parametrize("synthetic", [False, True])
def test_the_statements_are_burned_in(synthetic: bool, tmp_path: Path) -> None:
    """Research use only stands in the pixels, and so does that the images are simulated; the header says that there is
    text in the pixels."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = dataclasses.replace(result_sets.planar_segmented(series), synthetic=synthetic)
    (item,) = pictures_of(series, result_set, tmp_path / "out")
    capture = pydicom.dcmread(item.path)
    head = banner(capture.Columns, synthetic=False)
    both = banner(capture.Columns, synthetic=True)
    np.testing.assert_array_equal(capture.pixel_array[:LINE], head[:LINE])
    assert np.array_equal(capture.pixel_array[: len(both)], both) is synthetic
    assert ("SIMULATED" in capture.SeriesDescription) is synthetic
    assert capture.BurnedInAnnotation == "YES"


def test_pictures_are_written_only_where_they_are_asked_for(tmp_path: Path) -> None:
    """The default result set has none, and a refused study has none either way."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.planar_segmented(series)
    usual = write_results(result_set, source_files=series.files, out_dir=tmp_path / "a", context=CONTEXT)
    assert ResultKind.SC not in {item.kind for item in usual}
    assert pictures_of(series, result_sets.refused(series), tmp_path / "b") == []


def test_pictures_do_not_change_the_other_objects(tmp_path: Path) -> None:
    """Reports and segmentations are the same bytes with and without pictures beside them."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.planar_segmented(series)
    usual = write_results(result_set, source_files=series.files, out_dir=tmp_path / "a", context=CONTEXT)
    more = write_results(result_set, source_files=series.files, out_dir=tmp_path / "b", context=WITH_PICTURES)
    assert {item.sha256 for item in usual} < {item.sha256 for item in more}


def test_a_capture_without_its_banner_is_not_released(tmp_path: Path) -> None:
    """One changed pixel in the statements is found."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.planar_segmented(series)
    (item,) = pictures_of(series, result_set, tmp_path / "out")
    source = SourceStudy.from_files(series.files, study_uid=series.study_uid)
    verify_object(item.path, result_set=result_set, source=source, siblings={})
    dataset = pydicom.dcmread(item.path)
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 255]) + dataset.PixelData[1:]
    dataset.save_as(item.path)
    with pytest.raises(ResultError, match="picture: the statements are not burned in"):
        verify_object(item.path, result_set=result_set, source=source, siblings={})
