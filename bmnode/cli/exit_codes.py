"""What the command line exits with, for scripts. Errors that bmnode raises on purpose carry their own code."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from bmnode import errors
from bmnode.errors import BmnodeError

OK = 0
FAILED = BmnodeError.exit_code
USAGE = errors.ConfigError.exit_code
NOT_ASSESSABLE = errors.RefusedError.exit_code
INTERNAL = 70
INTERRUPTED = 130

MEANINGS = {
    OK: "Done.",
    FAILED: "It failed; the message says why. Also: a job that was followed failed, an audit trail that is broken, a "
    "node that needs a hand (`bmnode check`), an evaluation that missed a target.",
    USAGE: "The command or the configuration is wrong; the message names the option or the key.",
    errors.NotFoundError.exit_code: "The study, job, peer or file that was named does not exist.",
    errors.NodeLockedError.exit_code: "The node is running already on this data directory.",
    errors.PeerUnreachableError.exit_code: "A peer does not answer.",
    errors.PeerRefusedError.exit_code: "A peer answered and refused.",
    errors.BundleRefusedError.exit_code: "A model bundle is refused; the message names the reason.",
    NOT_ASSESSABLE: "The study is not assessable: the report says why (`bmnode run`, `bmnode job show --follow`), or "
    "the message does (`bmnode suv`).",
    INTERNAL: "A defect of bmnode. The message names the log file that tells more.",
    INTERRUPTED: "Stopped with Ctrl-C.",
}
"""Every code there is, with its meaning."""


def raised() -> Iterator[type[BmnodeError]]:
    """Every error class that can end a command, parents first."""
    for _, found in inspect.getmembers(errors, inspect.isclass):
        if issubclass(found, BmnodeError):
            yield found
