"""What `config check` promises: everything that would keep the node from working is found before it starts."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bmnode.clock import SystemClock
from bmnode.config.check import check_settings
from bmnode.config.finding import Finding, Severity
from bmnode.config.settings import Settings
from bmnode.config.sources import parse_settings
from bmnode.testing.ports import free_ports
from tests.support.certificates import Authority

ROUTE = '[[routes]]\nname = "a"\ndestinations = ["pacs"]\n'
NOW = SystemClock().now()
PEER = '[peers.pacs]\nae_title = "PACS"\nhost = "127.0.0.1"\nport = 104\n'


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something else listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def _found(settings: Settings) -> dict[str, Finding]:
    found = check_settings(settings, answers_as_us=lambda: False, now=NOW, environ={})
    return {item.key: item for item in found}


def _check(text: str = "", *, port: int | None = None, ours: bool = False, **environ: str) -> dict[str, Finding]:
    node = f"[node]\nport = {port or free_ports(1)[0]}\n"
    settings = parse_settings(node + text, file=None)
    findings = check_settings(settings, answers_as_us=lambda: ours, now=NOW, environ=environ)
    worst = sorted(findings, key=lambda item: list(Severity).index(item.severity), reverse=True)
    return {item.key: item for item in worst}


def test_good_configuration_has_no_complaint() -> None:
    """A node with a peer and a route is told that all is well, key by key."""
    assert {item.severity for item in _check(PEER + ROUTE).values()} == {Severity.OK}


def test_port_of_another_program_is_an_error(taken: int) -> None:
    """Two listeners on one port are found before the scanners do."""
    assert _check(port=taken)["node.port"].severity is Severity.ERROR


def test_port_of_the_running_node_is_fine(taken: int) -> None:
    """The check can be run beside the node."""
    assert _check(port=taken, ours=True)["node.port"].severity is Severity.OK


def test_address_of_another_machine_is_an_error() -> None:
    """An address that is not ours cannot be listened on."""
    settings = parse_settings(f'[node]\nbind = "192.0.2.1"\nport = {free_ports(1)[0]}\n', file=None)
    findings = _found(settings)
    assert findings["node.bind"].severity is Severity.ERROR


def test_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    """Images need a place to lie."""
    (tmp_path / "occupied").write_text("", encoding="utf-8")
    text = f'[spool]\ndirectory = "{tmp_path / "occupied" / "spool"}"\n'
    assert _check(text)["spool.directory"].severity is Severity.ERROR


def test_disk_below_its_watermark_is_an_error() -> None:
    """A node that would refuse every image says so at once."""
    assert _check("[spool]\nmin_free_mb = 1000000000\n")["spool.min_free_mb"].severity is Severity.ERROR


def test_missing_password_is_an_error_and_a_present_one_is_not() -> None:
    """The variable that holds a password is looked for, and its value never shown."""
    text = PEER + 'rest_url = "http://127.0.0.1:8042"\nrest_user = "u"\nrest_password_env = "PACS_PASSWORD"\n'
    key = "peers.pacs.rest_password_env"
    assert _check(text)[key].severity is Severity.ERROR
    found = _check(text, PACS_PASSWORD="hunter2")[key]  # noqa: S106 - a test's own
    assert found.severity is Severity.OK
    assert "hunter2" not in found.message


@pytest.mark.parametrize(
    ("text", "key", "severity"),
    [
        ("", "routes", Severity.WARNING),
        (PEER + ROUTE + "enabled = false\n", "routes", Severity.WARNING),
        ('[receive]\naccept = "configured"\n', "receive.accept", Severity.ERROR),
        (PEER + PEER.replace("peers.pacs", "peers.twin"), "peers", Severity.WARNING),
        (PEER.replace('"PACS"', '"BMNODE"'), "peers.pacs.ae_title", Severity.WARNING),
        (PEER + ROUTE + 'modalities = ["ct"]\n', "routes.a.modalities", Severity.WARNING),
    ],
)
def test_what_may_be_a_mistake_is_said(text: str, key: str, severity: Severity) -> None:
    """Settings that load and still do not do what was meant are pointed at."""
    assert _check(text)[key].severity is severity


@pytest.mark.parametrize("accept", ["any", "local"])
def test_open_listener_is_pointed_at(accept: str) -> None:
    """Listening to the whole network for everyone, or for nobody, is allowed, and said."""
    text = f'[node]\nbind = "0.0.0.0"\nport = {free_ports(1)[0]}\n[receive]\naccept = "{accept}"\n'
    assert _found(parse_settings(text, file=None))["receive.accept"].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("days", "severity", "said"),
    [
        ((-1, 365), Severity.OK, "expires in 36"),
        ((-1, 20), Severity.WARNING, "expires in"),
        ((-20, -1), Severity.ERROR, "expired on"),
        ((1, 20), Severity.ERROR, "holds from"),
    ],
)
def test_the_end_of_a_certificate_is_told(
    tmp_path: Path, days: tuple[float, float], severity: Severity, said: str
) -> None:
    """An administrator learns when the certificate ends before the scanners do."""
    files = Authority(folder=tmp_path).issue("bmnode", days=days)
    text = f'[tls]\ncertificate = "{files.certificate}"\nkey = "{files.key}"\nauthorities = "{files.authorities}"\n'
    found = _check(text)
    assert (found["tls.certificate"].severity, said in found["tls.certificate"].message) == (severity, True)
    assert found["tls.authorities"].severity is Severity.OK


def test_a_key_of_another_certificate_is_an_error(tmp_path: Path) -> None:
    """Files that do not belong together are found before the start."""
    authority = Authority(folder=tmp_path)
    files, other = authority.issue("bmnode"), authority.issue("other")
    text = f'[tls]\ncertificate = "{files.certificate}"\nkey = "{other.key}"\nauthorities = "{files.authorities}"\n'
    assert _check(text)["tls"].severity is Severity.ERROR


def _database_finding(folder: Path) -> Finding:
    settings = parse_settings(f'[node]\nport = {free_ports(1)[0]}\ndata_dir = "{folder}"\n', file=None)
    return _found(settings)["database.url"]


def test_a_database_is_looked_at_where_it_is_a_file(tmp_path: Path) -> None:
    """There or not yet there is well; locked is a warning, since images are taken all the same; rubbish an error."""
    assert _database_finding(tmp_path).severity is Severity.OK
    file = tmp_path / "node.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE some (number INTEGER)")
        assert _database_finding(tmp_path).severity is Severity.OK
        connection.execute("BEGIN IMMEDIATE")
        assert _database_finding(tmp_path).severity is Severity.WARNING
    file.write_bytes(b"rubbish" * 1000)
    assert _database_finding(tmp_path).severity is Severity.ERROR
