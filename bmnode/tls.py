"""TLS with certificates on both sides, by BCP 195 (RFC 8996, RFC 9325), as the profiles of PS3.15 Annex B ask for it.

TLS 1.2 and 1.3 and nothing older; of TLS 1.2 the four suites that RFC 9325 4.2 recommends; both sides show a
certificate and both check the other's.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bmnode.domain.peers import Peer
from bmnode.errors import ConfigError, PeerUnreachableError

TLS_1_2_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
"""RFC 9325 4.2, by OpenSSL's names. The suites of TLS 1.3 are OpenSSL's own, all of them fit (RFC 9325 4.2)."""
_LOG = structlog.get_logger(__name__)
_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsFiles:
    """What a node shows of itself and whom it believes, each a file in PEM."""

    certificate: Path
    """Its certificate, then those between it and the authority."""
    key: Path
    """The certificate's private key, without a passphrase."""
    authorities: Path
    """Certificates of the authorities that vouch for peers."""


Build = Callable[[TlsFiles], ssl.SSLContext]


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """What the listener shakes hands with. Raises ConfigError where a file cannot be used."""
    return _context(files, ssl.PROTOCOL_TLS_SERVER)


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """What the node calls a peer with; the peer's certificate must carry the name that is asked for.

    Raises ConfigError where a file cannot be used.
    """
    return _context(files, ssl.PROTOCOL_TLS_CLIENT)


def call_by_tls(peer: Peer, files: TlsFiles | None) -> tuple[ssl.SSLContext, str] | None:
    """What to call a peer with, and the name that its certificate must carry; None: it is called in clear text.

    Raises PeerUnreachableError where the node's own certificate cannot be used: once it can, a retry succeeds.
    """
    if not peer.tls:
        return None
    if files is None:
        raise PeerUnreachableError(f"peer {peer.name} cannot be called by TLS: [tls] names no certificate")
    try:
        return client_context(files), peer.certificate_name or peer.host
    except ConfigError as error:
        raise PeerUnreachableError(f"peer {peer.name} cannot be called by TLS: {error}") from error


def certificate_names(certificate: Mapping[str, Any]) -> frozenset[str]:
    """The names in a certificate that was checked, as `SSLSocket.getpeercert` gives it, in lower case.

    DNS names and addresses of Subject Alternative Name; where it has none, the common name (RFC 6125 6.4.4).
    """
    alternative = {value for kind, value in certificate.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}}
    if not alternative:
        fields = (field for part in certificate.get("subject", ()) for field in part)
        alternative = {value for key, value in fields if key == "commonName"}
    return frozenset(name.lower() for name in alternative)


class TlsKeeper:
    """A context that follows its files: a certificate that was renewed is used from the next association on.

    Args:
        files: looked at before each use.
        build: `server_context` or `client_context`.

    Raises ConfigError where the files cannot be used at the start. Later the last good context stays.
    """

    def __init__(self, files: TlsFiles, build: Build) -> None:
        self._files = files
        self._build = build
        self._lock = threading.Lock()
        self._stamp = _stamp(files)
        self._context = build(files)

    @property
    def context(self) -> ssl.SSLContext:
        """For one association."""
        with self._lock:
            stamp = _stamp(self._files)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._context = self._build(self._files)
                except ConfigError as error:
                    _LOG.error("certificate_not_renewed", reason=str(error))
                else:
                    _LOG.info("certificate_renewed", certificate=str(self._files.certificate))
            return self._context


def _context(files: TlsFiles, side: ssl._SSLMethod) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(TLS_1_2_SUITES))
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        # An encrypted key would make OpenSSL ask at the terminal; a service has none.
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{files.certificate} and {files.key} cannot be used: {_reason(error)}") from error
    try:
        context.load_verify_locations(files.authorities)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{files.authorities} cannot be used: {_reason(error)}") from error
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").replace("_", " ").lower()
    return error.strerror or type(error).__name__


def _stamp(files: TlsFiles) -> _Stamp:
    """What changes when a file is written anew or replaced; zeros for one that is not there."""
    stamps = []
    for file in (files.certificate, files.key, files.authorities):
        try:
            found = file.stat()
        except OSError:
            stamps.append((0, 0, 0))
        else:
            stamps.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(stamps)
