"""One written object under examination, with what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from bmnode.domain.objects import PredecessorDocument, ResultKind
from bmnode.domain.results import ResultSet
from bmnode.results.concepts import SERIES_NUMBER
from bmnode.results.sources import SourceStudy

RELATIVE_TOLERANCE = 1e-6
"""Between a number in the SR and the same number recomputed from the SEG (IEC 62304 trace: SR/SEG mismatch)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """One object read back. `siblings` are the files of its result set by SOP Instance UID, `predecessors` the earlier
    reports that its own reports name."""

    dataset: Dataset
    result_set: ResultSet
    source: SourceStudy
    siblings: Mapping[str, Path]
    predecessors: tuple[PredecessorDocument, ...] = ()


def segmentation_index(dataset: Dataset) -> int:
    """Which of the result set's segmentations the object is: their series are numbered in their order."""
    return int(dataset.SeriesNumber) - SERIES_NUMBER[ResultKind.SEG]
