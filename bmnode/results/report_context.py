"""What a root report says beside its findings: branch, pipeline, checks, limitations, notices, algorithms, evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from pydicom.dataset import Dataset

from bmnode.domain.codes import Code
from bmnode.domain.results import Algorithm, QualityCheck, Verdict
from bmnode.domain.study import Branch
from bmnode.results.concepts import IMAGE_PROCESSING, Item
from bmnode.results.content_tree import children, code_of, name_of, text_of
from bmnode.results.groups import STUDY_TRACKING_ID

_CHECK = re.compile(r"(?P<name>.*?): (?P<verdict>pass|warn|fail|not evaluable)\. (?P<explanation>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportContext:
    """The context of a report. `series_uids` are the series of its evidence that are no results of its own."""

    branch: Branch | None
    pipeline: str
    explanation: str
    """Why the study is not assessable."""
    quality: tuple[QualityCheck, ...]
    limitations: tuple[str, ...]
    notices: tuple[str, ...]
    algorithms: tuple[Algorithm, ...]
    series_uids: tuple[str, ...]
    studied_on: date | None

    @classmethod
    def from_dataset(cls, dataset: Dataset, *, own_classes: Iterable[str]) -> ReportContext:
        """Read the context of a root report; `own_classes` are SOP Classes that only results have.

        Raises what pydicom raises on a damaged report.
        """
        said = children(dataset, Item.QUALITATIVE_EVALUATIONS)
        branch = _text(said, Item.BRANCH)
        pipeline = _text(said, Item.PIPELINE)
        return cls(
            branch=Branch(branch) if branch else None,
            pipeline=pipeline,
            explanation=_text(said, Item.EXPLANATION),
            quality=tuple(_check(text) for text in _texts(said, Item.QUALITY_CHECK)),
            limitations=tuple(_texts(said, Item.LIMITATION)),
            notices=tuple(_texts([dataset], Item.NOTICE)),
            algorithms=_without_stand_in(_algorithms(dataset), pipeline),
            series_uids=_evidence_series(dataset, frozenset(own_classes)),
            studied_on=_date(str(dataset.get("StudyDate") or "")),
        )


def _texts(containers: Iterable[Dataset], name: Code) -> list[str]:
    return [str(item.TextValue) for container in containers for item in children(container, name, value_type="TEXT")]


def _text(containers: Iterable[Dataset], name: Code) -> str:
    return next(iter(_texts(containers, name)), "")


def _check(text: str) -> QualityCheck:
    """The sentence `name: verdict. explanation` taken apart."""
    found = _CHECK.fullmatch(text)
    if found is None:
        raise ValueError("a quality check of the report has no verdict")
    return QualityCheck(
        name=found["name"], verdict=Verdict(found["verdict"].replace(" ", "_")), explanation=found["explanation"]
    )


def _algorithms(dataset: Dataset) -> list[Algorithm]:
    """TID 4019 of the study's group: every name begins another algorithm."""
    groups = [
        group
        for container in children(dataset, Item.IMAGING_MEASUREMENTS)
        for group in children(container, Item.MEASUREMENT_GROUP)
        if text_of(group, Item.TRACKING_ID) == STUDY_TRACKING_ID
    ]
    parts: list[list[Dataset]] = []
    for item in (item for group in groups for item in children(group)):
        if name_of(item) == Item.ALGORITHM_NAME:
            parts.append([])
        if parts:
            parts[-1].append(item)
    return [_algorithm(part) for part in parts]


def _algorithm(items: list[Dataset]) -> Algorithm:
    by_name: dict[Code | None, list[Dataset]] = {}
    for item in items:
        by_name.setdefault(name_of(item), []).append(item)
    return Algorithm(
        name=str(by_name[Item.ALGORITHM_NAME][0].TextValue),
        version=str(by_name[Item.ALGORITHM_VERSION][0].TextValue),
        family=code_of(by_name[Item.ALGORITHM_FAMILY][0].ConceptCodeSequence[0]),
        parameters=tuple(str(item.TextValue) for item in by_name.get(Item.ALGORITHM_PARAMETERS, [])),
    )


def _without_stand_in(algorithms: list[Algorithm], pipeline: str) -> tuple[Algorithm, ...]:
    """The writer names the pipeline itself where a result set names no algorithm."""
    if len(algorithms) == 1 and not algorithms[0].parameters and algorithms[0].family == IMAGE_PROCESSING:
        only = algorithms[0]
        if f"{only.name} {only.version}" == pipeline:
            return ()
    return tuple(algorithms)


def _evidence_series(dataset: Dataset, own_classes: frozenset[str]) -> tuple[str, ...]:
    return tuple(
        str(series.SeriesInstanceUID)
        for study in dataset.get("CurrentRequestedProcedureEvidenceSequence") or ()
        if study.StudyInstanceUID == dataset.StudyInstanceUID
        for series in study.ReferencedSeriesSequence
        if not {str(item.ReferencedSOPClassUID) for item in series.ReferencedSOPSequence} <= own_classes
    )


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a date of the calendar has no zone
    except ValueError:
        return None
