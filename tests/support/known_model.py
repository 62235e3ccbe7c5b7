"""A model of the bone scan branch that knows the atlas' parts and calls one place hot: no network is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bmnode.domain.models import BundleId, FeatureSpread, InputContract, Range
from bmnode.domain.study import Branch
from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, PlanarPart
from operators.models.planar import PlanarMaps
from pipelines.bone_scan.branch import DetectedScan
from pipelines.bone_scan.model import ScanModel

HOT = 0.875
CONTRACT = InputContract(
    branch=Branch.BONE_SCAN,
    tracers=("MDP",),
    channels=("uptake",),
    spacing_mm=Range(low=2.0, high=3.0),
    intensity_of="counts of the anterior view",
    intensity_unit="10^3",
    intensity=Range(low=100.0, high=10000.0),
    coverage=("whole_body",),
    age_years=Range(low=18.0, high=120.0),
    features=(FeatureSpread(name="anterior_mean", mean=1.0, sd=1.0),),
    score_limit=4.0,
)
Change = Callable[[PartMap], PartMap]


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A finder that knows the parts by another way, and calls 5 x 5 pixels of the anterior view hot."""

    parts: tuple[PartMap, PartMap]
    hot: tuple[int, int]

    def find(self, anterior: ViewImage, posterior: ViewImage) -> tuple[PlanarMaps, PlanarMaps]:
        """The known parts; an output of 0.875 in one place of the anterior view."""
        maps = [np.zeros(view.counts.shape, dtype=np.float32) for view in (anterior, posterior)]
        row, column = self.hot
        maps[0][row : row + 5, column : column + 5] = HOT
        first, second = (PlanarMaps(parts=part, lesion=out) for part, out in zip(self.parts, maps, strict=True))
        return first, second


def known_model(ruled: DetectedScan, *, contract: InputContract = CONTRACT, change: Change = np.copy) -> ScanModel:
    """A model whose parts are those of the atlas, changed."""
    maps = [view.prepared.regions for view in ruled.views]
    one, other = (item.parts for item in maps if item is not None)
    skull = np.argwhere(one == PART_NUMBERS[PlanarPart.SKULL]).mean(axis=0).astype(int)
    known = Known(parts=(change(one), change(other)), hot=(int(skull[0]), int(skull[1])))
    name = BundleId(name="test-model", version="1.0.0")
    return ScanModel(id=name, digest="d" * 64, contract=contract, finder=known, level=0.5)
