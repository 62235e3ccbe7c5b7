"""`REGION_ATLAS_V1`: the atlas in the body's frame, fitted to the view, its likeliest part in each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from operators.kernels.planar_regions.atlas import PlanarAtlas, shipped_atlas
from operators.kernels.planar_regions.contract import RegionMap, ViewImage
from operators.kernels.planar_regions.parts import PartMap
from operators.kernels.planar_regions.placement import FRAME_SHAPE, FeatureRule, FrameReader, Placement, feature
from operators.kernels.planar_regions.registration import Displacement, FitRule, alike, register, warped

METHOD = "REGION_ATLAS_V1"


@dataclass(frozen=True, kw_only=True, slots=True)
class AtlasRule:
    """How the atlas is fitted, and from which correlation with the view on its regions are used."""

    feature: FeatureRule
    fit: FitRule
    agreement_min: float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AtlasRegions:
    """`PlanarRegions` by an atlas."""

    rule: AtlasRule
    atlas: PlanarAtlas

    @classmethod
    def shipped(cls, rule: AtlasRule) -> AtlasRegions:
        """With the atlas that comes along."""
        return cls(rule=rule, atlas=shipped_atlas())

    @property
    def method(self) -> str:
        """Name and version."""
        return METHOD

    @property
    def parameters(self) -> tuple[str, ...]:
        """Which atlas."""
        return f"atlas={self.atlas.id}", f"atlas_sha256={self.atlas.sha256}"

    def find(self, view: ViewImage) -> RegionMap:
        """The parts of a view. Raises ValueError where its body has no counts."""
        place = Placement.of(view)
        seen = place.on_frame(feature(view, rule=self.rule.feature))
        look = self.atlas.look_of(is_posterior=view.is_posterior)
        field = register(seen, look, rule=self.rule.fit)
        shape = (view.counts.shape[0], view.counts.shape[1])
        reader = FrameReader.of(place, shape=shape)
        parts = _likeliest(_warped_chances(self.atlas.chances[int(view.is_posterior)], field), reader, shape=shape)
        upper = np.zeros(shape, dtype=np.float32)
        upper[reader.box] = reader.read(warped(self.atlas.upper_of(is_posterior=view.is_posterior), field))
        if view.is_posterior:
            parts, upper = np.ascontiguousarray(parts[:, ::-1]), np.ascontiguousarray(upper[:, ::-1])
        return RegionMap(parts=parts, agreement=alike(seen, warped(look, field)), upper_normal=upper)


def _warped_chances(chances: npt.NDArray[np.uint8], field: Displacement) -> npt.NDArray[np.float32]:
    """The chances (part, row, column) where the displacement leads: `warped` for all parts at once."""
    rows, columns = np.indices(FRAME_SHAPE, dtype=np.float32)
    low, share = [], []
    for places, field_part, count in zip((rows, columns), field, FRAME_SHAPE, strict=True):
        inside = np.clip(places + field_part, 0, count - 1)
        floor = np.minimum(inside.astype(np.intp), count - 2)
        low.append(floor)
        share.append(inside - floor)
    start = (low[0] * FRAME_SHAPE[1] + low[1]).ravel()
    corners = (
        (0, (1 - share[0]) * (1 - share[1])),
        (1, (1 - share[0]) * share[1]),
        (FRAME_SHAPE[1], share[0] * (1 - share[1])),
        (FRAME_SHAPE[1] + 1, share[0] * share[1]),
    )
    by_pixel = np.ascontiguousarray(chances.reshape(len(chances), -1).T)  # one pixel's chances lie together
    found = np.zeros(by_pixel.shape, dtype=np.float32)
    for step, weight in corners:
        found += by_pixel[start + step] * weight.ravel()[:, np.newaxis]
    return np.ascontiguousarray(found.T).reshape(chances.shape)


def _likeliest(chances: npt.NDArray[np.float32], reader: FrameReader, *, shape: tuple[int, int]) -> PartMap:
    """The part of the highest chance in each pixel of the view, seen as from the front; the lower number on a tie."""
    best = reader.read(chances[0])
    found = np.zeros(best.shape, dtype=np.uint8)
    for number, chance in enumerate(chances[1:], start=1):
        here = reader.read(chance)
        better = here > best
        best[better] = here[better]
        found[better] = number
    parts = np.zeros(shape, dtype=np.uint8)
    parts[reader.box] = found
    return parts
