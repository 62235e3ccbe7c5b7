"""The settings of encryption."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from bmnode.config.section import Section
from bmnode.tls import TlsFiles


class Listen(StrEnum):
    """What is spoken on the DICOM port."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class TlsSettings(Section):
    """Encrypted associations, with certificates on both sides. Files in PEM, read anew when they change."""

    listen: Listen = Field(
        default=Listen.OFF,
        description="What `[node] port` takes: `off` clear text, `required` TLS, `optional` both. "
        "Whom the node calls by TLS stands with the peer.",
    )
    certificate: Path | None = Field(
        default=None, description="The node's certificate, with those between it and its authority after it."
    )
    key: Path | None = Field(default=None, description="Its private key, without a passphrase.")
    authorities: Path | None = Field(
        default=None, description="Certificates of the authorities that peers' certificates must come from."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        given = [self.certificate, self.key, self.authorities]
        if any(given) and not all(given):
            raise ValueError("certificate, key and authorities go together")
        if self.listen is not Listen.OFF and not all(given):
            raise ValueError(f"listen = {self.listen.value!r} needs certificate, key and authorities")
        return self

    @property
    def files(self) -> TlsFiles | None:
        """The three files; None where none is configured."""
        if self.certificate is None or self.key is None or self.authorities is None:
            return None
        return TlsFiles(certificate=self.certificate, key=self.key, authorities=self.authorities)
