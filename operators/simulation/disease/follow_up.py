"""The same patient later: another posture, and a fate for every lesion."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.person import BODY_MASS_INDEX, WEIGHT_KG, PersonSpec
from operators.simulation.disease import follow_up_table as table
from operators.simulation.disease import look
from operators.simulation.disease.draw import draw_lesion
from operators.simulation.disease.facts import facts_of
from operators.simulation.disease.fates import Fate, healed, parted, resized, united
from operators.simulation.disease.fracture import with_collapses
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.response import Response
from operators.simulation.disease.tables import Burden
from operators.simulation.patient import Decoy, DecoyKind, Lesion, LesionType, Patient, Primary

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionFate:
    """What became of one lesion, or where it came from.

    Args:
        name: of the lesion.
        fate: what happened between the two scans.
        partners: names in the other scan, sorted; empty for gone and new ones.
    """

    name: str
    fate: Fate
    partners: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUp:
    """A patient at the later time, with what links the two times.

    Args:
        patient: now. Names of lesions that go on are those of the prior.
        days: since the prior.
        of_prior: one for each lesion of the prior, in its order; partners are lesions of now.
        of_current: one for each lesion of now, in its order; partners are lesions of the prior. A lesion of
            a flare without a partner was there before and invisible.
    """

    patient: Patient
    days: int
    response: Response
    of_prior: tuple[LesionFate, ...]
    of_current: tuple[LesionFate, ...]


def follow_up(patient: Patient, *, ground: Ground, response: Response, days: int, seed: int) -> FollowUp:
    """The same person after some time. The same arguments give the same follow-up.

    Vertebrae may give way where the disease grows; the person's other bones keep their form.

    Args:
        patient: at the prior.
        ground: the person's bones, in any posture.
        response: of the disease as a whole; each lesion's fate is drawn by it.
        days: 14 to 1500; changes are those of about three months, more after a longer time.
        seed: of all that is drawn.

    Raises:
        ValueError: days out of range, or disease without a primary.
    """
    low, high = table.DAYS
    if not low <= days <= high:
        raise ValueError(f"days is {days}, allowed is {low} to {high}")
    if patient.lesions and patient.primary is None:
        raise ValueError("primary is missing, allowed is one where there are lesions")
    random = np.random.default_rng([seed, 41])
    course = _Course(
        ground=ground, response=response, pace=float(np.clip((days / 90.0) ** 0.5, 0.5, 2.0)), random=random
    )
    for lesion in patient.lesions:
        course.go_on(lesion)
    course.merge_neighbours()
    if patient.primary is not None:
        course.add_new(patient.primary, mark=f"n{seed % 10**6:06d}")
    course.judge(patient.lesions)
    lesions = tuple(lesion for lesion, _ in course.current)
    worse = response in (Response.PROGRESSING, Response.MIXED)
    broken = with_collapses(patient.person, lesions, ground=ground, seed=seed) if worse else patient.person
    later = dataclasses.replace(
        patient,
        person=_moved(broken, days=days, random=random),
        lesions=lesions,
        decoys=tuple(_later(decoy, days) for decoy in patient.decoys if decoy.kind not in table.PASSING),
        physiology=dataclasses.replace(
            patient.physiology,
            bladder_ml=round(float(np.clip(120.0 * np.exp(random.normal(0.0, 0.6)), 15.0, 600.0)), 1),
        ),
    )
    return FollowUp(
        patient=later,
        days=days,
        response=response,
        of_prior=course.of_prior(patient.lesions),
        of_current=course.of_current(),
    )


@dataclass(kw_only=True, slots=True)
class _Course:
    """Lesions of now, each with its fate and its partners in the prior."""

    ground: Ground
    response: Response
    pace: float
    random: np.random.Generator
    current: list[tuple[Lesion, LesionFate]] = dataclasses.field(default_factory=list)
    gone: list[str] = dataclasses.field(default_factory=list)

    def go_on(self, lesion: Lesion) -> None:
        """Draw the fate of one lesion of the prior."""
        chances = table.FATES[self.response]
        fates = list(chances)
        fate = fates[int(self.random.choice(len(fates), p=np.array(list(chances.values())) / sum(chances.values())))]
        if fate is Fate.SPLIT and not (parts := parted(lesion, self.ground, self.random)):
            fate = Fate.SHRUNK
        if fate is Fate.GONE:
            self.gone.append(lesion.name)
        elif fate is Fate.SPLIT:
            for part in parts:
                self._keep(part, Fate.SPLIT, (lesion.name,))
        elif fate is Fate.HEALED_SCLEROTIC:
            flaring = self.response is Response.FLARE
            self._keep(healed(lesion, self.random, flaring=flaring), fate, (lesion.name,))
        else:
            low, high = table.VOLUME[fate]
            factor = float(
                np.exp(self.random.uniform(np.log(low), np.log(high)) * (1.0 if fate is Fate.STABLE else self.pace))
            )
            self._keep(resized(lesion, self.ground, factor=factor), fate, (lesion.name,))

    def _keep(self, lesion: Lesion, fate: Fate, partners: tuple[str, ...]) -> None:
        self.current.append((lesion, LesionFate(name=lesion.name, fate=fate, partners=partners)))

    def merge_neighbours(self) -> None:
        """Lesions of one bone that have grown into each other become one."""
        grown = [index for index, (_, fate) in enumerate(self.current) if fate.fate is Fate.GROWN]
        for index in grown:
            first, fate = self.current[index]
            for other in grown:
                second, its = self.current[other]
                mergeable = other > index and Fate.GROWN is fate.fate is its.fate
                if not mergeable or (one := united(first, second, self.ground)) is None:
                    continue
                partners = tuple(sorted((*fate.partners, *its.partners)))
                self.current[index] = (one, LesionFate(name=one.name, fate=Fate.MERGED, partners=partners))
                self.current[other] = (second, LesionFate(name="", fate=Fate.GONE, partners=()))
                break
        self.current = [(lesion, fate) for lesion, fate in self.current if fate.name]

    def add_new(self, primary: Primary, *, mark: str) -> None:
        """Lesions that the prior did not show; their names begin with a mark of this time point."""
        low, high = table.NEW[self.response]
        host = look.Host.drawn(primary, self.random)
        burden = Burden.OLIGO if len(self.current) <= 5 else Burden.MULTIPLE
        for number in range(1, int(self.random.integers(low, high + 1)) + 1):
            lesion = draw_lesion(self.ground, host, burden=burden, name=f"{mark}_{number}", random=self.random)
            if self.response is Response.FLARE:
                occult = dataclasses.replace(
                    lesion, lesion_type=LesionType.LYTIC, sclerotic_share=0.0, soft_tissue_mm=0.0
                )
                self._keep(healed(occult, self.random, flaring=True), Fate.HEALED_SCLEROTIC, ())
            else:
                self._keep(lesion, Fate.NEW, ())

    def judge(self, prior: tuple[Lesion, ...]) -> None:
        """Call what has one partner grown, shrunk or stable by its volume: bone and neighbours have their say."""
        before = {one.name: one.volume_ml for one in facts_of(prior, self.ground)}
        now = {one.name: one.volume_ml for one in facts_of([lesion for lesion, _ in self.current], self.ground)}
        for index, (lesion, fate) in enumerate(self.current):
            if fate.fate in table.VOLUME:
                ratio = max(now[lesion.name], 1e-6) / max(before[fate.partners[0]], 1e-6)
                judged = LesionFate(name=fate.name, fate=_fate_of(ratio), partners=fate.partners)
                self.current[index] = (lesion, judged)

    def of_current(self) -> tuple[LesionFate, ...]:
        """The fates of the lesions of now."""
        return tuple(fate for _, fate in self.current)

    def of_prior(self, lesions: tuple[Lesion, ...]) -> tuple[LesionFate, ...]:
        """The fates of the lesions of the prior, turned round."""
        found = []
        for lesion in lesions:
            mine = [fate for _, fate in self.current if lesion.name in fate.partners]
            fate = mine[0].fate if mine else Fate.GONE
            partners = tuple(sorted(one.name for one in mine))
            found.append(LesionFate(name=lesion.name, fate=fate, partners=partners))
        return tuple(found)


def _fate_of(ratio: float) -> Fate:
    """What a change of volume is called."""
    if ratio > table.STABLE_WITHIN:
        return Fate.GROWN
    return Fate.SHRUNK if ratio < 1.0 / table.STABLE_WITHIN else Fate.STABLE


def _moved(person: PersonSpec, *, days: int, random: np.random.Generator) -> PersonSpec:
    """The person in another posture, a little heavier or lighter."""
    drawn = PersonSpec.drawn(int(random.integers(2**31))).posture
    sd = table.WEIGHT_LOG_SD * float(np.clip((days / 90.0) ** 0.5, 0.5, 2.0))
    weight = person.weight_kg * float(np.exp(np.clip(random.normal(-0.01, sd), -0.12, 0.12)))
    area = (person.height_cm / 100.0) ** 2
    lightest = max(WEIGHT_KG[0], BODY_MASS_INDEX[0] * area + 0.1)
    weight = float(np.clip(weight, lightest, min(WEIGHT_KG[1], BODY_MASS_INDEX[1] * area - 0.1)))
    posture = person.posture
    return dataclasses.replace(
        person,
        weight_kg=round(weight, 1),
        posture=dataclasses.replace(
            drawn,
            arms=posture.arms,
            lordosis_deg=_near(posture.lordosis_deg, 1.5, random),
            kyphosis_deg=_near(posture.kyphosis_deg, 1.0, random),
            scoliosis_deg=_near(posture.scoliosis_deg, 1.0, random),
            seed=int(random.integers(2**31)),
        ),
    )


def _near(value: float, sd: float, random: np.random.Generator) -> float:
    return round(float(np.clip(value + random.normal(0.0, sd), -8.0, 8.0)), 1)


def _later(decoy: Decoy, days: int) -> Decoy:
    """A decoy after some time: fractures fade, the rest stays as it is."""
    if decoy.kind is not DecoyKind.RIB_FRACTURE:
        return decoy
    faded = table.FRACTURE_FLOOR + (1.0 - table.FRACTURE_FLOOR) * 0.5 ** (days / table.FRACTURE_HALF_DAYS)
    return dataclasses.replace(decoy, appearance=look.with_uptake(decoy.appearance, faded))
