"""A request is answered to whoever asked, however fast the peer is."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bmnode.reactor_gate import ReactorGate

GATE_OR_EVENT = Callable[[threading.Thread], ReactorGate | threading.Event]
REQUESTS = 40


class Reactor(threading.Thread):
    """An association's own thread as pynetdicom has it, slow where the scheduler may be: it takes what arrives."""

    def __init__(self, hold: GATE_OR_EVENT) -> None:
        super().__init__(daemon=True)
        self.gate = hold(self)
        self.gate.set()
        self.arrived: queue.Queue[int] = queue.Queue()
        self.is_paused = False
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            time.sleep(0.001)
            self.is_paused = True
            self.gate.wait()
            time.sleep(0.002)
            self.is_paused = False
            if not self.arrived.empty():
                self.arrived.get_nowait()

    def request(self, number: int) -> int | None:
        """Pause the thread, ask, and take the answer, which is there at once; None where it was taken away."""
        self.gate.clear()
        while not self.is_paused:
            time.sleep(0.0001)
        self.arrived.put(number)
        try:
            time.sleep(0.003)
            return self.arrived.get_nowait()
        except queue.Empty:
            return None
        finally:
            self.gate.set()


@contextmanager
def running(hold: GATE_OR_EVENT) -> Iterator[Reactor]:
    reactor = Reactor(hold)
    reactor.start()
    yield reactor
    reactor.ended = True
    reactor.gate.set()
    reactor.join()


def test_every_answer_reaches_its_request() -> None:
    """Forty requests with answers at once: none is taken by the thread that should be held."""
    with running(ReactorGate) as reactor:
        assert [reactor.request(number) for number in range(REQUESTS)] == list(range(REQUESTS))


def test_an_event_alone_does_not_hold() -> None:
    """What the gate is for: the same thread with a plain event takes answers away."""
    with running(lambda _thread: threading.Event()) as reactor:
        assert None in [reactor.request(number) for number in range(REQUESTS)]


def test_closing_does_not_wait_for_a_thread_that_has_ended() -> None:
    """An association that was lost holds nobody up."""
    with running(ReactorGate) as reactor:
        pass
    reactor.gate.clear()
    assert not reactor.gate.is_set()


def test_the_held_thread_itself_may_close() -> None:
    """A thread that closes its own gate does not wait for itself."""
    gate = ReactorGate(threading.current_thread())
    gate.clear()
    assert not gate.wait(timeout=0.01)
    gate.set()
    assert gate.wait(timeout=0.01)
