"""Whether results reach those who are to have them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from bmnode.checkup.words import LONG_PAST, counted, moment, span
from bmnode.config import Settings
from bmnode.config.finding import Finding
from bmnode.domain.objects import ResultKind
from bmnode.domain.peers import Peer, SendBy
from bmnode.storage import Outbox

WAITS_FOR = timedelta(hours=1)
"""[P] A destination that has not taken an object for an hour is worth a telephone call."""
_AT_ONCE = 8

Ask = Callable[[Peer, Sequence[ResultKind]], str | None]
"""Asks a peer by C-ECHO, and whether it accepts these objects; None where it does, else what is wrong and a remedy."""


def _called(settings: Settings) -> Mapping[str, Sequence[ResultKind]]:
    """Whom the node calls, and what it sends to them: destinations of routes that are enabled, and archives that are
    asked for priors."""
    destinations = (name for route in settings.routes if route.enabled for name in route.destinations)
    archives = settings.priors.archives if settings.priors.look else ()
    return dict.fromkeys(archives, ()) | {name: settings.peer(name).objects for name in destinations}


def check_destinations(
    settings: Settings, outboxes: Mapping[str, Outbox], *, ask: Ask, now: datetime
) -> Iterator[Finding]:
    """Call everybody whom the node calls, all at once, and look at what they are owed."""
    called = _called(settings)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda name: _answer(settings.peer(name), called[name], ask), called)
        yield from answers
    for name, outbox in sorted(outboxes.items()):
        yield from _deliveries(outbox, now)
        if name not in settings.peers and outbox.waiting:
            yield Finding.error(
                f"destination.{name}",
                f"results wait for {name}, which is no peer any more: add it again, or they are given up in time",
            )


def _answer(peer: Peer, objects: Sequence[ResultKind], ask: Ask) -> Finding:
    key = f"destination.{peer.name}"
    if SendBy.C_STORE not in peer.send_by:
        return Finding.ok(key, f"{peer.name} is reached by DICOMweb alone, which has no echo: not tried")
    problem = ask(peer, objects)
    if problem is not None:
        return Finding.error(key, problem)
    taken = f" and accepts {', '.join(objects)}" if objects else ""
    return Finding.ok(key, f"{peer.name} answers C-ECHO{taken}")


def _deliveries(outbox: Outbox, now: datetime) -> Iterator[Finding]:
    name = outbox.destination
    key = f"deliveries.{name}"
    success = "never" if outbox.last_success is None else moment(outbox.last_success)
    if outbox.dead:
        is_old = outbox.newest_dead is not None and now - outbox.newest_dead > LONG_PAST
        tell = Finding.warning if is_old else Finding.error
        yield tell(
            key,
            f"{counted(outbox.dead, 'object')} given up for {name}: see `bmnode delivery list --state dead`; "
            f"`bmnode delivery retry --all-dead --destination {name}` once it takes them; last success: {success}",
        )
    if not outbox.waiting:
        yield Finding.ok(key, f"nothing waits for {name}; last success: {success}")
        return
    age = timedelta() if outbox.oldest is None else now - outbox.oldest
    told = (
        f"{counted(outbox.waiting, 'object')} waiting for {name}, the oldest for {span(age)}; last success: {success}"
    )
    if outbox.next_attempt_at is not None:
        told += f"; next attempt {moment(outbox.next_attempt_at)}"
    if outbox.last_error:
        told += f"; it said: {outbox.last_error}"
    yield Finding.warning(key, told) if age > WAITS_FOR else Finding.ok(key, told)
