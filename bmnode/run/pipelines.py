"""The pipelines that are installed, by entry point. Loading one imports its libraries: for the child only."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from bmnode.domain.models import ModelChoice
from bmnode.domain.pipelines import Pipeline
from bmnode.domain.study import Branch
from bmnode.errors import BmnodeError

GROUP = "bmnode.pipelines"


def installed_pipelines() -> tuple[str, ...]:
    """The names of the installed pipelines. Imports none of them."""
    return tuple(sorted(point.name for point in entry_points(group=GROUP)))


@runtime_checkable
class TakesModels(Protocol):
    """A pipeline that can work with learned models."""

    def with_models(self, models: Mapping[Branch, ModelChoice]) -> Pipeline:
        """The same with these, loaded. Raises BundleRefusedError, ConfigError where one cannot be used."""
        ...


def load_pipelines(
    models: Mapping[Branch, ModelChoice],
) -> tuple[Mapping[str, Pipeline], Mapping[str, str]]:
    """Every installed pipeline by name, ready to run, and what kept the others from being loaded.

    A pipeline whose model is refused is not loaded: it never goes on without what was chosen for it.
    """
    loaded: dict[str, Pipeline] = {}
    failed: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        try:
            pipeline: Pipeline = point.load()
            if models and isinstance(pipeline, TakesModels):
                pipeline = pipeline.with_models(models)
            pipeline.warm_up()
            loaded[point.name] = pipeline
        except (ImportError, AttributeError, OSError, BmnodeError) as error:
            failed[point.name] = f"{type(error).__name__}: {error}"
    return loaded, failed
