"""The trail to a syslog server over TLS (PS3.15 A.6; RFC 5424, RFC 5425).

Syslog has no acknowledgement. So every batch has a connection of its own, and counts as taken only when the server has
answered the end of the stream with its own (RFC 5425 4.4): it has then read everything before it.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from bmnode.domain.records import AuditEntry
from bmnode.observe.audit_messages import AuditSource, render
from bmnode.tls import TlsFiles, client_context
from bmnode.trail.exporter import Position

_FACILITY = 10  # security and authorization messages
_NOTICE, _WARNING = 5, 4
_MESSAGE_ID = "DICOM+RFC3881"
_BOM = "\ufeff"
_TIMEOUT_S = 30.0


def frame(entry: AuditEntry, source: AuditSource, *, host: str) -> bytes:
    """One message with its octet count before it (RFC 5425 4.3)."""
    severity = _NOTICE if entry.outcome == "success" else _WARNING
    stamp = entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{8 * _FACILITY + severity}>1 {stamp} {host} bmnode {os.getpid()} {_MESSAGE_ID} - "
    message = (head + _BOM + render(entry, source)).encode()
    return b"%d %b" % (len(message), message)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyslogServer:
    """A server that is reached by TLS, with certificates on both sides."""

    host: str
    port: int
    files: TlsFiles
    source: AuditSource
    name: str = "syslog"

    def resume(self, position: Position) -> Position:
        """The server says nothing of what it has."""
        return position

    def take(self, entries: Sequence[AuditEntry], mark: str) -> str:
        """Send, and wait until the server has read it all. Raises OSError, ConfigError."""
        ours = socket.gethostname()
        context = client_context(self.files)
        with (
            socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S) as connection,
            context.wrap_socket(connection, server_hostname=self.host) as secured,
        ):
            for entry in entries:
                secured.sendall(frame(entry, self.source, host=ours))
            _end(secured)
        return mark


def _end(secured: ssl.SSLSocket) -> None:
    """Say that it was all, and wait for the answer. Raises OSError without one."""
    secured.unwrap()
