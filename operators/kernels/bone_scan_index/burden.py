"""Bone scan lesion area, intensity and count: BSLA, BSLI, BSLC.

The three outputs are named by Brown et al., Nucl Med Commun 2012; their published abstracts give
no formulas. What stands here are conventions of this project under those names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import BoolArray

RULE = "BSL_BURDEN"
VERSION = "1"
NOT_FROM_IMAGES = ("cause of uptake other than by its place and shape (trauma, degeneration, treatment)",)
_EIGHT = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LesionView:
    """One view: lesions (row, column), normalised counts (normal bone 1000), pixel height and width in mm or None.

    Raises ValueError where the arrays differ in shape or a spacing is not positive.
    """

    lesions: BoolArray
    normalised: npt.NDArray[np.floating]
    pixel_mm: tuple[float, float] | None

    def __post_init__(self) -> None:
        if self.lesions.shape != self.normalised.shape or self.lesions.ndim != 2 or self.lesions.dtype != np.bool_:
            raise ValueError("lesions are a two-dimensional bool array of the counts' shape")
        if self.pixel_mm is not None and not min(self.pixel_mm) > 0.0:
            raise ValueError("pixel spacings are positive")


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionBurden:
    """BSLA, BSLI and BSLC over the given views.

    `area_px` and `area_cm2` are summed over the views; without spacing there is no area in cm2.
    `mean_intensity` is the mean normalised count of all lesion pixels, None where there is none.
    `lesions_by_view` counts 8-connected components; `lesion_count` is the number of lesions after
    the views were paired, None where they were not: a lesion seen twice is one lesion.
    """

    area_px: int
    area_cm2: float | None
    mean_intensity: float | None
    lesions_by_view: tuple[int, ...]
    lesion_count: int | None
    rule: str = RULE
    version: str = VERSION
    not_from_images: tuple[str, ...] = NOT_FROM_IMAGES


def lesion_burden(views: tuple[LesionView, ...], *, paired_lesions: int | None = None) -> LesionBurden:
    """The burden over one or two views.

    Raises ValueError without a view, or where the number of paired lesions is impossible: fewer
    than the view with the most shows, or more than all views together.
    """
    if not views:
        raise ValueError("a lesion burden needs a view")
    components = tuple(int(ndimage.label(view.lesions, structure=_EIGHT)[1]) for view in views)
    if paired_lesions is not None and not max(components) <= paired_lesions <= sum(components):
        raise ValueError(f"{paired_lesions} paired lesions do not fit {components} in the views")
    count = paired_lesions if len(views) > 1 else components[0]
    values = np.concatenate([view.normalised[view.lesions] for view in views]).astype(np.float64)
    return LesionBurden(
        area_px=int(values.size),
        area_cm2=_area_cm2(views),
        mean_intensity=float(values.mean()) if values.size else None,
        lesions_by_view=components,
        lesion_count=count,
    )


def _area_cm2(views: tuple[LesionView, ...]) -> float | None:
    total = 0.0
    for view in views:
        if view.pixel_mm is None:
            return None
        total += int(np.count_nonzero(view.lesions)) * view.pixel_mm[0] * view.pixel_mm[1] / 100.0
    return total
