"""Command sets of C-STORE against pynetdicom's own encoding of them."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, C_STORE_RSP, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import encode
from pynetdicom.pdu import P_DATA_TF

from bmnode.scp.command import StoreCommand, read_store_command, store_response

_UIDS = st.from_regex(r"1\.2(\.[1-9][0-9]{0,8}){1,5}", fullmatch=True)


def _encoded(message: DIMSEMessage) -> bytes:
    encoded = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
    assert encoded is not None
    return encoded


@given(sop_class=_UIDS, sop_instance=_UIDS, message_id=st.integers(1, 65535), has_data_set=st.booleans())
def test_a_request_is_read_as_pynetdicom_writes_it(
    sop_class: str, sop_instance: str, message_id: int, has_data_set: bool
) -> None:
    """Identifiers of any length, the message's number, and whether a data set follows."""
    primitive = C_STORE()
    primitive.MessageID, primitive.Priority = message_id, 0
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class, sop_instance
    if has_data_set:
        primitive.DataSet = BytesIO(b"\0" * 8)
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    assert read_store_command(_encoded(message)) == StoreCommand(
        message_id=message_id, sop_class_uid=sop_class, sop_instance_uid=sop_instance, has_data_set=has_data_set
    )


@given(sop_class=_UIDS, sop_instance=_UIDS, message_id=st.integers(1, 65535), status=st.integers(0, 0xFFFF))
def test_a_response_is_what_pynetdicom_reads(sop_class: str, sop_instance: str, message_id: int, status: int) -> None:
    """The PDU decodes as one P-DATA-TF whose command set answers the request with the status."""
    command = StoreCommand(
        message_id=message_id, sop_class_uid=sop_class, sop_instance_uid=sop_instance, has_data_set=True
    )
    pdu = P_DATA_TF()
    pdu.decode(store_response(command, context_id=3, status=status))
    message = C_STORE_RSP()
    assert message.decode_msg(pdu.to_primitive())
    answered: Dataset = message.command_set
    assert message.context_id == 3
    assert (answered.MessageIDBeingRespondedTo, answered.Status) == (message_id, status)
    assert (answered.AffectedSOPClassUID, answered.AffectedSOPInstanceUID) == (sop_class, sop_instance)


def test_another_message_is_not_taken_for_a_request() -> None:
    """C-ECHO is left to pynetdicom."""
    primitive = C_ECHO()
    primitive.MessageID, primitive.AffectedSOPClassUID = 1, "1.2.840.10008.1.1"
    message = C_ECHO_RQ()
    message.primitive_to_message(primitive)
    assert read_store_command(_encoded(message)) is None


@given(st.binary(max_size=200))
def test_rubbish_is_no_request(rubbish: bytes) -> None:
    """Whatever bytes come as a command set, they are read without an error."""
    read_store_command(rubbish)
