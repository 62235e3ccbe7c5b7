"""The settings of the audit trail's way out."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bmnode.config.section import Section


class AuditSettings(Section):
    """Where the audit trail is written beside the database, as messages of PS3.15 A.5."""

    file: Path | None = Field(
        default=None, description="File to append to, one JSON line an entry. Relative to this file's folder."
    )
    syslog_host: str | None = Field(
        default=None,
        description="Syslog server that is sent every entry over TLS, with the certificate of `[tls]`; its own must "
        "carry this name.",
    )
    syslog_port: int = Field(default=6514, ge=1, le=65535, description="Its port.")
