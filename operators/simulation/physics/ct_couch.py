"""The couch under the patient."""

from __future__ import annotations

import numpy as np
import torch

from operators.simulation.matter import Matter
from operators.simulation.physics import ct_table as table
from operators.simulation.physics.attenuation_table import MATTER_HU
from operators.simulation.scene import Scene

_EVERY = 4
"""Slices looked at to find the back."""


def back_mm(scene: Scene) -> float | None:
    """Posterior position (y, LPS millimetres) on which the body rests: that of its lowest part; None without a body."""
    matrix = scene.geometry.matrix
    deepest = None
    for number in range(0, scene.geometry.shape[0], _EVERY):
        rows = np.flatnonzero((scene.matter[number] != Matter.AIR).any(axis=1))
        if len(rows):
            y = float(matrix[1, 0] * number + matrix[1, 1] * rows[-1] + matrix[1, 3])
            deepest = y if deepest is None else max(deepest, y)
    return deepest


def add_couch(hu: torch.Tensor, scene: Scene, *, slices: range, back: float) -> torch.Tensor:
    """Put a curved table top below the back into air (slice, row, column)."""
    matrix = scene.geometry.matrix
    rows = torch.arange(hu.shape[1], device=hu.device, dtype=torch.float32)
    columns = torch.arange(hu.shape[2], device=hu.device, dtype=torch.float32)
    x = matrix[0, 2] * columns + matrix[0, 3]
    x = x - (scene.geometry.shape[2] - 1) / 2.0 * matrix[0, 2] - matrix[0, 3]
    rise = table.COUCH_RADIUS_MM - torch.sqrt((table.COUCH_RADIUS_MM**2 - x**2).clamp_min(0.0))
    step = abs(float(matrix[1, 1]))
    air = torch.from_numpy(np.ascontiguousarray(scene.matter[slices.start : slices.stop])).to(hu.device) == Matter.AIR
    for place, number in enumerate(slices):
        y = matrix[1, 0] * number + matrix[1, 1] * rows + matrix[1, 3]
        depth = y[:, None] - back + rise[None, :]
        value = torch.zeros_like(depth)
        for top, bottom, layer in table.COUCH_LAYERS:
            inside = ((depth - top) / step + 0.5).clamp(0, 1) - ((depth - bottom) / step + 0.5).clamp(0, 1)
            value += inside * (layer - MATTER_HU["air"])
        value *= (x.abs() < table.COUCH_WIDTH_MM / 2.0)[None, :]
        hu[place] += value * air[place]
    return hu
