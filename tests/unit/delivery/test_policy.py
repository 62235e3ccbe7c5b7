"""What the retry policy promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.delivery.policy import RetryPolicy
from bmnode.delivery.sender import SendOutcome, SendResult
from bmnode.domain.states import DeliveryEvent

POLICY = RetryPolicy()


def _answer(outcome: SendOutcome, status: int | None = None) -> SendResult:
    return SendResult(path=Path("sr.dcm"), outcome=outcome, detail="", status=status)


def test_waits_double_up_to_the_longest() -> None:
    """30 s, 60 s, 120 s and so on, never more than half an hour."""
    policy = RetryPolicy(jitter=0.0)
    assert [policy.wait_s(failures, seed="a") for failures in (1, 2, 3, 7, 1000)] == [30, 60, 120, 1800, 1800]


@given(failures=st.integers(min_value=1, max_value=10_000), seed=st.text())
def test_jitter_stays_within_its_part(failures: int, seed: str) -> None:
    """A wait differs from the plain one by at most a tenth, and is the same when asked again."""
    plain = RetryPolicy(jitter=0.0).wait_s(failures, seed=seed)
    wait = POLICY.wait_s(failures, seed=seed)
    assert abs(wait - plain) <= 0.1 * plain
    assert wait == POLICY.wait_s(failures, seed=seed)


def test_jitter_spreads_jobs() -> None:
    """Two jobs that failed together do not come back together."""
    waits = {POLICY.wait_s(8, seed=f"job-{number}") for number in range(20)}
    assert len(waits) == 20


def test_an_outage_of_72_hours_gives_nothing_up() -> None:
    """Attempts with their waits fill 72 hours, and not much more."""
    policy = RetryPolicy(jitter=0.0)
    failures, waited_s = 0, 0.0
    while policy.event(_answer(SendOutcome.NOT_ANSWERED), failures=failures) is DeliveryEvent.DEFERRED:
        failures += 1
        waited_s += policy.wait_s(failures, seed="a")
    assert 72 * 3600 <= waited_s <= 73 * 3600


@pytest.mark.parametrize("outcome", [SendOutcome.ACCEPTED, SendOutcome.ACCEPTED_WITH_WARNING])
def test_a_warning_is_accepted(outcome: SendOutcome) -> None:
    """What the peer stored is delivered, with a warning or without, however often it failed before."""
    assert POLICY.event(_answer(outcome, 0xB000), failures=999) is DeliveryEvent.ACCEPTED


@pytest.mark.parametrize(
    "answer",
    [
        _answer(SendOutcome.REFUSED_SOP_CLASS),
        _answer(SendOutcome.REFUSED_TRANSFER_SYNTAX),
        _answer(SendOutcome.REFUSED_STATUS, 0xC000),
        _answer(SendOutcome.UNREADABLE),
    ],
)
def test_a_refusal_that_time_does_not_change_is_offered_three_times(answer: SendResult) -> None:
    """A peer that is being configured gets a second and a third chance, and no more."""
    events = [POLICY.event(answer, failures=failures) for failures in range(3)]
    assert events == [DeliveryEvent.DEFERRED, DeliveryEvent.DEFERRED, DeliveryEvent.GIVEN_UP]


def test_out_of_resources_is_waited_for() -> None:
    """A full peer (A700) is no refusal."""
    assert POLICY.event(_answer(SendOutcome.REFUSED_STATUS, 0xA700), failures=50) is DeliveryEvent.DEFERRED


def test_a_policy_that_shrinks_is_refused() -> None:
    """A longest wait below the first is an error of the configuration."""
    with pytest.raises(ValueError, match="longest"):
        RetryPolicy(first_retry_s=60, longest_retry_s=30)
