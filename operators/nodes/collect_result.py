"""Takes the result out of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bmnode.domain.results import Outcome, QualityCheck, ResultSet, Verdict
from operators.graph.base import SinkOperator


class CollectResult(SinkOperator[object]):
    """The end of every branch: checks that what arrives is a result, adds what reading the files showed."""

    def finish(self, value: object) -> None:
        """Keep the result. Raises TypeError where a branch's last step returned something else."""
        if not isinstance(value, ResultSet):
            raise TypeError(f"a branch ends with a ResultSet, not with a {type(value).__name__}")
        self.run.result = replace(value, quality=(*value.quality, *self._checks(value)))

    def _checks(self, result: ResultSet) -> Iterator[QualityCheck]:
        headers = self.run.headers
        if headers is None:
            return
        if headers.unreadable_files:
            yield QualityCheck(
                name="Readable files",
                verdict=Verdict.WARN,
                explanation=f"{headers.unreadable_files} of {len(self.run.request.files)} files could not be read and "
                "were left out.",
            )
        if headers.is_minor is None and result.outcome is Outcome.ASSESSED:
            yield QualityCheck(
                name="Age of the patient",
                verdict=Verdict.NOT_EVALUABLE,
                explanation="Neither age nor birth date is stated; the thresholds are for adults.",
            )
