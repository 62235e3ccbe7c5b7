"""Grey images, outlines and text on a Pillow canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from bmnode import RESEARCH_USE_ONLY
from bmnode.domain.geometry import BoolArray
from bmnode.results.concepts import LESION_COLOURS_RGB, SIMULATED_STATEMENT

RGB = tuple[int, int, int]
Grey = npt.NDArray[np.uint8]

WHITE: RGB = (255, 255, 255)
BANNER: RGB = (20, 20, 20)
TEXT_SIZE = 15
LINE = 20
MARGIN = 8
BORDER = 2
"""Thickness of an outline in display pixels."""
BRIGHTEST_PERCENTILE = 99.7
"""The window's upper end: hot spots may saturate, the normal skeleton stays visible."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Mark:
    """One thing to outline: a mask (row, column) in display pixels, or a polygon of (x, y) in display pixels."""

    text: str
    colour: RGB
    mask: BoolArray | None = None
    polygon: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Panel:
    """One grey image (row, column) with its title and marks."""

    title: str
    grey: Grey
    marks: tuple[Mark, ...] = field(default=())


def to_grey(values: npt.NDArray[np.floating], *, low: float, high: float, inverted: bool) -> Grey:
    """Values mapped linearly from [low, high] to grey; inverted shows high values dark, as nuclear medicine does."""
    span = max(high - low, 1e-9)
    share = np.clip((np.asarray(values, dtype=np.float64) - low) / span, 0.0, 1.0)
    grey = np.round(255.0 * (1.0 - share if inverted else share)).astype(np.uint8)
    return np.asarray(grey, dtype=np.uint8)


def bright_end(values: npt.NDArray[np.floating]) -> float:
    """Nearly the largest of the values above 0; 1 where there is none."""
    above = values[values > 0]
    return float(np.percentile(above.astype(np.float64), BRIGHTEST_PERCENTILE)) if above.size else 1.0


def lesion_colour(index: int) -> RGB:
    """The colour of the finding at this place of the report, from 0."""
    return LESION_COLOURS_RGB[index % len(LESION_COLOURS_RGB)]


def resize_grey(grey: Grey, size: tuple[int, int]) -> Grey:
    """The image at (height, width), interpolated."""
    return np.asarray(Image.fromarray(grey).resize((size[1], size[0]), Image.Resampling.BILINEAR), dtype=np.uint8)


def resize_mask(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """The mask at (height, width), nearest voxel."""
    image = Image.fromarray(mask.astype(np.uint8)).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(image, dtype=np.uint8) > 0


def outline(mask: BoolArray, *, thickness: int = BORDER) -> BoolArray:
    """The mask's inner border of this many pixels."""
    inner = mask.copy()
    for _ in range(thickness):
        padded = np.pad(inner, 1)
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)


def statements_of(*, synthetic: bool) -> list[str]:
    """What stands at the head of every picture."""
    return [RESEARCH_USE_ONLY, *([SIMULATED_STATEMENT] if synthetic else [])]


def banner(width: int, *, synthetic: bool) -> npt.NDArray[np.uint8]:
    """The head of a picture of this width: (row, column, RGB), the statements in it."""
    statements = statements_of(synthetic=synthetic)
    canvas = Image.new("RGB", (width, LINE * len(statements) + MARGIN), BANNER)
    draw = ImageDraw.Draw(canvas)
    for index, text in enumerate(statements):
        place = (MARGIN, MARGIN // 2 + index * LINE)
        draw.text(place, text, fill=(255, 210, 90), font=ImageFont.load_default(TEXT_SIZE))
    return np.asarray(canvas, dtype=np.uint8)


def compose(panels: Sequence[Panel], *, legend: Sequence[tuple[str, RGB]], synthetic: bool) -> Image.Image:
    """Panels side by side under the statements that head every output, with a legend below."""
    font = ImageFont.load_default(TEXT_SIZE)
    texts = [*statements_of(synthetic=synthetic), *(line for line, _ in legend)]
    text_width = max(int(font.getlength(text)) for text in texts)
    panels_width = sum(panel.grey.shape[1] + MARGIN for panel in panels) + MARGIN
    width = max(panels_width, text_width + 2 * MARGIN)
    top = banner(width, synthetic=synthetic)
    head = top.shape[0]
    height = head + LINE + max(panel.grey.shape[0] for panel in panels) + LINE * len(legend) + 2 * MARGIN
    canvas = Image.new("RGB", (width, height), BANNER)
    canvas.paste(Image.fromarray(top), (0, 0))
    draw = ImageDraw.Draw(canvas)
    left = MARGIN
    for panel in panels:
        draw.text((left, head), panel.title, fill=WHITE, font=font)
        _paste(canvas, panel, (left, head + LINE))
        left += panel.grey.shape[1] + MARGIN
    below = height - LINE * len(legend) - MARGIN
    for index, (text, colour) in enumerate(legend):
        draw.text((MARGIN, below + index * LINE), text, fill=colour, font=font)
    return canvas


def _paste(canvas: Image.Image, panel: Panel, corner: tuple[int, int]) -> None:
    pixels = np.repeat(panel.grey[:, :, np.newaxis], 3, axis=2)
    for mark in panel.marks:
        if mark.mask is not None:
            pixels[outline(mark.mask)] = mark.colour
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for mark in panel.marks:
        if mark.polygon:
            draw.line(mark.polygon, fill=mark.colour, width=BORDER)
    for mark in panel.marks:
        _label(draw, mark, image.size)
    canvas.paste(image, corner)


def _label(draw: ImageDraw.ImageDraw, mark: Mark, size: tuple[int, int]) -> None:
    """The mark's text to the right of it, kept inside the image, legible on light and dark."""
    font = ImageFont.load_default(TEXT_SIZE)
    if mark.mask is not None:
        rows, columns = np.nonzero(mark.mask)
        if not rows.size:
            return
        x, y = float(columns.max()), float(rows.mean())
    else:
        x, y = max(point[0] for point in mark.polygon), float(np.mean([point[1] for point in mark.polygon]))
    width = font.getlength(mark.text)
    place = (min(x + 4, size[0] - width - 2), min(max(y - TEXT_SIZE / 2, 0), size[1] - LINE))
    draw.text(place, mark.text, fill=mark.colour, font=font, stroke_width=2, stroke_fill=(0, 0, 0))
