"""Audit lines that nobody waits for: who came, went or was refused is written in batches, in its order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bmnode.storage import AuditLine, AuditTrail, Database

LULL_S = 0.05
"""[P] Nothing was told for so long."""
LONGEST_S = 1.0
"""[P] Longest that a line waits to be written, as an instance waits to be filed."""
_MOST_WAITING = 4096
"""[P] Whoever tells of more waits until they are written: a flood is slowed, and takes a few megabytes. Two thousand
associations in the half minute for which a database may be locked stay below."""
_LOG = structlog.get_logger(__name__)


class LateAudit:
    """Writes lines behind the back of those who tell them.

    The lines change nothing that is kept, so they need no transaction with anything. What the database does not
    take is tried again. A node that is killed loses those of its last second; the log, which is written at once,
    has them.

    Args:
        database: holds the audit trail.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._waiting: deque[AuditLine] = deque()
        self._hurried = 0
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Write from a thread of its own."""
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="bmnode-audit", daemon=True)
        self._thread.start()

    def add(self, line: AuditLine) -> None:
        """Tell, and do not wait, unless too many wait already. Raises SQLAlchemyError where it had to be written."""
        with self._changed:
            if self._thread is not None and len(self._waiting) < _MOST_WAITING:
                self._waiting.append(line)
                if len(self._waiting) == 1:
                    self._changed.notify_all()
                return
        self.write(line)

    def write(self, *lines: AuditLine) -> None:
        """Write lines, behind those that wait. Raises SQLAlchemyError; those that waited then wait on."""
        with self._writing:
            with self._changed:
                waiting: Sequence[AuditLine] = tuple(self._waiting)
            if not (waiting or lines):
                return
            with self._database.write() as connection:
                AuditTrail(connection).record_all((*waiting, *lines))
            with self._changed:
                for _ in waiting:
                    self._waiting.popleft()
                self._changed.notify_all()

    def settle(self, timeout_s: float) -> bool:
        """Wait until everything is written; whether it is."""
        with self._changed:
            self._hurried += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._waiting, timeout=timeout_s)
            finally:
                self._hurried -= 1

    def stop(self) -> None:
        """Write the rest and end the thread. Harmless twice."""
        with self._changed:
            thread, self._thread = self._thread, None
            self._is_stopping = True
            self._changed.notify_all()
        if thread is not None:
            thread.join()
            self._try()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_stopping)
                self._gather()
                if self._is_stopping:
                    return
            if not self._try():
                with self._changed:
                    self._changed.wait_for(lambda: self._is_stopping, timeout=LONGEST_S)

    def _gather(self) -> None:
        """Wait for a lull, or until the first line has waited long enough."""
        for _ in range(round(LONGEST_S / LULL_S)):
            seen = len(self._waiting)
            is_due = self._changed.wait_for(lambda: self._is_stopping or self._hurried > 0, timeout=LULL_S)
            if is_due or len(self._waiting) == seen:
                return

    def _try(self) -> bool:
        """Whether it worked."""
        try:
            self.write()
        except SQLAlchemyError as error:
            _LOG.error("audit_failed", lines=len(self._waiting), error=type(error).__name__)
            return False
        return True
