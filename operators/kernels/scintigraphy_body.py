"""Where on the body a hot spot lies, as a share of the body's height: no anatomy is segmented.

Shares count from the vertex (0) to the soles (1); distances from the midline are shares of the
height too. They are used only where the whole body is in the field, head up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from bmnode.domain.geometry import BoolArray
from operators.kernels.scintigraphy import Counts, HotSpot, PixelSize


class Uptake(StrEnum):
    """What a hot spot is taken for. Everything but a candidate is listed and not counted."""

    CANDIDATE = "candidate"
    BLADDER = "bladder"
    KIDNEY = "kidney"
    INJECTION_SITE = "injection_site"
    OUTSIDE_BODY = "outside_body"
    OUTSIDE_SKELETON = "outside_skeleton"


@dataclass(frozen=True, kw_only=True, slots=True)
class Zone:
    """A band of the body with its own threshold, in multiples of the normal skeleton (T_region)."""

    name: str
    start: float
    stop: float
    threshold: float

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop <= 1 or self.threshold < 1.5:
            raise ValueError(f"zone {self.name!r}: 0 <= start < stop <= 1 and a threshold of 1.5 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExclusionRule:
    """Where activity that is not bone is expected (clinical reference 2, exclusions)."""

    bladder_start: float
    bladder_stop: float
    bladder_half_width: float
    arm_start: float
    arm_stop: float
    arm_distance: float
    """From the midline; further out lie forearms and hands."""
    kidney_start: float
    kidney_stop: float
    kidney_near: float
    kidney_far: float
    kidney_level: float
    """How far the two kidneys may differ in height."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BodyFrame:
    """The body's extent on one view: first and last row, midline column."""

    top: int
    bottom: int
    midline: float
    width: int
    touches_side: bool
    touches_end: bool
    split_top: float
    """Share of the uppermost fifth's rows in which the body is in two parts: legs are, a head is not."""
    split_bottom: float

    @property
    def height(self) -> int:
        """Rows from vertex to soles."""
        return self.bottom - self.top + 1

    @property
    def is_upside_down(self) -> bool:
        """Whether the legs seem to be at the upper end."""
        return self.split_top > 0.5 > self.split_bottom

    def share(self, row: float) -> float:
        """Height of a row, from the vertex (0) to the soles (1)."""
        return (row - self.top + 0.5) / self.height

    def is_whole(self, *, pixel_mm: PixelSize, minimum_height_mm: float, minimum_aspect: float) -> bool:
        """Whether the whole body is in the field, head up: tall enough, slender enough, cut at neither end."""
        tall = self.height * pixel_mm[0] >= minimum_height_mm
        slender = self.height * pixel_mm[0] >= minimum_aspect * self.width * pixel_mm[1]
        return tall and slender and not self.touches_end and not self.is_upside_down


def body_frame(body: BoolArray, *, field: BoolArray) -> BodyFrame | None:
    """The frame of a body mask; None without a body.

    Args:
        body: (row, column).
        field: where the camera recorded anything; the body is cut where it reaches its edge.
    """
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    if not rows.size:
        return None
    seen_rows, seen_columns = np.flatnonzero(field.any(axis=1)), np.flatnonzero(field.any(axis=0))
    top, bottom = int(rows[0]), int(rows[-1])
    fifth = max(1, (bottom - top + 1) // 5)
    weights = body.sum(axis=0)
    return BodyFrame(
        top=top,
        bottom=bottom,
        midline=float((weights * np.arange(body.shape[1])).sum() / weights.sum()),
        width=int(columns[-1] - columns[0] + 1),
        touches_side=bool(columns[0] <= seen_columns[0] or columns[-1] >= seen_columns[-1]),
        touches_end=bool(top <= seen_rows[0] or bottom >= seen_rows[-1]),
        split_top=_split_share(body[top : top + fifth]),
        split_bottom=_split_share(body[bottom + 1 - fifth : bottom + 1]),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ThresholdMap:
    """Which multiple of the normal skeleton makes a pixel hot, by place on the body."""

    default: float
    zones: tuple[Zone, ...]
    arms: float
    """In forearms and hands, which lie beside zones of higher normal uptake."""

    def __post_init__(self) -> None:
        if min(self.default, self.arms) < 1.5:
            raise ValueError("thresholds are 1.5 or more")

    def over(self, shape: tuple[int, int], *, frame: BodyFrame | None, rule: ExclusionRule) -> Counts:
        """The threshold of every pixel (row, column); the default everywhere without a frame."""
        values = np.full(shape, self.default, dtype=np.float64)
        if frame is None:
            return values
        shares = (np.arange(shape[0]) - frame.top + 0.5) / frame.height
        for zone in self.zones:
            values[(shares >= zone.start) & (shares < zone.stop)] = zone.threshold
        beside = np.abs(np.arange(shape[1]) - frame.midline) / frame.height >= rule.arm_distance
        values[np.ix_((shares >= rule.arm_start) & (shares <= rule.arm_stop), beside)] = self.arms
        return values


def label_uptake(
    spots: Sequence[HotSpot], *, body: BoolArray, frame: BodyFrame | None, is_posterior: bool, rule: ExclusionRule
) -> tuple[Uptake, ...]:
    """What each hot spot is taken for, in the order given. Without a frame only the body's outline is used."""
    labels = [
        Uptake.CANDIDATE
        if 2 * np.count_nonzero(body[spot.box] & spot.mask) >= spot.pixel_count
        else Uptake.OUTSIDE_BODY
        for spot in spots
    ]
    if frame is None:
        return tuple(labels)
    places = [_place(spot, frame) for spot in spots]
    open_spots = [index for index, label in enumerate(labels) if label is Uptake.CANDIDATE]
    for index in open_spots:
        share, side = places[index]
        if rule.arm_start <= share <= rule.arm_stop and abs(side) >= rule.arm_distance:
            labels[index] = Uptake.INJECTION_SITE
    midline = [
        index
        for index in open_spots
        if rule.bladder_start <= places[index][0] <= rule.bladder_stop
        and abs(places[index][1]) <= rule.bladder_half_width
    ]
    if midline:
        labels[max(midline, key=lambda index: spots[index].pixel_count)] = Uptake.BLADDER
    if is_posterior:
        for index in _kidneys(places, labels, rule):
            labels[index] = Uptake.KIDNEY
    return tuple(labels)


def _place(spot: HotSpot, frame: BodyFrame) -> tuple[float, float]:
    row, column = spot.centre
    return frame.share(row), (column - frame.midline) / frame.height


def _kidneys(places: Sequence[tuple[float, float]], labels: Sequence[Uptake], rule: ExclusionRule) -> tuple[int, ...]:
    """A pair beside the spine, one on each side, at nearly one height; a single spot is never called a kidney."""
    beside = [
        index
        for index, (share, side) in enumerate(places)
        if labels[index] is Uptake.CANDIDATE
        and rule.kidney_start <= share <= rule.kidney_stop
        and rule.kidney_near <= abs(side) <= rule.kidney_far
    ]
    pairs = [
        (abs(places[left][0] - places[right][0]), left, right)
        for left in beside
        for right in beside
        if places[left][1] < 0 < places[right][1]
    ]
    level = [pair for pair in pairs if pair[0] <= rule.kidney_level]
    return min(level)[1:] if level else ()


def _split_share(rows: BoolArray) -> float:
    """Share of rows in which the mask is in two or more parts."""
    starts = np.diff(rows.astype(np.int8), axis=1, prepend=0) == 1
    return float(np.mean(starts.sum(axis=1) >= 2))
