"""The child process as the parent holds it: started, written to, listened to, ended.

Messages go over the child's standard input and a pipe of its own. Standard output and error
go to a file: C++ libraries write there as they like.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bmnode.clock import Clock
from bmnode.errors import ChildCrashedError, RunTimedOutError
from bmnode.run.messages import Message

STACK_BYTES = 32 * 1024 * 1024
"""The graph's C++ side asks for this much."""
_READ_BYTES = 65536
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_END_S = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildOptions:
    """How a child is started."""

    command: tuple[str, ...]
    """Argument vector; `--reply-fd N --parent-pid N` is appended, and `--memory-mb N` where there is a limit."""
    log_path: Path
    """Where the child's standard output and error go. Begun anew above 16 MB."""
    ready_timeout_s: float = 120.0
    """From the start to the first message, in seconds: the pipelines are imported in that time."""
    memory_mb: int | None = None
    """Limit of the child's address space."""


class ChildProcess:
    """One running child, its own process group.

    Start it in a thread that lives as long as the child should: the kernel ends the child
    when that thread ends.
    """

    def __init__(self, options: ChildOptions, *, clock: Clock) -> None:
        self._clock = clock
        self._pending = b""
        self._ended = threading.Lock()
        read_end, write_end = os.pipe()
        try:
            self._process = _spawn(options, reply_fd=write_end)
        except OSError as error:
            os.close(read_end)
            raise ChildCrashedError(f"the child process cannot be started: {error.strerror}") from error
        finally:
            os.close(write_end)
        self._reply_fd = read_end
        self.pid = self._process.pid

    def send(self, message: Message) -> None:
        """Tell the child. Raises ChildCrashedError where it has gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(message.to_line())
            self._process.stdin.flush()
        except OSError as error:
            raise ChildCrashedError(f"the child process has gone ({self._how_it_ended()})") from error

    def receive(self, *, deadline_s: float) -> Message:
        """The child's next message.

        Raises RunTimedOutError after `deadline_s` of the clock's monotonic time, ChildCrashedError
        where the child ends first or says nothing that can be read.
        """
        while b"\n" not in self._pending:
            wait_s = deadline_s - self._clock.monotonic_s()
            if wait_s <= 0 or not select.select([self._reply_fd], [], [], wait_s)[0]:
                raise RunTimedOutError("the child process gave no answer in time")
            read = os.read(self._reply_fd, _READ_BYTES)
            if not read:
                raise ChildCrashedError(f"the child process ended without an answer ({self._how_it_ended()})")
            self._pending += read
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            return Message.from_line(line)
        except ValueError as error:
            raise ChildCrashedError("the child process sent what is no message") from error

    def kill(self) -> None:
        """End the child and all that it started, at once. Any thread may call this, more than once."""
        with self._ended:
            if self._process.returncode is None:
                _kill_group(self.pid)

    def close(self) -> None:
        """End the child, kindly at first, and let go of its pipes."""
        assert self._process.stdin is not None
        _quietly(self._process.stdin.close)
        try:
            self._process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
        with self._ended:
            _kill_group(self.pid)  # what it started and left behind
            self._process.wait()
        os.close(self._reply_fd)

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(timeout=_END_S)
        except subprocess.TimeoutExpired:
            return "still running"
        return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def _spawn(options: ChildOptions, *, reply_fd: int) -> subprocess.Popen[bytes]:
    command: Sequence[str] = (*options.command, "--reply-fd", str(reply_fd), "--parent-pid", str(os.getpid()))
    if options.memory_mb is not None:
        command = (*command, "--memory-mb", str(options.memory_mb))
    options.log_path.parent.mkdir(parents=True, exist_ok=True)
    fresh = options.log_path.exists() and options.log_path.stat().st_size > _LOG_LIMIT_BYTES
    # The stack of a thread is sized by the limit at the start of its process, so the limit is raised
    # here, for the moment of the start, and not in the child.
    with options.log_path.open("wb" if fresh else "ab") as log, _StackLimit():
        return subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=(reply_fd,),
            start_new_session=True,
        )


class _StackLimit:
    """Raises the soft limit of the stack inside a `with` block, where the hard limit allows it."""

    def __enter__(self) -> None:

        self._limits = resource.getrlimit(resource.RLIMIT_STACK)
        soft, hard = self._limits
        if soft != resource.RLIM_INFINITY and soft < STACK_BYTES:
            wanted = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
            resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))

    def __exit__(self, *_: object) -> None:

        resource.setrlimit(resource.RLIMIT_STACK, self._limits)


def _kill_group(pid: int) -> None:
    _quietly(lambda: os.killpg(pid, signal.SIGKILL))


def _quietly(action: Callable[[], object]) -> None:
    """Run what fails only where the other side has gone already."""
    try:
        action()
    except (BrokenPipeError, ProcessLookupError, PermissionError):
        return
