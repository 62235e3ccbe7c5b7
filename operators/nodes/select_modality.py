"""Decides which branch the study takes, by the function that the node asks too."""

from __future__ import annotations

from bmnode.domain.results import ResultSet
from bmnode.selection.classify import classify
from bmnode.selection.headers import StudyReading
from operators.graph.base import StageOperator
from operators.graph.contract import StudyInput, refuse

END = "end"
"""The route of a study that no branch can assess."""


class SelectModality(StageOperator[StudyReading, StudyInput]):
    """Headers to a routed study, or to the refusal; `chosen` names the route."""

    chosen: str = END

    def process(self, value: StudyReading) -> StudyInput | ResultSet:
        """Classify, and remember the route for the dynamic flow."""
        classification = classify(value.headers)
        if classification.refusal is not None:
            self.chosen = END
            return refuse(self.run.request.study_uid, classification.refusal, headers=value.headers)
        self.chosen = str(classification.branch)
        self.run.study = StudyInput(
            request=self.run.request, headers=value.headers, classification=classification, files=value.files
        )
        return self.run.study
