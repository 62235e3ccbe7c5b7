"""All rows of the fidelity table, topic by topic in several processes."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path

from bmnode.domain.pipelines import Progress, ReportProgress
from operators.simulation.compose import SceneBuilder
from operators.simulation.fidelity.row import Row
from operators.simulation.workers import side_by_side

TOPICS = ("skeleton", "organs", "disease", "emission", "ct_pet", "mri")
"""Modules of this package, in the order of the table; each has `rows(builder)`."""
_LONGEST_FIRST = ("ct_pet", "emission", "mri", "organs", "disease", "skeleton")


def measure(*, cache_dir: Path, workers: int, report: ReportProgress) -> tuple[Row, ...]:
    """Every row, in the order of the topics.

    Args:
        cache_dir: keeps depth fields and the small patients' scenes; the first time on a machine takes longer.
        workers: processes; the values do not depend on it.
        report: told after each topic.

    Raises ValueError where two rows have the same quantity.
    """
    report(Progress(fraction=0.0, step="depth fields"))
    found: dict[str, tuple[Row, ...]] = {}
    jobs = [(topic, cache_dir) for topic in _LONGEST_FIRST]
    for number, rows in side_by_side(_rows, jobs, workers=workers, first=("", cache_dir)):
        found[_LONGEST_FIRST[number]] = rows
        report(Progress(fraction=len(found) / len(TOPICS), step=_LONGEST_FIRST[number]))
    table = tuple(row for topic in TOPICS for row in found[topic])
    twice = [name for name, count in Counter(row.quantity for row in table).items() if count > 1]
    if twice:
        raise ValueError(f"rows of the same quantity: {', '.join(twice)}")
    return table


def _rows(topic: str, cache_dir: Path) -> tuple[Row, ...]:
    """In a worker: one topic, or without one the depth fields that all of them need."""
    builder = SceneBuilder(cache_dir)
    if not topic:
        assert builder.anatomy.templates
        return ()
    module = import_module(f"operators.simulation.fidelity.{topic}")
    return tuple(module.rows(builder))
