"""When a delivery is tried again, and when no more. Pure functions of the outbox row and the peer's answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bmnode.delivery.sender import SendResult
from bmnode.domain.ids import digest
from bmnode.domain.states import DeliveryEvent

_JITTER_STEPS = 1 << 32


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """How long a result is offered to a destination that does not take it. Raises ValueError for waits that shrink.

    Waits double from `first_retry_s` to `longest_retry_s`. The waits of attempts that were made
    are what counts against `give_up_after_s`: a node that was down itself gives nothing up.
    """

    first_retry_s: float = 30.0
    longest_retry_s: float = 1800.0
    give_up_after_s: float = 72 * 3600.0
    refusals: int = 3
    """How often an object is offered that the peer refuses in a way that time does not change:
    often enough for a peer that is being configured."""
    jitter: float = 0.1
    """Part of the wait by which it varies, so that a peer that comes back is not met by all at once."""

    def __post_init__(self) -> None:
        if not 0 < self.first_retry_s <= self.longest_retry_s:
            raise ValueError("the longest wait is not below the first, and both are positive")
        if self.refusals < 1 or not 0 <= self.jitter < 1:
            raise ValueError("an object is offered at least once; jitter is a part of the wait")

    def wait_s(self, failures: int, *, seed: str) -> float:
        """Seconds until the next attempt after so many failures; the same for the same seed and failures."""
        fraction = int(digest((seed, str(failures)))[:8], 16) / _JITTER_STEPS
        return self._plain_wait_s(failures) * (1 + self.jitter * (2 * fraction - 1))

    def event(self, result: SendResult, *, failures: int) -> DeliveryEvent:
        """What an answer does to a delivery that failed so many times before."""
        if result.accepted:
            return DeliveryEvent.ACCEPTED
        now = failures + 1
        over = self.is_over(now, passes=result.retryable)
        return DeliveryEvent.GIVEN_UP if over else DeliveryEvent.DEFERRED

    def is_over(self, failures: int, *, passes: bool) -> bool:
        """Whether nothing more is tried after so many failures, the last of a kind that passes with time or not."""
        return self._is_too_late(failures) if passes else failures >= self.refusals

    def not_below(self, wait_s: float) -> RetryPolicy:
        """The same, with waits that are at least so long."""
        return replace(
            self, first_retry_s=max(self.first_retry_s, wait_s), longest_retry_s=max(self.longest_retry_s, wait_s)
        )

    def _plain_wait_s(self, failures: int) -> float:
        return float(min(self.first_retry_s * 2.0 ** min(failures - 1, 64), self.longest_retry_s))

    def _is_too_late(self, failures: int) -> bool:
        """Whether the waits before the last of these failures filled the time."""
        waited_s = 0.0
        for number in range(1, failures):
            waited_s += self._plain_wait_s(number)
            if waited_s >= self.give_up_after_s:
                return True
        return False
