"""An engine in memory: the same promises as the durable one, except that it forgets when its process ends."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from bmnode.clock import Clock
from bmnode.work.engine import FLOW_POLICIES, FlowName, FlowPolicy, FlowRequest, Handlers
from bmnode.work.tries import Try, run_try

_LOOK_AGAIN_S = 0.005


@dataclass(kw_only=True, slots=True)
class _Flow:
    """One flow and where it stands."""

    request: FlowRequest
    order: int
    due_s: float
    number: int = 1
    task: asyncio.Task[None] | None = None
    ended_s: float | None = None

    @property
    def waits(self) -> bool:
        return self.task is None and self.ended_s is None


@dataclass(kw_only=True, slots=True)
class _Held:
    """Requests of a transaction that is still open."""

    connection: sa.Connection
    requests: list[FlowRequest] = field(default_factory=list)
    committed: bool = False

    @property
    def open(self) -> bool:
        return not self.connection.closed and self.connection.in_transaction()


class InMemoryEngine:
    """An `Engine` whose flows run on a thread of this process.

    Args:
        clock: time.
        policies: how each kind of flow is run.
    """

    def __init__(self, *, clock: Clock, policies: Mapping[FlowName, FlowPolicy] = FLOW_POLICIES) -> None:
        self._clock = clock
        self._policies = policies
        self._lock = threading.RLock()
        self._flows: dict[str, _Flow] = {}
        self._held: list[_Held] = []
        self._order = itertools.count()
        self._handlers: Handlers = {}
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def enqueue(self, request: FlowRequest, *, connection: sa.Connection | None = None) -> None:
        """Have a flow run, once per key; see `Engine`."""
        with self._lock:
            if connection is None:
                self._add(request)
            else:
                self._hold(connection).requests.append(request)

    def start(self, handlers: Handlers) -> None:
        """Run flows; see `Engine`. Raises ValueError where a handler is missing."""
        if missing := set(FlowName) - set(handlers):
            raise ValueError(f"no handler for {', '.join(sorted(missing))}")
        self._handlers = handlers
        self._stopping.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def stop(self, *, grace_s: float) -> None:
        """Stop running flows; see `Engine`."""
        if self._thread is None:
            return
        self._grace_until_s = self._clock.monotonic_s() + grace_s
        self._stopping.set()
        self._thread.join()
        self._thread = None

    def cancel(self, key: str) -> None:
        """End a flow; see `Engine`."""
        with self._lock:
            flow = self._flows.get(key)
            if flow is None or flow.ended_s is not None:
                return
            flow.ended_s = self._clock.monotonic_s()
            if flow.task is not None:
                flow.task.get_loop().call_soon_threadsafe(flow.task.cancel)

    def unfinished(self) -> frozenset[str]:
        """Keys of the flows that wait or run."""
        return frozenset(request.key for request in self.requests())

    def requests(self) -> Sequence[FlowRequest]:
        """Flows that wait or run, in the order in which they were asked for."""
        with self._lock:
            self._settle()
            return [flow.request for flow in self._flows.values() if flow.ended_s is None]

    def forget(self, *, older_than_s: float) -> int:
        """Delete the traces of flows that ended so long ago; see `Engine`."""
        before_s = self._clock.monotonic_s() - older_than_s
        with self._lock:
            old = [key for key, flow in self._flows.items() if flow.ended_s is not None and flow.ended_s <= before_s]
            for key in old:
                del self._flows[key]
        return len(old)

    def _add(self, request: FlowRequest) -> None:
        if request.key not in self._flows:
            due_s = self._clock.monotonic_s() + request.delay_s
            self._flows[request.key] = _Flow(request=request, order=next(self._order), due_s=due_s)

    def _hold(self, connection: sa.Connection) -> _Held:
        for held in self._held:
            if held.connection is connection and held.open:
                return held
        held = _Held(connection=connection)
        self._held.append(held)

        def committed(_: sa.Connection) -> None:
            held.committed = True

        sa.event.listen(connection, "commit", committed)
        return held

    def _settle(self) -> None:
        """Take over the requests whose transaction is over. The event comes before the commit itself, hence `open`."""
        for held in [item for item in self._held if not item.open]:
            self._held.remove(held)
            for request in held.requests if held.committed else ():
                self._add(request)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            with self._lock:
                self._settle()
                self._start_due()
            await asyncio.sleep(_LOOK_AGAIN_S)
        tasks = [flow.task for flow in self._flows.values() if flow.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=max(self._grace_until_s - self._clock.monotonic_s(), 0.0))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _start_due(self) -> None:
        now_s = self._clock.monotonic_s()
        due = [flow for flow in self._flows.values() if flow.waits and flow.due_s <= now_s]
        for flow in sorted(due, key=lambda item: (item.request.priority, item.order)):
            if self._has_room(flow.request):
                flow.task = asyncio.create_task(self._one_try(flow))

    def _has_room(self, request: FlowRequest) -> bool:
        policy = self._policies[request.flow]
        running = [
            flow.request for flow in self._flows.values() if flow.task is not None and flow.request.flow is request.flow
        ]
        lane = [item for item in running if item.lane == request.lane]
        free_lane = policy.lane_concurrency is None or len(lane) < policy.lane_concurrency
        return free_lane and (policy.concurrency is None or len(running) < policy.concurrency)

    async def _one_try(self, flow: _Flow) -> None:
        request = flow.request
        this = Try(flow=request.flow, key=request.key, subject=request.subject, number=flow.number)
        try:
            wait_s = await run_try(self._handlers[request.flow], this, self._policies[request.flow])
        except asyncio.CancelledError:
            flow.task = None  # waits again, unless it was cancelled by name
            raise
        with self._lock:
            flow.task = None
            if wait_s is None:
                flow.ended_s = self._clock.monotonic_s()
            else:
                flow.number += 1
                flow.due_s = self._clock.monotonic_s() + wait_s
