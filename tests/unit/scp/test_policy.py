"""Whom the acceptor lets in, what it offers, and how failures become statuses."""

from __future__ import annotations

import errno

import pytest
from pydicom import uid
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import _STORAGE_CLASSES
from sqlalchemy.exc import IntegrityError, OperationalError

from bmnode.errors import (
    ConflictingInstanceError,
    MalformedInstanceError,
    MismatchedInstanceError,
    SpoolFullError,
    StorageError,
)
from bmnode.scp.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES, keep_senders_order, supported_contexts
from bmnode.scp.options import AcceptorOptions, Rejection, judge_association
from bmnode.scp.status import status_of

OPTIONS = AcceptorOptions(ae_title="BMNODE", known_peers=frozenset({"PACS"}), max_associations=2)


@pytest.mark.parametrize(
    ("calling", "called", "others", "expected"),
    [
        ("PACS", "BMNODE", 1, None),
        ("PACS", "BMNODE", 2, Rejection.TOO_MANY_ASSOCIATIONS),
        ("STRANGER", "BMNODE", 0, Rejection.CALLING_AE_UNKNOWN),
        ("PACS", "OTHER", 0, Rejection.CALLED_AE_UNKNOWN),
        ("STRANGER", "OTHER", 9, Rejection.CALLED_AE_UNKNOWN),
    ],
)
def test_an_association_is_judged(calling: str, called: str, others: int, expected: Rejection | None) -> None:
    """Known peers that call the node by its title are let in while there is room; others learn why not."""
    assert judge_association(OPTIONS, calling_ae=calling, called_ae=called, others=others) is expected


def test_everybody_is_let_in_where_nothing_is_configured() -> None:
    """Without known peers and without the check of the called title, anybody may send."""
    options = AcceptorOptions(ae_title="BMNODE", check_called_ae=False)
    assert judge_association(options, calling_ae="STRANGER", called_ae="OTHER", others=0) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"ae_title": ""},
        {"known_peers": frozenset({"A\\B"})},
        {"port": 65536},
        {"max_associations": 0},
        {"max_pdu_bytes": 100},
        {"acse_timeout_s": 0},
    ],
)
def test_settings_that_cannot_be_used_are_refused(wrong: dict[str, object]) -> None:
    """Options check themselves."""
    with pytest.raises(ValueError, match=r"AE title|port|max_|positive"):
        AcceptorOptions(**{"ae_title": "BMNODE", **wrong})  # type: ignore[arg-type]  # the point of the test


def test_every_storage_class_is_one() -> None:
    """Each UID of the table is a storage SOP class of the standard, with a reason to take it."""
    assert set(map(str, STORAGE_CLASSES)) <= {str(value) for value in _STORAGE_CLASSES.values()}
    assert all(STORAGE_CLASSES.values())


def test_every_class_is_taken_in_every_transfer_syntax() -> None:
    """No class is offered fewer transfer syntaxes than another."""
    for context in supported_contexts()[1:]:
        assert context.transfer_syntax == list(TRANSFER_SYNTAXES)


def test_the_senders_order_decides() -> None:
    """Of what a context proposes, the first that is known remains; an unknown proposal is left to be refused."""
    video = "1.2.840.10008.1.2.4.102"
    proposed = [
        build_context(uid.CTImageStorage, [video, uid.JPEG2000Lossless, uid.ExplicitVRLittleEndian]),
        build_context(uid.CTImageStorage, [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian]),
        build_context(uid.CTImageStorage, [video]),
    ]
    keep_senders_order(proposed)
    assert [context.transfer_syntax for context in proposed] == [
        [uid.JPEG2000Lossless],
        [uid.ImplicitVRLittleEndian],
        [video],
    ]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MalformedInstanceError("x"), 0xC000),
        (MismatchedInstanceError("x"), 0xA900),
        (ConflictingInstanceError("x"), 0x0111),
        (SpoolFullError("x"), 0xA700),
        (StorageError("x"), 0xA700),
        (OperationalError("x", None, Exception()), 0xA700),
        (IntegrityError("x", None, Exception()), 0x0110),
        (OSError(errno.EMFILE, "x"), 0xA700),
        (OSError(errno.EIO, "x"), 0x0110),
        (KeyError("x"), 0x0110),
    ],
)
def test_every_failure_has_its_status(error: Exception, status: int) -> None:
    """What a sender should try again is out of resources; what it should not is not."""
    assert status_of(error)[0] == status
