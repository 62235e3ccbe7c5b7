"""The settings of what is deleted by itself."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from bmnode.config.section import Section


class RetentionSettings(Section):
    """When received images are deleted by themselves. Without these keys none is: images stay until their study is
    rejected. Results, rows and the audit trail stay in any case."""

    assessed_after_h: float | None = Field(
        default=None,
        gt=0,
        description="Hours after which a study's images are deleted, from when every destination had all of its "
        "results. They stay where a job failed or was cancelled, and where a delivery waits or was given up.",
    )
    unassessed_after_h: float | None = Field(
        default=None,
        gt=0,
        description="The same for a study that no job was made for, from when that was decided: it is not for this "
        "node, or was fetched to be compared.",
    )
    below_free_mb: int | None = Field(
        default=None,
        ge=1,
        description="Below this much free disk space, in MB, images of such studies are deleted whatever their age, "
        "the oldest first. It must be above `[spool] min_free_mb`, below which images are refused.",
    )
    until_free_mb: int | None = Field(
        default=None, ge=1, description="That ends when so much is free; without one, at `below_free_mb`."
    )

    @model_validator(mode="after")
    def _marks_are_in_order(self) -> Self:
        if self.until_free_mb is not None and (self.below_free_mb is None or self.until_free_mb < self.below_free_mb):
            raise ValueError("until_free_mb needs a below_free_mb that is not above it")
        return self
