"""The settings of delivery."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from bmnode.config.section import Section


class DeliverySettings(Section):
    """How long a result is offered to a destination that does not take it."""

    first_retry_s: float = Field(
        default=30.0, gt=0, description="Seconds until a failed delivery is tried again; doubled each time."
    )
    longest_retry_s: float = Field(default=1800.0, gt=0, description="Longest wait between two attempts, in seconds.")
    give_up_after_h: float = Field(
        default=72.0,
        gt=0,
        description="A delivery that failed for this many hours stops; `bmnode delivery retry` starts it again.",
    )

    commitment_wait_s: float = Field(
        default=3600.0,
        gt=0,
        description="Seconds for which the answer to a request for storage commitment is waited for before the peer is "
        "asked anew; see `commitment` of the peer.",
    )

    @model_validator(mode="after")
    def _waits_grow(self) -> Self:
        if self.longest_retry_s < self.first_retry_s:
            raise ValueError(
                f"longest_retry_s ({self.longest_retry_s:g}) is below first_retry_s ({self.first_retry_s:g})"
            )
        return self
