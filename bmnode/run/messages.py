"""What parent and child say to each other: one JSON object a line.

parent -> child   run
child -> parent   ready (once), then per run: progress*, done | failed
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from bmnode.domain.codes import Code
from bmnode.domain.objects import OutputOptions, PredecessorDocument, ResultKind, SegEncoding
from bmnode.domain.study import Reason, Refusal
from bmnode.errors import ChildCrashedError, InputError, PipelineFailedError, RunError
from bmnode.run.runner import RunRequest


class Kind(StrEnum):
    """The messages."""

    READY = "ready"
    RUN = "run"
    PROGRESS = "progress"
    DONE = "done"
    FAILED = "failed"


FAILURES: Mapping[str, type[RunError]] = {
    error.code: error for error in (ChildCrashedError, InputError, PipelineFailedError)
}
"""What a child's `failed` becomes in the parent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One line. Raises ValueError where the text is none."""

    kind: Kind
    body: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_line(self) -> bytes:
        """The line, with its end."""
        return json.dumps({"kind": self.kind.value, **self.body}, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Message:
        """Read one line."""
        body = json.loads(line)
        if not isinstance(body, dict):
            raise ValueError("a message is an object")  # noqa: TRY004 - a bad value, from outside
        return cls(kind=Kind(body.pop("kind", "")), body=body)


def request_to_json(request: RunRequest) -> dict[str, Any]:
    """The request as JSON values."""
    refusal = request.refusal
    return {
        "job_id": request.job_id,
        "job_digest": request.job_digest,
        "attempt": request.attempt,
        "study_uid": request.study_uid,
        "pipeline": request.pipeline,
        "files": [str(path) for path in request.files],
        "output_dir": str(request.output_dir),
        "created_at": request.created_at.isoformat(),
        "series_uids": list(request.series_uids),
        "refusal": None if refusal is None else refusal_to_json(refusal),
        "output": dataclasses.asdict(request.output),
        "predecessors": [dataclasses.asdict(item) for item in request.predecessors],
        "priors_dir": None if request.priors_dir is None else str(request.priors_dir),
    }


def request_from_json(body: Mapping[str, Any]) -> RunRequest:
    """The request again. Raises KeyError, TypeError, ValueError."""
    refusal = body["refusal"]
    return RunRequest(
        job_id=body["job_id"],
        job_digest=body["job_digest"],
        attempt=body["attempt"],
        study_uid=body["study_uid"],
        pipeline=body["pipeline"],
        files=tuple(Path(name) for name in body["files"]),
        output_dir=Path(body["output_dir"]),
        created_at=datetime.fromisoformat(body["created_at"]),
        series_uids=tuple(body["series_uids"]),
        refusal=None if refusal is None else refusal_from_json(refusal),
        output=_output_from_json(body["output"]),
        predecessors=tuple(
            PredecessorDocument(**{**item, "kind": ResultKind(item["kind"]), "encoding": SegEncoding(item["encoding"])})
            for item in body["predecessors"]
        ),
        priors_dir=None if body["priors_dir"] is None else Path(body["priors_dir"]),
    )


def _output_from_json(body: Mapping[str, Any]) -> OutputOptions:
    encodings = tuple(SegEncoding(name) for name in body["seg_encodings"])
    purpose = Code(**body["algorithm_purpose"])
    return OutputOptions(**{**body, "algorithm_purpose": purpose, "seg_encodings": encodings})


def refusal_to_json(refusal: Refusal) -> dict[str, str]:
    """A refusal as JSON values."""
    return {"reason": refusal.reason.value, "explanation": refusal.explanation}


def refusal_from_json(body: Mapping[str, Any]) -> Refusal:
    """A refusal again. Raises KeyError, ValueError."""
    return Refusal(reason=Reason(body["reason"]), explanation=body["explanation"])
