"""What must be known of an examination to compare it with another one of the same patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from bmnode.domain.study import Branch
from bmnode.selection.tracers import BONE_TRACERS, PSMA_LIGANDS


@dataclass(frozen=True, kw_only=True, slots=True)
class PatientKey:
    """Who the patient is. Its values are hidden from `repr`: they reach no log and no exception.

    Args:
        patient_id: Patient ID (0010,0020).
        issuer: Issuer of Patient ID (0010,0021), or what the site's default says; None where not known.
        birth_date: None where not known.
    """

    patient_id: str = field(repr=False)
    issuer: str | None = field(default=None, repr=False)
    birth_date: date | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.patient_id.strip():
            raise ValueError("without a Patient ID no earlier examination can be looked for")


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """One study, as its headers or an archive's answers describe it.

    Args:
        performed_at: start of the study with its zone, by Timezone Offset From UTC (0008,0201) or the site's own; the
            day is that of this zone. None where not known.
        branch: None where the answers do not tell yet.
        tracer: as `bmnode.selection.tracers` names it; None for CT and MRI, and where not known.
        body_parts: Body Part Examined (0018,0015) of its series; empty where not known.
        modalities: of its series; empty where not known.
    """

    study_uid: str
    patient: PatientKey
    performed_at: datetime | None
    branch: Branch | None = None
    tracer: str | None = None
    body_parts: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()


def tracer_family(tracer: str) -> str:
    """Tracers that show the same thing: diphosphonates, ligands of PSMA, else the tracer itself."""
    if tracer in BONE_TRACERS:
        return "diphosphonate"
    return "PSMA" if tracer in PSMA_LIGANDS else tracer
