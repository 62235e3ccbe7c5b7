"""The report as pages: what it says, under the statements, only where it is asked for."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from bmnode.domain.objects import OutputOptions, ResultKind
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.document import PAGE, report_lines
from bmnode.results.pictures import compose_pictures
from bmnode.results.sources import SourceStudy
from bmnode.results.verify import verify_object
from bmnode.results.write import write_results
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

WITH_DOCUMENT = dataclasses.replace(CONTEXT, output=OutputOptions(document=True))


def document_of(series: sources.SourceSeries, result_set: ResultSet, folder: Path) -> pydicom.Dataset:
    """Write everything and read the document."""
    objects = write_results(result_set, source_files=series.files, out_dir=folder, context=WITH_DOCUMENT)
    (item,) = [item for item in objects if item.kind is ResultKind.PDF]
    return pydicom.dcmread(item.path)


def pages_of(dataset: pydicom.Dataset) -> list[np.ndarray]:
    """The pages' images: Pillow keeps each as a JPEG stream, which is decoded here."""
    raw = bytes(dataset.EncapsulatedDocument)
    starts = [found.start() for found in re.finditer(rb"\xff\xd8\xff", raw)]
    return [np.asarray(Image.open(io.BytesIO(raw[start:])).convert("RGB")) for start in starts]


def test_the_document_has_the_report_and_then_every_picture(tmp_path: Path) -> None:
    """One page of text and one a picture, A4, each with the statements in red at its head."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.planar_segmented(series)
    source = SourceStudy.from_files(series.files, study_uid=series.study_uid)
    dataset = document_of(series, result_set, tmp_path / "out")
    pages = pages_of(dataset)
    assert len(pages) == 1 + len(list(compose_pictures(result_set, source)))
    assert bytes(dataset.EncapsulatedDocument).count(b"/Type /Page\n") == len(pages)
    for page in pages:
        assert page.shape == (PAGE[1], PAGE[0], 3)
        head = page[70:120].astype(int)
        assert ((head[..., 0] > 120) & (head[..., 1] < 90)).sum() > 300, "the statements"
    assert len(bytes(dataset.EncapsulatedDocument)) - dataset.EncapsulatedDocumentLength in (0, 1)


def test_the_pages_say_what_the_report_says(tmp_path: Path) -> None:
    """Every finding with its numbers, units and methods, checks, limitations and versions."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    result_set = result_sets.volumetric(series)
    text = "\n".join(report_lines(result_set, CONTEXT))
    for finding in result_set.findings:
        assert finding.tracking_id in text
        assert all(item.method in text for item in finding.measurements)
        assert all(item.value.meaning in text for item in finding.evaluations)
    assert all(check.explanation in text for check in result_set.quality)
    assert "not evaluable" in text
    assert all(sentence in text for sentence in result_set.limitations)
    assert all(f"NOTICE: {sentence}" in text for sentence in result_set.notices)
    assert f"{result_sets.ALGORITHM.name} {result_sets.ALGORITHM.version}" in text


def test_a_refused_study_has_a_document_that_says_why(tmp_path: Path) -> None:
    """Whoever opens documents only learns that the study was not assessed."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.refused(series)
    assert len(pages_of(document_of(series, result_set, tmp_path / "out"))) == 1
    assert result_set.refusal is not None
    lines = list(report_lines(result_set, CONTEXT))
    assert "NOT ASSESSABLE: missing_pixel_data" in lines
    assert result_set.refusal.explanation in lines


def test_a_long_report_goes_on_on_the_next_page(tmp_path: Path) -> None:
    """Nothing falls off the end of a page."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    limitations = tuple(f"Limitation number {number} of many." for number in range(120))
    result_set = dataclasses.replace(result_sets.negative(series), limitations=limitations)
    pages = pages_of(document_of(series, result_set, tmp_path / "out"))
    assert len(pages) == 3
    assert all((page[: PAGE[1] - 80] < 100).any() and page[PAGE[1] - 75 :].min() > 200 for page in pages)


def test_the_document_names_its_report(tmp_path: Path) -> None:
    """The source of the document is the root report of the same result."""
    series = sources.planar_bone_scan(tmp_path / "in")
    dataset = document_of(series, result_sets.planar_segmented(series), tmp_path / "out")
    report = pydicom.dcmread(tmp_path / "out" / "sr.dcm", stop_before_pixels=True)
    (source,) = dataset.SourceInstanceSequence
    assert source.ReferencedSOPInstanceUID == report.SOPInstanceUID


def test_a_damaged_document_is_not_released(tmp_path: Path) -> None:
    """A document that ends early is found."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.refused(series)
    dataset = document_of(series, result_set, tmp_path / "out")
    siblings = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in (tmp_path / "out").iterdir()}
    source = SourceStudy.from_files(series.files, study_uid=series.study_uid)
    path = tmp_path / "out" / "report.dcm"
    verify_object(path, result_set=result_set, source=source, siblings=siblings)
    dataset.EncapsulatedDocument = bytes(dataset.EncapsulatedDocument)[:2000]
    dataset.save_as(path)
    with pytest.raises(ResultError, match="document: the document is no whole PDF"):
        verify_object(path, result_set=result_set, source=source, siblings=siblings)
