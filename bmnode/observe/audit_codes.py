"""Which message of PS3.15 A.5 tells of which event of the trail. Codes: PS3.16 CID 400 to 405 (scheme DCM)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bmnode.domain.codes import Code


class About(StrEnum):
    """What the message's object is."""

    RECEIVED = "received"
    """An instance that a peer sent."""
    SENT = "sent"
    """A result object that was offered to a destination."""
    STUDY = "study"
    NODE = "node"
    """A peer, a connection, the configuration."""
    WORK = "work"
    """A job, a file, the node's own doing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageKind:
    """How one event of the trail is told."""

    event_id: Code
    action: str
    """EventActionCode: C, R, U, D or E."""
    about: About
    event_type: Code | None = None


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = _dcm("110105", "DICOM Study Deleted")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")
NODE_AUTHENTICATION = _dcm("110126", "Node Authentication")
NETWORK_CONFIGURATION = _dcm("110128", "Network Configuration")
RESTRICTED_FUNCTION = _dcm("110132", "Use of Restricted Function")
APPLICATION = _dcm("110150", "Application")
DESTINATION_ROLE = _dcm("110152", "Destination Role ID")
SOURCE_ROLE = _dcm("110153", "Source Role ID")
STUDY_UID_TYPE = _dcm("110180", "Study Instance UID")
NODE_ID_TYPE = _dcm("110182", "Node ID")
SUBJECT_TYPE = Code("subject", "99BMNODE", "Identifier in the audit trail")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")

_ASSOCIATION = MessageKind(event_id=SECURITY_ALERT, action="E", about=About.NODE, event_type=NODE_AUTHENTICATION)
_RESTRICTED = MessageKind(event_id=SECURITY_ALERT, action="E", about=About.NODE, event_type=RESTRICTED_FUNCTION)
_RECEIPT = MessageKind(event_id=INSTANCES_TRANSFERRED, action="C", about=About.RECEIVED)
_EXPORT = MessageKind(event_id=INSTANCES_TRANSFERRED, action="C", about=About.SENT)
_ACCESS = MessageKind(event_id=INSTANCES_ACCESSED, action="R", about=About.STUDY)
_DELETION = MessageKind(event_id=STUDY_DELETED, action="D", about=About.STUDY)
_CONFIGURATION = MessageKind(event_id=SECURITY_ALERT, action="E", about=About.NODE, event_type=NETWORK_CONFIGURATION)
OTHER = MessageKind(event_id=APPLICATION_ACTIVITY, action="E", about=About.WORK)
"""What the standard has no message for: an application activity, with the event's own name as its type."""

KINDS: Mapping[str, MessageKind] = {
    "association_accepted": _ASSOCIATION,
    "association_rejected": _ASSOCIATION,
    "association_released": _ASSOCIATION,
    "association_aborted": _ASSOCIATION,
    "connection_refused": _ASSOCIATION,
    "connection_without_association": _ASSOCIATION,
    "request_without_identifiers": _RESTRICTED,
    "endless_data_set": _RESTRICTED,
    "query_refused": _RESTRICTED,
    "instance_stored": _RECEIPT,
    "instance_refused": _RECEIPT,
    "instance_adopted": _RECEIPT,
    "object_delivered": _EXPORT,
    "delivery_deferred": _EXPORT,
    "delivery_given_up": _EXPORT,
    "study_selected": _ACCESS,
    "study_rerun": _ACCESS,
    "images_deleted": _DELETION,
    "study_rejected": _DELETION,
    "study_queried": MessageKind(event_id=QUERY, action="E", about=About.STUDY),
    "configuration_applied": _CONFIGURATION,
    "configuration_refused": _CONFIGURATION,
    "model_installed": _CONFIGURATION,
    "model_verified": _CONFIGURATION,
    "audit_exported": MessageKind(event_id=AUDIT_LOG_USED, action="R", about=About.NODE),
}
