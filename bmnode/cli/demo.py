"""`bmnode demo`: patients of every modality through a real node into a real archive, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.output import emit_json, emit_table, progress_bar, say
from bmnode.cli.session import JsonOption, session_of

if TYPE_CHECKING:
    from bmnode.demo.play import Ending

EXAMPLE = "Example: bmnode demo --out demo-output"


def demo(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", help="Folder for objects and pictures; what is in it is replaced.")
    ] = Path("demo-output"),
    json: JsonOption = False,
) -> None:
    """Start a node and an archive, send a real bone scan and synthetic patients, show what comes back.

    Nothing leaves this machine. Exits 1 if a study did not end as it should. JSON: the keys of demo_study.
    """
    from bmnode.demo.play import play

    endings = play(out.absolute(), clock=session_of(context).services.clock, bar=progress_bar)
    if json:
        emit_json({"studies": [_document(ending) for ending in endings]})
    else:
        _show(endings, out)
    if not all(ending.as_expected for ending in endings):
        raise typer.Exit(1)


def _show(endings: list[Ending], out: Path) -> None:
    emit_table(
        ("study", "data", "what was there", "what was found", "objects", "pictures"),
        [
            (
                ending.guest.name,
                "real" if ending.comparison is None else "SIMULATED",
                _there(ending),
                _found(ending),
                len(ending.objects),
                len(ending.pictures),
            )
            for ending in endings
        ],
        empty="no study came back",
    )
    say("Findings are threshold candidates, not diagnoses. RESEARCH USE ONLY.")
    say(f"DICOM objects and pictures: {out}")


def _there(ending: Ending) -> str:
    if ending.guest.truth is None:
        return f"{ending.guest.description}; no truth known"
    if ending.guest.expected_refusal is not None:
        return f"{ending.guest.description}; to be refused: {ending.guest.expected_refusal}"
    return ending.guest.description


def _found(ending: Ending) -> str:
    report, comparison = ending.report, ending.comparison
    if report.reason is not None:
        return f"not assessable: {report.reason}"
    if comparison is None:
        return f"{ending.candidate_count} findings"
    return f"{comparison.found} of {comparison.lesions} lesions; {comparison.elsewhere} findings elsewhere"


def _document(ending: Ending) -> dict[str, object]:
    """The keys of demo_study."""
    comparison = ending.comparison
    return {
        "name": ending.guest.name,
        "synthetic": comparison is not None,
        "study_uid": ending.guest.study_uid,
        "outcome": ending.report.outcome,
        "reason": ending.report.reason,
        "findings": ending.candidate_count,
        "lesions": None if comparison is None else comparison.lesions,
        "lesions_found": None if comparison is None else comparison.found,
        "findings_elsewhere": None if comparison is None else comparison.elsewhere,
        "objects": [str(path) for path in ending.objects],
        "pictures": [str(path) for path in ending.pictures],
        "as_expected": ending.as_expected,
    }
