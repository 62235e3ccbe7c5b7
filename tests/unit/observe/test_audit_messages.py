"""Every event of the trail becomes a message of PS3.15 A.5, and no message names a patient."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from bmnode.domain.records import AuditEntry
from bmnode.observe.audit_codes import KINDS
from bmnode.observe.audit_messages import AuditSource, render

SOURCE = AuditSource(node="node-1", ae_title="BMNODE")
STUDY_UID, SOP_UID = "1.2.3.4.5.6", "1.2.3.4.5.6.7"
ORDER = ("EventIdentification", "ActiveParticipant", "AuditSourceIdentification", "ParticipantObjectIdentification")


def _entry(event: str, *, subject: str = "CT1@192.0.2.7", outcome: str = "success", **detail: object) -> AuditEntry:
    return AuditEntry(
        sequence=7,
        at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        event=event,
        outcome=outcome,
        actor="CT1",
        subject=subject,
        detail=json.dumps(detail),
        previous_hash="0" * 64,
        hash="1" * 64,
    )


def _codes(message: ET.Element, name: str) -> list[str | None]:
    return [found.get("csd-code") for found in message.iter(name)]


@pytest.mark.parametrize("event", [*sorted(KINDS), "job_started", "something_new_of_more_than_16_characters"])
def test_every_event_has_its_message(event: str) -> None:
    """The parts are there, in the schema's order, with what the schema requires; a new event is told all the same."""
    message = ET.fromstring(render(_entry(event, study_uid=STUDY_UID), SOURCE))  # noqa: S314 - our own
    names = [part.tag for part in message]
    assert sorted(names, key=ORDER.index) == names
    assert set(names) == set(ORDER)
    identification = message[0]
    assert identification.attrib.keys() == {"EventActionCode", "EventDateTime", "EventOutcomeIndicator"}
    assert datetime.fromisoformat(str(identification.get("EventDateTime"))).tzinfo is not None
    assert _codes(message, "EventTypeCode")[-1] == event
    assert [found.get("UserIsRequestor") for found in message.iter("ActiveParticipant")].count("true") == 1
    for named in message.iter("ParticipantObjectIdentification"):
        children = [child.tag for child in named]
        assert children[:2] == ["ParticipantObjectIDTypeCode", "ParticipantObjectName"]


def test_a_received_image_names_both_ends_the_study_and_a_pseudonym() -> None:
    """DICOM Instances Transferred: source, destination, study, instance, and for the patient no more than needed."""
    entry = _entry("instance_stored", subject=SOP_UID, study_uid=STUDY_UID, size_bytes=5)
    message = ET.fromstring(render(entry, SOURCE))  # noqa: S314 - our own
    assert _codes(message, "EventID") == ["110104"]
    assert _codes(message, "RoleIDCode") == ["110152", "110153"]
    study, patient = message.iter("ParticipantObjectIdentification")
    assert study.get("ParticipantObjectID") == STUDY_UID
    assert [found.get("UID") for found in message.iter("Instance")] == [SOP_UID]
    assert str(patient.get("ParticipantObjectID")).startswith("st-")


def test_a_refusal_is_a_security_alert_with_address_and_reason() -> None:
    """Who was kept out, from where and why, is there for whoever watches over the network."""
    message = ET.fromstring(render(_entry("association_rejected", outcome="failure", reason="x<y"), SOURCE))  # noqa: S314 - our own
    assert _codes(message, "EventID") == ["110113"]
    assert "110126" in _codes(message, "EventTypeCode")
    assert message[0].get("EventOutcomeIndicator") == "4"
    assert [found.get("NetworkAccessPointID") for found in message.iter("ActiveParticipant")] == [None, "192.0.2.7"]
    detail = next(message.iter("ParticipantObjectDetail"))
    assert (detail.get("type"), base64.b64decode(str(detail.get("value")))) == ("reason", b"x<y")


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("object_delivered", "110104"),
        ("study_rejected", "110105"),
        ("configuration_applied", "110113"),
    ],
)
def test_export_deletion_and_configuration_have_their_own(event: str, code: str) -> None:
    """Each of these has the message that A.5 has for it."""
    message = ET.fromstring(render(_entry(event, subject=SOP_UID, study_uid=STUDY_UID), SOURCE))  # noqa: S314 - our own
    assert _codes(message, "EventID") == [code]
