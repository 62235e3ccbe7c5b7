"""Threads of a lane's own: what waits on one destination takes nobody else's."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class LaneThreads:
    """Runs calls that may hang, a few at a time for each lane.

    The engine's threads are shared by all flows: destinations that accept a connection and never answer would take all
    of them, and with them those of studies and runs. A lane's threads are made when it first has work.

    Args:
        each: so many calls of a lane run side by side.
    """

    def __init__(self, *, each: int) -> None:
        self._each = each
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    async def run(self, lane: str, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What the call returns or raises, made in a thread of the lane."""
        work = functools.partial(contextvars.copy_context().run, call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._pool(lane), work)

    def _pool(self, lane: str) -> ThreadPoolExecutor:
        with self._lock:
            if lane not in self._pools:
                self._pools[lane] = ThreadPoolExecutor(self._each, thread_name_prefix=f"lane-{lane}")
            return self._pools[lane]
