"""The radiopharmaceuticals that the simulator knows, and the physics of their nuclides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tracer(StrEnum):
    """A radiopharmaceutical."""

    MDP = "mdp"
    """99mTc medronate."""
    HDP = "hdp"
    """99mTc oxidronate."""
    FDG = "fdg"
    """18F fluorodeoxyglucose."""
    NAF = "naf"
    """18F sodium fluoride."""
    PSMA_11 = "psma-11"
    """68Ga PSMA-11."""
    PSMA_1007 = "psma-1007"
    """18F PSMA-1007."""

    @property
    def nuclide(self) -> Nuclide:
        """What decays."""
        return _NUCLIDES[self]


@dataclass(frozen=True, kw_only=True, slots=True)
class Nuclide:
    """A radionuclide.

    Args:
        name: as the field writes it.
        half_life_s: seconds, as scanners write it.
        photon_kev: energy of the photons that are counted.
        branching: photons (gamma) or positrons (beta+) a decay.
        positron_range_mm: FWHM-like blur of the positron's range in water; 0 for a gamma emitter.
    """

    name: str
    half_life_s: float
    photon_kev: float
    branching: float
    positron_range_mm: float = 0.0

    def left_after(self, seconds: float) -> float:
        """Part of the activity that is left after a time."""
        return float(0.5 ** (seconds / self.half_life_s))


_TC99M = Nuclide(name="99mTc", half_life_s=21624.12, photon_kev=140.5, branching=0.885)
_F18 = Nuclide(name="18F", half_life_s=6586.2, photon_kev=511.0, branching=0.967, positron_range_mm=0.6)
_GA68 = Nuclide(name="68Ga", half_life_s=4057.0, photon_kev=511.0, branching=0.889, positron_range_mm=2.9)
_NUCLIDES = {
    Tracer.MDP: _TC99M,
    Tracer.HDP: _TC99M,
    Tracer.FDG: _F18,
    Tracer.NAF: _F18,
    Tracer.PSMA_11: _GA68,
    Tracer.PSMA_1007: _F18,
}
