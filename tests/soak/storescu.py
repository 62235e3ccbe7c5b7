"""DCMTK's storescu as a scanner that does not give up: it sends until every image of its study is acknowledged."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bmnode.testing.node import AE_TITLE
from bmnode.testing.ports import LOOPBACK
from tests.support.tools import dcmtk_environment

_SENDING = "I: Sending file: "
_SUCCESS = "I: Received Store Response (Success)"
_TIMEOUT_S = 120.0
_AGAIN_AFTER_S = 0.2


def acknowledged(output: str) -> tuple[Path, ...]:
    """The files that storescu, run with -v, was told are kept."""
    found: list[Path] = []
    sending: Path | None = None
    for line in output.splitlines():
        if line.startswith(_SENDING):
            sending = Path(line.removeprefix(_SENDING))
        elif line.startswith(_SUCCESS) and sending is not None:
            found.append(sending)
    return tuple(found)


def send(
    program: Path, files: Sequence[Path], *, port: int, calling_ae: str = "SCANNER"
) -> tuple[tuple[Path, ...], str]:
    """Send once: the files that were acknowledged, and what storescu wrote."""
    command: list[str | Path] = [program, "-v", "-aet", calling_ae, "-aec", AE_TITLE, LOOPBACK, str(port), *files]
    done = subprocess.run(
        command,
        env=dcmtk_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=_TIMEOUT_S,
        check=False,
    )
    return acknowledged(done.stdout), done.stdout


@dataclass(kw_only=True)
class Scanner:
    """Sends one study from a thread of its own, again and again what was not acknowledged.

    Args:
        program: storescu.
        files: the study.
        port: of the node.
    """

    program: Path
    files: Sequence[Path]
    port: int
    kept: list[Path] = field(default_factory=list)
    """What was acknowledged, in order."""
    associations: int = 0
    output: str = ""
    """What storescu wrote last."""
    _enough: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, *, timeout_s: float) -> None:
        """Wait until everything is acknowledged. Raises AssertionError after `timeout_s` seconds."""
        self._thread.join(timeout_s)
        self._enough.set()
        missing = len(self.files) - len(self.kept)
        assert not missing, f"{missing} of {len(self.files)} images were not taken in {timeout_s:g} s: {self.output}"

    def _run(self) -> None:
        while not self._enough.is_set():
            left = [path for path in self.files if path not in self.kept]
            if not left:
                return
            self.associations += 1
            kept, self.output = send(self.program, left, port=self.port)
            self.kept.extend(kept)
            if len(kept) < len(left):
                self._enough.wait(_AGAIN_AFTER_S)
