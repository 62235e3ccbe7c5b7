"""Refusals, told so that a flood of them does not fill the disk: the first of its kind at once, the rest as a count."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from bmnode.clock import Clock

UNKNOWN_ACTOR = "unknown"
"""Who acts in the audit trail where a connection never said its AE title."""
SEVERAL = "several"
"""Stands for the address where more addresses are refused than are told apart."""
EVERY_S = 60.0
"""How often repeated refusals of one kind are told."""
KINDS = 64
"""Kinds that are told apart at one time; those beyond share a line."""
_WAITING = 1024
_POLL_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Somebody who was not let in."""

    event: str
    """As the audit trail calls it."""
    address: str
    actor: str = UNKNOWN_ACTOR
    """Its AE title, where it said one."""
    reason: str | None = None
    explanation: str | None = None
    """More of the reason, of a few fixed texts: what is wrong with a certificate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    event: str
    address: str
    reason: str | None
    explanation: str | None


Tell = Callable[[Refusal, int], None]
"""Writes a refusal down; the number counts refusals like it since the last line, 0 for the first."""


class RefusalLog:
    """Tells of refusals.

    A kind is an event, a reason with its explanation, and an address. Its first refusal is told at once; those after
    it are counted and told in one line a minute; after a minute without one the kind is forgotten.

    Args:
        tell: writes one line.
        clock: measures the minute.
    """

    def __init__(self, tell: Tell, *, clock: Clock) -> None:
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._told_at_s: dict[_Kind, float] = {}
        self._repeated: Counter[_Kind] = Counter()
        self._last: dict[_Kind, Refusal] = {}
        self._waiting: queue.Queue[Refusal | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None

    def add(self, refusal: Refusal) -> None:
        """Tell of a refusal now, or count it; waits for the database."""
        with self._lock:
            kind = self._kind(refusal)
            if kind in self._told_at_s:
                self._repeated[kind] += 1
                self._last[kind] = refusal
                return
            self._told_at_s[kind] = self._clock.monotonic_s()
        self._tell(refusal, 0)

    def add_later(self, refusal: Refusal) -> None:
        """As `add`, without waiting. What finds no room is counted if its kind is known, else lost with the flood."""
        try:
            self._waiting.put_nowait(refusal)
        except queue.Full:
            with self._lock:
                kind = self._kind(refusal)
                if kind in self._told_at_s:
                    self._repeated[kind] += 1
                    self._last[kind] = refusal

    def flush(self, *, everything: bool = False) -> None:
        """Tell what was counted for a minute, or all of it."""
        now = self._clock.monotonic_s()
        due: list[tuple[Refusal, int]] = []
        with self._lock:
            for kind, told_at_s in list(self._told_at_s.items()):
                if not everything and now - told_at_s < EVERY_S:
                    continue
                count = self._repeated.pop(kind, 0)
                if count:
                    self._told_at_s[kind] = now
                    due.append((replace(self._last.pop(kind), address=kind.address), count))
                else:
                    del self._told_at_s[kind]
        for refusal, count in due:
            self._tell(refusal, count)

    def start(self) -> None:
        """Tell of what comes by `add_later`, and of what was counted, from a thread of its own."""
        self._thread = threading.Thread(target=self._work, name="bmnode-refusals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Tell the rest and end the thread. Harmless twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join()

    def _work(self) -> None:
        while True:
            try:
                refusal = self._waiting.get(timeout=_POLL_S)
            except queue.Empty:
                self.flush()
                continue
            if refusal is None:
                self.flush(everything=True)
                return
            self.add(refusal)
            self.flush()

    def _kind(self, refusal: Refusal) -> _Kind:
        kind = _Kind(
            event=refusal.event, address=refusal.address, reason=refusal.reason, explanation=refusal.explanation
        )
        if kind in self._told_at_s or len(self._told_at_s) < KINDS:
            return kind
        return replace(kind, address=SEVERAL)
