"""Learned models as the node knows them: what a bundle states about itself. Nothing here reads a file."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from bmnode.domain.study import Branch

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BundleFault(StrEnum):
    """Why a bundle is refused."""

    MISSING = "file_missing"
    UNLISTED = "file_not_listed"
    NOT_PLAIN = "not_a_plain_file"
    DIGEST = "digest_differs"
    METADATA = "metadata_invalid"
    CARD = "card_missing"
    CARD_INCOMPLETE = "card_incomplete"
    EVALUATION = "evaluation_invalid"
    PICKLE = "pickled_code"
    CODE = "code_in_configuration"
    NETWORK = "network_not_known"
    CONFIGURATION = "configuration_invalid"
    WEIGHTS = "weights_unreadable"
    PRECISION = "weights_not_half"
    NOT_FINITE = "weights_not_finite"
    SHAPES = "weights_do_not_fit"
    CHANNELS = "channels_differ"
    TOO_LARGE = "too_large"
    TOO_LARGE_TOGETHER = "too_large_together"
    VERSION_TAKEN = "version_taken"
    SIDES = "sides_or_orientation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """A closed interval. Raises ValueError unless both ends are finite and in order."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"{self.low:g} to {self.high:g} is no range")

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSpread:
    """How one number of the input was distributed over the training images; `sd` is above 0."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    name: str
    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.sd) and self.sd > 0.0):
            raise ValueError(f"feature {self.name!r}: a finite mean and an sd above 0 are needed")


@dataclass(frozen=True, kw_only=True, slots=True)
class InputContract:
    """What a model saw in training. Outside it the branch measures without the model, and says so.

    Args:
        tracers: normalised names, as in `bmnode.selection.tracers`; empty where the modality has none.
        channels: of each input of the network, in order; what each holds and its unit.
        spacing_mm: pixel or voxel sizes of the images, before they are resampled.
        intensity: range of `intensity_of`, in `intensity_unit`.
        coverage: parts of the body that an image must show, such as `whole_body`.
        features: for the out-of-distribution score.
        score_limit: largest score that is still taken for an image of the kind that was seen.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    branch: Branch
    tracers: tuple[str, ...]
    channels: tuple[str, ...]
    spacing_mm: Range
    intensity_of: str
    intensity_unit: str
    intensity: Range
    coverage: tuple[str, ...]
    age_years: Range
    features: tuple[FeatureSpread, ...]
    score_limit: float

    def __post_init__(self) -> None:
        if not self.channels:
            raise ValueError("a model has one input channel or more")
        if self.spacing_mm.low <= 0.0 or self.age_years.low < 0.0:
            raise ValueError("spacings are above 0 mm, ages from 0 years on")
        names = [feature.name for feature in self.features]
        if len(set(names)) != len(names):
            raise ValueError("two features have one name")
        if not self.score_limit > 0.0:
            raise ValueError("score_limit is above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationFigure:
    """One figure of a bundle's evaluation report.

    Args:
        value: None where nothing could be evaluated; never 0 for that.
        low, high: of its 95 % confidence interval; None where there is none.
        n: patients, scans or lesions that it rests on.
        thresholds: the same figure of the branch without a model, on the same patients; None where not measured.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    quantity: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    thresholds: float | None

    def __post_init__(self) -> None:
        if self.n < 0 or (self.value is not None and self.n == 0):
            raise ValueError(f"{self.quantity}: a figure rests on something")


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationReport:
    """What a bundle was measured on, and what came out. The patients were never trained on."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    cohort: str
    seeds: tuple[int, ...]
    patients: int
    simulated: bool
    figures: tuple[EvaluationFigure, ...]

    def __post_init__(self) -> None:
        if not self.figures or self.patients < 1:
            raise ValueError("a report has patients and figures")


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleFacts:
    """The part of `configs/metadata.json` that bmnode reads.

    Args:
        format: of this part; 1.
        contract: of the input.
        files: SHA-256, in hex, of every other file of the bundle by its path.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    format: int
    contract: InputContract
    files: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.format != 1:
            raise ValueError(f"format {self.format} is not known; this version reads 1")
        for path, sha256 in self.files.items():
            if _SHA256.fullmatch(sha256) is None:
                raise ValueError(f"{path}: not a SHA-256")


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleId:
    """Name and version; both can be names of folders."""

    name: str
    version: str

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(f"not a bundle name: {self.name!r} (small letters, digits, '-'; at most 64)")
        if _VERSION.fullmatch(self.version) is None:
            raise ValueError(f"not a version: {self.version!r} (such as 1.0.0)")

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """The bundle that a branch works with: where it lies, and the digest by which it was chosen.

    What lies there with another digest is another bundle, and is not used.
    """

    folder: Path
    digest: str

    def __post_init__(self) -> None:
        if _SHA256.fullmatch(self.digest) is None:
            raise ValueError(f"not a SHA-256: {self.digest!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SidesReport:
    """How a model did on sides and orientation, on one simulated patient.

    Args:
        named_share: of the true pixels of paired bones, those that are given a paired bone's name.
        right_side_share: of these, those with the right side; None where none is named.
        is_upright: whether head, pelvis and legs are found in this order from the top, in both views.
        problems: why it did not pass, in words; empty where it passed.
    """

    named_share: float
    right_side_share: float | None
    is_upright: bool
    problems: tuple[str, ...]
