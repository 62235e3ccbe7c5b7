"""`bmnode delivery`: result objects on their way to their destinations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_table, say
from bmnode.cli.session import JsonOption, session_of
from bmnode.domain.states import DeliveryEvent, DeliveryState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bmnode.domain.records import DeliveryRecord
    from bmnode.storage import Deliveries

app = typer.Typer(help="Results on their way to the PACS.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list", epilog="Example: bmnode delivery list --state dead --json")
def list_deliveries(
    context: typer.Context,
    state: Annotated[DeliveryState | None, typer.Option("--state", help="Only deliveries in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, those due first.")] = 1000,
    json: JsonOption = False,
) -> None:
    """List deliveries, those due first.

    JSON: `deliveries`, a list of delivery.
    """
    from bmnode.storage import Deliveries

    with session_of(context).read() as connection:
        found = Deliveries(connection).list(state=state, limit=limit)
    if json:
        emit_json({"deliveries": [document("delivery", item) for item in found]})
        return
    emit_deliveries(found, empty="no delivery" if state is None else f"no {state} delivery")


@app.command("retry", epilog="Example: bmnode delivery retry --all-dead")
def retry(
    context: typer.Context,
    job_id: Annotated[str | None, typer.Argument(help="Identifier of the job.", metavar="JOB_ID")] = None,
    destination: Annotated[str | None, typer.Option("--destination", help="Only to this peer.")] = None,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every delivery that was given up.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With JOB_ID: also what the peer has taken already, if it lost it.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Send again: what a job owes, or everything that was given up, is tried now.

    JSON: `deliveries`, a list of delivery as they stand now.
    """
    from bmnode.storage import AuditTrail, Deliveries

    if (job_id is None) != all_dead or (again and all_dead):
        raise typer.BadParameter("give a JOB_ID, with or without --again, or --all-dead")
    session = session_of(context)
    with session.engine() as (database, client), database.write() as connection:
        deliveries = Deliveries(connection)
        owed = _owed(deliveries, job_id=job_id, destination=destination, again=again)
        now = [
            deliveries.apply(item, DeliveryEvent.RETRIED, at=session.now())
            if item.state is not DeliveryState.PENDING
            else item
            for item in owed
        ]
        for job, peer in dict.fromkeys((item.job_id, item.destination) for item in now):
            client.enqueue_delivery(job, peer, connection=connection)
            AuditTrail(connection).record(
                "delivery_retried", at=session.now(), actor=session.actor, subject=job, detail={"destination": peer}
            )
    if json:
        emit_json({"deliveries": [document("delivery", item) for item in now]})
    else:
        say(f"{len(now)} object(s) are tried again" if now else "nothing is owed")


def _owed(
    deliveries: Deliveries, *, job_id: str | None, destination: str | None, again: bool
) -> Sequence[DeliveryRecord]:
    if job_id is not None:
        found = deliveries.of_job(job_id, destination=destination)
        return [item for item in found if again or item.state is not DeliveryState.DELIVERED]
    dead = deliveries.list(state=DeliveryState.DEAD, limit=1_000_000)
    return [item for item in dead if destination in {None, item.destination}]


def emit_deliveries(found: Sequence[DeliveryRecord], *, empty: str = "no delivery") -> None:
    """Deliveries for people, with what the destination answered last."""
    rows = [
        (item.job_id, item.destination, item.state, item.attempts, _status(item), item.last_error, item.next_attempt_at)
        for item in found
    ]
    emit_table(("job", "destination", "state", "attempts", "status", "last error", "next attempt"), rows, empty=empty)


def _status(item: DeliveryRecord) -> str | None:
    return None if item.last_status is None else f"0x{item.last_status:04X}"
