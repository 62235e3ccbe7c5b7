"""A view in the body's own frame: from vertex to soles and about the midline, by the outline alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import PartMap
from operators.kernels.planar_regions.registration import Image
from operators.kernels.scintigraphy import Counts, smooth

Places = npt.NDArray[np.intp]

FRAME_SHAPE = (400, 144)
"""Rows and columns of the body's frame; at a height of 1.78 m a row is 4.8 mm."""
_TOP, _HEIGHT, _MIDLINE, _WIDTH = 12.0, 370.0, 71.5, 56.0
"""Where the frame has the vertex, how many rows lie from there to the soles, its midline, the mean width of a body."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureRule:
    """What of the counts is compared: the root of smoothed counts by the body's median, up to a ceiling.

    The root makes the spread of Poisson counts even; the ceiling keeps hot spots from pulling.
    """

    smoothing_mm: float
    ceiling: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Pixel (row, column) of a view, seen as from the front = scale times (row, column) of the frame, plus offset."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    @classmethod
    def of(cls, view: ViewImage) -> Placement:
        """By the body's height, mean width and midline."""
        columns = view.counts.shape[1]
        midline = columns - 1 - view.frame.midline if view.is_posterior else view.frame.midline
        tall = view.frame.height / _HEIGHT
        wide = int(np.count_nonzero(view.body)) / view.frame.height / _WIDTH
        return cls(scale=(tall, wide), offset=(view.frame.top - tall * _TOP, midline - wide * _MIDLINE))

    def on_frame(self, image: Counts) -> Image:
        """An image that is seen as from the front, in the body's frame; 0 where the view does not reach."""
        placed = ndimage.affine_transform(image, self.scale, self.offset, output_shape=FRAME_SHAPE, order=1)
        return np.asarray(placed, dtype=np.float32)

    def parts_on_frame(self, parts: PartMap) -> PartMap:
        """A part map that is seen as from the front, in the body's frame."""
        placed = ndimage.affine_transform(parts, self.scale, self.offset, output_shape=FRAME_SHAPE, order=0)
        return np.asarray(placed, dtype=np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FrameReader:
    """Reads images of the body's frame at the pixels of a view, seen as from the front, linear between pixels."""

    box: tuple[slice, slice]
    """The pixels of the view that the frame reaches."""
    low: tuple[Places, Places]
    share: tuple[Image, Image]

    @classmethod
    def of(cls, place: Placement, *, shape: tuple[int, int]) -> FrameReader:
        """For a view of `shape` (rows, columns)."""
        boxes, lows, shares = [], [], []
        for axis in (0, 1):
            places = (np.arange(shape[axis]) - place.offset[axis]) / place.scale[axis]
            inside = np.flatnonzero((places >= 0) & (places <= FRAME_SHAPE[axis] - 1))
            low = np.minimum(places[inside].astype(np.intp), FRAME_SHAPE[axis] - 2)
            boxes.append(slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0))
            lows.append(low)
            shares.append((places[inside] - low).astype(np.float32))
        return cls(box=(boxes[0], boxes[1]), low=(lows[0], lows[1]), share=(shares[0], shares[1]))

    def read(self, image: Image) -> Image:
        """The image (row, column) at the pixels of `box`."""
        (rows, columns), (down, right) = self.low, self.share
        down = down[:, np.newaxis]
        tall = image[rows] * (1 - down) + image[rows + 1] * down
        return np.asarray(tall[:, columns] * (1 - right) + tall[:, columns + 1] * right, dtype=np.float32)


def feature(view: ViewImage, *, rule: FeatureRule) -> Counts:
    """What is compared, on the view's grid, a posterior view mirrored: the patient's right on the left in both.

    Raises ValueError on a body without counts."""
    smoothed = np.maximum(smooth(view.counts, sigma_mm=rule.smoothing_mm, pixel_mm=view.pixel_mm), 0.0)
    middle = float(np.median(smoothed[view.body])) if view.body.any() else 0.0
    if middle <= 0:
        raise ValueError("a body without counts cannot be compared")
    seen = np.minimum(np.sqrt(smoothed / middle), rule.ceiling)
    return np.asarray(seen[:, ::-1] if view.is_posterior else seen)
