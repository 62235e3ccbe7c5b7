"""Reading the truth of a study: for tests, the demo and evaluation, never for an operator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from operators.simulation.truth.label_maps import LabelMap, PlanarLabels, read_label_map, read_planar_labels
from operators.simulation.truth.model import FILE_NAME, FORMAT, LabelKind, SeriesTruth, StudyTruth


@dataclass(frozen=True, kw_only=True, slots=True)
class TruthFolder:
    """The truth of one study with its label maps, read on demand."""

    path: Path
    study: StudyTruth

    def series(self, series_uid: str) -> SeriesTruth:
        """A series by Series Instance UID. Raises KeyError where the study has none such."""
        for series in self.study.series:
            if series.series_uid == series_uid:
                return series
        raise KeyError(series_uid)

    def labels(self, series_uid: str, kind: LabelKind) -> LabelMap:
        """A label map of a series with slices. Raises KeyError on a planar scan."""
        series = self.series(series_uid)
        path = self.path / series.files[kind]
        return read_label_map(path, frame_of_reference_uid=series.frame_of_reference_uid)

    def planar(self, series_uid: str) -> PlanarLabels:
        """The shadows of a planar scan. Raises KeyError on any other series."""
        series = self.series(series_uid)
        if not series.planar:
            raise KeyError(f"{series_uid} is no planar scan")
        return read_planar_labels(self.path / series.planar)


def load_truth(path: Path) -> TruthFolder:
    """The truth in a folder, or that of a `truth.json`.

    Raises ValueError where the file is of another format or damaged, OSError where there is none.
    """
    file = path / FILE_NAME if path.is_dir() else path
    try:
        study = TypeAdapter(StudyTruth).validate_json(file.read_bytes())
    except ValidationError as error:
        raise ValueError(f"{file.name} is no truth of format {FORMAT}: {error.errors()[0]['msg']}") from error
    if study.format != FORMAT:
        raise ValueError(f"{file.name} is of format {study.format}, this is format {FORMAT}")
    return TruthFolder(path=file.parent, study=study)
