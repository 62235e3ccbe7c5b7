"""`bmnode serve`: keeps the node's processes running.

One process receives, one works. Neither can take the other down: a worker that is killed,
or that a model exhausts, never closes the port to the scanners. A process that ends is
started again, later each time it fails at once. When the supervisor itself is killed the
kernel ends its children (PR_SET_PDEATHSIG), so that a second start finds no orphan.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from bmnode.clock import Clock
from bmnode.errors import StorageError
from bmnode.parent_death import die_with_parent

FIRST_RESTART_S = 0.5
LONGEST_RESTART_S = 30.0
STEADY_AFTER_S = 60.0
"""A process that lived this long starts again at once when it ends."""
GRACE_S = 20.0
"""How long a process may take to end after SIGTERM before it is killed."""
_POLL_S = 0.1

_log = structlog.get_logger(__name__)


class Ground(Protocol):
    """What the processes stand on, and cannot go on without."""

    def holds(self) -> bool:
        """Whether it is what it was when they started."""
        ...

    def renew(self) -> None:
        """Make it anew, for processes that start after it. Raises StorageError where it cannot be made now."""
        ...


@dataclass(kw_only=True, slots=True)
class _Part:
    """One process of the node."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at_s: float = 0.0
    restart_at_s: float = 0.0
    failures: int = 0


@dataclass(kw_only=True)
class Supervisor:
    """Starts each command, restarts what ends, stops all on request.

    Args:
        commands: argument vectors by part name.
        clock: time.
        ground: what all of them stand on; without one nothing is looked at.
    """

    commands: Mapping[str, Sequence[str]]
    clock: Clock
    ground: Ground | None = None
    _parts: list[_Part] = field(init=False)
    _stopping: bool = field(init=False, default=False)
    _reloading: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._parts = [_Part(name=name, command=command) for name, command in self.commands.items()]

    def request_stop(self, *_: object) -> None:
        """End `run` after its processes; usable as a signal handler."""
        self._stopping = True

    def request_reload(self, *_: object) -> None:
        """Have every process read its configuration again (SIGHUP); usable as a signal handler."""
        self._reloading = True

    def run(self, *, on_started: Callable[[], None] | None = None) -> None:
        """Supervise until `request_stop`."""
        for part in self._parts:
            self._start(part)
        if on_started is not None:
            on_started()
        while not self._stopping:
            if self._reloading:
                self._reloading = False
                self._reload()
            if self.ground is None or self.ground.holds() or self._stand_on_new(self.ground):
                for part in self._parts:
                    self._look_after(part)
            self.clock.sleep_s(_POLL_S)
        self._stop_all()

    def _stand_on_new(self, ground: Ground) -> bool:
        """End every process at once: what it writes now is lost; and start them again where the ground holds."""
        _log.error("ground_lost")
        for part in self._parts:
            if part.process is not None:
                part.process.kill()
                part.process.wait()
                part.process = None
        try:
            ground.renew()
        except StorageError as error:
            _log.error("ground_not_renewed", error=str(error))
            self.clock.sleep_s(FIRST_RESTART_S)
            return False
        return True

    def _reload(self) -> None:
        for part in self._parts:
            if part.process is not None:
                part.process.send_signal(signal.SIGHUP)

    def _look_after(self, part: _Part) -> None:
        now = self.clock.monotonic_s()
        if part.process is None:
            if now >= part.restart_at_s:
                self._start(part)
            return
        status = part.process.poll()
        if status is None:
            return
        part.process = None
        part.failures = 0 if now - part.started_at_s >= STEADY_AFTER_S else part.failures + 1
        delay = min(FIRST_RESTART_S * 2 ** max(part.failures - 1, 0), LONGEST_RESTART_S)
        part.restart_at_s = now + delay
        _log.error("process_ended", part=part.name, status=status, restart_in_s=delay)

    def _start(self, part: _Part) -> None:
        part.started_at_s = self.clock.monotonic_s()
        part.process = subprocess.Popen(  # noqa: S603 - our own command lines
            part.command,
            stdin=subprocess.DEVNULL,
            preexec_fn=_prepare,  # noqa: PLW1509 - the supervisor has one thread
        )
        _log.info("process_started", part=part.name, pid=part.process.pid)

    def _stop_all(self) -> None:
        running = [part.process for part in self._parts if part.process is not None]
        for process in running:
            process.terminate()
        deadline = self.clock.monotonic_s() + GRACE_S
        for process in running:
            try:
                process.wait(timeout=max(deadline - self.clock.monotonic_s(), 0.1))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        _log.info("node_stopped")


def _prepare() -> None:
    """In a new process: end with the supervisor, and live through a SIGHUP that comes before it is listened to."""
    die_with_parent()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
