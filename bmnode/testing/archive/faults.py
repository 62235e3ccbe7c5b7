"""What the archive does wrong on request."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveFaults:
    """The faults in force; the default has none. Raises ValueError on a negative delay or count."""

    store_status: int | None = None
    """Answer C-STORE with this status; a failure status keeps nothing, a warning (Bxxx) stores."""
    store_count: int | None = None
    """How many of the next C-STORE requests the store faults hit; None for all."""
    store_delay_s: float = 0.0
    """Wait so long, in seconds, before answering a C-STORE."""
    abort_store: bool = False
    """Abort the association instead of answering a C-STORE."""
    query_delay_s: float = 0.0
    """Wait so long, in seconds, before each response to a C-FIND."""
    retrieve_delay_s: float = 0.0
    """Wait so long, in seconds, before each instance of a C-MOVE or C-GET."""
    commitment_failure_reason: int | None = None
    """Deny commitment of every instance with this Failure Reason (0008,1197)."""
    withhold_commitment: bool = False
    """Take the request for commitment and never report."""

    def __post_init__(self) -> None:
        delays = (self.store_delay_s, self.query_delay_s, self.retrieve_delay_s)
        if min(delays) < 0 or (self.store_count is not None and self.store_count < 0):
            raise ValueError("delays and store_count are not negative")


class FaultSwitch:
    """Holds the faults and counts the store requests that they still hit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = ArchiveFaults()
        self._left: int | None = 0

    def set(self, faults: ArchiveFaults) -> None:
        """Put these faults in force instead of those before."""
        with self._lock:
            self._faults = faults
            self._left = faults.store_count

    @property
    def current(self) -> ArchiveFaults:
        """The faults in force."""
        with self._lock:
            return self._faults

    def take_store(self) -> ArchiveFaults:
        """The faults for one C-STORE request: none once `store_count` requests were hit."""
        with self._lock:
            if self._left is None:
                return self._faults
            if self._left == 0:
                return ArchiveFaults()
            self._left -= 1
            return self._faults
