"""Who the node talks to: other DICOM application entities."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from bmnode.domain.objects import DEFAULT_ENCODINGS, DEFAULT_KINDS, ResultKind, SegEncoding

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SendBy(StrEnum):
    """The ways in which objects reach a destination."""

    C_STORE = "c-store"
    STOW_RS = "stow-rs"
    """DICOMweb's Store transaction (PS3.18 10.5)."""


DEFAULT_WAYS = (SendBy.C_STORE,)
"""How a destination is sent to that says nothing else."""


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
    send_by: tuple[SendBy, ...] = DEFAULT_WAYS
    """How it gets results, the best first; the next where the one before cannot be used."""
    dicomweb_url: str | None = None
    """Base address of its DICOMweb services, to which `/studies` is added."""
    dicomweb_user: str | None = None
    dicomweb_password_env: str | None = None
    """As `rest_password_env`."""
    commitment: bool = False
    """Whether it is asked, as the SCP of Storage Commitment, to keep what it took (PS3.4 annex J)."""
    dicomweb_token_env: str | None = None
    """Name of the environment variable that holds a bearer token (RFC 6750), in the place of user and password."""

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
        if not self.send_by or len(set(self.send_by)) != len(self.send_by):
            raise ValueError(f"peer {self.name}: send_by is empty or names one twice")
        if SendBy.STOW_RS in self.send_by and self.dicomweb_url is None:
            raise ValueError(f"peer {self.name}: send_by names stow-rs, which needs a dicomweb_url")
        if self.dicomweb_token_env is not None and self.dicomweb_user is not None:
            raise ValueError(f"peer {self.name}: dicomweb_user or dicomweb_token_env, not both")
        self._check_web("rest", password_env=self.rest_password_env)
        self._check_web("dicomweb", password_env=self.dicomweb_password_env, token_env=self.dicomweb_token_env)

    def _check_web(self, prefix: str, *, password_env: str | None, token_env: str | None = None) -> None:
        """Look at the keys of one web interface: `PREFIX_url`, `PREFIX_user` and where its secrets are."""
        address: str | None = getattr(self, f"{prefix}_url")
        user: str | None = getattr(self, f"{prefix}_user")
        if address is None:
            if any(part is not None for part in (user, password_env, token_env)):
                raise ValueError(f"peer {self.name}: {prefix}_user and {prefix}_password_env need a {prefix}_url")
            return
        url = urlsplit(address)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"peer {self.name}: {prefix}_url must start with http:// or https:// and name a host")
        if url.username is not None or url.password is not None:
            raise ValueError(
                f"peer {self.name}: {prefix}_url must not carry credentials; use {prefix}_user, {prefix}_password_env"
            )
        if (user is None) != (password_env is None):
            raise ValueError(f"peer {self.name}: {prefix}_user and {prefix}_password_env go together")
        for key, variable in (("password_env", password_env), ("token_env", token_env)):
            if variable is not None and _VARIABLE.fullmatch(variable) is None:
                raise ValueError(f"peer {self.name}: {prefix}_{key} must name an environment variable")
