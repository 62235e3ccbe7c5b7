"""BSI [%] = sum of coefficient times fraction, with its coverage (Imbriaco et al., Clin Cancer Res 1998;4:1765)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from operators.kernels.bone_scan_index.involvement import (
    DEFAULT_MODE,
    NotEvaluable,
    RegionFlag,
    RegionInvolvement,
    ViewMode,
    involvement,
)
from operators.kernels.bone_scan_index.planar import PlanarView, tally
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneRegion, LabelSet
from operators.kernels.bone_scan_index.tables import CoefficientTable

RULE = "BSI_PLANAR"
VERSION = "1"
NOT_FROM_IMAGES = ("cause of uptake other than by its place and shape (trauma, degeneration, treatment)",)


class IndexFlag(StrEnum):
    """What a reader must know about an index as a whole."""

    INCOMPLETE = "incomplete"
    """A region that could have been evaluated was not: compare the coverage before comparing indices."""
    NOTHING_EVALUABLE = "nothing_evaluable"
    EXTRA_SKELETAL_UPTAKE = "extra_skeletal_uptake"
    UPTAKE_UNDER_EXCLUSION = "uptake_under_exclusion"


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedRegion:
    """One region with its coefficient and what it adds to the index, %; None where it is not evaluable."""

    involvement: RegionInvolvement
    coefficient_percent: float

    @property
    def contribution_percent(self) -> float | None:
        """Coefficient times fraction."""
        fraction = self.involvement.fraction
        return None if fraction is None else self.coefficient_percent * fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class BoneScanIndex:
    """The index with everything that it depends on.

    `index_percent` is None where no region is evaluable. `coverage` is the evaluable regions' share
    of the table's sum, 0 to 1. `mode` and `label_set` are None where the fractions were given.
    `regions` follow the table's order; a skull label gives its fraction to skull and mandible.
    Raises ValueError where an index stands without coverage or the reverse.
    """

    index_percent: float | None
    coverage: float
    regions: tuple[IndexedRegion, ...]
    mode: ViewMode | None
    label_set: str | None
    table_id: str
    table_sha256: str
    table_total_percent: float
    flags: tuple[IndexFlag, ...]
    extra_skeletal_pixels: int = 0
    """Hot pixels beyond the skeleton's rim, both views."""
    excluded_pixels: int = 0
    """Hot pixels under excluded areas, both views."""
    rule: str = RULE
    version: str = VERSION
    not_from_images: tuple[str, ...] = NOT_FROM_IMAGES

    def __post_init__(self) -> None:
        if not 0.0 <= self.coverage <= 1.0 + 1e-12:
            raise ValueError("coverage lies between 0 and 1")
        if (self.index_percent is None) != all(item.involvement.fraction is None for item in self.regions):
            raise ValueError("an index stands where a region is evaluable, and only there")

    @property
    def not_evaluable(self) -> tuple[tuple[BoneRegion, NotEvaluable], ...]:
        """Regions without a fraction and why."""
        found = (item.involvement for item in self.regions)
        return tuple((item.region, item.reason) for item in found if item.reason is not None)

    @property
    def flagged(self) -> tuple[tuple[BoneRegion, RegionFlag], ...]:
        """Every region's flags."""
        return tuple((item.involvement.region, flag) for item in self.regions for flag in item.involvement.flags)


def index_from_fractions(fractions: Mapping[BoneRegion, float | None], *, table: CoefficientTable) -> BoneScanIndex:
    """The index of fractions (0 to 1) that are known already; None or absence means not evaluable.

    Raises ValueError on a fraction beyond 0 to 1.
    """
    regions = [
        RegionInvolvement(
            region=region,
            fraction=fractions.get(region),
            unclipped=fractions.get(region),
            reason=NotEvaluable.NOT_ASSESSED if fractions.get(region) is None else None,
        )
        for region in BoneRegion
    ]
    return _index(regions, table=table, mode=None, labels=None, dropped=(0, 0))


def planar_index(
    *,
    anterior: PlanarView | None,
    posterior: PlanarView | None,
    table: CoefficientTable,
    labels: LabelSet = BS80K_SIDED,
    mode: ViewMode = DEFAULT_MODE,
) -> BoneScanIndex:
    """The index of one bone scan from its views' maps; a view that is missing is None.

    The views need not share a grid or an orientation: every count is taken within one view.
    Raises ValueError where a map holds a number that the label set does not name.
    """
    front, back = (None if view is None else tally(view, labels=labels) for view in (anterior, posterior))
    regions = involvement(front.counts if front else {}, back.counts if back else {}, labels=labels, mode=mode)
    tallies = [item for item in (front, back) if item is not None]
    dropped = sum(item.extra_skeletal for item in tallies), sum(item.excluded for item in tallies)
    return _index(regions, table=table, mode=mode, labels=labels, dropped=dropped)


def _index(
    regions: Iterable[RegionInvolvement],
    *,
    table: CoefficientTable,
    mode: ViewMode | None,
    labels: LabelSet | None,
    dropped: tuple[int, int],
) -> BoneScanIndex:
    indexed = tuple(IndexedRegion(involvement=item, coefficient_percent=table.percent[item.region]) for item in regions)
    evaluable = [item for item in indexed if item.involvement.fraction is not None]
    expected = labels.regions if labels else tuple(BoneRegion)
    conditions = {
        IndexFlag.INCOMPLETE: len(evaluable) < len(expected),
        IndexFlag.NOTHING_EVALUABLE: not evaluable,
        IndexFlag.EXTRA_SKELETAL_UPTAKE: dropped[0] > 0,
        IndexFlag.UPTAKE_UNDER_EXCLUSION: dropped[1] > 0,
    }
    covered = math.fsum(item.coefficient_percent for item in evaluable)
    return BoneScanIndex(
        index_percent=math.fsum(item.contribution_percent or 0.0 for item in evaluable) if evaluable else None,
        coverage=covered / table.total_percent,
        regions=indexed,
        mode=mode,
        label_set=labels.name if labels else None,
        table_id=table.id,
        table_sha256=table.sha256,
        table_total_percent=table.total_percent,
        flags=tuple(flag for flag, holds in conditions.items() if holds),
        extra_skeletal_pixels=dropped[0],
        excluded_pixels=dropped[1],
    )
