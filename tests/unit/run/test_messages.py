"""What parent and child say to each other, and what an attempt leaves on disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bmnode.domain.codes import Code
from bmnode.domain.objects import OutputOptions, PredecessorDocument, ResultKind, SegEncoding
from bmnode.domain.results import Outcome
from bmnode.domain.study import Branch, Reason, Refusal
from bmnode.errors import ChildCrashedError
from bmnode.run.attempts import MANIFEST, close_attempt, keep_only, open_attempt, read_attempt
from bmnode.run.messages import Kind, Message, request_from_json, request_to_json
from bmnode.run.runner import RunObject, RunOutcome, RunRequest

REFUSAL = Refusal(reason=Reason.MISSING_GEOMETRY, explanation="Ohne Schichtposition – «keine» Geometrie.")
OUTCOME = RunOutcome(
    outcome=Outcome.NOT_ASSESSABLE,
    branch=Branch.CT,
    refusal=REFUSAL,
    objects=(
        RunObject(
            kind="sr", sop_class_uid="1.2", sop_instance_uid="1.3", series_uid="1.4", path="attempt-1/a", sha256="0"
        ),
    ),
)


@pytest.mark.parametrize("refusal", [None, REFUSAL])
def test_a_request_survives_the_line(refusal: Refusal | None) -> None:
    """Every field of a request arrives as it left, on one line of ASCII."""
    request = RunRequest(
        job_id="j",
        job_digest="d",
        attempt=2,
        study_uid="1.2",
        pipeline="p",
        files=(Path("/a\nb"), Path("/ü")),
        output_dir=Path("/out"),
        created_at=datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC),
        series_uids=("1.2.3",),
        refusal=refusal,
        output=OutputOptions(
            pictures=True,
            fictitious_planar_geometry=True,
            algorithm_purpose=Code("1", "99X", "Another purpose"),
            seg_encodings=(SegEncoding.BINARY, SegEncoding.LABELMAP),
        ),
        predecessors=(
            PredecessorDocument(
                kind=ResultKind.SR,
                sop_class_uid="1.5",
                sop_instance_uid="1.6",
                series_uid="1.7",
                encoding=SegEncoding.LABELMAP,
            ),
        ),
        priors_dir=Path("/out/priors"),
    )
    line = Message(kind=Kind.RUN, body=request_to_json(request)).to_line()
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert request_from_json(Message.from_line(line).body) == request


@pytest.mark.parametrize("line", [b"", b"warning: from a library", b"[]", b"{}", b'{"kind": "unknown"}'])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    """Text that a library wrote to the pipe is never taken for an answer."""
    with pytest.raises(ValueError, match=r".+"):
        Message.from_line(line)


def test_an_attempt_is_whole_or_not_there(tmp_path: Path) -> None:
    """Before its manifest an attempt has another name; after it, everything is read back as it was written."""
    folder = open_attempt(tmp_path, 1)
    with pytest.raises(ChildCrashedError):
        read_attempt(tmp_path, 1)
    assert close_attempt(folder, OUTCOME) == tmp_path / "attempt-1"
    assert read_attempt(tmp_path, 1) == OUTCOME
    assert not folder.exists()


def test_a_damaged_manifest_is_an_error(tmp_path: Path) -> None:
    """A manifest that lacks a key or is cut is not taken for a result."""
    final = close_attempt(open_attempt(tmp_path, 1), OUTCOME)
    whole = (final / MANIFEST).read_text()
    without = {key: value for key, value in json.loads(whole).items() if key != "objects"}
    for damaged in (whole[:-10], json.dumps(without), ""):
        (final / MANIFEST).write_text(damaged)
        with pytest.raises(ChildCrashedError, match=MANIFEST):
            read_attempt(tmp_path, 1)


def test_only_what_is_named_is_kept(tmp_path: Path) -> None:
    """Other attempts go, whole or not; what is no attempt stays."""
    for attempt in (1, 2):
        close_attempt(open_attempt(tmp_path, attempt), OUTCOME)
    open_attempt(tmp_path, 3)
    (tmp_path / "notes").mkdir()
    keep_only(tmp_path, {"attempt-2"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attempt-2", "notes"]
