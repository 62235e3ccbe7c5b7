"""What every command of one call shares: settings, database, the outside, and who asks."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bmnode.cli.wiring import Services, WorkClient
from bmnode.errors import NotFoundError, StorageError

if TYPE_CHECKING:
    from datetime import datetime

    import sqlalchemy as sa

    from bmnode.config import Settings
    from bmnode.storage import Database

JsonOption = Annotated[
    bool, typer.Option("--json", help="Write one JSON document to standard output and nothing else.")
]


@dataclass(kw_only=True, slots=True)
class Session:
    """One call of the command line."""

    outside: Services = field(default_factory=Services)
    config: Path | None = None
    debug: bool = False
    _settings: Settings | None = None
    _log_is_set: bool = False

    @property
    def services(self) -> Services:
        """The outside. What it logs is kept off standard output: nowhere, or with --debug to standard error."""
        if not self._log_is_set:
            from bmnode.observe.logging import configure_logging, route_events

            if self.debug:
                configure_logging(level="DEBUG", json_lines=False)
            else:
                route_events()
            self._log_is_set = True
        return self.outside

    @property
    def settings(self) -> Settings:
        """The configuration in force, read once. Raises ConfigError."""
        if self._settings is None:
            from bmnode.config import find_config_file, load_settings

            self._settings = load_settings(find_config_file(self.config))
        return self._settings

    @property
    def settings_if_read(self) -> Settings | None:
        """The configuration, if a command got as far as reading it; never raises."""
        return self._settings

    @property
    def file(self) -> Path:
        """The configuration file, read or not. Raises NotFoundError where the node runs on defaults."""
        from bmnode.config import find_config_file

        found = find_config_file(self.config)
        if found is None:
            raise NotFoundError("there is no configuration file; `bmnode config init` writes one")
        return found

    @property
    def actor(self) -> str:
        """Who asks, for the audit trail: the user of this machine."""
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # a container's user may have no name
            user = str(os.getuid())
        return f"administrator:{user}"[:64]

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return self.services.clock.now()

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The node's database, which the node itself creates. Raises NotFoundError, StorageError."""
        import sqlalchemy as sa

        from bmnode.storage import Database

        url = self.settings.database_url
        _refuse_missing_file(url)
        try:
            database = Database(url)
            try:
                if database.schema_version() is None:
                    raise NotFoundError("the database is empty: `bmnode serve` has not run with this configuration")
                yield database
            finally:
                database.dispose()
        except sa.exc.SQLAlchemyError as error:
            raise StorageError(
                f"the database does not answer ({type(error).__name__}); check [database] url, its disk and its rights"
            ) from error

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        with self.database() as database, database.read() as connection:
            yield connection

    @contextmanager
    def engine(self) -> Iterator[tuple[Database, WorkClient]]:
        """The database and the engine's client, opened before any transaction: the engine keeps tables there too."""
        with self.database() as database, self.services.open_client(self.settings) as client:
            yield database, client


def session_of(context: typer.Context) -> Session:
    """The session that `bmnode.cli.entry` put into the context."""
    session = context.find_object(Session)
    if session is None:
        raise RuntimeError("the command line was started without a session")
    return session


def _refuse_missing_file(url: str) -> None:
    """Looking at a node must not create one: an empty database in the wrong folder would look like lost studies."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
        raise NotFoundError(
            f"there is no database {parsed.database}: `bmnode serve` has not run with this configuration"
        )
