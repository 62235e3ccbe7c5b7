"""What the worker loop's boundary promises."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from bmnode.errors import ChildCrashedError
from bmnode.work.engine import FlowName, FlowPolicy, FlowRequest
from bmnode.work.tries import Try, key_of, run_try

POLICY = FlowPolicy(concurrency=1, poll_s=1, tries=3, first_retry_s=1, longest_retry_s=60)


@dataclass(kw_only=True)
class _Failing:
    error: Exception | None = None
    given_up: list[str] = field(default_factory=list)
    give_up_error: Exception | None = None

    async def handle(self, subject: tuple[str, ...]) -> None:
        if self.error is not None:
            raise self.error

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        self.given_up.append(error)
        if self.give_up_error is not None:
            raise self.give_up_error


def _try(handler: _Failing, *, number: int, policy: FlowPolicy = POLICY) -> float | None:
    this = Try(flow=FlowName.STUDY, key="study/1", subject=("1",), number=number)
    return asyncio.run(run_try(handler, this, policy))


def test_waits_double_and_the_last_failure_gives_up() -> None:
    """Two waits, then the end; the handler hears of it once."""
    handler = _Failing(error=OSError("Mr Doe"))
    assert [_try(handler, number=number) for number in (1, 2, 3)] == [1, 2, None]
    (error,) = handler.given_up
    assert error.startswith("OSError at test_tries.py")
    assert "Doe" not in error


def test_without_limit_the_waits_are_bounded() -> None:
    """A flow that is never given up comes back at least at the longest wait."""
    endless = FlowPolicy(concurrency=1, poll_s=1, tries=None, first_retry_s=1, longest_retry_s=60)
    assert _try(_Failing(error=OSError()), number=10_000, policy=endless) == 60


def test_what_may_go_better_later_is_waited_out() -> None:
    """A child that cannot start gives no study up, a defect does."""
    patient = FlowPolicy(concurrency=1, poll_s=1, tries=3, outlasts_retryable=True)
    assert _try(_Failing(error=ChildCrashedError("cannot be started")), number=99, policy=patient) is not None
    assert _try(_Failing(error=KeyError()), number=99, policy=patient) is None


def test_giving_up_may_fail_too() -> None:
    """An error while giving up ends the flow and not the worker."""
    assert _try(_Failing(error=OSError(), give_up_error=OSError()), number=3) is None


def test_a_try_keeps_the_key() -> None:
    """The engine's name of a later try leads back to the flow's key."""
    later = Try(flow=FlowName.RUN, key="run/a/1", subject=(), number=7)
    assert later.id != later.key
    assert key_of(later.id) == "run/a/1"


@pytest.mark.parametrize(
    "parts",
    [
        {"key": ""},
        {"key": "a~2"},
        {"delay_s": -1.0},
        {"priority": 0},
        {"priority": 11},
        {"lane": "pacs"},
        {"flow": FlowName.DELIVER},
    ],
)
def test_a_request_that_cannot_be_kept_is_refused(parts: dict[str, object]) -> None:
    """A key without text or with the mark of tries, a negative delay, an unknown urgency, a lane too many or few."""
    valid: dict[str, object] = {"flow": FlowName.RUN, "key": "run/a/1"}
    with pytest.raises(ValueError, match=r"flow"):
        FlowRequest(**{**valid, **parts})  # type: ignore[arg-type]  # wrong on purpose
