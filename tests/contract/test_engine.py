"""What every engine promises: the durable one and its twin in memory pass the same tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bmnode.clock import SystemClock
from bmnode.storage import Database
from bmnode.testing.engine import InMemoryEngine
from bmnode.work.engine import FLOW_POLICIES, Engine, FlowName, FlowPolicy, FlowRequest
from bmnode.work.flows import DbosEngine
from tests.contract.postgres import postgres_server

CLOCK = SystemClock()
POLICIES: Mapping[FlowName, FlowPolicy] = {
    name: replace(policy, poll_s=0.05, first_retry_s=0.05, tries=policy.tries and 3)
    for name, policy in FLOW_POLICIES.items()
}


def wait_for(condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Until the condition holds; fails the test after so many seconds."""
    deadline = CLOCK.monotonic_s() + seconds
    while not condition():
        if CLOCK.monotonic_s() > deadline:
            pytest.fail(f"not seen within {seconds} s")
        CLOCK.sleep_s(0.01)


@dataclass(kw_only=True)
class Recorder:
    """A handler that does what its subject says, and remembers."""

    seen: list[str] = field(default_factory=list)
    given_up: list[tuple[str, str]] = field(default_factory=list)
    interrupted: list[str] = field(default_factory=list)
    failures_left: dict[str, int] = field(default_factory=dict)
    gate: threading.Event = field(default_factory=threading.Event)

    async def handle(self, subject: tuple[str, ...]) -> None:
        """Fail, wait at the gate or just be seen."""
        name = subject[0]
        self.seen.append(name)
        if self.failures_left.get(name, 0) > 0:
            self.failures_left[name] -= 1
            raise OSError("the disk of Mr Doe is full")
        if name.startswith("held"):
            try:
                while not self.gate.is_set():
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                self.interrupted.append(name)
                raise

    async def give_up(self, subject: tuple[str, ...], *, error: str) -> None:
        """Remember."""
        self.given_up.append((subject[0], error))


@dataclass(kw_only=True)
class Bench:
    """An engine, its database, and what its handlers saw."""

    engine: Engine
    database: Database
    recorder: Recorder
    again: Callable[[], Engine]
    """The engine that the next process would make."""

    def start(self) -> None:
        self.engine.start(dict.fromkeys(FlowName, self.recorder))


@pytest.fixture(scope="session")
def new_postgres_database() -> Iterator[Callable[[], str]]:
    """Makes empty PostgreSQL databases; skips where there is no server to start."""
    with postgres_server() as new_database:
        yield new_database


@pytest.fixture(params=["dbos", "memory", "dbos_postgresql"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Each implementation on an empty database, not started."""
    if request.param == "dbos_postgresql":
        url = request.getfixturevalue("new_postgres_database")()
    else:
        url = f"sqlite:///{tmp_path / 'node.sqlite'}"
    yield from _bench(url, in_memory=request.param == "memory")


def _bench(url: str, *, in_memory: bool) -> Iterator[Bench]:
    database = Database(url)
    database.migrate()
    memory = InMemoryEngine(clock=CLOCK, policies=POLICIES)

    def again() -> Engine:
        if in_memory:
            return memory
        return DbosEngine(database, node_id="node-1", clock=CLOCK, policies=POLICIES)

    made = Bench(engine=again(), database=database, recorder=Recorder(), again=again)
    yield made
    made.recorder.gate.set()
    made.engine.stop(grace_s=0)
    database.dispose()


def _run(name: str, *, key: str | None = None, delay_s: float = 0.0, priority: int = 10) -> FlowRequest:
    return FlowRequest(flow=FlowName.RUN, key=key or f"run/{name}", subject=(name,), delay_s=delay_s, priority=priority)


def _deliver(name: str, *, lane: str) -> FlowRequest:
    return FlowRequest(flow=FlowName.DELIVER, key=f"deliver/{name}", subject=(name,), lane=lane)


def test_a_key_runs_once(bench: Bench) -> None:
    """A key is asked for before, during and after its flow, and is done once."""
    bench.engine.enqueue(_run("a"))
    bench.engine.enqueue(_run("a"))
    bench.start()
    wait_for(lambda: not bench.engine.unfinished())
    bench.engine.enqueue(_run("a"))
    bench.engine.enqueue(_run("b"))
    wait_for(lambda: not bench.engine.unfinished())
    assert bench.recorder.seen == ["a", "b"]


def test_a_flow_exists_if_and_only_if_its_transaction_commits(bench: Bench) -> None:
    """A request inside a transaction that rolls back never was; one that commits is there."""
    bench.start()

    def fails() -> None:
        with bench.database.write() as connection:
            bench.engine.enqueue(_run("rolled_back"), connection=connection)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert bench.engine.unfinished() == frozenset()
    with bench.database.write() as connection:
        bench.engine.enqueue(_run("committed"), connection=connection)
        assert bench.engine.unfinished() == frozenset()
    wait_for(lambda: bench.recorder.seen == ["committed"])


def test_a_delayed_flow_waits(bench: Bench) -> None:
    """A delay holds a flow back and lets others pass."""
    bench.start()
    asked_s = CLOCK.monotonic_s()
    bench.engine.enqueue(_run("late", delay_s=0.8))
    bench.engine.enqueue(_run("early"))
    wait_for(lambda: bench.engine.unfinished() == {"run/late"})
    assert bench.recorder.seen == ["early"]
    wait_for(lambda: bench.recorder.seen == ["early", "late"])
    assert CLOCK.monotonic_s() - asked_s >= 0.8


def test_the_urgent_goes_first(bench: Bench) -> None:
    """Among flows of a kind that wait, priority 1 starts before 10."""
    bench.engine.enqueue(_run("ordinary"))
    bench.engine.enqueue(_run("stat", priority=1))
    bench.start()
    wait_for(lambda: not bench.engine.unfinished())
    assert bench.recorder.seen == ["stat", "ordinary"]


def test_what_fails_is_tried_again(bench: Bench) -> None:
    """A handler that raises is called again later, and its flow then is done."""
    bench.recorder.failures_left["a"] = 2
    bench.engine.enqueue(_run("a"))
    bench.start()
    wait_for(lambda: bench.recorder.seen == ["a"] * 3 and not bench.engine.unfinished())
    assert bench.recorder.given_up == []


def test_what_always_fails_is_given_up_without_quoting_the_error(bench: Bench) -> None:
    """After the last try the handler is told, with the error's type and place but not its text."""
    bench.recorder.failures_left["a"] = 99
    bench.engine.enqueue(_run("a"))
    bench.start()
    wait_for(lambda: bench.recorder.given_up != [] and not bench.engine.unfinished())
    assert bench.recorder.seen == ["a"] * 3
    ((name, error),) = bench.recorder.given_up
    assert name == "a"
    assert error.startswith("OSError at test_engine.py")
    assert "Doe" not in error


def test_a_waiting_flow_can_be_cancelled(bench: Bench) -> None:
    """A flow that was cancelled while it waited never starts; a key nobody knows is no error."""
    bench.engine.enqueue(_run("a", key="run/1"))
    bench.engine.enqueue(_run("b", key="run/10"))
    bench.engine.cancel("run/1")
    bench.engine.cancel("run/unknown")
    bench.start()
    wait_for(lambda: not bench.engine.unfinished())
    assert bench.recorder.seen == ["b"]


def test_a_running_flow_can_be_cancelled(bench: Bench) -> None:
    """A handler that runs is interrupted, and does not run again."""
    bench.start()
    bench.engine.enqueue(_run("held"))
    wait_for(lambda: bench.recorder.seen == ["held"])
    bench.engine.cancel("run/held")
    wait_for(lambda: bench.recorder.interrupted == ["held"])
    bench.engine.enqueue(_run("next"))
    wait_for(lambda: not bench.engine.unfinished())
    assert bench.recorder.seen == ["held", "next"]


def test_a_stop_interrupts_and_the_next_start_goes_on(bench: Bench) -> None:
    """What ran when the node stopped runs again; what waited still waits."""
    bench.start()
    bench.engine.enqueue(_run("held"))
    bench.engine.enqueue(_run("waiting"))
    wait_for(lambda: bench.recorder.seen == ["held"])
    bench.recorder.failures_left.clear()
    bench.engine.stop(grace_s=0)
    assert bench.recorder.interrupted == ["held"]
    bench.recorder.gate.set()
    bench.engine = bench.again()
    assert bench.engine.unfinished() == {"run/held", "run/waiting"}
    bench.start()
    wait_for(lambda: not bench.engine.unfinished())
    assert sorted(bench.recorder.seen) == ["held", "held", "waiting"]


def test_a_stop_with_grace_lets_work_end(bench: Bench) -> None:
    """A flow that ends within the grace is not interrupted."""
    bench.start()
    bench.engine.enqueue(_run("held"))
    wait_for(lambda: bench.recorder.seen == ["held"])
    threading.Timer(0.3, bench.recorder.gate.set).start()
    bench.engine.stop(grace_s=10)
    bench.engine = bench.again()
    assert bench.recorder.interrupted == []
    assert bench.engine.unfinished() == frozenset()


def test_a_stuck_lane_holds_up_no_other(bench: Bench) -> None:
    """Deliveries to a destination that hangs take their lane's places and nobody else's."""
    bench.start()
    for number in range(4):
        bench.engine.enqueue(_deliver(f"held-{number}", lane="dead"))
    wait_for(lambda: len(bench.recorder.seen) == POLICIES[FlowName.DELIVER].lane_concurrency)
    bench.engine.enqueue(_deliver("free", lane="alive"))
    wait_for(lambda: "free" in bench.recorder.seen)
    assert len(bench.recorder.seen) == 3


def test_any_number_of_stuck_lanes_hold_up_no_other(bench: Bench) -> None:
    """A dozen destinations that hang, each with all of its places taken, and a thirteenth is served."""
    bench.start()
    places = POLICIES[FlowName.DELIVER].lane_concurrency or 0
    for lane in range(12):
        for number in range(places + 1):
            bench.engine.enqueue(_deliver(f"held-{lane}-{number}", lane=f"dead-{lane}"))
    wait_for(lambda: len(bench.recorder.seen) == 12 * places)
    bench.engine.enqueue(_deliver("free", lane="alive"))
    wait_for(lambda: "free" in bench.recorder.seen)
    assert len(bench.recorder.seen) == 12 * places + 1


def test_one_run_at_a_time(bench: Bench) -> None:
    """A second run waits for the first: there is one child."""
    bench.start()
    bench.engine.enqueue(_run("held"))
    bench.engine.enqueue(_run("second"))
    bench.engine.enqueue(FlowRequest(flow=FlowName.STUDY, key="study/1", subject=("study",)))
    wait_for(lambda: set(bench.recorder.seen) == {"held", "study"})
    bench.recorder.gate.set()
    wait_for(lambda: not bench.engine.unfinished())
    assert sorted(bench.recorder.seen) == ["held", "second", "study"]


def test_ended_flows_can_be_forgotten(bench: Bench) -> None:
    """Retention deletes what ended and leaves what waits."""
    bench.start()
    bench.engine.enqueue(_run("a"))
    bench.engine.enqueue(_run("later", delay_s=600))
    wait_for(lambda: bench.engine.unfinished() == {"run/later"})
    assert bench.engine.forget(older_than_s=3600) == 0
    assert bench.engine.forget(older_than_s=0) == 1
    assert bench.engine.unfinished() == {"run/later"}


def test_every_kind_of_flow_needs_a_handler(bench: Bench) -> None:
    """A flow that no handler knows would wait for ever: the start refuses."""
    with pytest.raises(ValueError, match="deliver"):
        bench.engine.start({FlowName.RUN: bench.recorder, FlowName.STUDY: bench.recorder})
