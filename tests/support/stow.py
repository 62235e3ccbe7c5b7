"""STOW-RS (PS3.18 10.5) as any client would speak it: one multipart request, one answer in DICOM JSON."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BOUNDARY = "bmnode-test-boundary-9a1f3b"
TIMEOUT_S = 120.0
_REFERENCED_SOP, _FAILED_SOP = "00081199", "00081198"
_Json = dict[str, Any]
_INSTANCE, _REASON, _WARNING = "00081155", "00081197", "00081196"


@dataclass(frozen=True, kw_only=True, slots=True)
class StowAnswer:
    """What the archive said: the HTTP status, the instances that it stored, and (instance, failure or warning reason)
    of those that it did not store, or changed."""

    status: int
    stored: tuple[str, ...]
    complaints: tuple[tuple[str, int], ...]


def stow(url: str, paths: Iterable[Path]) -> StowAnswer:
    """Store files by one request to the address of the service's studies, e.g. `http://host/dicom-web/studies`."""
    body = b"".join(_part(path.read_bytes()) for path in paths) + f"--{BOUNDARY}--\r\n".encode()
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=TIMEOUT_S)
    headers = {
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
        "Accept": "application/dicom+json",
    }
    try:
        connection.request("POST", address.path, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    said = json.loads(content) if content else {}
    whole = said[0] if isinstance(said, list) else said
    stored, failed = _items(whole, _REFERENCED_SOP), _items(whole, _FAILED_SOP)
    complained = [(item, _REASON) for item in failed] + [(item, _WARNING) for item in stored if _WARNING in item]
    return StowAnswer(
        status=answer.status,
        stored=tuple(_value(item, _INSTANCE) for item in stored),
        complaints=tuple((_value(item, _INSTANCE), int(_value(item, reason) or 0)) for item, reason in complained),
    )


def _part(content: bytes) -> bytes:
    return f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + content + b"\r\n"


def _items(said: _Json, tag: str) -> list[_Json]:
    found: list[_Json] = said.get(tag, {}).get("Value", [])
    return found


def _value(item: _Json, tag: str) -> str:
    values = item.get(tag, {}).get("Value", [])
    return str(values[0]) if values else ""
