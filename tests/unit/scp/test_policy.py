"""Whom the acceptor lets in, what it offers, and how failures become statuses."""

from __future__ import annotations

import errno
from ipaddress import ip_network

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
from bmnode.scp.options import AcceptorOptions
from bmnode.scp.policy import REJECTION_CODES, Admission, Caller, PeerRule, Policy, Rejection
from bmnode.scp.status import status_of


def _caller(
    calling: str = "PACS",
    *,
    called: str = "BMNODE",
    address: str = "192.0.2.7",
    names: frozenset[str] | None = None,
) -> Caller:
    return Caller(calling_ae=calling, called_ae=called, address=address, certificate_names=names)


POLICY = Policy(
    admission=Admission.CONFIGURED,
    peers=(PeerRule(ae_title="PACS"), PeerRule(ae_title="CT1")),
    called_ae="BMNODE",
    max_associations=3,
    max_per_peer=2,
)


@pytest.mark.parametrize(
    ("caller", "others", "expected"),
    [
        (_caller(), [], None),
        (_caller(), [_caller()], None),
        (_caller(), [_caller(), _caller()], Rejection.TOO_MANY_OF_PEER),
        (_caller(), [_caller("CT1"), _caller(address="192.0.2.8")], None),
        (_caller(), [_caller("CT1")] * 3, Rejection.TOO_MANY_ASSOCIATIONS),
        (_caller("STRANGER"), [], Rejection.CALLING_AE_UNKNOWN),
        (_caller("STRANGER", address="127.0.0.1"), [], Rejection.CALLING_AE_UNKNOWN),
        (_caller(called="OTHER"), [], Rejection.CALLED_AE_UNKNOWN),
        (_caller("STRANGER", called="OTHER"), [_caller()] * 9, Rejection.CALLED_AE_UNKNOWN),
    ],
)
def test_an_association_is_judged(caller: Caller, others: list[Caller], expected: Rejection | None) -> None:
    """Known peers that call the node by its title are let in while there is room; others learn why not."""
    assert POLICY.judge(caller, others=others) is expected


@pytest.mark.parametrize(
    ("admission", "address", "expected"),
    [
        (Admission.ANY, "192.0.2.7", None),
        (Admission.LOCAL, "127.0.0.1", None),
        (Admission.LOCAL, "::1", None),
        (Admission.LOCAL, "::ffff:127.0.0.1", None),
        (Admission.LOCAL, "192.0.2.7", Rejection.CALLING_AE_UNKNOWN),
        (Admission.LOCAL, "::ffff:192.0.2.7", Rejection.CALLING_AE_UNKNOWN),
        (Admission.CONFIGURED, "127.0.0.1", Rejection.CALLING_AE_UNKNOWN),
    ],
)
def test_a_stranger_is_let_in_from_this_machine_alone(
    admission: Admission, address: str, expected: Rejection | None
) -> None:
    """Unless the administrator says `any`, whom nobody configured has to be on this machine."""
    assert Policy(admission=admission).judge(_caller("STRANGER", address=address), others=[]) is expected


def test_by_default_no_stranger_is_let_in_from_outside() -> None:
    """A node that was installed and not configured takes nothing from another machine."""
    assert Policy().judge(_caller("ANYBODY"), others=[]) is Rejection.CALLING_AE_UNKNOWN


GUARDED = PeerRule(
    ae_title="PACS",
    networks=(ip_network("192.0.2.0/28"), ip_network("2001:db8::/64")),
    tls=True,
    certificate_name="pacs.example.org",
)


@pytest.mark.parametrize(
    ("address", "names", "expected"),
    [
        ("192.0.2.7", {"pacs.example.org", "other"}, None),
        ("2001:db8::5", {"pacs.example.org"}, None),
        ("::ffff:192.0.2.7", {"pacs.example.org"}, None),
        ("192.0.2.99", {"pacs.example.org"}, Rejection.ADDRESS_NOT_OF_PEER),
        ("192.0.2.7", None, Rejection.TLS_REQUIRED),
        ("192.0.2.7", {"ct.example.org"}, Rejection.CERTIFICATE_NOT_OF_PEER),
        ("192.0.2.7", set(), Rejection.CERTIFICATE_NOT_OF_PEER),
    ],
)
def test_a_peer_is_what_it_says_by_address_and_certificate(
    address: str, names: set[str] | None, expected: Rejection | None
) -> None:
    """An AE title is only a word: where more is configured, more is asked for, on this machine too."""
    caller = _caller(address=address, names=None if names is None else frozenset(names))
    for admission in Admission:
        assert Policy(admission=admission, peers=(GUARDED,)).judge(caller, others=[]) is expected


def test_two_peers_of_one_title_may_each_call() -> None:
    """Where two entries share an AE title, a caller has to be one of them."""
    second = PeerRule(ae_title="PACS", networks=(ip_network("198.51.100.1/32"),))
    policy = Policy(peers=(GUARDED, second))
    assert policy.judge(_caller(address="198.51.100.1"), others=[]) is None
    assert policy.judge(_caller(address="198.51.100.2"), others=[]) is Rejection.ADDRESS_NOT_OF_PEER


def test_every_rejection_has_its_codes_of_the_standard() -> None:
    """Each reason maps to a row of PS3.8 Table 9-21; only what passes by itself is called transient."""
    assert set(REJECTION_CODES) == set(Rejection)
    transient = {Rejection.TOO_MANY_ASSOCIATIONS, Rejection.TOO_MANY_OF_PEER}
    assert {reason for reason, codes in REJECTION_CODES.items() if codes[0] == 2} == transient
    assert set(REJECTION_CODES.values()) <= {(1, 1, 3), (1, 1, 7), (2, 3, 1), (2, 3, 2)}


@pytest.mark.parametrize(
    "wrong",
    [
        {"ae_title": ""},
        {"port": 65536},
        {"max_pdu_bytes": 100},
        {"acse_timeout_s": 0},
    ],
)
def test_settings_that_cannot_be_used_are_refused(wrong: dict[str, object]) -> None:
    """Options check themselves."""
    with pytest.raises(ValueError, match=r"AE title|port|max_|positive"):
        AcceptorOptions(**{"ae_title": "BMNODE", **wrong})  # type: ignore[arg-type]  # the point of the test


def test_limits_that_cannot_be_used_are_refused() -> None:
    """Nobody could send where nobody may."""
    with pytest.raises(ValueError, match="at least 1"):
        Policy(max_associations=0)
    with pytest.raises(ValueError, match="AE title"):
        PeerRule(ae_title="A\\B")


def test_every_storage_class_is_one() -> None:
    """Each UID of the table is a storage SOP class of the standard, with a reason to take it."""
    assert set(map(str, STORAGE_CLASSES)) <= {str(value) for value in _STORAGE_CLASSES.values()}
    assert all(STORAGE_CLASSES.values())


def test_every_class_is_taken_in_every_transfer_syntax() -> None:
    """No class is offered fewer transfer syntaxes than another."""
    for context in (item for item in supported_contexts() if str(item.abstract_syntax) in STORAGE_CLASSES):
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
