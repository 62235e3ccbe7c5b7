"""Who the node talks to: other DICOM application entities."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from bmnode.domain.objects import DEFAULT_ENCODINGS, DEFAULT_KINDS, ResultKind, SegEncoding

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_ae_title(title: str) -> str:
    """The title itself, if it is one by PS3.5 6.2 (VR AE): 1 to 16 printable ASCII characters, no backslash.

    Leading and trailing spaces are not significant there, so a title that has them is
    refused: two spellings of one title never compare equal. Raises ValueError.
    """
    printable = all(" " <= char <= "~" and char != "\\" for char in title)
    if not 1 <= len(title) <= 16 or not printable or title != title.strip():
        raise ValueError(f"not an AE title: {title!r} (1 to 16 ASCII characters, no backslash, no spaces around it)")
    return title


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """One application entity: a PACS, a modality, a workstation. Raises ValueError where a part is not usable."""

    name: str
    """What the configuration, the routes and the command line call it."""
    ae_title: str
    host: str
    port: int
    rest_url: str | None = None
    """Base address of Orthanc's own REST interface, where the peer is an Orthanc."""
    rest_user: str | None = None
    rest_password_env: str | None = None
    """Name of the environment variable that holds the password; the password itself is never configured."""
    objects: tuple[ResultKind, ...] = DEFAULT_KINDS
    """Which objects of a result it gets."""
    addresses: tuple[str, ...] = ()
    """Addresses and networks that it may call from; empty: any."""
    tls: bool = False
    """Whether it is called by TLS, and may call by TLS only."""
    certificate_name: str | None = None
    """The name that its certificate must carry."""
    seg_encodings: tuple[SegEncoding, ...] = DEFAULT_ENCODINGS
    """How segmentations of volumes are encoded for it, the best first; the first that it accepts is sent."""

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(f"not a peer name: {self.name!r} (letters, digits, '_', '.', '-'; at most 64)")
        check_ae_title(self.ae_title)
        if not self.host or self.host != self.host.strip():
            raise ValueError(f"peer {self.name}: host is empty or has spaces around it")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"peer {self.name}: port {self.port} is not between 1 and 65535")
        if not self.objects or len(set(self.objects)) != len(self.objects):
            raise ValueError(f"peer {self.name}: objects is empty or names one twice")
        for address in self.addresses:
            try:
                ipaddress.ip_network(address)
            except ValueError as error:
                raise ValueError(f"peer {self.name}: {address!r} is no address or network: {error}") from error
        if self.certificate_name is not None and (not self.tls or not self.certificate_name.strip()):
            raise ValueError(f"peer {self.name}: certificate_name needs tls = true, and a name")
        if not self.seg_encodings or len(set(self.seg_encodings)) != len(self.seg_encodings):
            raise ValueError(f"peer {self.name}: seg_encodings is empty or names one twice")
        self._check_rest()

    def _check_rest(self) -> None:
        if self.rest_url is None:
            if self.rest_user is not None or self.rest_password_env is not None:
                raise ValueError(f"peer {self.name}: rest_user and rest_password_env need a rest_url")
            return
        url = urlsplit(self.rest_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"peer {self.name}: rest_url must start with http:// or https:// and name a host")
        if url.username is not None or url.password is not None:
            raise ValueError(f"peer {self.name}: rest_url must not carry credentials; use rest_user, rest_password_env")
        if (self.rest_user is None) != (self.rest_password_env is None):
            raise ValueError(f"peer {self.name}: rest_user and rest_password_env go together")
        if self.rest_password_env is not None and _VARIABLE.fullmatch(self.rest_password_env) is None:
            raise ValueError(f"peer {self.name}: rest_password_env must name an environment variable")
