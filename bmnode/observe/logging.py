"""The log: structlog and every library's logger through one chain, as JSON lines or for people.

An exception is written as type, message and frames, without local variables: they hold data sets.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from bmnode.observe.redaction import redaction_processor, scrub_text

LIBRARY_LEVELS = {
    "pynetdicom": logging.WARNING,
    "pydicom": logging.WARNING,
    "highdicom": logging.WARNING,
    "dbos": logging.WARNING,
    "apscheduler": logging.WARNING,
    "sqlalchemy": logging.WARNING,
    "alembic": logging.WARNING,
    "urllib3": logging.ERROR,  # its warnings quote addresses, and QIDO-RS has the Patient ID in them
    "asyncio": logging.WARNING,
}
"""Least severity taken from a library: below it they tell of every PDU and every statement."""

_MAX_FRAMES = 50


def configure_logging(
    *, level: str = "INFO", json_lines: bool = True, file: Path | None = None, stream: TextIO | None = None
) -> None:
    """Send every log event of this process to one place. May be called again: the last call holds.

    Args:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        json_lines: one JSON object a line; otherwise coloured text.
        file: append here; its folder is made.
        stream: without a file; None: standard error.

    Raises OSError where the file cannot be opened.
    """
    handler = _handler(file, stream)
    colors = file is None and (stream or sys.stderr).isatty()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_common(), structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # After everything that adds a field, before everything that writes one.
                exception_processor,
                redaction_processor,
                *_renderers(json_lines=json_lines, colors=colors),
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    adopt_library_loggers()
    route_events()


def route_events() -> None:
    """Hand structlog's events to the standard library's loggers, where handlers decide: by default it prints them."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def adopt_library_loggers() -> None:
    """Take libraries' own handlers away. To be called again after a library that installs them at its start (dbos)."""
    for name, least in LIBRARY_LEVELS.items():
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(least)


def describe_exception(error: BaseException) -> dict[str, Any]:
    """Type, message and frames (`file:line function`, the innermost last) of an exception and its causes."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    described: dict[str, Any] = {
        "type": type(error).__qualname__,
        "message": scrub_text(str(error)),
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = describe_exception(cause)
    return described


def exception_processor(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn `exc_info` into `exception`, as `describe_exception` tells it.

    Of what pynetdicom raises over a peer's bytes there is the type alone: it is the peer's fault, not ours, its
    message quotes the bytes, and a flood of it would fill the disk with frames.
    """
    error = _exception(event.pop("exc_info", None))
    if error is not None:
        of_peer = str(event.get("logger", "")).startswith("pynetdicom")
        event["exception"] = {"type": type(error).__qualname__} if of_peer else describe_exception(error)
    return event


def _exception(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        found: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] = exc_info
        return found[1]
    return sys.exc_info()[1] if exc_info else None


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _renderers(*, json_lines: bool, colors: bool) -> list[Processor]:
    if json_lines:
        return [structlog.processors.JSONRenderer(sort_keys=True)]
    return [_exception_as_text, structlog.dev.ConsoleRenderer(colors=colors, timestamp_key="at")]


def _exception_as_text(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For people: the last frame on top, causes below."""
    described = event.get("exception")
    lines: list[str] = []
    while described:
        lines.append(": ".join(described[key] for key in ("type", "message") if key in described))
        lines.extend(f"  {frame}" for frame in reversed(described.get("frames", ())))
        described = described.get("cause")
    if lines:
        event["exception"] = "\n".join(lines)
    return event


def _handler(file: Path | None, stream: TextIO | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(stream or sys.stderr)
    file.parent.mkdir(parents=True, exist_ok=True)
    return logging.FileHandler(file, encoding="utf-8")
