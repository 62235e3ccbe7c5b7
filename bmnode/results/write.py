"""Result set -> DICOM objects: built, written under a temporary name, verified, and only then renamed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset

from bmnode.domain.objects import ResultKind, SegEncoding
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.captures import build_captures
from bmnode.results.context import ResultObject, WriteContext
from bmnode.results.document import build_document
from bmnode.results.examined import ReadFiles
from bmnode.results.instance import save
from bmnode.results.label_map import build_label_map
from bmnode.results.layers import disjoint, opens_slowly
from bmnode.results.reg import build_registration
from bmnode.results.seg import build_segmentation
from bmnode.results.seg_planar import build_planar_segmentation
from bmnode.results.sources import SourceStudy
from bmnode.results.sr import build_reports
from bmnode.results.verify import verify_object

_BUILDERS = {SegEncoding.BINARY: build_segmentation, SegEncoding.LABELMAP: build_label_map}
_BUILD_ERRORS = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError)
"""What pydicom and highdicom raise on a value that DICOM cannot hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draft:
    """One object under its temporary name."""

    kind: ResultKind
    final: Path
    temporary: Path
    dataset: Dataset


def write_results(
    result_set: ResultSet, *, source_files: Sequence[Path], out_dir: Path, context: WriteContext
) -> tuple[ResultObject, ...]:
    """Write the root SR, the outlines' SR where findings can be drawn, one SEG a segmentation and
    planar view in the context's encoding, one registration an earlier study that was used; where the
    context asks for them, the pictures as Secondary Capture
    and the report as Encapsulated PDF.

    `source_files` are the study's images; what is unreadable among them is left out. The same
    result set, sources and context give the same bytes. The objects are `sr.dcm`, `roi_sr.dcm`,
    `seg-1.dcm`, `reg-1.dcm` and `picture-1.dcm` onwards, and `report.dcm` in `out_dir`; the root comes first.

    Raises ResultError naming the object and the check; then nothing stands under a final name
    that did not stand there before.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    result_set = disjoint(result_set, only=None if context.encoding is SegEncoding.LABELMAP else opens_slowly)
    source = SourceStudy.from_files(source_files, study_uid=result_set.study_uid)
    drafts = _build(result_set, source=source, context=context, out_dir=out_dir)
    try:
        for draft in drafts:
            _write_durably(draft)
        siblings = {str(draft.dataset.SOPInstanceUID): draft.temporary for draft in drafts}
        check = partial(
            verify_object,
            result_set=result_set,
            source=source,
            siblings=siblings,
            predecessors=context.predecessors,
            files=ReadFiles(),
        )
        for draft in drafts:
            _verify(draft, check)
        objects = tuple(_describe(draft) for draft in drafts)
        for draft in reversed(drafts):  # the root last: whoever sees it finds what it refers to
            draft.temporary.replace(draft.final)
        _flush_folder(out_dir)
    finally:
        for draft in drafts:
            draft.temporary.unlink(missing_ok=True)
    return objects


def _build(result_set: ResultSet, *, source: SourceStudy, context: WriteContext, out_dir: Path) -> tuple[_Draft, ...]:
    try:
        build_volume = _BUILDERS[context.encoding]
        segmentations = [
            build_volume(result_set, index, source=source, context=context)
            for index in range(len(result_set.segmentations))
        ] + [
            build_planar_segmentation(result_set, index, source=source, context=context)
            for index in range(len(result_set.planar_segmentations))
        ]
        registrations = [
            build_registration(result_set, index, source=source, context=context)
            for index in range(len(result_set.registrations))
        ]
        root, outlines = build_reports(
            result_set, source=source, context=context, segmentations=segmentations, registrations=registrations
        )
        captures = build_captures(result_set, source=source, context=context) if context.output.pictures else []
        document = (
            build_document(result_set, source=source, context=context, report=root) if context.output.document else None
        )
    except _BUILD_ERRORS as error:
        raise ResultError(f"the result objects cannot be built: {error}") from error
    drafts = [_draft(ResultKind.SR, "sr.dcm", root, out_dir)]
    if outlines is not None:
        drafts.append(_draft(ResultKind.ROI_SR, "roi_sr.dcm", outlines, out_dir))
    for number, dataset in enumerate(segmentations, 1):
        drafts.append(_draft(ResultKind.SEG, f"seg-{number}.dcm", dataset, out_dir))
    for number, dataset in enumerate(registrations, 1):
        drafts.append(_draft(ResultKind.REG, f"reg-{number}.dcm", dataset, out_dir))
    for number, dataset in enumerate(captures, 1):
        drafts.append(_draft(ResultKind.SC, f"picture-{number}.dcm", dataset, out_dir))
    if document is not None:
        drafts.append(_draft(ResultKind.PDF, "report.dcm", document, out_dir))
    return tuple(drafts)


def _draft(kind: ResultKind, name: str, dataset: Dataset, out_dir: Path) -> _Draft:
    return _Draft(kind=kind, final=out_dir / name, temporary=out_dir / f".{name}.part", dataset=dataset)


def _write_durably(draft: _Draft) -> None:
    try:
        save(draft.dataset, draft.temporary)
    except _BUILD_ERRORS as error:
        # the message of an encoding error may quote a patient's name
        raise ResultError(f"{draft.final.name}: encoding: {type(error).__name__}") from None
    with draft.temporary.open("rb") as stream:
        os.fsync(stream.fileno())


def _verify(draft: _Draft, check: Callable[[Path], None]) -> None:
    try:
        check(draft.temporary)
    except ResultError as error:
        raise ResultError(f"{draft.final.name} was not released: {error}") from error


def _describe(draft: _Draft) -> ResultObject:
    return ResultObject(
        kind=draft.kind,
        sop_class_uid=str(draft.dataset.SOPClassUID),
        sop_instance_uid=str(draft.dataset.SOPInstanceUID),
        series_instance_uid=str(draft.dataset.SeriesInstanceUID),
        path=draft.final,
        sha256=hashlib.sha256(draft.temporary.read_bytes()).hexdigest(),
        transfer_syntax=str(draft.dataset.file_meta.TransferSyntaxUID),
    )


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
