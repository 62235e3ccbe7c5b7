"""How the disease as a whole goes between two scans."""

from __future__ import annotations

from enum import StrEnum


class Response(StrEnum):
    """How the disease as a whole goes."""

    PROGRESSING = "progressing"
    RESPONDING = "responding"
    STABLE = "stable"
    MIXED = "mixed"
    """Some lesions grow, others shrink."""
    FLARE = "flare"
    """A response that looks like progression: lesions heal with new bone, occult ones become visible."""
