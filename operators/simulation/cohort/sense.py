"""What single keys cannot tell: whether the people that a file asks for can exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from operators.simulation.anatomy.person import BODY_MASS_INDEX, WEIGHT_KG, Sex
from operators.simulation.cohort.values import Draw
from operators.simulation.patient import Primary

SHARE_OF_MEN = {
    Primary.BREAST: 0.01,
    Primary.PROSTATE: 1.0,
    Primary.LUNG: 0.55,
    Primary.THYROID: 0.3,
    Primary.KIDNEY: 0.62,
}
"""Men among the patients of each primary; chosen near what cancer registries count [P]."""


def person(people: Mapping[str, Draw], disease: Mapping[str, Draw]) -> list[str]:
    """What is impossible, each as `key is ..., allowed is ...`."""
    return [*_size(people), *_sex(people, disease)]


def sexes(disease: Mapping[str, Draw]) -> tuple[Sex, ...]:
    """The sexes that can have one of the primaries asked for."""
    return tuple(sex for sex in Sex if any(share_of(sex, primary) > 0 for primary in primaries(disease)))


def primaries(disease: Mapping[str, Draw]) -> tuple[Primary, ...]:
    """The primaries that can be drawn."""
    if "primary" not in disease:
        return tuple(Primary)
    return tuple(Primary(str(value)) for value in disease["primary"].possible())


def share_of(sex: Sex, primary: Primary) -> float:
    """Share of a sex among the patients of a primary."""
    return SHARE_OF_MEN[primary] if sex is Sex.MALE else 1.0 - SHARE_OF_MEN[primary]


def weight_limits_kg(height_cm: float) -> tuple[float, float]:
    """The weights that somebody of this height can have here."""
    low, high = (index * (height_cm / 100.0) ** 2 for index in BODY_MASS_INDEX)
    return max(WEIGHT_KG[0], low), min(WEIGHT_KG[1], high)


def _size(people: Mapping[str, Draw]) -> Iterator[str]:
    """Every height asked for needs a weight among those asked for."""
    if "weight_kg" not in people or "height_cm" not in people:
        return
    weights = [float(str(value)) for value in people["weight_kg"].possible()]
    for height in (float(str(value)) for value in people["height_cm"].possible()):
        low, high = weight_limits_kg(height)
        if min(weights) > high or max(weights) < low:
            asked = f"{min(weights):g}" if min(weights) == max(weights) else f"{min(weights):g} to {max(weights):g}"
            yield f"person.weight_kg is {asked}, allowed at height_cm {height:g} is {low:.0f} to {high:.0f}"


def _sex(people: Mapping[str, Draw], disease: Mapping[str, Draw]) -> Iterator[str]:
    if "sex" not in people:
        return
    asked = ", ".join(primary.value for primary in primaries(disease))
    allowed = sexes(disease)
    for value in people["sex"].possible():
        if Sex(str(value)) not in allowed:
            yield (
                f"person.sex is {value}, allowed with disease.primary {asked} is "
                f"{' or '.join(sex.value for sex in allowed)}"
            )
