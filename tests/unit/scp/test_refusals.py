"""A flood of refusals leaves few lines, and every one of it is counted."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bmnode.scp.refusals import EVERY_S, KINDS, SEVERAL, Refusal, RefusalLog
from bmnode.testing.clock import FakeClock

Told = list[tuple[Refusal, int]]


def _log(clock: FakeClock) -> tuple[RefusalLog, Told]:
    told: Told = []
    return RefusalLog(lambda refusal, repeated: told.append((refusal, repeated)), clock=clock), told


def _refusal(address: str = "192.0.2.1", reason: str = "not_dicom") -> Refusal:
    return Refusal(event="connection_refused", address=address, reason=reason)


def test_the_first_is_told_at_once_and_the_rest_once_a_minute() -> None:
    """Ten thousand refusals of one kind are two lines, and a quiet minute later the kind is new again."""
    clock = FakeClock()
    log, told = _log(clock)
    for _ in range(10_000):
        log.add(_refusal())
        log.flush()
    assert [repeated for _, repeated in told] == [0]
    clock.advance(EVERY_S)
    log.flush()
    assert [repeated for _, repeated in told] == [0, 9_999]
    clock.advance(EVERY_S)
    log.flush()
    log.add(_refusal())
    assert [repeated for _, repeated in told] == [0, 9_999, 0]


def test_other_reasons_and_addresses_are_told_on_their_own() -> None:
    """One that floods does not hide another."""
    log, told = _log(FakeClock())
    for refusal in (_refusal(), _refusal(reason="tls_failed"), _refusal("192.0.2.2"), _refusal()):
        log.add(refusal)
    assert [(item.address, item.reason) for item, _ in told] == [
        ("192.0.2.1", "not_dicom"),
        ("192.0.2.1", "tls_failed"),
        ("192.0.2.2", "not_dicom"),
    ]


def test_each_fault_of_a_certificate_is_told() -> None:
    """A machine whose two senders have an expired and a foreign certificate is in the trail with both."""
    log, told = _log(FakeClock())
    faults = ("certificate has expired", "unable to get local issuer certificate", "certificate has expired")
    for fault in faults:
        log.add(replace(_refusal(reason="tls_failed"), explanation=fault))
    assert [item.explanation for item, _ in told] == list(faults[:2])


def test_a_flood_from_many_addresses_is_bounded() -> None:
    """Whoever changes address with each try shares a line with others of the kind."""
    clock = FakeClock()
    log, told = _log(clock)
    for number in range(5_000):
        log.add(_refusal(f"2001:db8::{number:x}"))
    assert len(told) == KINDS + 1
    clock.advance(EVERY_S)
    log.flush()
    assert (told[-1][0].address, told[-1][1]) == (SEVERAL, 5_000 - KINDS - 1)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.floats(0, 30)), max_size=300))
def test_every_refusal_is_counted_once(events: list[tuple[int, int, float]]) -> None:
    """Whatever comes when, the lines and their counts add up to what was refused."""
    clock = FakeClock()
    log, told = _log(clock)
    for number, reason, pause_s in events:
        log.add(_refusal(f"address-{number}", f"reason-{reason}"))
        clock.advance(pause_s)
        log.flush()
    log.flush(everything=True)
    assert sum(repeated or 1 for _, repeated in told) == len(events)


def test_what_is_told_later_is_told_before_the_end() -> None:
    """The thread that writes has written all when it has ended."""
    log, told = _log(FakeClock())
    log.start()
    for _ in range(3):
        log.add_later(_refusal())
    log.stop()
    log.stop()
    assert [repeated for _, repeated in told] == [0, 2]
