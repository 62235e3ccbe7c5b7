"""Reads the headers of the study's files."""

from __future__ import annotations

from bmnode.selection.headers import StudyReading, read_study
from operators.graph.base import SourceOperator


class LoadStudy(SourceOperator[StudyReading]):
    """Files to headers and files by series; what cannot be read is counted, not raised."""

    def produce(self) -> StudyReading:
        """Read the request's files."""
        reading = read_study(self.run.request.files, study_uid=self.run.request.study_uid)
        self.run.headers = reading.headers
        return reading
