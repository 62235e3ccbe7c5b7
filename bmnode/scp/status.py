"""From errors to C-STORE statuses (PS3.4 Table B.2-1, PS3.7 Annex C)."""

from __future__ import annotations

import errno

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from bmnode.errors import IngestError, StorageError

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
PROCESSING_FAILURE = 0x0110
_PASSES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EROFS})
"""What an administrator puts right: no room, no descriptor, a file system that is read-only."""


def status_of(error: Exception) -> tuple[int, str]:
    """(status, code for audit and log) of what went wrong.

    A database that cannot be reached, is locked or has no room is "out of resources": the
    instance was not kept, and senders try that status again.
    """
    if isinstance(error, IngestError):
        return error.dimse_status, error.code
    if isinstance(error, (OperationalError, StorageError)):
        return OUT_OF_RESOURCES, "database_unavailable"
    if isinstance(error, SQLAlchemyError):
        return PROCESSING_FAILURE, "database_refused"
    if isinstance(error, OSError):
        return (OUT_OF_RESOURCES if error.errno in _PASSES else PROCESSING_FAILURE), "disk_failed"
    return PROCESSING_FAILURE, IngestError.code
