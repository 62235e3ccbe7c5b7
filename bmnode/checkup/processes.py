"""Whether the node runs: the process that supervises, the one that works, the one that listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bmnode.config import Settings
from bmnode.config.finding import Finding
from bmnode.work.nodes import LOCK_FILE, SERVE_LOCK_FILE, NodeLock


def check_processes(settings: Settings, *, listens: Callable[[], bool]) -> Iterator[Finding]:
    """Look at the locks of the data folder, and ask the listener.

    Args:
        settings: the node's.
        listens: whether the node answers on its port; asked only where it runs.
    """
    folder, port = settings.node.data_dir, settings.node.port
    supervisor = NodeLock(folder, file=SERVE_LOCK_FILE).holder()
    worker = NodeLock(folder, file=LOCK_FILE).holder()
    if supervisor is None and worker is None:
        yield Finding.error(
            "node", "no node runs with this configuration: nothing is received or sent; start it, e.g. `bmnode serve`"
        )
        return
    yield Finding.ok("node", f"process {supervisor or worker} runs the node")
    if worker is None:
        yield Finding.error(
            "node.worker",
            "the process that works is not there: images are taken and kept, nothing is assessed or sent; it is "
            "started again by itself, and the log says what ends it",
        )
    else:
        yield Finding.ok("node.worker", f"process {worker} works")
    if listens():
        yield Finding.ok("node.listener", f"the node answers C-ECHO on port {port}")
    else:
        yield Finding.error(
            "node.listener",
            f"the node does not answer C-ECHO on port {port}: no image is taken; it is started again by itself, and "
            "the log says what ends it",
        )
