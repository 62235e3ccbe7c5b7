"""The listener's TLS: what is spoken on its port, and the handshake with a deadline."""

from __future__ import annotations

import selectors
import ssl
from dataclasses import dataclass
from enum import StrEnum
from socket import socket

from bmnode.clock import Clock
from bmnode.tls import TlsFiles


class TlsListening(StrEnum):
    """What is spoken on the port. A first byte tells TLS from clear text, so one port can take both."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, kw_only=True, slots=True)
class Security:
    """How associations are encrypted. Raises ValueError where TLS has no certificate."""

    listening: TlsListening = TlsListening.OFF
    files: TlsFiles | None = None

    def __post_init__(self) -> None:
        if self.listening is not TlsListening.OFF and self.files is None:
            raise ValueError("TLS needs a certificate, its key and the authorities to trust")


class HandshakeError(Exception):
    """A connection that did not become a secure one; the text is OpenSSL's reason and holds nothing of the peer's."""


def shake_hands(connection: socket, context: ssl.SSLContext, *, timeout_s: float, clock: Clock) -> ssl.SSLSocket:
    """Make a connection secure, as its server, and wait until the peer says something over it.

    All of it has one deadline, however slowly bytes drip. Raises HandshakeError.
    """
    deadline = clock.monotonic_s() + timeout_s
    connection.settimeout(0)
    try:
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    except OSError as error:
        raise HandshakeError(_reason(error)) from error
    try:
        while (wanted := _step(secured)) is not None:
            _wait(secured, wanted, deadline - clock.monotonic_s())
        if not secured.pending():
            _wait(secured, selectors.EVENT_READ, deadline - clock.monotonic_s())
    except HandshakeError:
        secured.close()
        raise
    return secured


def _wait(secured: ssl.SSLSocket, wanted: int, left_s: float) -> None:
    with selectors.DefaultSelector() as waiting:
        waiting.register(secured, wanted)
        if left_s <= 0 or not waiting.select(left_s):
            raise HandshakeError("timed out")


def _step(secured: ssl.SSLSocket) -> int | None:
    """Go on as far as the peer's bytes reach; what is waited for, or None at the end."""
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return selectors.EVENT_READ
    except ssl.SSLWantWriteError:
        return selectors.EVENT_WRITE
    except OSError as error:
        raise HandshakeError(_reason(error)) from error
    return None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError):
        return (error.reason or type(error).__name__).replace("_", " ").lower()
    return error.strerror or type(error).__name__
