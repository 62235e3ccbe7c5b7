"""The bone scan's thresholds: `pipeline.toml` as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from operators.kernels.bone_scan_index.involvement import ViewMode
from operators.kernels.planar_pairing import PairRule
from operators.kernels.planar_regions.atlas_regions import AtlasRule
from operators.kernels.planar_regions.exclusions import RegionExclusionRule
from operators.kernels.scintigraphy import BodyRule, Counts, SkeletonRule, TrimRule
from operators.kernels.scintigraphy_body import ExclusionRule, ThresholdMap
from operators.kernels.scintigraphy_motion import MotionRule
from operators.kernels.scintigraphy_superscan import SuperscanRule
from pipelines.config import load_profile

PROFILE_PATH = Path(__file__).with_name("pipeline.toml")


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalUptakeRule:
    """`HOTSPOT_NORMAL_V1`: above what healthy people show at the place, in multiples of the normal skeleton."""

    floor: float
    factor: float
    cap: float

    def __post_init__(self) -> None:
        if self.floor < 1.5 or self.factor < 1 or self.cap <= 0:
            raise ValueError("floor is 1.5 or more, factor 1 or more, cap positive")

    def over(self, upper_normal: npt.NDArray[np.float32]) -> Counts:
        """The threshold of every pixel (row, column)."""
        return np.maximum(self.floor, self.factor * np.minimum(upper_normal.astype(np.float64), self.cap))


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexRule:
    """`BSI_PLANAR`: how two views become one fraction, and from how many counts on."""

    mode: str
    counts_min: float

    def __post_init__(self) -> None:
        ViewMode(self.mode)

    @property
    def view_mode(self) -> ViewMode:
        """The mode."""
        return ViewMode(self.mode)


@dataclass(frozen=True, kw_only=True, slots=True)
class HotSpotRule:
    """`HOTSPOT_ZONE_V1` and `HOTSPOT_NORMAL_V1`: smoothed, above the threshold of its place, and large enough."""

    smoothing_mm: float
    minimum_area_mm2: float
    peak_factor: float
    thresholds: ThresholdMap
    normal: NormalUptakeRule

    def __post_init__(self) -> None:
        if self.peak_factor < 1:
            raise ValueError("peak_factor is 1 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class WholeBodyRule:
    """When a view shows the whole body."""

    minimum_height_mm: float
    minimum_aspect: float


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityLimits:
    """Limits of the input checks."""

    assumed_pixel_mm: float
    counts_good: float
    counts_low: float
    counts_poor: float
    counts_refused: float
    saturation_share: float
    lossy_ratio_limit: float
    header_count_tolerance: float
    uptake_time_min_h: float
    uptake_time_max_h: float
    skeleton_share_min: float
    skeleton_share_max: float

    def __post_init__(self) -> None:
        if not self.counts_refused <= self.counts_poor <= self.counts_low <= self.counts_good:
            raise ValueError("counts_refused <= counts_poor <= counts_low <= counts_good")


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneScanProfile:
    """Everything that `pipeline.toml` sets."""

    body: BodyRule
    skeleton: SkeletonRule
    normalisation: TrimRule
    hot_spots: HotSpotRule
    exclusions: ExclusionRule
    regions: AtlasRule
    region_exclusions: RegionExclusionRule
    pairing: PairRule
    index: IndexRule
    motion: MotionRule
    superscan: SuperscanRule
    whole_body: WholeBodyRule
    quality: QualityLimits


def load() -> BoneScanProfile:
    """The shipped profile. Raises ConfigError where the file was edited into something invalid."""
    return load_profile(BoneScanProfile, PROFILE_PATH)
