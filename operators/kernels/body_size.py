"""Body size formulas that SUV variants divide by (weight in kg, height in m, results in kg, m2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A patient's size. `sex` is Patient's Sex: M, F or O; for O the mean of both formulas is taken."""

    weight_kg: float
    height_m: float | None = None
    sex: str | None = None

    def __post_init__(self) -> None:
        if not self.weight_kg > 0.0 or (self.height_m is not None and not self.height_m > 0.0):
            raise ValueError("weight and height are positive")


def lean_mass_james(weight_kg: float, height_m: float, *, male: bool) -> float:
    """James: 1.10 W - 120 (W/H)^2 for men, 1.07 W - 148 (W/H)^2 for women, H in cm."""
    ratio = weight_kg / (height_m * 100.0)
    return 1.10 * weight_kg - 120.0 * ratio**2 if male else 1.07 * weight_kg - 148.0 * ratio**2


def lean_mass_james128(weight_kg: float, height_m: float, *, male: bool) -> float:
    """James with 128 for men, as LBMJAMES128 (PS3.3 C.8.9.1.1.10)."""
    ratio = weight_kg / (height_m * 100.0)
    return 1.10 * weight_kg - 128.0 * ratio**2 if male else lean_mass_james(weight_kg, height_m, male=False)


def lean_mass_janmahasatian(weight_kg: float, height_m: float, *, male: bool) -> float:
    """Janmahasatian: 9270 W / (6680 + 216 BMI) for men, 9270 W / (8780 + 244 BMI) for women."""
    bmi = weight_kg / height_m**2
    return 9270.0 * weight_kg / ((6680.0 + 216.0 * bmi) if male else (8780.0 + 244.0 * bmi))


def ideal_weight(_weight_kg: float, height_m: float, *, male: bool) -> float:
    """Ideal body weight: 48.0 + 1.06 (H - 152) for men, 45.5 + 0.91 (H - 152) for women, H in cm."""
    excess = height_m * 100.0 - 152.0
    return 48.0 + 1.06 * excess if male else 45.5 + 0.91 * excess


def body_surface_m2(weight_kg: float, height_m: float) -> float:
    """DuBois: 0.007184 W^0.425 H^0.725, H in cm."""
    return 0.007184 * float(weight_kg**0.425) * float((height_m * 100.0) ** 0.725)


_Formula = Callable[..., float]
_BY_SUV_TYPE: Mapping[str, _Formula] = {
    "LBM": lean_mass_james,
    "LBMJAMES128": lean_mass_james128,
    "LBMJANMA": lean_mass_janmahasatian,
    "IBW": ideal_weight,
}


def reference_mass_kg(body: Body, *, suv_type: str) -> float:
    """The mass that an SUV Type (0054,1006) of LBM, LBMJAMES128, LBMJANMA or IBW divides by.

    Raises ValueError where height or sex is missing, the type is unknown, or the mass is not positive.
    """
    if suv_type not in _BY_SUV_TYPE:
        raise ValueError(f"SUV type {suv_type} is not known")
    if body.height_m is None or body.sex not in {"M", "F", "O"}:
        raise ValueError(f"SUV type {suv_type} needs the patient's height and sex")
    sexes = {"M": (True,), "F": (False,), "O": (True, False)}[body.sex]
    formula = _BY_SUV_TYPE[suv_type]
    mass = sum(formula(body.weight_kg, body.height_m, male=male) for male in sexes) / len(sexes)
    if not mass > 0.0:
        raise ValueError(f"SUV type {suv_type} gives no positive mass for this weight and height")
    return mass
