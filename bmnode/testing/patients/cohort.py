"""The patients of the demo: every modality with lesions, one healthy, one that cannot be assessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from bmnode.testing.patients.bad_input import write_mibg
from bmnode.testing.patients.bone_scan import write_bone_scan
from bmnode.testing.patients.ct import write_ct
from bmnode.testing.patients.mri import write_mri
from bmnode.testing.patients.pet_ct import write_pet_ct
from bmnode.testing.patients.spec import LesionSpec, PatientSpec, SyntheticStudy
from bmnode.testing.patients.spect import write_spect

_FIRST_DAY = datetime(2025, 3, 10, 8, 30, tzinfo=UTC)


class WriteStudy(Protocol):
    """Any of the package's writers."""

    def __call__(self, directory: Path, *, spec: PatientSpec) -> SyntheticStudy:
        """Write one study below a directory."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoPatient:
    """One entry of the demo: folder name, writer, and the lesions asked for (None: the writer's own)."""

    folder: str
    write: WriteStudy
    lesions: tuple[LesionSpec, ...] | None = None


DEMO_PATIENTS = (
    DemoPatient(folder="bone-scan", write=write_bone_scan),
    DemoPatient(folder="bone-scan-negative", write=write_bone_scan, lesions=()),
    DemoPatient(folder="spect-ct", write=write_spect),
    DemoPatient(folder="ct", write=write_ct),
    DemoPatient(folder="mri", write=write_mri),
    DemoPatient(folder="pet-ct", write=write_pet_ct),
    DemoPatient(folder="mibg", write=write_mibg),
)


def demo_cohort(directory: Path) -> Iterator[SyntheticStudy]:
    """Write the demo's studies one by one, each in a folder of its own, and yield each when it is there."""
    for number, patient in enumerate(DEMO_PATIENTS, start=1):
        spec = PatientSpec(
            seed=number,
            patient_id=f"SYN-{number:04d}",
            study_start=_FIRST_DAY + timedelta(days=number),
            lesions=patient.lesions,
        )
        yield patient.write(directory / patient.folder, spec=spec)


def write_demo_cohort(directory: Path) -> tuple[SyntheticStudy, ...]:
    """Write all of the demo's studies: about 60 MB."""
    return tuple(demo_cohort(directory))
