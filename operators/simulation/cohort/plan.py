"""What is to be simulated: the studies of a cohort as places, and each as a full plan.

Places follow from (cohort, seed) at once and cost nothing; a plan needs the anatomy. Patient i
depends on (cohort, seed, i) alone: not on how many there are, nor on who is made first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from bmnode import __version__
from bmnode.domain.ids import digest
from operators.simulation.cohort import illness, people
from operators.simulation.cohort.chance import drawn, drawn_or, random_of, seed_of
from operators.simulation.cohort.protocol_keys import LOW_DOSE_CT, PROTOCOLS, Modality, has_ct, made
from operators.simulation.cohort.specification import CohortSpec, StudySpec
from operators.simulation.compose import SceneBuilder
from operators.simulation.dicom.header import StudyHeader
from operators.simulation.protocols.habits import Habits
from operators.simulation.study import AnyProtocol, StudyPlan

FORMAT = 2
"""Goes into every plan's digest: raise it when the same place gets other bytes."""
_FIRST_DAY = datetime(2025, 1, 6, 7, 30, tzinfo=UTC)
_DAYS = 200
"""First studies are spread over so many days."""
_HOURS_BETWEEN_STUDIES = 26
_INJECTED = (Modality.PLANAR, Modality.SPECT, Modality.PET)
_TITLES = {
    Modality.PLANAR: "Bone scintigraphy whole body",
    Modality.SPECT: "Bone SPECT",
    Modality.CT: "CT",
    Modality.PET: "PET/CT",
    Modality.MRI: "MRI",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One study among a cohort's: patient 1, 2, ..., time point 0 (baseline), 1, ..., and the study's number."""

    patient: int
    time: int
    study: int
    name: str
    modality: Modality

    @property
    def timepoint(self) -> str:
        """As folders and documents name it."""
        return "baseline" if self.time == 0 else f"follow-up-{self.time}"

    @property
    def folder(self) -> PurePosixPath:
        """Of the study, below the cohort's."""
        return PurePosixPath(f"patient-{self.patient:05d}", self.timepoint, self.name)


def places(spec: CohortSpec, seed: int) -> Iterator[Place]:
    """Every study of a cohort in order of patient, time point and file."""
    for patient in range(1, spec.patients + 1):
        gets = [random_of(seed, "patient", patient, "gets", item.name).random() < item.chance for item in spec.studies]
        for time in range(illness.follow_ups(spec, seed, patient) + 1):
            for study, (item, has) in enumerate(zip(spec.studies, gets, strict=True)):
                now = item.at == "every" or (item.at == "baseline") == (time == 0)
                if has and now:
                    yield Place(patient=patient, time=time, study=study, name=item.name, modality=item.modality)


def plan_digest(spec: CohortSpec, seed: int, place: Place) -> str:
    """Of everything that decides a study's bytes."""
    return digest([str(FORMAT), __version__, spec.digest, str(seed), str(place.folder)])


def protocol_of(spec: CohortSpec, seed: int, place: Place) -> AnyProtocol:
    """The protocol of a study."""
    item = spec.studies[place.study]
    parts = _parts(seed, place)
    owner = PROTOCOLS[item.modality]
    inner: dict[str, Any] = {}
    if has_ct(owner) and item.ct is not None:
        usual = getattr(made(owner, {}), "ct", None) or LOW_DOSE_CT
        values = drawn(item.ct, *parts, "ct")
        inner["ct"] = dataclasses.replace(usual, **_as_fields(type(usual), values))
    protocol: AnyProtocol = made(owner, drawn(item.protocol, *parts, "protocol"), **inner)
    return protocol


def plan(spec: CohortSpec, seed: int, place: Place, *, builder: SceneBuilder) -> StudyPlan:
    """Everything that a study is simulated from."""
    item = spec.studies[place.study]
    parts = _parts(seed, place)
    course = illness.course(spec, seed, place.patient, until=place.time, builder=builder)
    now = course[place.time]
    arms = people.arms(item.modality, given=_arms(item, parts), parts=parts)
    posture = people.posture(spec, now.patient.person.posture, arms=arms, parts=parts)
    person = dataclasses.replace(now.patient.person, posture=posture)
    patient = dataclasses.replace(
        now.patient, person=person, physiology=people.physiology(spec, item.modality, parts=parts)
    )
    if item.modality in _INJECTED:
        found = illness.of_one_injection(spec, patient, builder=builder, parts=parts)
        patient = dataclasses.replace(patient, decoys=(*patient.decoys, *found))
    start = _FIRST_DAY + timedelta(
        days=place.patient % _DAYS + now.day, hours=_HOURS_BETWEEN_STUDIES * place.study, minutes=place.patient % 7 * 20
    )
    return StudyPlan(
        patient=patient,
        protocol=protocol_of(spec, seed, place),
        habits=made(Habits, drawn(item.habits, *parts, "habits")),
        header=StudyHeader.drawn(
            person,
            key=f"{spec.name} {spec.digest} {seed} {place.patient}",
            study=f"{place.timepoint} {place.name}",
            start=start,
            description=_TITLES[item.modality],
        ),
        fates={name: fate.fate.value for name, fate in now.fates.items()},
        partners={name: fate.partners for name, fate in now.fates.items()},
        seed=seed_of(*parts, "scan"),
    )


def _parts(seed: int, place: Place) -> tuple[str | int, ...]:
    return (seed, "patient", place.patient, place.time, place.name)


def _arms(item: StudySpec, parts: tuple[str | int, ...]) -> object:
    return None if item.arms is None else drawn_or({"arms": item.arms}, "arms", "", *parts)


def _as_fields(owner: type, values: dict[str, Any]) -> dict[str, Any]:
    """Drawn values as the types of a protocol's fields."""
    built = made(owner, values)
    return {name: getattr(built, name) for name in values}
