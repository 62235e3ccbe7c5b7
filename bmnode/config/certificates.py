"""What an administrator wants to know of a certificate: whose it is, and until when it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bmnode.errors import ConfigError

if TYPE_CHECKING:
    from cryptography import x509

WARN_BEFORE = timedelta(days=30)
"""[P] A hospital's authority may take weeks to issue another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """One certificate of a file."""

    name: str
    """The first DNS name or address that it is for; where it has none, its common name."""
    not_before: datetime
    not_after: datetime

    def fault(self, now: datetime) -> str | None:
        """Why it cannot be used at a time; None: it can."""
        if now < self.not_before:
            return f"holds from {self.not_before:%Y-%m-%d %H:%M} UTC on; is this machine's clock right?"
        if now >= self.not_after:
            return f"expired on {self.not_after:%Y-%m-%d %H:%M} UTC"
        return None

    def expires_soon(self, now: datetime) -> bool:
        """Whether it is time to have it renewed."""
        return self.not_after - now <= WARN_BEFORE


def read_certificates(file: Path) -> tuple[Certificate, ...]:
    """Every certificate of a PEM file, in its order. Raises ConfigError where there is none that can be read."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file} holds no certificate in PEM") from error
    return tuple(
        Certificate(
            name=next(_names(item), "unnamed"),
            not_before=item.not_valid_before_utc,
            not_after=item.not_valid_after_utc,
        )
        for item in found
    )


def _names(certificate: x509.Certificate) -> Iterator[str]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        yield from names.get_values_for_type(x509.DNSName)
        yield from map(str, names.get_values_for_type(x509.IPAddress))
    for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
        yield str(attribute.value)
