"""`bmnode retention`: images that were kept for long enough."""

from __future__ import annotations

from typing import Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_table, say
from bmnode.cli.session import JsonOption, session_of

app = typer.Typer(help="Images that were kept for long enough.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """A group, though it has one command."""


@app.command("run", epilog="Example: bmnode retention run --dry-run")
def run(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Delete nothing: show what would be deleted.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete the images that `[retention]` gives up, now; the node does so by itself every five minutes.

    Images go only when every destination has all results of their study, or when no job was made for it. Run it where
    the node runs, as its user.
    JSON: `dry_run`; `deleted`, a list of deletion, those that were or would be deleted.
    """
    from bmnode.deleting import image_retention

    session = session_of(context)
    with session.database() as database:
        retention = image_retention(session.settings, database=database, clock=session.services.clock)
        found = retention.plan() if dry_run else retention.run(actor=session.actor)
    if json:
        deleted = [document("deletion", item.item, because=item.because.value) for item in found]
        emit_json({"dry_run": dry_run, "deleted": deleted})
        return
    pairs = [(item.item, item.because) for item in found]
    rows = [(item.study_uid, item.images, item.size_bytes, item.since, because) for item, because in pairs]
    emit_table(("study", "images", "bytes", "since", "because"), rows, empty="nothing is to be deleted")
    if rows:
        say("nothing was deleted: a dry run" if dry_run else f"the images of {len(rows)} studies were deleted")
