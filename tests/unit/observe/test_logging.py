"""What the log's set-up promises: one place, one form, every library, and no data in a traceback."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import structlog

from bmnode.observe.logging import adopt_library_loggers, configure_logging, describe_exception


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_one_json_object_with_its_time() -> None:
    """A machine reads the log line by line, whoever wrote the line."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    structlog.get_logger("bmnode.scp").info("instance_stored", size_bytes=10)
    logging.getLogger("somewhere.else").warning("a line\nof %s", "two")
    first, second = _lines(stream)
    assert (first["event"], first["level"], first["logger"]) == ("instance_stored", "info", "bmnode.scp")
    assert first["size_bytes"] == 10
    assert first["at"].endswith("Z")
    assert second["event"] == "a line\nof two"


def test_libraries_are_routed_and_kept_quiet() -> None:
    """pynetdicom's talk of every PDU stays out, its warnings come in, and no library keeps a handler of its own."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    own = io.StringIO()
    logging.getLogger("dbos").addHandler(logging.StreamHandler(own))
    adopt_library_loggers()
    logging.getLogger("pynetdicom.acse").info("accepted")
    logging.getLogger("pynetdicom.acse").warning("aborted")
    logging.getLogger("dbos").error("engine")
    assert [line["event"] for line in _lines(stream)] == ["aborted", "engine"]
    assert own.getvalue() == ""


def test_exceptions_tell_where_and_not_what_was_in_them() -> None:
    """Type, message, frames and causes are written; local variables and identities are not."""
    stream = io.StringIO()
    configure_logging(stream=stream)

    def read(secret: str) -> None:
        raise ValueError("bad file 1.2.840.113619.2.55.3.dcm of DOE^JANE") from KeyError("PatientName")

    try:
        read("4711-is-a-patient")
    except ValueError:
        structlog.get_logger("bmnode.run").exception("run_failed")
    (line,) = _lines(stream)
    told = line["exception"]
    assert told["type"] == "ValueError"
    assert told["cause"]["type"] == "KeyError"
    assert told["frames"][-1].endswith(" read")
    for identity in ("4711", "DOE", "113619.2.55"):
        assert identity not in stream.getvalue()


def test_level_is_kept() -> None:
    """What is below the configured severity is not written."""
    stream = io.StringIO()
    configure_logging(level="ERROR", stream=stream)
    structlog.get_logger("bmnode.x").warning("unimportant")
    assert stream.getvalue() == ""


def test_people_read_the_same_without_json() -> None:
    """The console form carries the event, its fields and the exception's frames, in lines."""
    stream = io.StringIO()
    configure_logging(json_lines=False, stream=stream)
    try:
        int("no")
    except ValueError:
        structlog.get_logger("bmnode.x").exception("run_failed", job_id="j1")
    text = stream.getvalue()
    assert "run_failed" in text
    assert "job_id=j1" in text
    assert "ValueError: invalid literal" in text
    assert "test_people_read_the_same_without_json" in text


def test_file_is_appended_to_and_its_folder_made(tmp_path: Path) -> None:
    """A restart does not lose what the last run said."""
    file = tmp_path / "log" / "node.log"
    for number in range(2):
        configure_logging(file=file)
        structlog.get_logger("bmnode.x").info("started", number=number)
    assert [json.loads(line)["number"] for line in file.read_text(encoding="utf-8").splitlines()] == [0, 1]


def test_warnings_of_libraries_lose_the_values_they_quote() -> None:
    """What pydicom warns of reaches the log, without the value."""
    stream = io.StringIO()
    configure_logging(stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn_explicit("Invalid value for VR LO: 'Jane Doe'", UserWarning, "pydicom/valuerep.py", 1)
    assert "Invalid value" in stream.getvalue()
    assert "Jane" not in stream.getvalue()


def test_chain_of_a_long_recursion_is_bounded() -> None:
    """One line of the log stays a line, however deep the error was."""

    def deeper(depth: int) -> None:
        if depth == 0:
            raise RecursionError("deep")
        deeper(depth - 1)

    with pytest.raises(RecursionError) as caught:
        deeper(min(200, sys.getrecursionlimit() // 2))
    assert len(describe_exception(caught.value)["frames"]) <= 50
