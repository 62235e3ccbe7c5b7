"""The worker loop's boundary: one try of one flow, whatever it raises."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from bmnode.errors import BmnodeError
from bmnode.run.failures import describe_error
from bmnode.work.engine import RETRY_MARK, FlowHandler, FlowName, FlowPolicy

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """One try of a flow, counted from 1."""

    flow: FlowName
    key: str
    subject: tuple[str, ...]
    number: int = 1

    @property
    def id(self) -> str:
        """What the engine calls this try: the key alone for the first."""
        return self.key if self.number == 1 else f"{self.key}{RETRY_MARK}{self.number}"


def key_of(try_id: str) -> str:
    """The flow's key, of any of its tries."""
    return try_id.partition(RETRY_MARK)[0]


async def run_try(handler: FlowHandler, this: Try, policy: FlowPolicy) -> float | None:
    """Run the handler once. Returns the seconds to wait before the next try; None where the flow is over."""
    try:
        await handler.handle(this.subject)
    except Exception as error:  # noqa: BLE001 - the worker loop: record, map, go on
        caught: Exception = error
        what = describe_error(error)
    else:
        return None
    waits = policy.outlasts_retryable and isinstance(caught, BmnodeError) and caught.retryable
    if waits or policy.tries is None or this.number < policy.tries:
        wait_s = policy.wait_s(this.number)
        _log.warning("flow_failed", flow=this.flow, attempt=this.number, error=what, again_in_s=wait_s, exc_info=caught)
        return wait_s
    _log.error("flow_given_up", flow=this.flow, attempt=this.number, error=what, exc_info=caught)
    try:
        await handler.give_up(this.subject, error=what)
    except Exception as error:  # noqa: BLE001 - as above; the rows stay unfinished and are requeued at the next start
        _log.error("flow_give_up_failed", flow=this.flow, error=describe_error(error), exc_info=error)
    return None
