"""Panels side by side on one picture, plain above and outlined below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

MARK = "SIMULATED"
_WIDEST = 520
_TEXT_SIZE, _BAND = 15, 24
_OUTLINE = (230, 40, 30)

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Panel:
    """One picture.

    Args:
        grey: uint8 (row, column).
        aspect: height of a pixel by its width.
        tallest: pixels that it may be high on the sheet.
        mask: what is outlined, (row, column) as `grey`; None leaves the lower row empty.
    """

    title: str
    grey: Grey
    aspect: float = 1.0
    mask: Mask | None = None
    tallest: int = 560

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) on the sheet."""
        rows, columns = self.grey.shape
        tall = rows * self.aspect
        scale = min(self.tallest / tall, _WIDEST / columns)
        return max(1, round(columns * scale)), max(1, round(tall * scale))

    def plain(self) -> Image.Image:
        """The picture alone."""
        return Image.fromarray(self.grey).resize(self.size, Image.Resampling.BILINEAR).convert("RGB")

    def outlined(self) -> Image.Image:
        """The picture with its outlines."""
        image = np.array(self.plain())
        if self.mask is not None:
            mask = np.array(Image.fromarray(self.mask.astype(np.uint8)).resize(self.size, Image.Resampling.NEAREST)) > 0
            image[_edge(mask)] = _OUTLINE
        return Image.fromarray(image)


def to_grey(values: npt.NDArray[np.float32], *, low: float, high: float, inverted: bool) -> Grey:
    """Values as grey, linear from low to high; inverted shows high values dark."""
    share = np.clip((values - low) / max(high - low, 1e-9), 0.0, 1.0)
    return np.asarray(np.round(255.0 * (1.0 - share if inverted else share)), dtype=np.uint8)


def sheet(panels: Sequence[Panel]) -> Image.Image:
    """All panels in a row; where anything is outlined, a second row with the outlines."""
    rows = [[panel.plain() for panel in panels]]
    if any(panel.mask is not None for panel in panels):
        rows.append([panel.outlined() for panel in panels])
    width, height = sum(panel.size[0] for panel in panels), max((panel.size[1] for panel in panels), default=0)
    whole = Image.new("RGB", (max(1, width), len(rows) * (height + _BAND)), (20, 20, 20))
    draw = ImageDraw.Draw(whole)
    font = ImageFont.load_default(_TEXT_SIZE)
    for number, row in enumerate(rows):
        top, left = number * (height + _BAND), 0
        for panel, image in zip(panels, row, strict=True):
            whole.paste(image, (left, top + _BAND))
            title = panel.title if number == 0 else "what was put in"
            draw.text((left + 4, top + 3), title[: max(4, image.width // 8)], fill=(255, 255, 255), font=font)
            draw.text((left + 4, top + _BAND + image.height - 20), MARK, fill=_OUTLINE, font=font)
            left += image.width
    return whole


def _edge(mask: Mask) -> Mask:
    """The border of a mask, just outside it, so that small things stay visible."""
    grown = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            grown |= np.roll(mask, step, axis=axis)
    return np.asarray(grown & ~mask)
