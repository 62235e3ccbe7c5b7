"""Taking a changed configuration without a restart: peers, routes and who may send."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bmnode.clock import Clock
from bmnode.config import Settings, load_settings
from bmnode.domain.peers import Peer
from bmnode.errors import ConfigError
from bmnode.storage import AuditTrail, Database

APPLIED, REFUSED = "configuration_applied", "configuration_refused"
TAKEN_WHILE_RUNNING = ("peers", "routes")
TAKEN_OF_RECEIVE = ("accept", "max_associations", "max_associations_per_peer")
_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What a new configuration changes."""

    settings: Settings
    """What holds from now on: the old settings, with the sections that can change taken from the new file."""
    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    """Sections that differ in the file and hold from the next start on."""


def compare(old: Settings, new: Settings) -> Change:
    """What can be taken now, and what cannot. Peers and routes are taken together: routes name peers."""
    receive = old.receive.model_copy(update={key: getattr(new.receive, key) for key in TAKEN_OF_RECEIVE})
    taken = {key: getattr(new, key) for key in TAKEN_WHILE_RUNNING} | {"receive": receive}
    settings = old.model_copy(update=taken)
    return Change(
        settings=settings,
        changed=tuple(key for key in taken if getattr(old, key) != getattr(settings, key)),
        needs_restart=tuple(key for key in Settings.model_fields if getattr(settings, key) != getattr(new, key)),
    )


class LiveSettings:
    """The settings in force in one process.

    Args:
        settings: as they were at the start.
        part: the process's name in the audit trail.
        database: where changes are audited.
        clock: dates them.
    """

    def __init__(self, settings: Settings, *, part: str, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._part = part
        self._database = database
        self._clock = clock

    @property
    def current(self) -> Settings:
        """What holds now."""
        return self._settings

    def peer(self, name: str) -> Peer:
        """As `Settings.peer`, of what holds now."""
        return self._settings.peer(name)

    def reload(self) -> bool:
        """Read the file again; whether it was taken. A broken file leaves everything as it is, and is told of."""
        try:
            change = compare(self._settings, load_settings(self._settings.file))
        except ConfigError as error:
            _LOG.error(REFUSED, part=self._part, reason=str(error))
            self._audit(REFUSED, outcome="failure", detail={"part": self._part, "reason": str(error)})
            return False
        self._settings = change.settings
        detail: dict[str, object] = {
            "part": self._part,
            "changed": list(change.changed),
            "needs_restart": list(change.needs_restart),
        }
        _LOG.info(APPLIED, **detail)
        self._audit(APPLIED, outcome="success", detail=detail)
        return True

    def _audit(self, event: str, *, outcome: str, detail: dict[str, object]) -> None:
        name = self._settings.node.name
        try:
            with self._database.write() as connection:
                AuditTrail(connection).record(
                    event, at=self._clock.now(), actor=name, subject=name, outcome=outcome, detail=detail
                )
        except SQLAlchemyError as error:
            _LOG.error("audit_failed", audit_event=event, error=type(error).__name__)
