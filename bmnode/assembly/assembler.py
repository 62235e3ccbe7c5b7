"""Judges the studies that are due. What is complete is frozen by the study flow, in its own transaction."""

from __future__ import annotations

from datetime import datetime

import structlog

from bmnode.assembly.policy import CompletenessPolicy
from bmnode.clock import Clock
from bmnode.domain.records import StudyRecord
from bmnode.observe.references import study_ref
from bmnode.storage import Database, Studies

_LOG = structlog.get_logger(__name__)


class Assembler:
    """Decides which studies can be frozen.

    The studies table says what is due, so a restart forgets nothing and two callers at once only
    do the same work twice.
    """

    def __init__(self, database: Database, *, policy: CompletenessPolicy, clock: Clock) -> None:
        self._database = database
        self._policy = policy
        self._clock = clock
        self._looked_at: datetime | None = None
        """When it last looked; None: at no time yet, and the clock may have been set back before."""

    def complete_studies(self) -> tuple[StudyRecord, ...]:
        """Studies that are complete now, longest waiting first; those that must wait are put off.

        A returned study stays due until it is frozen: a caller that dies in between finds it
        again. Its `version` tells whether an image arrived since.
        """
        now = self._clock.now()
        self._follow_the_clock(now)
        with self._database.read() as connection:
            if not Studies(connection).due(now):
                return ()
        complete: list[StudyRecord] = []
        with self._database.write() as connection:
            studies = Studies(connection)
            for study in studies.due(now):
                verdict = self._policy.judge(study, now)
                if verdict.wait_until is None:
                    complete.append(study)
                else:
                    studies.postpone(study.study_uid, due_at=verdict.wait_until)
                _LOG.debug("study_judged", study_ref=study_ref(study.study_uid), verdict=verdict.reason)
        return tuple(complete)

    def _follow_the_clock(self, now: datetime) -> None:
        """A clock that was set back makes nobody wait for the time that comes twice."""
        before, self._looked_at = self._looked_at, now
        if before is not None and before <= now:
            return
        with self._database.write() as connection:
            found = Studies(connection).set_back(now)
        if found:
            _LOG.warning("clock_set_back", studies=len(found))
