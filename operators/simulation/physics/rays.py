"""Sums along the rays of a view of a slice, and back: parallel beams, array code."""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def project(volume: torch.Tensor, angle: float, pixel: float) -> torch.Tensor:
    """Sums along the rays of one view times the pixel: (slice, row, column) to (slice, detector), centred on the image.

    The detector's axis has `angle` radians from the columns' direction to the rows'; it has a cell a pixel
    and spans the image's diagonal.
    """
    rows, columns = volume.shape[1:]
    size = math.ceil(math.hypot(rows, columns))
    along = torch.arange(size, device=volume.device, dtype=torch.float32) - (size - 1) / 2.0
    ray, cell = along[:, None], along[None, :]
    right = cell * math.cos(angle) - ray * math.sin(angle)
    down = cell * math.sin(angle) + ray * math.cos(angle)
    grid = torch.stack([right * (2.0 / columns), down * (2.0 / rows)], dim=-1)[None]
    turned = functional.grid_sample(volume[None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return turned[0].sum(dim=1) * pixel


def back_project(values: torch.Tensor, angle: float, shape: tuple[int, int]) -> torch.Tensor:
    """The value of the ray through every pixel: (slice, detector) to (slice, row, column)."""
    down = torch.arange(shape[0], device=values.device, dtype=torch.float32) - (shape[0] - 1) / 2.0
    right = torch.arange(shape[1], device=values.device, dtype=torch.float32) - (shape[1] - 1) / 2.0
    cell = right[None, :] * math.cos(angle) + down[:, None] * math.sin(angle) + (values.shape[1] - 1) / 2.0
    low = cell.floor().clamp(0, values.shape[1] - 2)
    index = low.long().reshape(-1)
    share = (cell - low).reshape(-1)
    found = torch.lerp(values[:, index], values[:, index + 1], share)
    return found.reshape(values.shape[0], *shape)
