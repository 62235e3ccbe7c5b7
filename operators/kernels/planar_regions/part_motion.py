"""`PLANAR_PART_AFFINE_V1`: how each part of the skeleton on a view lies in the same view of an earlier scan.

Both views are brought into the body's frame, which takes out height, width and place. What is left, bent arms and
turned legs above all, is found by the demons' forces, and of that displacement each part keeps what is affine: a free
one would follow hot spots that came and went. Parts differ, so the motions are blended across their borders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap
from operators.kernels.planar_regions.placement import FRAME_SHAPE, FeatureRule, Placement, feature
from operators.kernels.planar_regions.registration import Displacement, FitRule, Image, alike, register, warped

METHOD = "PLANAR_PART_AFFINE_V1"
Points = npt.NDArray[np.float64]
"""(n, 2): row and column, in pixels of a view seen as from the front."""

_STILL_PX = 1e-3
_MOST_STEPS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class PartMotionRule:
    """How parts are brought together, in pixels of the body's frame [P].

    Args:
        least_px: a part of fewer pixels moves as its neighbours do.
        free_px: a part much larger than this may change its shape, a smaller one only moves.
        blend_px: how far into each other the motions of neighbours are blended.
        agreement_min: correlation of the views afterwards, below which they are not compared.
        least_stretch: of any place on bone, below which the field is taken for folded.
    """

    least_px: int
    free_px: float
    blend_px: float
    agreement_min: float
    least_stretch: float

    def __post_init__(self) -> None:
        if min(self.least_px, self.free_px, self.blend_px) <= 0 or not 0 < self.least_stretch < 1:
            raise ValueError("sizes are above 0, least_stretch lies between 0 and 1")
        if not -1 <= self.agreement_min <= 1:
            raise ValueError("agreement_min is a correlation")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ViewMotion:
    """Where places of a view lie in the earlier one, and how alike the two are.

    Args:
        field: on the body's frame, to add to a place of the present view.
        current, prior: how each view lies in the body's frame.
        agreement_before, agreement: correlation of both views in the body's frame, before and after, -1 to 1.
    """

    field: Displacement
    current: Placement
    prior: Placement
    agreement_before: float
    agreement: float

    def apply(self, points: Points) -> Points:
        """Where places of the present view lie in the earlier one."""
        framed = _framed(points, self.current)
        return _unframed(framed + self._at(framed), self.prior)

    def apply_inverse(self, points: Points) -> Points:
        """Where places of the earlier view lie in the present one; NaN where that is not found."""
        wanted = _framed(points, self.prior)
        found = wanted.copy()
        for _ in range(_MOST_STEPS):
            found = wanted - self._at(found)
        lost = np.abs(found + self._at(found) - wanted).max(axis=1, initial=0.0) > _STILL_PX
        found[lost] = np.nan
        return _unframed(found, self.current)

    def _at(self, framed: Points) -> Points:
        """The field, linear between pixels, the edge's beyond it."""
        read = [ndimage.map_coordinates(part, framed.T, order=1, mode="nearest") for part in self.field]
        return np.stack(read, axis=1).astype(np.float64)


def view_motion(
    current: ViewImage, prior: ViewImage, parts: PartMap, *, look: FeatureRule, fit: FitRule, rule: PartMotionRule
) -> ViewMotion | None:
    """The motion of one view; None where the two do not agree, or the field folds.

    Args:
        current, prior: the same view of both scans.
        parts: of the present view, on its grid, in its own orientation.

    Raises ValueError where the two are not the same view, or a body has no counts.
    """
    if current.is_posterior != prior.is_posterior:
        raise ValueError("an anterior and a posterior view are not compared")
    places = Placement.of(current), Placement.of(prior)
    now, then = (place.on_frame(feature(view, rule=look)) for place, view in zip(places, (current, prior), strict=True))
    named = places[0].parts_on_frame(parts[:, ::-1] if current.is_posterior else parts)
    if not named.any():
        return None
    field = _by_part(register(now, then, rule=fit), named, weights=_edges(now), rule=rule)
    motion = ViewMotion(
        field=field,
        current=places[0],
        prior=places[1],
        agreement_before=alike(now, then),
        agreement=alike(now, warped(then, field)),
    )
    is_usable = motion.agreement >= rule.agreement_min and _least_stretch(field, on=named > 0) >= rule.least_stretch
    return motion if is_usable else None


def _by_part(free: Displacement, named: PartMap, *, weights: Image, rule: PartMotionRule) -> Displacement:
    """The affine part of a displacement in each part, continued to the nearest places without one, and blended."""
    sizes = np.bincount(named.ravel(), minlength=256)
    known = [number for number in PART_NUMBERS.values() if sizes[number] >= rule.least_px]
    kept = np.where(np.isin(named, known), named, 0)
    if not known:
        return np.zeros((2, *FRAME_SHAPE), dtype=np.float32)
    rows, columns = ndimage.distance_transform_edt(kept == 0, return_distances=False, return_indices=True)
    nearest = kept[rows, columns]
    places = np.indices(FRAME_SHAPE, dtype=np.float64)
    stiff = np.zeros((2, *FRAME_SHAPE))
    for number in known:
        inside, reached = kept == number, nearest == number
        motion = _affine(places[:, inside], free[:, inside], weights[inside], free_px=rule.free_px)
        stiff[:, reached] = motion[:, :2] @ places[:, reached] + motion[:, 2:]
    return np.stack([ndimage.gaussian_filter(part, rule.blend_px) for part in stiff]).astype(np.float32)


def _affine(places: Points, moves: Displacement, weights: Image, *, free_px: float) -> npt.NDArray[np.float64]:
    """The displacement as rows (by row, by column, constant): weighted least squares, change of shape at a price.

    Args:
        places, moves: (2, n), of the part's pixels.
        weights: (n,).
    """
    shares = weights.astype(np.float64) / weights.sum(dtype=np.float64)
    middle, mean = places @ shares, moves @ shares
    about, change = places - middle[:, np.newaxis], moves - mean[:, np.newaxis]
    spread = (about * shares) @ about.T + free_px**2 * np.eye(2)
    shape = np.linalg.solve(spread, (about * shares) @ change.T).T
    return np.column_stack([shape, mean - shape @ middle])


def _edges(image: Image) -> Image:
    """Where the image tells how it moved: its slope, and everywhere a little."""
    down, right = np.gradient(image)
    slope = np.hypot(down, right)
    return np.asarray(slope + 0.05 * slope.max(initial=1e-6), dtype=np.float32)


def _least_stretch(field: Displacement, *, on: npt.NDArray[np.bool_]) -> float:
    """The smallest ratio of areas after and before, on bone; 0 or less where the field folds."""
    (a, b), (c, d) = (np.gradient(part) for part in field)
    return float(((1.0 + a) * (1.0 + d) - b * c)[on].min())


def _framed(points: Points, place: Placement) -> Points:
    return np.asarray((points - np.array(place.offset)) / np.array(place.scale))


def _unframed(points: Points, place: Placement) -> Points:
    return np.asarray(points * np.array(place.scale) + np.array(place.offset))
