"""The fidelity table as a page: `python -m operators.simulation.fidelity.page CACHE` measures and writes it.

A test holds that the page names every quantity with its range, its source and its verdict.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from operators.simulation.fidelity.check import measure
from operators.simulation.fidelity.row import Row, Verdict

PAGE = Path("docs") / "reference" / "simulator-fidelity.md"
_COMMAND = "python -m operators.simulation.fidelity.page CACHE"
_WORKERS = 2
_HEAD = f"""<!-- Written by `{_COMMAND}`: change the code, not this page. -->

# How faithful the simulator is

What `bmnode simulate --check` prints: small fixed patients are simulated and measured, and each value stands beside
the range that its source gives. `[P]` in a source marks what the project chose. A value that leaves its range is out
of range also where the reason is known; then the command exits 1.
"""


def page(rows: Sequence[Row]) -> str:
    """The page of measured rows."""
    limited = [row for row in rows if row.verdict is not Verdict.REPORTED]
    outside = [row for row in limited if row.verdict is Verdict.OUT_OF_RANGE]
    parts = [
        _HEAD,
        f"{len(limited) - len(outside)} of {len(limited)} values are within their range; "
        f"{len(rows) - len(limited)} are reported without limits.\n",
    ]
    if outside:
        parts += ["## Out of range\n", "| quantity | measured | range | why |", "| --- | --- | --- | --- |"]
        parts += [f"| {_name(row)} | {_value(row)} | {span(row)} | {row.known_gap or 'not known'} |" for row in outside]
    parts += [
        "\n## Everything\n",
        "| quantity | measured | range | verdict | source |",
        "| --- | --- | --- | --- | --- |",
        *(line(row, value=_value(row)) for row in rows),
    ]
    return "\n".join(parts) + "\n"


def line(row: Row, *, value: str) -> str:
    """A row of the table; everything but the value is the same on every machine."""
    return f"| {_name(row)} | {value} | {span(row)} | {row.verdict} | {_cell(row.source)} |"


def span(row: Row) -> str:
    """The range in words."""
    if row.low is None and row.high is None:
        return ""
    if row.low is None:
        return f"up to {row.high:.4g}"
    return f"{row.low:.4g} and more" if row.high is None else f"{row.low:.4g} to {row.high:.4g}"


def _value(row: Row) -> str:
    return f"{row.value:.4g} {row.unit}".strip()


def _name(row: Row) -> str:
    return _cell(row.quantity)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    found = measure(cache_dir=Path(sys.argv[1]), workers=_WORKERS, report=lambda _: None)
    PAGE.write_text(page(found), encoding="utf-8")
