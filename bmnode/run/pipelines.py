"""The pipelines that are installed, by entry point. Loading one imports its libraries: for the child only."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from bmnode.domain.pipelines import Pipeline

GROUP = "bmnode.pipelines"


def installed_pipelines() -> tuple[str, ...]:
    """The names of the installed pipelines. Imports none of them."""
    return tuple(sorted(point.name for point in entry_points(group=GROUP)))


def load_pipelines() -> tuple[Mapping[str, Pipeline], Mapping[str, str]]:
    """Every installed pipeline by name, ready to run, and what kept the others from being loaded."""
    loaded: dict[str, Pipeline] = {}
    failed: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        try:
            pipeline: Pipeline = point.load()
            pipeline.warm_up()
            loaded[point.name] = pipeline
        except (ImportError, AttributeError, OSError) as error:
            failed[point.name] = f"{type(error).__name__}: {error}"
    return loaded, failed
