"""What the log promises: nothing in it leads to a patient."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmnode.observe.redaction import IDENTITY_KEYS, REMOVED, redact, redaction_processor, scrub_text
from bmnode.observe.references import instance_ref, study_ref

UID = "1.2.826.0.1.3680043.8.498.12345"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize("key", [*sorted(IDENTITY_KEYS), "patient_id", "Patient_Name", "patients_birth_date"])
def test_identity_keys_lose_their_value(key: str) -> None:
    """A field that could say who the patient is never keeps its value, however it is spelled."""
    assert redact({key: "DOE"}) == {key: REMOVED}


def test_uids_become_references() -> None:
    """A UID field turns into the pseudonym that every part of the node uses."""
    assert redact({"study_uid": UID, "sop_instance_uid": UID}) == {
        "study_ref": study_ref(UID),
        "instance_ref": instance_ref(UID),
    }


def test_identities_inside_structures_are_found() -> None:
    """Lists and mappings are searched to their ends."""
    event = {"peers": [{"patient_id": "4711", "path": f"/spool/{UID}/{UID}.dcm"}], "who": ("DOE^JANE",)}
    text = json.dumps(redact(event))
    assert "4711" not in text
    assert UID not in text
    assert "DOE" not in text


@pytest.mark.parametrize("text", ["took 12.5 s", "192.168.100.200:11112", f"SOP class {CT_IMAGE}", "bmnode 0.1.0"])
def test_what_names_nobody_stays(text: str) -> None:
    """Durations, addresses, versions and the standard's own UIDs are what an administrator reads a log for."""
    assert scrub_text(text) == text


def test_quoted_values_of_foreign_libraries_are_dropped() -> None:
    """pydicom quotes the value that it complains about."""
    event = redaction_processor(
        None, "", {"logger": "pydicom.valuerep", "event": "Invalid value for VR PN: 'Jane Doe'"}
    )
    assert "Jane" not in event["event"]


def test_own_events_keep_their_quotes() -> None:
    """The node's own messages are written without identities and stay readable."""
    event = redaction_processor(None, "", {"logger": "bmnode.cli", "event": "no peer 'pacs'"})
    assert event["event"] == "no peer 'pacs'"


@given(st.lists(st.integers(1, 10**9), min_size=5, max_size=8))
def test_no_uid_survives(components: list[int]) -> None:
    """Whatever a UID looks like, a text does not keep it."""
    uid = ".".join(["2", "25", *map(str, components)])
    assert uid not in scrub_text(f"file {uid}.dcm of {uid}, again ({uid})")


@given(st.text(st.characters(categories=["Lu", "Ll"]), min_size=1), st.text(st.characters(categories=["Lu", "Ll"])))
def test_no_person_name_survives(family: str, given_name: str) -> None:
    """A name in DICOM's notation does not pass, in any script."""
    name = f"{family}^{given_name or 'X'}"
    assert name not in scrub_text(f"received {name} from SCANNER")
