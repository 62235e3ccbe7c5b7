"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket file, gone at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

_DEBIAN = Path("/usr/lib/postgresql")
_NAME = "postgres"


def _programs() -> Path:
    """The folder of `initdb` and `pg_ctl`. Skips the test where there is none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(_DEBIAN.glob("*/bin"))
    if not folders or not (folders[-1] / "pg_ctl").exists():
        pytest.skip("PostgreSQL's server programs (initdb, pg_ctl) are not installed")
    return folders[-1]


@contextmanager
def postgres_server() -> Iterator[Callable[[], str]]:
    """A server; what it yields makes an empty database and returns its SQLAlchemy URL."""
    programs = _programs()
    user = _NAME if os.geteuid() == 0 else None  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="bmnode-pg-"))  # a socket's path is at most 107 characters
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = folder / "data"
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", _NAME, "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True, user=user, cwd=folder, capture_output=True,
        )  # fmt: skip
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        server: list[str | Path] = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        subprocess.run([*server, "-o", options, "start"], check=True, user=user, cwd=folder, capture_output=True)
        try:
            yield lambda: _new_database(folder)
        finally:
            subprocess.run([*server, "-m", "immediate", "stop"], check=True, user=user, cwd=folder, capture_output=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _new_database(folder: Path) -> str:
    name = f"node_{uuid.uuid4().hex}"
    engine = sa.create_engine(_url(folder, _NAME), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return _url(folder, name)


def _url(folder: Path, database: str) -> str:
    return f"postgresql+psycopg://{_NAME}@/{database}?host={folder}"
