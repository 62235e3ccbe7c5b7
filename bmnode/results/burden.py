"""Burden over time: one chart a quantity, over the dates of three studies or more.

A quantity is what, in which unit, by which method: numbers of two methods are never joined by a line. A study in which
it could not be evaluated has an open mark on the time axis, breaks the line, and is named below; it is never drawn as
zero.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bmnode.domain.codes import Code, Concept
from bmnode.domain.results import BurdenPoint
from bmnode.results.canvas import RGB, WHITE, Panel

FEWEST_POINTS = 3
CHART = (560, 380)
"""Width and height of a chart in pixels."""
LEGEND_COLUMNS = 120
NOT_EVALUABLE = "not evaluable"
BURDEN_CONCEPTS: tuple[Code, ...] = (
    Concept.BONE_SCAN_INDEX,
    Concept.METABOLIC_VOLUME,
    Concept.TOTAL_LESION_GLYCOLYSIS,
    Concept.VOLUME,
    Concept.DIFFUSION_VOLUME,
    Concept.LESION_FRACTION,
    Concept.LESION_AREA,
    Concept.LESION_COUNT,
)
"""What says how much disease there is, in the order of the charts."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 30, 62, 48
_INK, _PALE, _PAPER = 0, 170, 255
_TEXT, _DOT, _TICKS = 13, 5, 4
_NOTHING = 1e-12
"""Of any unit; what is smaller is drawn at zero, and said in words."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantity:
    """What a chart shows: one concept in one unit by one method."""

    concept: Code
    derivation: Code | None
    unit: Code
    method: str

    @property
    def name(self) -> str:
        """Concept and derivation as a person reads them."""
        return self.concept.meaning + ("" if self.derivation is None else f", {self.derivation.meaning.lower()}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A quantity at every time point; None where it was not evaluable."""

    quantity: Quantity
    dates: tuple[date, ...]
    values: tuple[float | None, ...]

    def __post_init__(self) -> None:
        if len(self.dates) != len(self.values):
            raise ValueError("a curve has a value or none at every date")


def burden_curves(points: Sequence[BurdenPoint]) -> tuple[Curve, ...]:
    """The curves of a history, in the order of `BURDEN_CONCEPTS`; none for fewer than three time points."""
    if len(points) < FEWEST_POINTS:
        return ()
    ordered = sorted(points, key=lambda item: item.studied_on)
    found = dict.fromkeys(quantity for point in ordered for quantity, _ in _quantities(point))
    by_rank = sorted(found, key=lambda item: BURDEN_CONCEPTS.index(item.concept))
    return tuple(
        Curve(
            quantity=quantity,
            dates=tuple(point.studied_on for point in ordered),
            values=tuple(dict(_quantities(point)).get(quantity) for point in ordered),
        )
        for quantity in by_rank
    )


def burden_panels(curves: Sequence[Curve]) -> list[Panel]:
    """A chart for each curve."""
    return [
        Panel(title=f"Burden over time {number} of {len(curves)}", grey=np.asarray(_chart(curve), dtype=np.uint8))
        for number, curve in enumerate(curves, 1)
    ]


def burden_legend(curves: Sequence[Curve]) -> list[tuple[str, RGB]]:
    """Every value in words: quantity, unit, method, and each date with its value or that it was not evaluable."""
    lines = []
    for curve in curves:
        said = "; ".join(
            f"{day.isoformat()} {NOT_EVALUABLE if value is None else number_text(value)}"
            for day, value in zip(curve.dates, curve.values, strict=True)
        )
        text = f"{curve.quantity.name} [{curve.quantity.unit.value}], {curve.quantity.method}: {said}"
        lines += [(line, WHITE) for line in textwrap.wrap(text, LEGEND_COLUMNS, subsequent_indent="    ")]
    return lines


def number_text(value: float) -> str:
    """A value as the pictures write them: three significant digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def axis_end(largest: float) -> float:
    """The upper end of the value axis: the next of 1, 2, 2.5, 5 times a power of ten; 1 for a history of zeros."""
    if largest < _NOTHING:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in _STEPS if step * power >= largest * (1.0 - 1e-9))


def place(curve: Curve, index: int) -> tuple[float, float]:
    """Where the chart draws a time point, in pixels (x, y): dates in proportion to time, values from 0 upwards.

    One that was not evaluable lies on the time axis.
    """
    width, height = CHART
    first, last = curve.dates[0], curve.dates[-1]
    days = max((last - first).days, 1)
    x = _LEFT + (width - _LEFT - _RIGHT) * (curve.dates[index] - first).days / days
    end = axis_end(max((value for value in curve.values if value is not None), default=0.0))
    value = curve.values[index]
    share = 0.0 if value is None else value / end
    return x, height - _BOTTOM - (height - _TOP - _BOTTOM) * share


def _quantities(point: BurdenPoint) -> Iterator[tuple[Quantity, float]]:
    for item in point.measurements:
        if item.concept in BURDEN_CONCEPTS:
            key = Quantity(concept=item.concept, derivation=item.derivation, unit=item.unit, method=item.method)
            yield key, item.value


def _chart(curve: Curve) -> Image.Image:
    image = Image.new("L", CHART, _PAPER)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(_TEXT)
    draw.text((8, 6), f"{curve.quantity.name} [{curve.quantity.unit.value}]", fill=_INK, font=font)
    draw.text((8, 24), f"method {curve.quantity.method}", fill=_INK, font=font)
    _axes(draw, curve)
    for index in range(1, len(curve.dates)):
        if curve.values[index - 1] is not None and curve.values[index] is not None:
            draw.line([place(curve, index - 1), place(curve, index)], fill=_INK, width=2)
    written_until = -math.inf
    for index, value in enumerate(curve.values):
        x, y = place(curve, index)
        box = (x - _DOT, y - _DOT, x + _DOT, y + _DOT)
        if value is None:
            draw.ellipse(box, outline=_INK, fill=_PAPER, width=2)
            draw.text((x, y - 3 * _DOT), "n/e", fill=_INK, font=font, anchor="ms")
        else:
            draw.ellipse(box, fill=_INK)
            draw.text((x, y - 2 * _DOT), number_text(value), fill=_INK, font=font, anchor="ms")
        written_until = _date(draw, curve, index=index, free_from=written_until)
    return image


def _axes(draw: ImageDraw.ImageDraw, curve: Curve) -> None:
    """Time axis, and lines with their values from 0 to the end of the value axis."""
    width, height = CHART
    font = ImageFont.load_default(_TEXT)
    end = axis_end(max((value for value in curve.values if value is not None), default=0.0))
    for tick in range(_TICKS + 1):
        y = height - _BOTTOM - (height - _TOP - _BOTTOM) * tick / _TICKS
        draw.line([(_LEFT, y), (width - _RIGHT, y)], fill=_INK if tick == 0 else _PALE)
        draw.text((_LEFT - 6, y), number_text(end * tick / _TICKS), fill=_INK, font=font, anchor="rm")


def _date(draw: ImageDraw.ImageDraw, curve: Curve, *, index: int, free_from: float) -> float:
    """The date below its mark, where it has room beside the one before; the legend has them all."""
    font = ImageFont.load_default(_TEXT)
    text = curve.dates[index].isoformat()
    half = font.getlength(text) / 2
    width, height = CHART
    x = min(max(place(curve, index)[0], half + 2), width - half - 2)
    if x - half < free_from:
        return free_from
    draw.text((x, height - _BOTTOM + 14), text, fill=_INK, font=font, anchor="mt")
    return x + half + 8
