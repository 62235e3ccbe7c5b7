"""What every DICOMweb user agent here needs: who it is to the peer, and how the peer's certificate is looked at."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from bmnode.domain.peers import Peer
from bmnode.errors import ConfigError, PeerUnreachableError
from bmnode.tls import TlsFiles, client_context


class _Adapter(HTTPAdapter):
    """Shakes hands with our own context; the certificate must carry the address's host."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options, ssl_context=self._context)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSessions:
    """Opens sessions with peers. Secrets come from the environment and leave it in the request's header only.

    Args:
        tls: the node's certificate and authorities, for https; None: the authorities of this machine.
        environment: where the variables that hold secrets are looked up; None: the process's.
    """

    tls: TlsFiles | None = None
    environment: Mapping[str, str] | None = None

    def open(self, peer: Peer) -> requests.Session:
        """A session, to be closed by who asked. Raises PeerUnreachableError where secret or certificate are missing."""
        session = requests.Session()
        session.trust_env = False  # no proxy and no .netrc that the configuration does not name
        if peer.dicomweb_token_env is not None:
            session.headers["Authorization"] = f"Bearer {self._secret(peer, peer.dicomweb_token_env)}"
        elif peer.dicomweb_user is not None and peer.dicomweb_password_env is not None:
            secret = self._secret(peer, peer.dicomweb_password_env)
            pair = base64.b64encode(f"{peer.dicomweb_user}:{secret}".encode()).decode()
            session.headers["Authorization"] = f"Basic {pair}"
        session.mount("https://", _Adapter(self._context(peer)))
        return session

    def _secret(self, peer: Peer, variable: str) -> str:
        found = (os.environ if self.environment is None else self.environment).get(variable)
        if not found:
            raise PeerUnreachableError(f"peer {peer.name}: the environment variable {variable} is not set")
        return found

    def _context(self, peer: Peer) -> ssl.SSLContext:
        if self.tls is None:
            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            return context
        try:
            return client_context(self.tls)
        except ConfigError as error:
            raise PeerUnreachableError(f"peer {peer.name} cannot be called by https: {error}") from error
