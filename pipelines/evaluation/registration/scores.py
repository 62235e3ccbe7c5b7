"""What is measured of a registration: error at points in bone, overlap and distance of bones, folding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from operators.kernels.registration.bones import SidedBone
from operators.kernels.skeleton_sites.sites import LEFT, RIGHT, SkeletonMap

FloatArray = npt.NDArray[np.float64]
PointMap = Callable[[FloatArray], FloatArray]
_POINTS = 20000
_LEAST_VOXELS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Of one way of registering one pair; units as in `RegistrationRow`."""

    error_mm: float
    error_p95_mm: float
    dice: float
    hausdorff_mm: float
    points: int
    bones: int


def dice(one: BoolArray, other: BoolArray) -> float:
    """Twice the overlap by the sum of both; NaN of two empty masks."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2.0 * np.count_nonzero(one & other) / total if total else float("nan")


def hausdorff_95_mm(one: BoolArray, other: BoolArray, *, spacing_mm: FloatArray) -> float:
    """The larger of both 95th percentiles of the distances from one surface to the other; NaN without a surface."""
    if not one.any() or not other.any():
        return float("nan")
    rims = [mask & ~ndimage.binary_erosion(mask) for mask in (one, other)]
    distances = [ndimage.distance_transform_edt(~rim, sampling=spacing_mm) for rim in rims]
    return float(max(np.percentile(distances[1][rims[0]], 95.0), np.percentile(distances[0][rims[1]], 95.0)))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ground:
    """True names of both scans and the true motions: what every way is measured by.

    Points and bones count where they lie in both fields of view.
    """

    current: SkeletonMap
    prior: SkeletonMap
    motions: Mapping[SidedBone, FloatArray]

    @property
    def is_shared(self) -> bool:
        """Whether any bone with a known motion lies in both fields."""
        return len(self._points()[0]) > 0

    def score(self, way: PointMap) -> Scores:
        """Raises ValueError where no bone with a known motion lies in both fields."""
        points, true = self._points()
        if len(points) == 0:
            raise ValueError("no bone with a known motion lies in both fields")
        errors = np.linalg.norm(way(points) - true, axis=1)
        overlaps, distances = self._bones(way)
        return Scores(
            error_mm=float(errors.mean()),
            error_p95_mm=float(np.percentile(errors, 95.0)),
            dice=float(np.nanmean(overlaps)),
            hausdorff_mm=float(np.nanmean(distances)),
            points=len(points),
            bones=len(overlaps),
        )

    def _points(self) -> tuple[FloatArray, FloatArray]:
        """Random voxels of bone (n, 3) and where they are in the prior, within its field; the same ones every time."""
        voxels = np.argwhere(self.current.bones > 0)
        random = np.random.default_rng(11)
        voxels = voxels[np.sort(random.choice(len(voxels), size=min(_POINTS, len(voxels)), replace=False))]
        places = voxels @ self.current.matrix[:3, :3].T + self.current.matrix[:3, 3]
        bones, sides = self.current.bones[tuple(voxels.T)], self.current.sides[tuple(voxels.T)]
        true = np.full(places.shape, np.nan)
        for name, motion in self.motions.items():
            own = (bones == name.bone) & (sides == name.side)
            true[own] = places[own] @ motion[:3, :3].T + motion[:3, 3]
        known = np.isfinite(true[:, 0])
        known[known] = self._index(true[known])[1]
        return places[known], true[known]

    def _index(self, places: FloatArray) -> tuple[npt.NDArray[np.intp], BoolArray]:
        """Nearest voxel of the prior (n, 3), and whether the place is in its field."""
        to_index = np.linalg.inv(self.prior.matrix)
        index = np.rint(places @ to_index[:3, :3].T + to_index[:3, 3]).astype(np.intp)
        inside: BoolArray = np.all((index >= 0) & (index < np.asarray(self.prior.bones.shape)), axis=1)
        return np.clip(index, 0, np.asarray(self.prior.bones.shape) - 1), inside

    def _bones(self, way: PointMap) -> tuple[list[float], list[float]]:
        """Dice and Hausdorff distance of every bone with a known motion that lies in both fields."""
        shape = self.current.bones.shape
        bones, sides = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.int8)
        seen = np.zeros(shape, dtype=np.bool_)
        rows, columns = (values.ravel() for values in np.indices(shape[1:]))
        for number in range(shape[0]):
            index = np.stack([np.full(len(rows), number), rows, columns], axis=1)
            places = index @ self.current.matrix[:3, :3].T + self.current.matrix[:3, 3]
            there, inside = self._index(way(places))
            found = tuple(there.T)
            bones[number] = np.where(inside, self.prior.bones[found], 0).reshape(shape[1:])
            sides[number] = np.where(inside, self.prior.sides[found], 0).reshape(shape[1:])
            seen[number] = inside.reshape(shape[1:])
        overlaps, distances = [], []
        spacing = np.linalg.norm(self.current.matrix[:3, :3], axis=0)
        boxes = ndimage.find_objects(np.maximum(bones, self.current.bones))
        for name in sorted(self.motions):
            box = boxes[name.bone - 1] if name.bone <= len(boxes) else None
            if box is None:
                continue
            z, y, x = (slice(max(0, part.start - 2), part.stop + 2) for part in box)
            now = self.current.bones[z, y, x] == name.bone
            then = bones[z, y, x] == name.bone
            if name.side in (LEFT, RIGHT):
                now &= self.current.sides[z, y, x] == name.side
                then &= sides[z, y, x] == name.side
            now &= seen[z, y, x]
            if min(np.count_nonzero(now), np.count_nonzero(then)) >= _LEAST_VOXELS:
                overlaps.append(dice(now, then))
                distances.append(hausdorff_95_mm(now, then, spacing_mm=spacing))
        return overlaps, distances
