"""Takes the result out of the graph."""

from __future__ import annotations

from dataclasses import replace

from bmnode.domain.results import QualityCheck, ResultSet, Verdict
from operators.graph.base import SinkOperator


class CollectResult(SinkOperator[object]):
    """The end of every branch: checks that what arrives is a result, adds what reading the files showed."""

    def finish(self, value: object) -> None:
        """Keep the result. Raises TypeError where a branch's last step returned something else."""
        if not isinstance(value, ResultSet):
            raise TypeError(f"a branch ends with a ResultSet, not with a {type(value).__name__}")
        unreadable = self.run.headers.unreadable_files if self.run.headers else 0
        if unreadable:
            check = QualityCheck(
                name="Readable files",
                verdict=Verdict.WARN,
                explanation=f"{unreadable} of {len(self.run.request.files)} files could not be read and were left out.",
            )
            value = replace(value, quality=(*value.quality, check))
        self.run.result = value
