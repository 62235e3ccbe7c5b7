"""What the supervisor promises: a process that ends is started again, none outlives the node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

from bmnode.clock import SystemClock
from bmnode.supervisor import Supervisor

CLOCK = SystemClock()


def _wait_for(condition: object, *, seconds: float = 15.0) -> None:
    assert callable(condition)
    deadline = CLOCK.monotonic_s() + seconds
    while not condition():
        if CLOCK.monotonic_s() > deadline:
            pytest.fail(f"not seen within {seconds} s")
        CLOCK.sleep_s(0.05)


def _writes_its_pid(folder: Path) -> list[str]:
    code = f"""
        import os, pathlib, time
        pathlib.Path({str(folder)!r}, str(os.getpid())).touch()
        time.sleep(600)
    """
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_a_killed_process_is_started_again_and_all_end_on_request(tmp_path: Path) -> None:
    """Kill -9 of a part costs a restart; a request to stop leaves nothing running."""
    supervisor = Supervisor(commands={"part": _writes_its_pid(tmp_path)}, clock=CLOCK)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        _wait_for(lambda: len(list(tmp_path.iterdir())) == 1)
        (first,) = (int(path.name) for path in tmp_path.iterdir())
        os.kill(first, signal.SIGKILL)
        _wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        supervisor.request_stop()
        thread.join(timeout=30)
    assert not thread.is_alive()
    assert not any(psutil.pid_exists(int(path.name)) for path in tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    """Kill -9 of the whole node ends its processes too, so that a second start finds the port free."""
    code = f"""
        from bmnode.clock import SystemClock
        from bmnode.supervisor import Supervisor
        Supervisor(commands={{"part": {_writes_its_pid(tmp_path)!r}}}, clock=SystemClock()).run()
    """
    node = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    _wait_for(lambda: len(list(tmp_path.iterdir())) == 1)
    (part,) = (int(path.name) for path in tmp_path.iterdir())
    node.kill()
    node.wait()
    _wait_for(lambda: not psutil.pid_exists(part) or psutil.Process(part).status() == psutil.STATUS_ZOMBIE)
