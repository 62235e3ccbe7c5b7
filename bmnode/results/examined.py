"""One written object under examination, with what it is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from bmnode.domain.objects import PredecessorDocument, ResultKind
from bmnode.domain.results import ResultSet
from bmnode.results.concepts import SERIES_NUMBER
from bmnode.results.reading import ReadSegment, read_object, segments_of
from bmnode.results.sources import SourceStudy

RELATIVE_TOLERANCE = 1e-6
"""Between a number in the SR and the same number recomputed from the SEG (IEC 62304 trace: SR/SEG mismatch)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadFiles:
    """The files of one result set as they stand on disk, each read once however many checks ask for it."""

    _datasets: dict[Path, Dataset] = field(default_factory=dict)
    _segments: dict[Path, tuple[ReadSegment, ...]] = field(default_factory=dict)

    def dataset(self, path: Path) -> Dataset:
        """The whole file. Raises ResultError where it cannot be read."""
        if path not in self._datasets:
            self._datasets[path] = read_object(path)
        return self._datasets[path]

    def segments(self, path: Path) -> tuple[ReadSegment, ...]:
        """The segments of a SEG with their volumes. Raises ResultError."""
        if path not in self._segments:
            self._segments[path] = segments_of(self.dataset(path))
        return self._segments[path]

    def forget(self, path: Path) -> None:
        """Let go of a file whose last reader may have changed it (highdicom does)."""
        self._datasets.pop(path, None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """One object read back. `siblings` are the files of its result set by SOP Instance UID, `predecessors` the earlier
    reports that its own reports name."""

    dataset: Dataset
    result_set: ResultSet
    source: SourceStudy
    siblings: Mapping[str, Path]
    predecessors: tuple[PredecessorDocument, ...] = ()
    files: ReadFiles = field(default_factory=ReadFiles)


def elements(dataset: Dataset) -> Iterator[DataElement]:
    """Every element of the data set and of every item of its sequences, at any depth."""
    waiting = [dataset]
    while waiting:
        for element in waiting.pop():
            yield element
            if element.VR == "SQ":
                waiting.extend(element.value)


def references(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(SOP Instance UID, SOP Class UID) of what the data set and the items of its sequences refer to, at any depth."""
    waiting = [dataset]
    while waiting:
        item = waiting.pop()
        if "ReferencedSOPInstanceUID" in item:
            yield str(item.ReferencedSOPInstanceUID), str(item.ReferencedSOPClassUID)
        for element in item:
            if element.VR == "SQ":
                waiting.extend(element.value)


def segmentation_index(dataset: Dataset) -> int:
    """Which of the result set's segmentations the object is: their series are numbered in their order."""
    return int(dataset.SeriesNumber) - SERIES_NUMBER[ResultKind.SEG]
