"""How fast images are taken in, side by side with what else receives DICOM, in the same minutes on the same disk.

Run `python -m benchmarks.ingest [--quick]` from the repository's root. Each round starts every receiver, and in each
scenario runs one after the other, in an order that rotates and is reversed every other round. Before each run the
folders of those that keep no index are cleared, and `sync` waited for; no run sends a UID that another sent, for
Orthanc skips what it has. The machine's speed drifts two- to threefold within minutes, so a target is a ratio within
one round; the table gives the median of the rounds with the least and the greatest, processor time an instance of the
receiver's process tree, and how long a `sync` took after it. bmnode and Orthanc answer when the bytes are on the disk,
DCMTK and pynetdicom do not. A receiver in C that knows no DICOM shows what the machine allows. Ends with status 1 where
a target is missed or an instance is.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.ingest_objects import BONE_SCAN, CT, SMALL, Instance, Kind, instances
from benchmarks.ingest_raw import DURABLE, RAW_NAMES, RawRun, compile_raw_receiver
from benchmarks.ingest_receivers import (
    BMNODE,
    DCMTK,
    DCMTK_SHIPPED,
    ORTHANC,
    ORTHANC_SHIPPED,
    PYNETDICOM,
    Receiver,
    ReceiverKind,
)
from benchmarks.ingest_senders import Sent, send_by_socket, send_by_storescu

TUNED = (BMNODE, DCMTK, ORTHANC, PYNETDICOM)
SHIPPED = (BMNODE, DCMTK_SHIPPED, ORTHANC_SHIPPED)
MEMORY_LIMIT_MB = 150.0
RESPONSE_P99_LIMIT_MS = 10.0
BONE_SCAN_LIMIT_MS = 4.0
_SETTLE_S, _POLL_S = 30.0, 0.05
_PROBES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One way of sending to everybody."""

    name: str
    kind: Kind
    associations: int
    quick: int
    full: int
    """Instances an association in a short run and in a whole one."""
    sender: str = "socket"
    receivers: tuple[ReceiverKind, ...] = TUNED
    each_alone: bool = False


SCENARIOS = (
    Scenario(name="CT, 1 association", kind=CT, associations=1, quick=40, full=600),
    Scenario(name="CT, 4 associations", kind=CT, associations=4, quick=20, full=150),
    Scenario(name="64x64, 1 association", kind=SMALL, associations=1, quick=80, full=1000),
    Scenario(name="64x64, 4 associations", kind=SMALL, associations=4, quick=40, full=500),
    Scenario(name="bone scan, one each", kind=BONE_SCAN, associations=1, quick=12, full=60, each_alone=True),
    Scenario(name="CT, storescu, 1", kind=CT, associations=1, quick=40, full=600, sender="storescu"),
    Scenario(name="CT, storescu, 4", kind=CT, associations=4, quick=20, full=150, sender="storescu"),
    Scenario(name="64x64, storescu, 1", kind=SMALL, associations=1, quick=80, full=1000, sender="storescu"),
    Scenario(name="64x64, storescu, 4", kind=SMALL, associations=4, quick=40, full=500, sender="storescu"),
)
SHIPPED_SCENARIOS = (
    Scenario(name="CT, as shipped", kind=CT, associations=1, quick=20, full=100, sender="shipped", receivers=SHIPPED),
    Scenario(
        name="64x64, as shipped",
        kind=SMALL,
        associations=1,
        quick=40,
        full=150,
        sender="shipped",
        receivers=SHIPPED,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A ratio that the median of the rounds has to reach, in the geometric mean and in each scenario."""

    against: ReceiverKind
    mean: float
    least: float


TARGETS = (Target(against=DCMTK, mean=1.2, least=0.6), Target(against=ORTHANC, mean=5.0, least=2.0))
SHIPPED_TARGETS: Mapping[str, float] = {"CT, as shipped": 10.0, "64x64, as shipped": 50.0}


@dataclass(slots=True)
class Measured:
    """What came of one receiver in one scenario, a value a round."""

    rates: list[float] = field(default_factory=list)
    responses_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Of the process tree, an instance."""
    sync_ms: list[float] = field(default_factory=list)
    """Of a `sync` behind the run."""


@dataclass(slots=True)
class Ledger:
    """Everything measured."""

    runs: dict[tuple[str, str], Measured] = field(default_factory=lambda: defaultdict(Measured))
    memory_mb: dict[str, float] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)

    def ratios(self, scenario: Scenario, against: str) -> Sequence[float]:
        """bmnode's rate over another's, by its name, in the same round."""
        ours, theirs = self.runs[scenario.name, BMNODE.name].rates, self.runs[scenario.name, against].rates
        return [a / b for a, b in zip(ours, theirs, strict=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """Every scenario once with every receiver."""

    number: int
    directory: Path
    quick: bool
    runs: Iterator[int]
    """Numbers that no other run has: they become UIDs."""
    raw_program: Path | None

    def run(self, scenarios: Sequence[Scenario], ledger: Ledger) -> None:
        """Start the receivers, send, count, stop."""
        kinds = scenarios[0].receivers
        receivers = {kind: Receiver(kind, self.directory / str(place)) for place, kind in enumerate(kinds)}
        try:
            for receiver in receivers.values():
                receiver.start()
            for place, scenario in enumerate(scenarios):
                for kind in self._order(kinds, place):
                    self._send(scenario, receivers[kind], ledger)
                self._send_raw(scenario, ledger)
            for kind, receiver in receivers.items():
                name = kind.name
                ledger.memory_mb[name] = max(ledger.memory_mb.get(name, 0.0), receiver.peak_memory_mb())
        finally:
            for receiver in receivers.values():
                receiver.stop()
            shutil.rmtree(self.directory, ignore_errors=True)

    def _order(self, kinds: Sequence[ReceiverKind], place: int) -> Sequence[ReceiverKind]:
        turn = (self.number + place) % len(kinds)
        order = [*kinds[turn:], *kinds[:turn]]
        return order[::-1] if self.number % 2 else order

    def _send(self, scenario: Scenario, receiver: Receiver, ledger: Ledger) -> None:
        lots = self._lots(scenario)
        total = sum(map(len, lots))
        receiver.clear()
        before, cpu_s = receiver.stored(), receiver.cpu_s()
        self._sync()
        sent = self._sent(scenario, receiver, lots)
        measured = ledger.runs[scenario.name, receiver.kind.name]
        measured.rates.append(total / sent.seconds)
        measured.responses_ms.extend(sent.responses_ms)
        measured.sync_ms.append(self._sync())
        stored = _settled(receiver, before + total) - before
        measured.cpu_ms.append((receiver.cpu_s() - cpu_s) * 1000 / total)
        if stored != total or sent.acknowledged != total:
            statuses = ", ".join(f"{count} x 0x{status:04X}" for status, count in sent.statuses.items())
            ledger.losses.append(
                f"{receiver.kind.name}, {scenario.name}: {total} sent, {sent.acknowledged} acknowledged, {stored} "
                f"kept; statuses: {statuses or 'not seen'}"
            )

    def _sent(self, scenario: Scenario, receiver: Receiver, lots: Sequence[Sequence[Instance]]) -> Sent:
        if scenario.sender == "socket":
            return send_by_socket(receiver.port, receiver.ae_title, lots, each_alone=scenario.each_alone)
        folder = self.directory / f"files-{next(self.runs)}"
        no_delay = scenario.sender != "shipped"
        sent = send_by_storescu(receiver.port, receiver.ae_title, lots, folder=folder, no_delay=no_delay)
        shutil.rmtree(folder)
        return sent

    def _send_raw(self, scenario: Scenario, ledger: Ledger) -> None:
        """The same bytes to the receiver in C, where its sender is ours."""
        if self.raw_program is None or scenario.sender != "socket":
            return
        for name in RAW_NAMES:
            self._sync()
            run = RawRun(program=self.raw_program, directory=self.directory / "raw", durable=name == DURABLE)
            rate = run.rate(self._lots(scenario), each_alone=scenario.each_alone)
            ledger.runs[scenario.name, name].rates.append(rate)

    def _lots(self, scenario: Scenario) -> Sequence[Sequence[Instance]]:
        each = scenario.quick if self.quick else scenario.full
        return [instances(scenario.kind, run=next(self.runs), count=each) for _ in range(scenario.associations)]

    def _sync(self) -> float:
        """Have everything on the disk; how long that took, in ms."""
        started = time.perf_counter()
        subprocess.run(["sync", "--file-system", str(self.directory)], check=True)  # noqa: S603, S607 - no input
        return (time.perf_counter() - started) * 1000


def _settled(receiver: Receiver, wanted: int) -> int:
    """How many the receiver has, once it has what is wanted or its time is over."""
    deadline = time.monotonic() + _SETTLE_S
    while (stored := receiver.stored()) < wanted and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return stored


def _print_disk(folder: Path) -> None:
    """What a flush costs where the receivers write, at this moment."""
    flush, new_file = [], []
    with (folder / "probe").open("wb", buffering=0) as probe:
        for _ in range(_PROBES):
            started = time.perf_counter()
            probe.write(bytes(4096))
            os.fdatasync(probe.fileno())
            flush.append((time.perf_counter() - started) * 1000)
    for number in range(_PROBES // 2):
        started = time.perf_counter()
        _write_synced(folder / f"probe{number}")
        new_file.append((time.perf_counter() - started) * 1000)
    print(
        f"disk: fdatasync after 4 KB {statistics.median(flush):.2f} ms, "
        f"new file of 0.5 MB with fsync of file and folder {statistics.median(new_file):.2f} ms"
    )


def _write_synced(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        file.write(bytes(1 << 19))
        os.fsync(file.fileno())
    handle = os.open(path.parent, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _print_table(ledger: Ledger) -> None:
    heads = ("scenario", "receiver", "per second (least, most)", "p50", "p99", "cpu", "sync")
    print("{:22} {:19} {:25} {:>8} {:>8} {:>8} {:>8}  bmnode over it".format(*heads))
    for scenario in (*SCENARIOS, *SHIPPED_SCENARIOS):
        for name in (*(kind.name for kind in scenario.receivers), *RAW_NAMES):
            run = ledger.runs[scenario.name, name]
            if not run.rates:
                continue
            shares = [_percentile(run.responses_ms, share) if run.responses_ms else None for share in (0.5, 0.99)]
            times = [*shares, *(statistics.median(item) if item else None for item in (run.cpu_ms, run.sync_ms))]
            shown = " ".join(" " * 8 if time_ms is None else f"{time_ms:6.2f}ms" for time_ms in times)
            ratio = "" if name == BMNODE.name else _spread(ledger.ratios(scenario, name), digits=2)
            print(f"{scenario.name:22} {name:19} {_spread(run.rates, digits=0):25} {shown}  {ratio}")
    print("peak memory: " + ", ".join(f"{name} {mb:.0f} MB" for name, mb in ledger.memory_mb.items()))
    for target in TARGETS:
        print(f"geometric mean over {target.against.name}: {_mean(ledger, target.against):.2f} (target {target.mean})")


def _spread(values: Sequence[float], *, digits: int) -> str:
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f}, {high:.{digits}f})"


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]


def _mean(ledger: Ledger, against: ReceiverKind) -> float:
    return statistics.geometric_mean(statistics.median(ledger.ratios(s, against.name)) for s in SCENARIOS)


def _missed(ledger: Ledger) -> Iterator[str]:
    """Each target that the medians do not reach."""
    for target in TARGETS:
        mean = _mean(ledger, target.against)
        if mean < target.mean:
            yield f"geometric mean over {target.against.name} {mean:.2f}, not {target.mean}"
        for scenario in SCENARIOS:
            ratio = statistics.median(ledger.ratios(scenario, target.against.name))
            if ratio < target.least:
                yield f"{scenario.name} over {target.against.name} {ratio:.2f}, not {target.least}"
    for scenario in SHIPPED_SCENARIOS:
        for kind in (DCMTK_SHIPPED, ORTHANC_SHIPPED):
            ratio, wanted = statistics.median(ledger.ratios(scenario, kind.name)), SHIPPED_TARGETS[scenario.name]
            if ratio < wanted:
                yield f"{scenario.name} over {kind.name} {ratio:.1f}, not {wanted}"
    for scenario in SCENARIOS:
        responses = ledger.runs[scenario.name, BMNODE.name].responses_ms
        if scenario.associations == 4 and responses and _percentile(responses, 0.99) >= RESPONSE_P99_LIMIT_MS:
            yield f"{scenario.name}: p99 response {_percentile(responses, 0.99):.1f} ms, not {RESPONSE_P99_LIMIT_MS:g}"
        if scenario.each_alone and _percentile(responses, 0.5) >= BONE_SCAN_LIMIT_MS:
            yield f"{scenario.name}: median {_percentile(responses, 0.5):.1f} ms, not {BONE_SCAN_LIMIT_MS:g}"
    if ledger.memory_mb[BMNODE.name] >= MEMORY_LIMIT_MB:
        yield f"memory {ledger.memory_mb[BMNODE.name]:.0f} MB, not {MEMORY_LIMIT_MB:g}"


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description="How fast images are taken in.")
    parser.add_argument("--quick", action="store_true", help="two short rounds, under a minute")
    parser.add_argument("--rounds", type=int, default=0, help="rounds; 2 with --quick, else 5")
    parser.add_argument("--directory", type=Path, help="where to receive; its file system is what is measured")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    ledger, runs = Ledger(), count(int(time.time()) * 1000)
    with tempfile.TemporaryDirectory(dir=arguments.directory, prefix="ingest-") as folder:
        _print_disk(Path(folder))
        raw_program = compile_raw_receiver(Path(folder))
        if raw_program is None:
            print("the raw receiver is not measured: there is no C compiler (cc)")
        for number in range(rounds):
            for part, scenarios in enumerate((SCENARIOS, SHIPPED_SCENARIOS)):
                one = Round(
                    number=number,
                    directory=Path(folder) / f"{number}.{part}",
                    quick=arguments.quick,
                    runs=runs,
                    raw_program=raw_program,
                )
                one.run(scenarios, ledger)
        _print_disk(Path(folder))
    _print_table(ledger)
    failures = [*ledger.losses, *_missed(ledger)]
    for failure in failures:
        print(f"MISSED: {failure}")
    print("every target reached" if not failures else f"{len(failures)} targets missed")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
