"""The settings of learned models."""

from __future__ import annotations

from pydantic import Field

from bmnode.config.section import Section


class ModelSettings(Section):
    """Learned models. Without one a branch finds candidates by its published thresholds. Read when the node starts."""

    bone_scan: str | None = Field(
        default=None,
        min_length=1,
        description="Bundle of the bone scan branch, `NAME` or `NAME@VERSION` of `bmnode model list`. One that the "
        "site installed has to be verified first: `bmnode model verify NAME`.",
    )
