"""Peers that cannot be reached by any means are refused before anything tries."""

from __future__ import annotations

from typing import Any

import pytest

from bmnode.domain.objects import ResultKind, SegEncoding
from bmnode.domain.peers import Peer, check_ae_title


def _peer(**changes: Any) -> Peer:
    values: dict[str, Any] = {"name": "pacs", "ae_title": "PACS", "host": "pacs.example", "port": 104}
    return Peer(**{**values, **changes})


@pytest.mark.parametrize("title", ["A", "PACS MAIN 1", "SIXTEEN_CHARS_16"])
def test_an_ae_title_is_taken_as_it_stands(title: str) -> None:
    """Titles keep their inner spaces and their case."""
    assert check_ae_title(title) == title


@pytest.mark.parametrize("title", ["", " ", "SEVENTEEN_CHARS17", "BACK\\SLASH", " PACS", "PACS ", "PÄCS", "TAB\t"])
def test_what_is_no_ae_title_is_refused(title: str) -> None:
    """PS3.5 6.2: 1 to 16 characters of the default repertoire, no backslash, no control characters."""
    with pytest.raises(ValueError, match="AE title"):
        check_ae_title(title)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"port": 0}, "port"),
        ({"seg_encodings": ()}, "seg_encodings"),
        ({"seg_encodings": (SegEncoding.BINARY, SegEncoding.BINARY)}, "seg_encodings"),
        ({"objects": ()}, "objects"),
        ({"objects": (ResultKind.SR, ResultKind.SR)}, "objects"),
        ({"port": 65536}, "port"),
        ({"host": ""}, "host"),
        ({"name": "two words"}, "peer name"),
        ({"ae_title": "SEVENTEEN_CHARS17"}, "AE title"),
        ({"rest_url": "ftp://pacs.example"}, "rest_url"),
        ({"rest_url": "http://user:secret@pacs.example"}, "credentials"),
        ({"rest_user": "bmnode"}, "rest_url"),
        ({"rest_url": "http://pacs.example", "rest_user": "bmnode"}, "go together"),
        (
            {"rest_url": "http://pacs.example", "rest_user": "bmnode", "rest_password_env": "not a name"},
            "environment variable",
        ),
    ],
)
def test_a_peer_with_an_unusable_part_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    """The message says which part it is."""
    with pytest.raises(ValueError, match=message):
        _peer(**change)


def test_a_password_in_an_address_is_not_repeated() -> None:
    """The error about credentials in the address does not carry them into a log."""
    with pytest.raises(ValueError, match="credentials") as raised:
        _peer(rest_url="http://user:secret@pacs.example")
    assert "secret" not in str(raised.value)
