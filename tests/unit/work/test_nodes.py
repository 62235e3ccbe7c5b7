"""What the node's lock promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bmnode.errors import NodeLockedError
from bmnode.work.nodes import NodeLock


def test_a_second_worker_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    """The message names the process and the folder."""
    with NodeLock(tmp_path / "data"), pytest.raises(NodeLockedError, match=f"process {os.getpid()} works on"):
        NodeLock(tmp_path / "data").acquire()


def test_a_lock_that_was_let_go_can_be_taken(tmp_path: Path) -> None:
    """A worker that stopped leaves the folder to the next."""
    for _ in range(2):
        with NodeLock(tmp_path):
            pass


def test_a_killed_worker_leaves_no_lock(tmp_path: Path) -> None:
    """The lock ends with its process, also by kill -9."""
    code = f"""if True:
        import os, signal
        from pathlib import Path
        from bmnode.work.nodes import NodeLock
        NodeLock(Path({str(tmp_path)!r})).acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", code], check=False)
    with NodeLock(tmp_path):
        pass
