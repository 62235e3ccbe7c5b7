"""What a STOW-RS answer is taken to say."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.delivery.sender import SendOutcome
from bmnode.delivery.stow_answer import UnreadableAnswerError, is_passing, read_answer

JSON = "application/dicom+json; charset=utf-8"


def _item(uid: str, **reasons: int) -> dict[str, object]:
    tags = {"failure": "00081197", "warning": "00081196"}
    return {
        "00081155": {"vr": "UI", "Value": [uid]},
        **{tags[name]: {"vr": "US", "Value": [value]} for name, value in reasons.items()},
    }


def _answer(*, stored: list[dict[str, object]], failed: list[dict[str, object]]) -> bytes:
    return json.dumps({"00081199": {"vr": "SQ", "Value": stored}, "00081198": {"vr": "SQ", "Value": failed}}).encode()


def test_objects_are_told_apart() -> None:
    """Stored, stored with a warning, refused for what it is and refused for now are four things."""
    payload = _answer(
        stored=[_item("1.1"), _item("1.2", warning=0xB000)],
        failed=[_item("1.3", failure=0x0122), _item("1.4", failure=0xC122), _item("1.5", failure=0xA700)],
    )
    told = read_answer(payload, content_type=JSON)
    assert {uid: (item.outcome, item.status) for uid, item in told.items()} == {
        "1.1": (SendOutcome.ACCEPTED, 0x0000),
        "1.2": (SendOutcome.ACCEPTED_WITH_WARNING, 0xB000),
        "1.3": (SendOutcome.REFUSED_SOP_CLASS, 0x0122),
        "1.4": (SendOutcome.REFUSED_TRANSFER_SYNTAX, 0xC122),
        "1.5": (SendOutcome.REFUSED_STATUS, 0xA700),
    }


def test_an_object_named_on_both_sides_was_not_stored() -> None:
    """An answer that contradicts itself vouches for nothing."""
    told = read_answer(_answer(stored=[_item("1.1")], failed=[_item("1.1", failure=0xC000)]), content_type=JSON)
    assert told["1.1"].outcome is SendOutcome.REFUSED_STATUS


@pytest.mark.parametrize(
    ("payload", "content_type"),
    [(b"<html>Log in</html>", "text/html"), (b"", JSON), (b"{", JSON), (b"7", JSON), (b'{"00081198": 3}', JSON)],
)
def test_a_page_is_no_answer(payload: bytes, content_type: str) -> None:
    """A proxy's page or half an answer never counts as a delivery."""
    with pytest.raises(UnreadableAnswerError):
        read_answer(payload, content_type=content_type)


@given(st.binary(max_size=200))
def test_no_bytes_count_as_a_delivery_by_chance(payload: bytes) -> None:
    """Whatever comes is read, or it is unreadable: nothing else is raised and nothing is stored."""
    with contextlib.suppress(UnreadableAnswerError):
        assert not read_answer(payload, content_type=JSON)


def test_what_time_mends_is_tried_again() -> None:
    """Credentials, load and a server that restarts pass; a request that is wrong does not."""
    assert all(map(is_passing, (401, 403, 404, 408, 429, 500, 502, 503, 504, 507)))
    assert not any(map(is_passing, (301, 400, 405, 406, 410, 413, 415, 501, 505)))
