"""What the machine allows: the same bytes to a receiver in C that writes them to files and knows no DICOM."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ingest_objects import Instance

SOURCE = Path(__file__).with_name("raw_receiver.c")
PLAIN, DURABLE = "raw C", "raw C, durable"
RAW_NAMES = (PLAIN, DURABLE)
_HOST = "127.0.0.1"
_TIMEOUT_S = 120.0


def compile_raw_receiver(folder: Path) -> Path | None:
    """The program, or None where the machine has no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = folder / "raw_receiver"
    subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCE)], check=True)  # noqa: S603 - our own source
    return program


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRun:
    """The raw receiver on one folder; each `rate` is a process and a folder of its own."""

    program: Path
    directory: Path
    durable: bool

    def rate(self, lots: Sequence[Sequence[Instance]], *, each_alone: bool) -> float:
        """Messages a second: each lot over a connection of its own, or each message over one."""
        self.directory.mkdir(parents=True)
        mode = "durable" if self.durable else "plain"
        with subprocess.Popen(  # noqa: S603 - the program was compiled here, the arguments are ours
            [str(self.program), str(self.directory), mode], stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                port = int("" if process.stdout is None else process.stdout.readline())
                seconds = _send(port, lots, each_alone=each_alone)
            finally:
                process.kill()
        count = sum(len(lot) for lot in lots)
        kept = sum(1 for _ in self.directory.iterdir())
        shutil.rmtree(self.directory)
        if kept != count:
            raise ConnectionError(f"the raw receiver kept {kept} of {count}")
        return count / seconds


def _send(port: int, lots: Sequence[Sequence[Instance]], *, each_alone: bool) -> float:
    barrier = threading.Barrier(len(lots) + 1)
    messages = [[struct.pack("<Q", len(item.data_set)) + item.data_set for item in lot] for lot in lots]
    threads = [threading.Thread(target=_send_lot, args=(port, lot, each_alone, barrier)) for lot in messages]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def _send_lot(port: int, messages: Sequence[bytes], each_alone: bool, barrier: threading.Barrier) -> None:
    groups = [[message] for message in messages] if each_alone else [messages]
    barrier.wait()
    for group in groups:
        with socket.create_connection((_HOST, port), timeout=_TIMEOUT_S) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for message in group:
                connection.sendall(message)
                if not connection.recv(1):
                    raise ConnectionError("the raw receiver hung up")
