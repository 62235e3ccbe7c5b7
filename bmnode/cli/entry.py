"""The entry: runs a command and turns whatever ends it into one line and an exit code. No traceback is shown."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from bmnode.cli.exit_codes import INTERNAL
from bmnode.cli.output import emit_json
from bmnode.cli.session import Session
from bmnode.errors import BmnodeError

LOG_NAME = "bmnode.log"


def main(arguments: Sequence[str] | None = None, *, session: Session | None = None) -> NoReturn:
    """Run one command and exit.

    Args:
        arguments: without the program's name; None: those of the process.
        session: with the outside that the commands shall see; None: the real one.
    """
    from bmnode.cli.application import command

    given = list(sys.argv[1:] if arguments is None else arguments)
    session = session or Session()
    wants_json = "--json" in given
    try:
        with _libraries_silenced():
            command().main(args=given, prog_name="bmnode", obj=session)
    except BmnodeError as error:
        _tell(error, message=str(error), exit_code=error.exit_code, as_json=wants_json)
    except Exception as error:  # the boundary: recorded, told in one line, mapped to an exit code
        if session.debug:
            raise
        log = _record(error, session)
        message = f"internal error ({type(error).__name__}); see {log}, or run it again with --debug"
        _tell(error, message=message, exit_code=INTERNAL, as_json=wants_json)
    sys.exit(0)


@contextmanager
def _libraries_silenced() -> Iterator[None]:
    """Keep libraries' warnings off the terminal: pydicom quotes the value that it complains about.

    `serve` puts its own log in the place of this one.
    """
    nowhere = logging.NullHandler()
    logging.getLogger().addHandler(nowhere)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(nowhere)


def _tell(error: Exception, *, message: str, exit_code: int, as_json: bool) -> NoReturn:
    typer.echo(f"bmnode: {message}", err=True)
    if as_json:
        emit_json({"error": {"type": type(error).__name__, "message": message, "exit_code": exit_code}})
    sys.exit(exit_code)


def _record(error: Exception, session: Session) -> str:
    """Write the traceback, without the values of variables, where the administrator finds it; say where."""
    import structlog

    from bmnode.observe.logging import configure_logging

    for file in _log_files(session):
        try:
            configure_logging(file=file)
        except OSError:
            continue
        structlog.get_logger("bmnode.cli").error("internal_error", exc_info=error)
        return str(file)
    return "no log, since no place for one can be written to"


def _log_files(session: Session) -> list[Path]:
    """The configured log, the node's folder, the user's own: the first that can be written to is taken."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "bmnode" / LOG_NAME
    settings = session.settings_if_read
    if settings is None:
        return [state]
    inside = [settings.node.data_dir / LOG_NAME] if settings.node.data_dir.is_dir() else []
    return [*([settings.log.file] if settings.log.file else []), *inside, state]
