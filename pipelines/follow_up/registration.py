"""`registration.toml`: how two CTs, two ADC maps, or two bone scans of one patient are registered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bmnode.domain.geometry import VolumeGeometry
from operators.kernels.bone import WorkingBone
from operators.kernels.planar_regions.part_motion import PartMotionRule
from operators.kernels.registration.bones import PieceLimits
from operators.kernels.registration.global_align import CtBone, GlobalLimits
from operators.kernels.registration.levels import CtLevels, HuWindow
from operators.kernels.registration.polyrigid import BlendLimits
from operators.kernels.registration.registration import AcceptanceLimits, RegistrationLimits
from operators.kernels.registration.skeletal_chain import ChainLimits
from operators.kernels.registration.spine import SpineLimits
from pipelines.config import load_profile


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageLimits:
    """As which images the CTs are compared: HU within the window, at blocks of about `steps_mm`, finest first."""

    window: HuWindow
    steps_mm: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationProfile:
    """All limits of the registration."""

    images: ImageLimits
    whole: GlobalLimits
    pieces: PieceLimits
    chain: ChainLimits
    blend: BlendLimits
    acceptance: AcceptanceLimits
    spine: SpineLimits
    planar: PartMotionRule

    @property
    def limits(self) -> RegistrationLimits:
        """Without those of the images, of MR and of planar scans."""
        return RegistrationLimits(
            whole=self.whole, pieces=self.pieces, chain=self.chain, blend=self.blend, acceptance=self.acceptance
        )

    def ct(self, work: WorkingBone, geometry: VolumeGeometry) -> CtBone:
        """What registration takes of one CT; `geometry` is its own, `work` the bone that was found in it."""
        levels = CtLevels.of(work, geometry, window=self.images.window, steps_mm=self.images.steps_mm)
        return CtBone(work=work, geometry=geometry, levels=levels)


@cache
def profile() -> RegistrationProfile:
    """The limits in force. Raises ConfigError where `registration.toml` is wrong."""
    return load_profile(RegistrationProfile, Path(__file__).with_name("registration.toml"))
