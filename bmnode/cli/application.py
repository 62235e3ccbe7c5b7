"""The tree of commands. Command modules are light: what they need they import when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bmnode import __version__
from bmnode.cli import (
    audit_commands,
    check_command,
    config_commands,
    delivery_commands,
    demo,
    evaluate_commands,
    job_commands,
    ledger_commands,
    model_commands,
    peer_commands,
    pipeline_commands,
    result_commands,
    retention_commands,
    route_commands,
    run_command,
    serve,
    simulate_command,
    study_commands,
    suv_command,
    train_command,
)
from bmnode.cli.output import say
from bmnode.cli.session import session_of

_HELP = """A DICOM node that finds, measures and follows bone metastases beside a PACS.

RESEARCH USE ONLY - not for diagnostic or treatment decisions."""


def _version(wanted: bool) -> None:
    if wanted:
        say(f"bmnode {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="Configuration file; without it BMNODE_CONFIG, ./bmnode.toml, /etc/bmnode/bmnode.toml, or defaults.",
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of a defect instead of one line.")] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    session = session_of(context)
    session.config = config
    session.debug = debug


def build() -> typer.Typer:
    """The whole tree, as Typer has it."""
    app = typer.Typer(
        help=_HELP,
        callback=_root,
        rich_markup_mode=None,
        no_args_is_help=True,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.command("serve", epilog=serve.EXAMPLE)(serve.serve)
    app.command("check", epilog=check_command.EXAMPLE)(check_command.check)
    app.command("demo", epilog=demo.EXAMPLE)(demo.demo)
    app.command("run", epilog=run_command.EXAMPLE)(run_command.run)
    app.command("simulate", epilog=simulate_command.EXAMPLE)(simulate_command.simulate)
    app.command("train", epilog=train_command.EXAMPLE)(train_command.train)
    app.command("suv", epilog=suv_command.EXAMPLE)(suv_command.suv)
    for name, group in (
        ("config", config_commands.app),
        ("peer", peer_commands.app),
        ("route", route_commands.app),
        ("study", study_commands.app),
        ("job", job_commands.app),
        ("delivery", delivery_commands.app),
        ("result", result_commands.app),
        ("ledger", ledger_commands.app),
        ("retention", retention_commands.app),
        ("audit", audit_commands.app),
        ("pipeline", pipeline_commands.app),
        ("model", model_commands.app),
        ("evaluate", evaluate_commands.app),
    ):
        app.add_typer(group, name=name)
    return app


def command() -> Any:
    """The tree, ready to run: the command class of the library that Typer stands on."""
    return typer.main.get_command(build())
