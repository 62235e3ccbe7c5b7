"""The database connection: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SQLAlchemyError

from bmnode.errors import StorageError

BUSY_TIMEOUT_MS = 30_000
_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITES = "bmnode_writes"


class Database:
    """One engine, two kinds of transaction.

    Args:
        url: SQLAlchemy URL. SQLite runs in WAL with synchronous=FULL: a commit is on the
            disk when it returns, which the C-STORE status relies on.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._checks_references = True
        self._engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
        self._kept: _KeptConnection | None = None
        if self._engine.dialect.name == "sqlite":
            _prepare_sqlite(self._engine, checks_references=lambda: self._checks_references)
            self._kept = _KeptConnection(self._engine)

    def migrate(self) -> None:
        """Bring the schema to this version's. Raises StorageError where the database cannot be reached."""
        config = AlembicConfig()
        config.set_main_option("script_location", str(_MIGRATIONS))
        try:
            with self._without_foreign_keys(), self.write() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                if broken := _broken_references(connection):
                    raise StorageError(f"the migration would break references of {', '.join(broken)}")
        except SQLAlchemyError as error:
            raise StorageError(
                f"the database cannot be migrated: {type(error).__name__}; check [database] url"
            ) from error

    @contextmanager
    def _without_foreign_keys(self) -> Iterator[None]:
        """SQLite changes a constraint by making the table anew: no row may miss its parent meanwhile, nor be deleted
        with it. The switch works outside of transactions alone (sqlite.org/lang_altertable.html, section 7)."""
        if self._engine.dialect.name != "sqlite":
            yield
            return
        self._engine.dispose()  # connections that are made from now on have the switch as it is set here
        self._checks_references = False
        try:
            yield
        finally:
            self._checks_references = True
            self._engine.dispose()

    def schema_version(self) -> str | None:
        """The migration that the database is at; None before the first."""
        with self.read() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    @staticmethod
    def newest_schema() -> str | None:
        """The migration that this version of bmnode brings a database to."""
        config = AlembicConfig()
        config.set_main_option("script_location", str(_MIGRATIONS))
        return ScriptDirectory.from_config(config).get_current_head()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that writes. It takes the write lock at once: it cannot fail half-way for want of it."""
        with self._engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection

    def has_row(self, query: sa.Select[Any], value: str) -> bool:
        """Whether a query finds a row for the value of its only parameter.

        For questions that are asked for every instance that arrives. SQLite is asked as if by its driver, over a
        connection that is kept: a tenth of what the ordinary way takes. Every commit before the question counts.
        Raises SQLAlchemyError, and ValueError where the query has more parameters.
        """
        if self._kept is not None:
            try:
                return self._kept.has_row(query, value)
            except sqlite3.Error:
                self._kept.close()  # whatever it was, the ordinary way calls it by its name
        with self.read() as connection:
            return connection.execute(query, dict.fromkeys(query.compile().params, value)).first() is not None

    def dispose(self) -> None:
        """Close every connection."""
        if self._kept is not None:
            self._kept.close()
        self._engine.dispose()


class _KeptConnection:
    """A connection to SQLite for one short question after the other, one at a time."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: sa.PoolProxiedConnection | None = None
        self._texts: dict[sa.Select[Any], str] = {}

    def has_row(self, query: sa.Select[Any], value: str) -> bool:
        """See `Database.has_row`. Raises sqlite3.Error."""
        with self._lock:
            text = self._texts.get(query)
            if text is None:
                compiled = query.compile(self._engine)
                if len(compiled.params) != 1:
                    raise ValueError("the question has one parameter")
                text = self._texts[query] = str(compiled)
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            return self._connection.cursor().execute(text, (value,)).fetchone() is not None

    def close(self) -> None:
        """Give the connection back; the next question takes another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _broken_references(connection: sa.Connection) -> list[str]:
    """Tables with a row whose parent is missing; asked of SQLite alone, which does not look during a migration."""
    if connection.dialect.name != "sqlite":
        return []
    return sorted({str(row[0]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")})


def _prepare_sqlite(engine: sa.Engine, *, checks_references: Callable[[], bool]) -> None:
    @sa.event.listens_for(engine, "connect")
    def _configure(dbapi_connection: Any, _record: object) -> None:
        dbapi_connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = dbapi_connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"foreign_keys={'ON' if checks_references() else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
