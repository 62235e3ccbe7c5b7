"""Holds an association's own thread while a request waits for its answer.

In pynetdicom 3.0 an association's thread takes whatever message arrives, and a request (C-STORE,
C-FIND, ...) has it pause first: it clears an event, then looks whether a flag says "paused". The
thread raises that flag before it waits for the event and lowers it some steps later, so that a
request may see "paused" while the thread is just passing. It then takes the answer for itself, the
request waits for its time limit, and the association is lost. The faster the peer answers, the
more often. Here clearing the event returns only once the thread is held.
"""

from __future__ import annotations

import threading
from typing import cast

from pynetdicom.association import Association

_LOOK_AGAIN_S = 0.05
"""How often it is looked whether the thread has ended, which opens nothing."""


class ReactorGate:
    """Stands where pynetdicom has a `threading.Event`: set is open.

    Args:
        thread: the one that passes; the others open and close.
    """

    def __init__(self, thread: threading.Thread) -> None:
        self._thread = thread
        self._changed = threading.Condition()
        self._open = True
        self._held = False

    def is_set(self) -> bool:
        """Whether it is open."""
        return self._open

    def set(self) -> None:
        """Let the thread pass."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Close, and return once the thread is held, has ended, or somebody opened again."""
        with self._changed:
            self._open = False
            if threading.current_thread() is self._thread:
                return
            while not (self._held or self._open) and self._thread.is_alive():
                self._changed.wait(_LOOK_AGAIN_S)

    def wait(self, timeout: float | None = None) -> bool:
        """Pass when it is open; returns whether it is."""
        with self._changed:
            self._held = not self._open
            self._changed.notify_all()
            passed = self._changed.wait_for(lambda: self._open, timeout)
            self._held = False
            return passed


def hold_while_waiting(association: Association) -> None:
    """Give an association that was just made the gate, before its first request."""
    association._reactor_checkpoint = cast("threading.Event", ReactorGate(association))
