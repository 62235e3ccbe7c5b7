"""`bmnode result`: what the objects of a result say, and what a reader made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.documents import document
from bmnode.cli.output import emit_json, emit_table, say
from bmnode.cli.session import JsonOption
from bmnode.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bmnode.domain.earlier import EarlierResult, Review
    from bmnode.domain.results import FindingResult, Measurement

app = typer.Typer(
    help="Result objects in a folder. Nothing is read from the node.", no_args_is_help=True, rich_markup_mode=None
)

EXAMPLE = "Example: bmnode result read from-the-archive --images study"


@app.command("read", epilog=EXAMPLE)
def read(
    folder: Annotated[
        Path, typer.Argument(help="Folder with SR and SEG of one result, and what a reader saved after it.")
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", help="Folder with the study's images: masks come back on their whole grid."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Read a result back from its objects; where a reader edited it, say what became of each lesion.

    JSON: `result` with the keys of read_result, `lesions` with those of read_lesion.
    """
    from bmnode.results.read_back import read_back
    from bmnode.results.review import is_edited, read_review

    files = _files(folder)
    sources = _files(images) if images is not None else []
    earlier = read_back(files, images=sources)
    review = read_review(files, earlier=earlier, images=sources) if is_edited(files, earlier=earlier) else None
    lesions = _lesions(earlier, review)
    if json:
        emit_json({"result": _result(earlier, review), "lesions": lesions})
        return
    _show(earlier, review, lesions)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder}")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _result(earlier: EarlierResult, review: Review | None) -> dict[str, object]:
    stands = earlier.result_set if review is None else review.result_set
    return document(
        "read_result",
        earlier,
        study_uid=stands.study_uid,
        branch=stands.branch,
        outcome=stands.outcome,
        reason=None if stands.refusal is None else stands.refusal.reason,
        synthetic=stands.synthetic,
        is_verified=None if review is None else review.is_verified,
        takes_place=None if review is None else review.takes_place,
        measurements=_measurements(stands.measurements),
    )


def _lesions(earlier: EarlierResult, review: Review | None) -> list[dict[str, object]]:
    """Every lesion; a rejected one as it was before."""
    before = {item.tracking_uid: item for item in earlier.result_set.findings}
    if review is None:
        return [_lesion(item, decision=None, changes=(), known_by=None, left_out=()) for item in before.values()]
    after = before | {item.tracking_uid: item for item in review.result_set.findings}
    return [
        _lesion(
            after[item.tracking_uid],
            decision=item.decision,
            changes=item.changes,
            known_by=item.known_by,
            left_out=item.left_out,
        )
        for item in review.lesions
    ]


def _lesion(finding: FindingResult, **decided: object) -> dict[str, object]:
    return document(
        "read_lesion",
        finding,
        site=None if finding.site is None else finding.site.meaning,
        laterality=None if finding.laterality is None else finding.laterality.meaning,
        measurements=_measurements(finding.measurements),
        **decided,
    )


def _measurements(items: Sequence[Measurement]) -> list[dict[str, object]]:
    return [
        {
            "concept": item.concept.meaning,
            "derivation": None if item.derivation is None else item.derivation.meaning,
            "value": item.value,
            "unit": item.unit.value,
            "method": item.method,
        }
        for item in items
    ]


def _show(earlier: EarlierResult, review: Review | None, lesions: Sequence[dict[str, object]]) -> None:
    result_set = earlier.result_set
    say(f"study {result_set.study_uid}, {earlier.pipeline}" + (", SIMULATED" if result_set.synthetic else ""))
    if result_set.refusal is not None:
        say(f"not assessable: {result_set.refusal.reason.value}")
    columns = ("lesion", "side", "site", "decision", "changes", "numbers")
    rows = [
        (
            item["tracking_id"],
            item["laterality"],
            item["site"],
            item["decision"],
            item["changes"],
            len(measured) if isinstance(measured := item["measurements"], list) else 0,
        )
        for item in lesions
    ]
    emit_table(columns, rows, empty="no lesions")
    if review is not None:
        say(f"edited by a reader, {'verified' if review.is_verified else 'not verified'}")
    say("RESEARCH USE ONLY.")
