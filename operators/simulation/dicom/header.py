"""Whose study it is: a synthetic identity that says so, and the UIDs that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from bmnode.domain.ids import derive_uid, digest
from operators.simulation.anatomy.person import PersonSpec, Sex

NAME_PREFIX = "SIM^"
"""Every simulated patient's name begins so."""
_AGE_YEARS, _AGE_SPREAD, _AGE_RANGE = 66.0, 11.0, (35.0, 89.0)
"""Mean, standard deviation and range of the ages drawn: chosen, adults in whom bone metastases are looked for."""
_AGE_AT = date(2024, 7, 1)
_DAYS_A_YEAR = 365.25
_GIVEN_NAMES = (
    "AGATE", "AMBER", "AZURITE", "BASALT", "BERYL", "BORAX", "CALCITE", "CHALK", "CITRINE", "COBALT", "CORAL",
    "DOLOMITE", "EMERY", "FLINT", "GARNET", "GNEISS", "GRANITE", "GYPSUM", "HALITE", "IOLITE", "JADE", "JASPER",
    "KYANITE", "LAPIS", "MARBLE", "MICA", "OBSIDIAN", "ONYX", "OPAL", "PEARL", "PERIDOT", "PUMICE", "PYRITE", "QUARTZ",
    "RUTILE", "SHALE", "SLATE", "SPINEL", "TALC", "TOPAZ", "ZIRCON",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyHeader:
    """Patient and study as every instance names them.

    Args:
        patient_name: begins with `SIM^`.
        height_cm, weight_kg: as SUV needs them.
        start: of the first acquisition, UTC.
        study: tells the studies of one patient apart; UIDs depend on it.
        description: what was examined, and nothing of what was found; headers put `SIM` before it.

    Raises ValueError where an identity could be taken for a person's, or a value does not fit DICOM.
    """

    patient_id: str
    patient_name: str
    birth_date: date
    sex: Sex
    height_cm: float
    weight_kg: float
    start: datetime
    study: str
    accession: str
    description: str

    def __post_init__(self) -> None:
        if not self.patient_name.startswith(NAME_PREFIX):
            raise ValueError(f"patient_name is {self.patient_name!r}, it begins with {NAME_PREFIX}")
        if self.start.utcoffset() != timedelta(0):
            raise ValueError("start is an aware moment in UTC")
        if not self.birth_date < self.start.date():
            raise ValueError("birth_date is before the study")
        limits = {"patient_id": 64, "patient_name": 64, "accession": 16, "description": 60}
        for name, limit in limits.items():
            if not 0 < len(getattr(self, name)) <= limit:
                raise ValueError(f"{name} has {len(getattr(self, name))} characters, allowed are 1 to {limit}")

    @classmethod
    def drawn(
        cls,
        person: PersonSpec,
        *,
        key: str,
        study: str,
        start: datetime,
        description: str,
        age_years: float | None = None,
    ) -> StudyHeader:
        """An identity that depends on `key` alone, for a person in one study.

        Args:
            person: sex, height and weight at this time.
            key: of the patient (cohort, seed and number); the same at every time point.
            study: of the study among the patient's, e.g. `pet_ct 2`.
            start: of the first acquisition.
            description: of the study.
            age_years: in the middle of 2024; None draws one.
        """
        hexadecimal = digest(["simulated patient", key])
        random = np.random.default_rng(int(hexadecimal[:16], 16))
        drawn_years = float(np.clip(random.normal(_AGE_YEARS, _AGE_SPREAD), *_AGE_RANGE))
        years = drawn_years if age_years is None else age_years
        given = _GIVEN_NAMES[int(random.integers(len(_GIVEN_NAMES)))]
        return cls(
            patient_id=f"SIM-{hexadecimal[:8].upper()}",
            patient_name=f"{NAME_PREFIX}{given} {hexadecimal[8:11].upper()}",
            birth_date=_AGE_AT - timedelta(days=round(years * _DAYS_A_YEAR)),
            sex=person.sex,
            height_cm=person.height_cm,
            weight_kg=person.weight_kg,
            start=start.astimezone(UTC),
            study=study,
            accession=f"SIM{int(digest(['accession', key, study])[:12], 16) % 10**9:09d}",
            description=description,
        )

    @property
    def study_uid(self) -> str:
        """Study Instance UID."""
        return derive_uid("simulated study", self.patient_id, self.study)

    @property
    def frame_of_reference_uid(self) -> str:
        """Frame of Reference UID for the fields of view of this study."""
        return derive_uid(self.study_uid, "frame of reference")

    @property
    def age_years(self) -> int:
        """Completed years at the study."""
        today, born = self.start.date(), self.birth_date
        return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesPlan:
    """Which place a series has in its study.

    Args:
        number: Series Number; a writer of several series counts on from it.
        starts_after_s: from the study's start to the first acquisition.
    """

    number: int
    starts_after_s: float = 0.0

    def __post_init__(self) -> None:
        if self.number < 1 or self.starts_after_s < 0.0:
            raise ValueError("a series has a number of 1 or more and does not begin before its study")
