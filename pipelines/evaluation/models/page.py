"""The cards of the models that come along as a page: `python -m pipelines.evaluation.models.page` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bmnode.domain.models import EvaluationFigure
from bmnode.models.bundle import Bundle
from bmnode.models.layout import CARD
from bmnode.models.store import shipped_folders

PAGE = Path("docs") / "reference" / "model-cards.md"
_COMMAND = "python -m pipelines.evaluation.models.page"
_HEAD = f"""<!-- Written by `{_COMMAND}`: change the bundle, not this page. -->

# Model cards

The models that come along. None is used before a site [chooses it](../how-to/bring-in-a-model.md). **Every figure here
is of SIMULATED patients.**
"""


def page() -> str:
    """The page of all shipped bundles."""
    return "\n".join([_HEAD, *(line for folder in shipped_folders() for line in _card(Bundle.from_folder(folder)))])


def _card(bundle: Bundle) -> Iterator[str]:
    card = (bundle.folder / CARD).read_text(encoding="utf-8")
    yield "\n".join(f"#{line}" if line.startswith("#") else line for line in card.splitlines())
    yield f"\nBranch `{bundle.contract.branch}`, {bundle.size_bytes / 1e6:.1f} MB, digest `{bundle.digest}`.\n"
    report = bundle.evaluation
    seeds = ", ".join(str(seed) for seed in report.seeds)
    yield "### Every figure (SIMULATED)\n"
    yield f"Cohorts {report.cohort}, seeds {seeds}, {report.patients} patients.\n"
    yield "| quantity | unit | model (95 % CI) | n | thresholds |"
    yield "| --- | --- | --- | --- | --- |"
    yield from (_row(figure) for figure in report.figures)
    yield ""


def _row(figure: EvaluationFigure) -> str:
    interval = "" if figure.low is None or figure.high is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    value = "not evaluable" if figure.value is None else f"{figure.value:.3f}{interval}"
    beside = "not evaluable" if figure.thresholds is None else f"{figure.thresholds:.3f}"
    return f"| {figure.quantity} | {figure.unit} | {value} | {figure.n} | {beside} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
