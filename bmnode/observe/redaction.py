"""Nothing in a log leads to a patient: keys are dropped or pseudonymised, texts are searched for identifiers.

The rules are tables. What they cannot see (a name in plain prose) must not be written in the first
place: errors and events of bmnode carry references only. Texts of foreign libraries are
searched harder, since pydicom quotes the value it complains about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from bmnode.domain.ids import digest
from bmnode.observe.references import instance_ref, study_ref

REMOVED = "[removed]"

IDENTITY_KEYS = frozenset(
    {
        "name", "patient", "birth_date", "birthdate", "date_of_birth", "accession_number", "other_ids",
        "referring_physician", "physician", "address", "telephone", "dataset", "data_set",
    }
)  # fmt: skip
"""Keys whose value may say who the patient is."""
IDENTITY_PREFIXES = ("patient_", "patients_")

REFERENCES: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "study_uid": ("study_ref", study_ref),
    "study_instance_uid": ("study_ref", study_ref),
    "series_uid": ("series_ref", lambda uid: _reference("series", uid)),
    "series_instance_uid": ("series_ref", lambda uid: _reference("series", uid)),
    "sop_instance_uid": ("instance_ref", instance_ref),
    "instance_uid": ("instance_ref", instance_ref),
}
"""UID keys, with the key and the function of the pseudonym that takes their place."""

QUOTING_LOGGERS = ("pydicom", "pynetdicom", "highdicom", "py.warnings")
"""Loggers of libraries that quote the values of a data set."""

# A UID of five components or more; the standard's own (1.2.840.10008) name no patient.
_UID = re.compile(r"(?<![\d.])(?!1\.2\.840\.10008\.)\d+(?:\.\d+){4,}(?!\d)")
_PERSON_NAME = re.compile(r"[^\s^'\"=:,()\[\]]+(?:\^+[^\s^'\"=:,()\[\]]+)+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def redact(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event's fields with identities dropped and UIDs replaced by pseudonyms."""
    clean: dict[str, Any] = {}
    for key, value in event.items():
        lower = key.lower()
        if lower in IDENTITY_KEYS or lower.startswith(IDENTITY_PREFIXES):
            clean[key] = REMOVED
        elif lower in REFERENCES and isinstance(value, str):
            name, refer = REFERENCES[lower]
            clean[name] = refer(value)
        else:
            clean[key] = _clean_value(value)
    return clean


def scrub_text(text: str, *, quoted: bool = False) -> str:
    """A text without UIDs and person names in DICOM's notation; `quoted` also drops what stands in quotes."""
    if quoted:
        text = _QUOTED.sub(f"'{REMOVED}'", text)
    text = _UID.sub(lambda found: _reference("uid", found.group()), text)
    return _PERSON_NAME.sub(REMOVED, text)


def redaction_processor(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """`redact` as a structlog processor."""
    clean = redact(event)
    if str(event.get("logger", "")).startswith(QUOTING_LOGGERS) and isinstance(event.get("event"), str):
        clean["event"] = scrub_text(event["event"], quoted=True)
    return clean


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return scrub_text(value)
    if isinstance(value, Mapping):
        return redact(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub_text(str(value))


def _reference(kind: str, uid: str) -> str:
    return f"{kind}-{digest((kind, uid))[:10]}"
