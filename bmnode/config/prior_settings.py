"""The settings of the search for earlier examinations."""

from __future__ import annotations

from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from bmnode.config.section import Section


class Retrieve(StrEnum):
    """How an archive sends a study."""

    MOVE = "move"
    GET = "get"
    WADO_RS = "wado-rs"
    """DICOMweb; it is asked by QIDO-RS then."""


class PriorSettings(Section):
    """Which earlier examination a study is compared with, where it is looked for, and for how long."""

    look: bool = Field(
        default=True, description="Whether an earlier examination is looked for at all, in the node's own store first."
    )
    archives: tuple[str, ...] = Field(
        default=(),
        description="Names of the peers that are asked, in this order, and that send the prior; each must know this "
        'node by its AE title, or with `retrieve = "wado-rs"` have a `dicomweb_url`. Empty: only what the node has '
        "itself is compared.",
    )
    retrieve: Retrieve = Field(
        default=Retrieve.MOVE,
        description="`move`: an archive is asked by C-FIND, calls the node and sends the study (C-MOVE). `get`: it is "
        "asked by C-FIND and sends on the association on which it was asked (C-GET), for one that cannot call the "
        "node. `wado-rs`: DICOMweb at the peer's `dicomweb_url`; it is asked by QIDO-RS and sends by WADO-RS.",
    )
    wait_s: float = Field(
        default=300.0,
        gt=0,
        description="A job waits for its prior for at most this many seconds; then it is run without. One that comes "
        "later is compared in a new report that names the first as its predecessor.",
    )
    search_h: float = Field(
        default=24.0, gt=0, description="An archive that does not answer is asked again for this many hours."
    )
    retry_s: float = Field(default=60.0, gt=0, description="Seconds until it is asked again; doubled each time.")
    answer_s: float = Field(
        default=60.0, gt=0, description="An archive that says nothing for this many seconds is given up for the time."
    )
    oldest_days: int = Field(default=730, ge=2, description="An examination that lies farther back is too old.")
    most_fetched: int = Field(
        default=3, ge=1, le=100, description="No more studies are fetched for one comparison in one search."
    )
    issuer: str | None = Field(
        default=None,
        min_length=1,
        description="Issuer of Patient IDs of studies that state none. Without it a study with an issuer and one "
        "without are never of the same patient.",
    )
    timezone: str = Field(
        default="UTC",
        description="Zone of the times of studies that state none (Timezone Offset From UTC), e.g. `Europe/Berlin`: it "
        "decides which two are of the same day.",
    )

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"not a time zone of this machine: {value!r}") from error
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The zone of `timezone`."""
        return ZoneInfo(self.timezone)
