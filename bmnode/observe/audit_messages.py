"""Audit messages of PS3.15 A.5, made from entries of the trail; the one place where they are made.

A.5 asks for the patient of a study that is transferred. bmnode keeps no patient's name, ID or birth date in its
trail, so the patient object carries a pseudonym of the study instead [P]: whoever may know finds the patient in the
archive, by the Study Instance UID, which A.5 asks for as well.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from bmnode.domain.codes import Code
from bmnode.domain.records import AuditEntry
from bmnode.observe.audit_codes import (
    APPLICATION,
    DESTINATION_ROLE,
    KINDS,
    NODE_ID_TYPE,
    OTHER,
    PATIENT_NUMBER,
    SOURCE_ROLE,
    STUDY_UID_TYPE,
    SUBJECT_TYPE,
    About,
    MessageKind,
)
from bmnode.observe.references import study_ref

_SUCCESS, _MINOR_FAILURE = "0", "4"  # EventOutcomeIndicator
_PERSON, _SYSTEM = "1", "2"  # ParticipantObjectTypeCode
_PATIENT, _REPORT, _RESOURCE, _JOB = "1", "3", "13", "20"  # ParticipantObjectTypeCodeRole
_IP_ADDRESS = "2"  # NetworkAccessPointTypeCode
_SOURCE_TYPE = Code("4", "DCM", "Application Server Process or Thread")
_OWN_SCHEME = "99BMNODE"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditSource:
    """Which node tells."""

    node: str
    ae_title: str


def render(entry: AuditEntry, source: AuditSource) -> str:
    """The XML of one entry, on one line, without a declaration."""
    kind = KINDS.get(entry.event, OTHER)
    detail: Mapping[str, object] = json.loads(entry.detail)
    message = ET.Element("AuditMessage")
    _identify_event(message, entry, kind)
    _name_participants(message, entry, kind, source)
    place = ET.SubElement(message, "AuditSourceIdentification", AuditSourceID=source.node)
    _code(place, "AuditSourceTypeCode", _SOURCE_TYPE)
    if kind.about is About.STUDY or "study_uid" in detail:
        _name_study(message, entry, kind, detail)
    else:
        _name_object(message, entry, kind, detail)
    return ET.tostring(message, encoding="unicode")


def _identify_event(message: ET.Element, entry: AuditEntry, kind: MessageKind) -> None:
    event = ET.SubElement(
        message,
        "EventIdentification",
        EventActionCode=kind.action,
        EventDateTime=entry.at.isoformat(),
        EventOutcomeIndicator=_SUCCESS if entry.outcome == "success" else _MINOR_FAILURE,
    )
    _code(event, "EventID", kind.event_id)
    if kind.event_type is not None:
        _code(event, "EventTypeCode", kind.event_type)
    _coded(event, "EventTypeCode", (entry.event, _OWN_SCHEME, entry.event.replace("_", " ")))


def _name_participants(message: ET.Element, entry: AuditEntry, kind: MessageKind, source: AuditSource) -> None:
    """Who did it and whom it was done to. A transfer names both ends with their roles."""
    us, them = source.ae_title, entry.actor
    if kind.about is About.SENT:
        them = str(json.loads(entry.detail).get("destination", entry.actor))
    roles = {About.RECEIVED: (DESTINATION_ROLE, SOURCE_ROLE), About.SENT: (SOURCE_ROLE, DESTINATION_ROLE)}
    our_role, their_role = roles.get(kind.about, (APPLICATION, APPLICATION))
    asks = kind.about is About.SENT or them == us
    ours = ET.SubElement(
        message, "ActiveParticipant", UserID=us, AlternativeUserID=f"AETITLES={us}", UserIsRequestor=_bool(asks)
    )
    _code(ours, "RoleIDCode", our_role)
    if them == us:
        return
    theirs = ET.SubElement(message, "ActiveParticipant", UserID=them, UserIsRequestor=_bool(not asks))
    _, at, address = entry.subject.rpartition("@")
    if at:
        theirs.set("NetworkAccessPointID", address)
        theirs.set("NetworkAccessPointTypeCode", _IP_ADDRESS)
    _code(theirs, "RoleIDCode", their_role)


def _name_study(message: ET.Element, entry: AuditEntry, kind: MessageKind, detail: Mapping[str, object]) -> None:
    is_study = kind.about is About.STUDY
    study_uid = entry.subject if is_study else str(detail["study_uid"])
    pseudonym = study_ref(study_uid)
    study = _object(message, study_uid, (_SYSTEM, _REPORT), STUDY_UID_TYPE)
    ET.SubElement(study, "ParticipantObjectName").text = pseudonym
    _add_details(study, detail, leave_out="study_uid")
    if not is_study:
        description = ET.SubElement(study, "ParticipantObjectDescription")
        sop_class = ET.SubElement(description, "SOPClass", NumberOfInstances="1")
        if "sop_class_uid" in detail:
            sop_class.set("UID", str(detail["sop_class_uid"]))
        ET.SubElement(sop_class, "Instance", UID=entry.subject)
    patient = _object(message, pseudonym, (_PERSON, _PATIENT), PATIENT_NUMBER)
    ET.SubElement(patient, "ParticipantObjectName").text = pseudonym


def _name_object(message: ET.Element, entry: AuditEntry, kind: MessageKind, detail: Mapping[str, object]) -> None:
    is_node = kind.about is About.NODE
    id_type = NODE_ID_TYPE if is_node else SUBJECT_TYPE
    named = _object(message, entry.subject, (_SYSTEM, _RESOURCE if is_node else _JOB), id_type)
    ET.SubElement(named, "ParticipantObjectName").text = entry.subject
    _add_details(named, detail)


def _object(message: ET.Element, identifier: str, type_and_role: tuple[str, str], id_type: Code) -> ET.Element:
    named = ET.SubElement(
        message,
        "ParticipantObjectIdentification",
        ParticipantObjectID=identifier,
        ParticipantObjectTypeCode=type_and_role[0],
        ParticipantObjectTypeCodeRole=type_and_role[1],
    )
    _code(named, "ParticipantObjectIDTypeCode", id_type)
    return named


def _add_details(named: ET.Element, detail: Mapping[str, object], *, leave_out: str = "") -> None:
    """As pairs whose values are base64, which the schema asks for against fragments of XML in a log."""
    for key, value in sorted(detail.items()):
        if key != leave_out and value is not None:
            text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            encoded = base64.b64encode(text.encode()).decode()
            ET.SubElement(named, "ParticipantObjectDetail", type=key, value=encoded)


def _code(parent: ET.Element, name: str, code: Code) -> None:
    _coded(parent, name, (code.value, code.scheme, code.meaning))


def _coded(parent: ET.Element, name: str, parts: tuple[str, str, str]) -> None:
    value, scheme, meaning = parts
    ET.SubElement(parent, name, {"csd-code": value, "codeSystemName": scheme, "originalText": meaning})


def _bool(value: bool) -> str:
    return "true" if value else "false"
