"""`bmnode model`: the learned models that are there, what they state about themselves, and bringing in a site's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bmnode.cli.documents import document
from bmnode.cli.exit_codes import FAILED
from bmnode.cli.output import emit_json, emit_record, emit_table, say
from bmnode.cli.session import JsonOption, Session, session_of
from bmnode.domain.models import BundleFault
from bmnode.errors import BundleRefusedError

if TYPE_CHECKING:
    from bmnode.domain.models import SidesReport
    from bmnode.models.bundle import Bundle
    from bmnode.models.store import BundleStore

app = typer.Typer(help="Learned models, as bundles.", no_args_is_help=True, rich_markup_mode=None)

Wanted = Annotated[
    str, typer.Argument(help="NAME, NAME@VERSION, or the folder of a bundle.", metavar="BUNDLE", show_default=False)
]


@app.command("list", epilog="Example: bmnode model list --json")
def list_models(context: typer.Context, json: JsonOption = False) -> None:
    """List the bundles that come along and those that the site installed; each is checked. Exits 1 if one is refused.

    JSON: `models`, a list of model.
    """
    from bmnode.models.store import shipped_folders

    session = session_of(context)
    found = [_listed(folder, origin="shipped", session=session) for folder in shipped_folders()]
    found += [_listed(folder, origin="site", session=session) for folder in _store(session).folders()]
    if json:
        emit_json({"models": found})
    else:
        columns = ("name", "version", "origin", "branch", "size_mb", "verified", "refused")
        rows = [[item[column] for column in columns] for item in found]
        emit_table(columns, rows, empty="no model is there; the branches measure without one")
    if any(item["refused"] for item in found):
        raise typer.Exit(FAILED)


@app.command("show", epilog="Example: bmnode model show planar-butterfly --json")
def show(context: typer.Context, bundle: Wanted, json: JsonOption = False) -> None:
    """Show one bundle: what it was trained on, what it may be given, and how it did. Exits 7 if it is refused.

    JSON: the keys of model, and `description`; `authors`; `contract`, a model_contract; `evaluation`, a list of
    model_figure; `cohort` and `patients` that these rest on; `simulated`, whether those are; `card`, path of the card.
    """
    from bmnode.models.layout import CARD

    found = _found(session_of(context), bundle)
    head = _model(found, origin=_origin(session_of(context), found), session=session_of(context))
    contract = document("model_contract", found.contract, **_ranges(found))
    figures = [document("model_figure", figure) for figure in found.evaluation.figures]
    more: dict[str, Any] = {
        "description": found.metadata.description,
        "authors": found.metadata.authors,
        "cohort": found.evaluation.cohort,
        "patients": found.evaluation.patients,
        "simulated": found.evaluation.simulated,
        "card": str(found.folder / CARD),
    }
    if json:
        emit_json(head | more | {"contract": contract, "evaluation": figures})
        return
    emit_record(head | more | contract)
    columns = ("quantity", "unit", "value", "low", "high", "n", "thresholds")
    emit_table(columns, [[item[column] for column in columns] for item in figures], empty="no figure")
    if found.evaluation.simulated:
        say("SIMULATED patients: nothing here was measured on people.")


@app.command("verify", epilog="Example: bmnode model verify ./planar-butterfly")
def verify(
    context: typer.Context,
    bundle: Wanted,
    *,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="Look at the files alone; nothing is computed and nothing noted.")
    ] = False,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder for simulated bodies; without it the user's cache folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check every file of a bundle, then whether the model knows left from right and head from feet.

    Files: digests, card, contract, channels, precision, and that nothing in them is code. Sides: on a SIMULATED
    patient. That an installed bundle passed is noted beside it and in the audit trail. Exits 7 if the bundle is
    refused, with the reason. JSON: the keys of model, and `sides`, a model_sides, or null with --files-only.
    """
    from bmnode.cli.simulate_command import user_cache

    session = session_of(context)
    found = _found(session, bundle)
    report = None
    if not files_only:
        report = session.services.check_sides(found.folder, cache_dir=(cache or user_cache()).absolute())
        if report.problems:
            raise BundleRefusedError("; ".join(report.problems), fault=BundleFault.SIDES)
        if _origin(session, found) == "site":
            _note_verified(session, found, report)
    head = _model(found, origin=_origin(session, found), session=session)
    if json:
        emit_json(head | {"sides": None if report is None else document("model_sides", report)})
        return
    say(f"{found.id}: every file is whole and as listed; SHA-256 of its metadata {found.digest}")
    if report is not None:
        say(f"sides: {report.named_share:.0%} of the paired bones are named, {report.right_side_share:.1%} rightly")
        say("SIMULATED patient: nothing here was measured on people.")


@app.command("install", epilog="Example: bmnode model install ./site-butterfly")
def install(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of the bundle.", metavar="FOLDER")],
    json: JsonOption = False,
) -> None:
    """Check a bundle and copy it to the node, whole or not at all; the audit trail tells of it.

    Exits 7 if it is refused, with the reason; then nothing was changed. JSON: the keys of model, and `installed`,
    false where the same bundle was there already.
    """
    from bmnode.storage import AuditTrail

    session = session_of(context)
    store = _store(session)
    with session.database() as database, store.staged(folder) as stage, database.write() as connection:
        bundle = stage.bundle
        new = stage.publish()
        if new:
            AuditTrail(connection).record(
                "model_installed",
                at=session.now(),
                actor=session.actor,
                subject=str(bundle.id),
                detail={"branch": bundle.contract.branch.value, "digest": bundle.digest},
            )
        head = _model(bundle, origin="site", session=session) | {"folder": str(store.folder(bundle.id))}
    if json:
        emit_json(head | {"installed": new})
    else:
        say(f"installed {bundle.id} in {stage.target}" if new else f"{bundle.id} was there already")


def _note_verified(session: Session, bundle: Bundle, report: SidesReport) -> None:
    from bmnode.models.verification import note_verified
    from bmnode.storage import AuditTrail

    with session.database() as database, database.write() as connection:
        AuditTrail(connection).record(
            "model_verified",
            at=session.now(),
            actor=session.actor,
            subject=str(bundle.id),
            detail={"branch": bundle.contract.branch.value, "digest": bundle.digest},
        )
        note_verified(_store(session), bundle, report=report, at=session.now())


def _store(session: Session) -> BundleStore:
    from bmnode.models.store import BundleStore

    return BundleStore(root=session.settings.models_directory)


def _found(session: Session, wanted: str) -> Bundle:
    from bmnode.models.bundle import Bundle
    from bmnode.models.store import find_bundle

    return Bundle.from_folder(find_bundle(_store(session), wanted))


def _origin(session: Session, bundle: Bundle) -> str:
    from bmnode.models.store import shipped_folders

    if bundle.folder in shipped_folders():
        return "shipped"
    return "site" if bundle.folder in _store(session).folders() else "folder"


def _listed(folder: Path, *, origin: str, session: Session) -> dict[str, Any]:
    """One row; a bundle that is refused is shown too, under its folder's name, with the reason."""
    from bmnode.models.bundle import Bundle

    try:
        return _model(Bundle.from_folder(folder), origin=origin, session=session)
    except BundleRefusedError as error:
        known = dict.fromkeys(("version", "branch", "task", "size_mb", "digest", "verified"))
        name = folder.name if origin == "shipped" else f"{folder.parent.name}@{folder.name}"
        return document("model", None, name=name, origin=origin, folder=folder, refused=str(error), **known)


def _model(bundle: Bundle, *, origin: str, session: Session) -> dict[str, Any]:
    from bmnode.models.verification import is_verified

    return document(
        "model",
        bundle,
        name=bundle.id.name,
        version=bundle.id.version,
        origin=origin,
        branch=bundle.contract.branch,
        task=bundle.metadata.task,
        size_mb=round(bundle.size_bytes / 1e6, 3),
        verified=is_verified(_store(session), bundle) if origin == "site" else None,
        refused=None,
    )


def _ranges(bundle: Bundle) -> dict[str, list[float]]:
    contract = bundle.contract
    named = {"spacing_mm": contract.spacing_mm, "intensity": contract.intensity, "age_years": contract.age_years}
    return {name: [limits.low, limits.high] for name, limits in named.items()}
