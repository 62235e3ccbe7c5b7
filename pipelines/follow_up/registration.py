"""`registration.toml`: how two CTs of one patient are registered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from operators.kernels.registration.bones import PieceLimits
from operators.kernels.registration.global_align import GlobalLimits
from operators.kernels.registration.levels import HuWindow
from operators.kernels.registration.skeletal_chain import ChainLimits
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


@cache
def profile() -> RegistrationProfile:
    """The limits in force. Raises ConfigError where `registration.toml` is wrong."""
    return load_profile(RegistrationProfile, Path(__file__).with_name("registration.toml"))
