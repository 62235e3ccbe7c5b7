"""The CT branch's `pipeline.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from operators.kernels.bone import BoneProfile
from operators.kernels.cortex import CortexLimits
from operators.kernels.ct_candidates import CandidateLimits
from operators.kernels.lesion_type import TypeLimits
from operators.kernels.stability.body_collapse import CollapseLimits
from operators.kernels.stability.place import PlaceLimits
from operators.kernels.stability.shaft import ShaftLimits
from pipelines.config import load_profile
from pipelines.volumetric import NamingLimits


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityLimits:
    """Limits of the input checks."""

    minimum_bone_ml: float
    head_cavity_ml: float
    head_cavity_share: float
    thickest_slice_mm: float
    comparable_kvp: float
    metal_warning_ml: float
    contrast_warning_ml: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CtProfile:
    """All thresholds of the branch."""

    skeleton: BoneProfile
    candidates: CandidateLimits
    typing: TypeLimits
    cortex: CortexLimits
    spine: PlaceLimits
    shaft: ShaftLimits
    collapse: CollapseLimits
    quality: QualityLimits
    sites: NamingLimits


@cache
def profile() -> CtProfile:
    """The thresholds in force. Raises ConfigError where `pipeline.toml` is wrong."""
    return load_profile(CtProfile, Path(__file__).with_name("pipeline.toml"))
