"""Keeps what an archive sends by C-GET or WADO-RS as the listener keeps what it is sent: durable first."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bmnode.archive.association import Caller
from bmnode.archive.get import SentInstance, StudyGetter
from bmnode.errors import IngestError
from bmnode.observe.references import instance_ref
from bmnode.scp.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from bmnode.scp.receiver import Receiver, StoreRequest

_SUCCESS, _OUT_OF_RESOURCES = 0x0000, 0xA700
_PLAIN = 4
"""So many of `TRANSFER_SYNTAXES` are not compressed."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedByGet:
    """What is called with each instance; the receiver writes its file, its row and its audit line."""

    receiver: Receiver

    def __call__(self, sent: SentInstance) -> int:
        """Keep an instance; the status that answers. Raises nothing: the peer is told."""
        request = StoreRequest(
            sop_class_uid=sent.sop_class_uid,
            sop_instance_uid=sent.sop_instance_uid,
            transfer_syntax_uid=sent.transfer_syntax_uid,
            source_ae=sent.source_ae,
            data_set=sent.data_set,
        )
        try:
            self.receiver.receive(request)
        except IngestError as error:
            _log.warning("instance_refused", instance_ref=instance_ref(sent.sop_instance_uid), code=error.code)
            return error.dimse_status
        except (OSError, SQLAlchemyError) as error:
            _log.error(
                "instance_not_kept", instance_ref=instance_ref(sent.sop_instance_uid), error=type(error).__name__
            )
            return _OUT_OF_RESOURCES
        return _SUCCESS


def study_getter(caller: Caller, *, receiver: Receiver) -> StudyGetter:
    """Takes by C-GET what the listener takes: each class uncompressed, or in a compressed transfer syntax."""
    return StudyGetter(
        caller=caller,
        sop_classes=tuple(STORAGE_CLASSES),
        transfer_syntaxes=(TRANSFER_SYNTAXES[:_PLAIN], TRANSFER_SYNTAXES[_PLAIN:]),
        keep=ReceivedByGet(receiver=receiver),
    )
