"""Identifiers: the UID grammar, UIDs and digests derived from content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")


def is_uid(text: str) -> bool:
    """Whether the text is a UID by PS3.5 9.1: up to 64 characters, components without leading zeros."""
    return len(text) <= 64 and _UID.fullmatch(text) is not None


def is_safe_uid(text: str) -> bool:
    """Whether the text can be a file name and a key: digits and dots only, at most 64 characters.

    Real senders write components with leading zeros; the meaning is safe, so input is
    judged by this and output by `is_uid`.
    """
    return 0 < len(text) <= 64 and re.fullmatch(r"[0-9]+(\.[0-9]+)*", text) is not None


def digest(parts: Iterable[str]) -> str:
    """SHA-256, in hex, of the parts in order; no two lists of parts give the same bytes."""
    sha = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        sha.update(len(raw).to_bytes(8, "big"))
        sha.update(raw)
    return sha.hexdigest()


def derive_uid(*parts: str) -> str:
    """A UID under 2.25 (PS3.5 B.2) that depends on the parts alone, so that a retry makes the same instance.

    The 128 bits are the head of the parts' SHA-256, marked as an RFC 9562 version 8 UUID.
    """
    number = int(digest(parts)[:32], 16)
    number = (number & ~(0xF << 76)) | (0x8 << 76)
    number = (number & ~(0x3 << 62)) | (0x2 << 62)
    return f"2.25.{number}"
