"""One written object under examination, with what it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from bmnode.domain.objects import PredecessorDocument, ResultKind
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.concepts import SERIES_NUMBER
from bmnode.results.damage import DAMAGED, explain
from bmnode.results.reading import ReadSegment, Report, parse_report, read_object, segments_of
from bmnode.results.sources import SourceStudy
from bmnode.results.walk import share_repeated

RELATIVE_TOLERANCE = 1e-6
"""Between a number in the SR and the same number recomputed from the SEG (IEC 62304 trace: SR/SEG mismatch)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadFiles:
    """The files of one result set as they stand on disk, each read once however many checks ask for it."""

    _datasets: dict[Path, Dataset] = field(default_factory=dict)
    _segments: dict[Path, tuple[ReadSegment, ...]] = field(default_factory=dict)
    _reports: dict[int, tuple[Dataset, Report]] = field(default_factory=dict)
    _classes: dict[Path, str] = field(default_factory=dict)

    def dataset(self, path: Path) -> Dataset:
        """The whole file. Raises ResultError where it cannot be read."""
        if path not in self._datasets:
            self._datasets[path] = _read(path)
        return self._datasets[path]

    def sop_class(self, path: Path) -> str:
        """The file's SOP Class UID, which is kept when the file is let go of. Raises ResultError."""
        if path not in self._classes:
            self._classes[path] = str(self.dataset(path).SOPClassUID)
        return self._classes[path]

    def segments(self, path: Path) -> tuple[ReadSegment, ...]:
        """The segments of a SEG with their volumes. Raises ResultError."""
        if path not in self._segments:
            self._segments[path] = segments_of(self.dataset(path))
        return self._segments[path]

    def report(self, dataset: Dataset) -> Report:
        """The report of a data set. Raises ResultError where it is none."""
        key = id(dataset)
        if key not in self._reports:
            # the data set is kept beside its report, so that no other one gets its identity
            self._reports[key] = dataset, parse_report(dataset)
        return self._reports[key][1]

    def forget(self, path: Path) -> None:
        """Let go of a file whose last reader may have changed it (highdicom does)."""
        dataset = self._datasets.pop(path, None)
        if dataset is not None:
            self._reports.pop(id(dataset), None)


def _read(path: Path) -> Dataset:
    """The file, with what its frames have in common read once. Raises ResultError."""
    dataset = read_object(path)
    try:
        share_repeated(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    except DAMAGED as error:
        raise ResultError(f"{path.name} cannot be read as DICOM: {explain(error)}") from None
    return dataset


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


def segmentation_index(dataset: Dataset) -> int:
    """Which of the result set's segmentations the object is: their series are numbered in their order."""
    return int(dataset.SeriesNumber) - SERIES_NUMBER[ResultKind.SEG]
