"""The report as pages: Encapsulated PDF (PS3.3 A.45.1), for readers who open documents only.

Pages are images, made with the pictures' own drawing: a text that no viewer can lay out anew. What
can be searched and computed with is the SR.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from bmnode import MODEL_NAME
from bmnode.domain.objects import ResultKind
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.canvas import statements_of
from bmnode.results.concepts import ENCAPSULATED_PDF, Title, coded
from bmnode.results.context import WriteContext
from bmnode.results.examined import Examined
from bmnode.results.instance import NewInstance, algorithms_of, new_instance
from bmnode.results.pictures import compose_pictures
from bmnode.results.sources import SourceStudy
from bmnode.results.text import plain
from bmnode.results.words import evaluation_lines, finding_lines, with_method

PAGE = (1240, 1754)
"""A4 at 150 dots per inch."""
RESOLUTION = 150.0
JPEG_QUALITY = 90
_MARGIN, _TEXT, _LINE, _COLUMNS = 80, 22, 30, 100
_LINES_A_PAGE = (PAGE[1] - 2 * _MARGIN) // _LINE - 3


def build_document(result_set: ResultSet, *, source: SourceStudy, context: WriteContext, report: Dataset) -> Dataset:
    """The document of a result set; `report` is its root SR, which it says in other words. Also for a refused study."""
    what = NewInstance(kind=ResultKind.PDF, sop_class_uid=ENCAPSULATED_PDF, modality="DOC")
    dataset = new_instance(what, source=source, context=context, result_set=result_set)
    dataset.ConversionType = "WSD"
    dataset.AcquisitionDateTime = ""
    # Pages of text, and of a course the dates of the studies: whoever takes an identity away has to look at them.
    dataset.BurnedInAnnotation = "YES"
    dataset.DocumentTitle = plain(dataset.SeriesDescription)
    dataset.ConceptNameCodeSequence = [coded(Title.ONCOLOGY)]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    said = Dataset()
    said.ReferencedSOPClassUID = report.SOPClassUID
    said.ReferencedSOPInstanceUID = report.SOPInstanceUID
    dataset.SourceInstanceSequence = [said]
    raw = _pdf([*_text_pages(result_set, context), *_picture_pages(result_set, source)], context)
    dataset.EncapsulatedDocumentLength = len(raw)
    dataset.EncapsulatedDocument = raw + b"\0" * (len(raw) % 2)
    return dataset


def check_document(examined: Examined) -> None:
    """The document is a whole PDF of the stated length."""
    dataset = examined.dataset
    raw = bytes(dataset.EncapsulatedDocument)[: int(dataset.EncapsulatedDocumentLength)]
    if not raw.startswith(b"%PDF-") or not raw.rstrip().endswith(b"%%EOF"):
        raise ResultError("the document is no whole PDF")


def report_lines(result_set: ResultSet, context: WriteContext) -> Iterator[str]:
    """What the pages say, line by line, in the order of the report; an empty line parts the sections."""
    yield f"{MODEL_NAME} {context.software_version}, {context.pipeline_name} {context.pipeline_version}"
    yield ""
    if result_set.refusal is not None:
        yield f"NOT ASSESSABLE: {result_set.refusal.reason.value}"
        yield result_set.refusal.explanation
    else:
        yield f"Assessed: {len(result_set.findings)} finding(s)"
    for notice in result_set.notices:
        yield f"NOTICE: {notice}"
    for number, finding in enumerate(result_set.findings, 1):
        yield ""
        yield from finding_lines(number, finding)
    sections = (
        ("Whole study", [*evaluation_lines(result_set.evaluations), *map(with_method, result_set.measurements)]),
        ("Quality", [f"{c.name}: {c.verdict.value.replace('_', ' ')}. {c.explanation}" for c in result_set.quality]),
        ("Limitations", list(result_set.limitations)),
        ("Algorithms", [f"{item.name} {item.version}" for item in algorithms_of(result_set, context)]),
    )
    for title, lines in sections:
        if lines:
            yield ""
            yield title
            yield from (f"- {line}" for line in lines)


def _text_pages(result_set: ResultSet, context: WriteContext) -> Iterator[Image.Image]:
    lines = [
        part
        for line in report_lines(result_set, context)
        for part in textwrap.wrap(plain(line), _COLUMNS, subsequent_indent="  ") or [""]
    ]
    for start in range(0, len(lines), _LINES_A_PAGE):
        page, draw, top = _page(synthetic=result_set.synthetic)
        for offset, line in enumerate(lines[start : start + _LINES_A_PAGE]):
            draw.text((_MARGIN, top + offset * _LINE), line, fill=(0, 0, 0), font=ImageFont.load_default(_TEXT))
        yield page


def _picture_pages(result_set: ResultSet, source: SourceStudy) -> Iterator[Image.Image]:
    for picture in compose_pictures(result_set, source):
        page, _, top = _page(synthetic=result_set.synthetic)
        room = (PAGE[0] - 2 * _MARGIN, PAGE[1] - top - _MARGIN)
        scale = min(room[0] / picture.image.width, room[1] / picture.image.height)
        size = (round(picture.image.width * scale), round(picture.image.height * scale))
        page.paste(picture.image.resize(size, Image.Resampling.LANCZOS), (_MARGIN, top))
        yield page


def _page(*, synthetic: bool) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    """A white page with the statements at its head, and where its content begins."""
    page = Image.new("RGB", PAGE, (255, 255, 255))
    draw = ImageDraw.Draw(page)
    statements = statements_of(synthetic=synthetic)
    for index, text in enumerate(statements):
        place = (_MARGIN, _MARGIN + index * _LINE)
        draw.text(place, text, fill=(170, 0, 0), font=ImageFont.load_default(_TEXT))
    return page, draw, _MARGIN + (len(statements) + 1) * _LINE


def _pdf(pages: list[Image.Image], context: WriteContext) -> bytes:
    """The pages as PDF; its dates are those of the job, so that a repeated run gives the same bytes."""
    made = context.created_utc.timetuple()
    stream = io.BytesIO()
    pages[0].save(
        stream,
        format="PDF",
        save_all=True,
        append_images=pages[1:],
        resolution=RESOLUTION,
        quality=JPEG_QUALITY,
        creationDate=made,
        modDate=made,
    )
    return stream.getvalue()
