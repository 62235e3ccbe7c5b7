"""Pseudonymous references: what a log line says instead of a UID that could lead to a patient."""

from __future__ import annotations

from bmnode.domain.ids import digest


def study_ref(study_uid: str) -> str:
    """The name of a study in logs, e.g. `st-3f9a2c1b`; the same for the same study."""
    return f"st-{digest(('study', study_uid))[:10]}"


def instance_ref(sop_instance_uid: str) -> str:
    """The name of an instance in logs."""
    return f"in-{digest(('instance', sop_instance_uid))[:10]}"
