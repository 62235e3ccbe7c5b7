"""The reference page of cohort files: `python -m operators.simulation.cohort.reference` writes it.

A test compares it with what lies in `docs/reference`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from operators.simulation.cohort.keys import tables
from operators.simulation.cohort.specification import load, shipped
from operators.simulation.cohort.values import Key, Kind

PAGE = Path("docs") / "reference" / "cohort-file.md"
_COMMAND = "python -m operators.simulation.cohort.reference"
_LONGEST_LIST = 16
_HEAD = f"""<!-- Written by `{_COMMAND}`: change the code, not this page. -->

# Cohort file

What `bmnode simulate` takes: one TOML file that says what the patients may be like. The seed says who they are.
[Simulate a cohort](../how-to/simulate-a-cohort.md) has examples. A key that bmnode does not know is an error, and so
is a value outside what is allowed; all of them are told at once.

## What a key may hold

| written | means |
| --- | --- |
| `120` | this value |
| `[80, 100, 120]` | one of these, each as likely |
| `{{ low = 80, high = 140 }}` | any number between, each as likely; whole where the key is |
| `{{ ge = 3, philips = 1 }}` | one of these words, by weight |
| `0.2` where true or false is meant | true with this chance |

Each key of a patient is drawn with its own random numbers: a key that is added changes nothing else. Keys marked
*fixed* take one plain value.
"""


def page() -> str:
    """The page."""
    parts = [_HEAD, "## Cohorts that come along\n", "| name | patients | what |", "| --- | --- | --- |"]
    for name in shipped():
        spec = load(name)
        parts.append(f"| `{name}` | {spec.patients} | {spec.description} |")
    for table in tables():
        parts += [
            f"\n## {table.header}\n",
            f"{table.meaning}\n",
            "| key | allowed | without it | meaning |",
            "| --- | --- | --- | --- |",
        ]
        parts += [_row(key) for key in table.keys]
    return "\n".join(parts) + "\n"


def _row(key: Key) -> str:
    allowed = key.allowed
    if len(key.words) > _LONGEST_LIST:
        allowed = f"a bone by name: {', '.join(key.words[:3])}, ..., {key.words[-1]}"
    if not key.varies:
        allowed = f"{allowed} (fixed)"
    if key.kind is Kind.TEXT:
        allowed = "text (fixed)"
    return f"| `{key.name}` | {allowed} | {key.default or 'required'} | {key.meaning} |"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")
