"""One study: what it is simulated from, and what lies on disk afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from operators.simulation.dicom.header import StudyHeader
from operators.simulation.patient import Patient
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol

AnyProtocol = PlanarProtocol | SpectProtocol | CtProtocol | PetProtocol | MrProtocol


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPlan:
    """Everything that a study is simulated from: equal plans give equal bytes.

    Args:
        patient: as they lie there, with their disease and their organs at that time.
        protocol: decides the modality.
        habits: of vendor and site.
        header: identity and UIDs.
        seed: of the noise.
        fates: what became of each lesion since the prior time point, by name; also of the prior's lesions that are
            no more. Empty at the first.
        partners: the names at the other time point that belong to each of those lesions.
    """

    patient: Patient
    protocol: AnyProtocol
    habits: Habits
    header: StudyHeader
    seed: int
    fates: Mapping[str, str] = field(default_factory=dict)
    partners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyOnDisk:
    """A study that was written.

    Args:
        folder: holds `dicom`, the instances and nothing else, and `truth`.
        modality: `planar`, `spect`, `ct`, `pet` or `mri`.
        files: the instances in the order of sending.
        seconds: process time that it took; goes into no file.
    """

    folder: Path
    modality: str
    files: tuple[Path, ...]
    seconds: float
