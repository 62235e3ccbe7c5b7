"""The engine on DBOS Transact: the only module that knows it. Nothing of its types leaves here.

Its tables live in our own database, so that a row and its flow commit together. A flow is
one workflow of one interruptible step; a failed try enqueues the next, delayed, since
retries inside a step would be forgotten at a kill.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions
from dbos._error import DBOSAwaitedWorkflowCancelledError

from bmnode.clock import Clock
from bmnode.storage import Database
from bmnode.work.engine import FLOW_POLICIES, FlowName, FlowPolicy, FlowRequest, Handlers
from bmnode.work.tries import Try, key_of, run_try

APPLICATION = "bmnode"
APPLICATION_VERSION = "1"
"""Constant: by default it would be a hash of the code, and an upgrade would strand running work."""
_THREADS = 32
_LIVE = ["ENQUEUED", "DELAYED", "PENDING"]
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


class DbosEngine:
    """Durable flows on DBOS. One started engine a process; any number that only enqueue.

    Args:
        database: ours; the engine's tables are made in it at once.
        node_id: names this node's running flows. One process at a time may start under it:
            hold a `NodeLock`.
        clock: time.
        policies: how each kind of flow is run.
    """

    def __init__(
        self,
        database: Database,
        *,
        node_id: str,
        clock: Clock,
        policies: Mapping[FlowName, FlowPolicy] = FLOW_POLICIES,
    ) -> None:
        self._database = database
        self._node_id = node_id
        self._clock = clock
        self._policies = policies
        self._started = False
        _route_log()
        # Here and not at the first use, which would wait for the caller's own open transaction.
        DBOS.migrate(database.url)
        self._client = DBOSClient(
            system_database_url=database.url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )

    def enqueue(self, request: FlowRequest, *, connection: sa.Connection | None = None) -> None:
        """Have a flow run, once per key; see `Engine`."""
        first = Try(flow=request.flow, key=request.key, subject=request.subject)
        options = self._options(first, request=request)
        if connection is None:
            with self._database.write() as own:
                self._client.enqueue_in_transaction(own, options, *_arguments(first, request))
        else:
            self._client.enqueue_in_transaction(connection, options, *_arguments(first, request))

    def start(self, handlers: Handlers) -> None:
        """Run flows; see `Engine`. Raises ValueError where a handler is missing."""
        if missing := set(FlowName) - set(handlers):
            raise ValueError(f"no handler for {', '.join(sorted(missing))}")
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._database.url,
            "application_version": APPLICATION_VERSION,
            "executor_id": self._node_id,
            "serializer": DBOSPortableJSONSerializer(),
            "max_executor_threads": _THREADS,
            "enable_otlp": False,
            # Nothing here waits for notifications; the interval is how long a stop takes.
            "notification_listener_polling_interval_sec": 0.1,
            "log_level": "WARNING",
        }
        _route_log()
        DBOS(config=config)
        for name, handler in handlers.items():
            step = functools.partial(run_try, handler, policy=self._policies[name])
            self._register(name, step)
            self._declare_queue(name)
        DBOS.launch()
        self._started = True

    def stop(self, *, grace_s: float) -> None:
        """Stop running flows and let go of the database; see `Engine`."""
        if self._started:
            DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=round(grace_s))
            self._started = False
        self._client.destroy()

    def cancel(self, key: str) -> None:
        """End a flow; see `Engine`."""
        if tries := [try_id for try_id in self._ids(_LIVE, prefix=key) if key_of(try_id) == key]:
            self._client.cancel_workflows(tries)

    def unfinished(self) -> frozenset[str]:
        """Keys of the flows that wait or run."""
        return frozenset(key_of(try_id) for try_id in self._ids(_LIVE))

    def forget(self, *, older_than_s: float) -> int:
        """Delete the traces of flows that ended so long ago; see `Engine`."""
        before = (self._clock.now() - timedelta(seconds=older_than_s)).isoformat()
        ended = self._ids(_ENDED, completed_before=before)
        if ended:
            self._client.delete_workflows(ended)
        return len(ended)

    def _ids(self, status: list[str], *, prefix: str | None = None, completed_before: str | None = None) -> list[str]:
        found = self._client.list_workflows(
            status=status,
            name=[name.value for name in FlowName],
            workflow_id_prefix=prefix,
            completed_before=completed_before,
            load_input=False,
            load_output=False,
        )
        return [item.workflow_id for item in found]

    def _declare_queue(self, name: FlowName) -> None:
        """By the client, before the launch: a queue that is declared later is first polled a second later."""
        policy = self._policies[name]
        self._client.register_queue(
            name.value,
            worker_concurrency=policy.concurrency,
            partition_worker_concurrency=policy.lane_concurrency,
            polling_interval_sec=policy.poll_s,
            on_conflict="always_update",
        )

    def _options(self, this: Try, *, request: FlowRequest) -> EnqueueOptions:
        options: EnqueueOptions = {
            "workflow_name": request.flow.value,
            "queue_name": request.flow.value,
            "workflow_id": this.id,
            "app_version": APPLICATION_VERSION,
            "priority": request.priority,
        }
        if request.delay_s > 0:
            options["delay_seconds"] = request.delay_s
        if request.lane:
            options["queue_partition_key"] = request.lane
        return options

    def _register(self, name: FlowName, step: Any) -> None:
        """Make one kind of flow known to the engine.

        Recovery is unlimited here: how often a job is started is counted in its own row, where
        the last failure becomes a result.
        """

        async def flow(key: str, subject: list[str], number: int, priority: int, lane: str) -> None:
            this = Try(flow=name, key=key, subject=tuple(subject), number=number)

            async def one_try() -> float | None:
                wait: float | None = await step(this)
                return wait

            wait_s = await DBOS.run_step_async({"name": name.value, "preemptible": True}, one_try)
            if wait_s is None:
                return
            following = Try(flow=name, key=key, subject=this.subject, number=number + 1)
            request = FlowRequest(
                flow=name, key=key, subject=this.subject, delay_s=wait_s, priority=priority, lane=lane
            )
            await self._client.enqueue_async(self._options(following, request=request), *_arguments(following, request))

        DBOS.workflow(name=name.value, max_recovery_attempts=None)(flow)


def _arguments(this: Try, request: FlowRequest) -> tuple[str, list[str], int, int, str]:
    return this.key, list(this.subject), this.number, request.priority, request.lane


class _OnlyDefects(logging.Filter):
    """Drops the library's tracebacks of flows that were cancelled on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, DBOSAwaitedWorkflowCancelledError)


_ONLY_DEFECTS = _OnlyDefects()


def _route_log() -> None:
    """Let the library's log go the way of ours; it would write to the console by itself."""
    logger = logging.getLogger("dbos")
    for handler in logger.handlers:
        logger.removeHandler(handler)
    logger.addHandler(logging.NullHandler())
    logger.addFilter(_ONLY_DEFECTS)
    logger.setLevel(logging.WARNING)
    logger.propagate = True
