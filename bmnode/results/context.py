"""What is given to the writer besides the result set, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bmnode.domain.ids import derive_uid, digest
from bmnode.domain.objects import OutputOptions, PredecessorDocument, ResultKind, SegEncoding


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteContext:
    """Which job writes, with what, when. The same context and result set give the same bytes.

    `job_digest` is what every UID is derived from; `created_at` is aware UTC.
    """

    job_digest: str
    created_at: datetime
    software_version: str
    pipeline_name: str
    pipeline_version: str
    output: OutputOptions = field(default_factory=OutputOptions)
    predecessors: tuple[PredecessorDocument, ...] = ()
    """The study's reports by earlier runs."""
    encoding: SegEncoding = SegEncoding.BINARY
    """How the segmentations of volumes are encoded."""

    def __post_init__(self) -> None:
        if not all((self.job_digest, self.software_version, self.pipeline_name, self.pipeline_version)):
            raise ValueError("a write context names its job, software and pipeline")
        if self.created_at.tzinfo is None or self.created_at.utcoffset() != timedelta(0):
            raise ValueError("created_at is aware UTC")

    @property
    def created_utc(self) -> datetime:
        """The time of creation, in UTC."""
        return self.created_at.astimezone(UTC)

    def predecessors_of(self, kind: ResultKind, *, sop_instance_uid: str) -> tuple[PredecessorDocument, ...]:
        """The earlier reports of a kind that this instance takes the place of; never itself in a repeated run."""
        return tuple(
            item for item in self.predecessors if item.kind is kind and item.sop_instance_uid != sop_instance_uid
        )

    def encoded(self, encoding: SegEncoding) -> WriteContext:
        """The context of the same job's result set in this encoding: UIDs of its own, and no pictures or document but
        in the first. The reports name as predecessors those that the same receiver has: of this encoding, else BINARY.
        """
        same = tuple(item for item in self.predecessors if item.encoding is encoding)
        binary = tuple(item for item in self.predecessors if item.encoding is SegEncoding.BINARY)
        if encoding is SegEncoding.BINARY:
            return replace(self, predecessors=binary)
        return replace(
            self,
            job_digest=digest((self.job_digest, encoding)),
            encoding=encoding,
            output=replace(self.output, pictures=False, document=False),
            predecessors=same or binary,
        )

    def uid(self, kind: str, index: int = 0) -> str:
        """The UID of the job's thing of this kind and index."""
        return derive_uid(self.job_digest, kind, str(index))


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultObject:
    """One object that was written, verified and renamed to its final name."""

    kind: ResultKind
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    path: Path
    sha256: str
    transfer_syntax: str
