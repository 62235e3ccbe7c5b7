"""A scene as a map of one physical quantity: each voxel is the mixture of what fills it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from operators.simulation.patient import Appearance
from operators.simulation.scene import Scene

Table = npt.NDArray[np.float32]
FocusValue = Callable[[Appearance], tuple[float, float] | None]
"""The quantity of a focus where it is purely lytic and purely sclerotic; None leaves the tissue's own value."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Palette:
    """The value of one quantity (SUV, HU, attenuation, T1, ...) in everything that a voxel can hold.

    Args:
        matter: float32 (256,), by value of `Matter`.
        cortex, spongiosa, yellow: float32 (256,), by value of `Bone`: cortex, spongiosa with its
            marrow, yellow marrow of the shafts.
        focus: the quantity of a lesion or decoy.
    """

    matter: Table
    cortex: Table
    spongiosa: Table
    yellow: Table
    focus: FocusValue

    def __post_init__(self) -> None:
        for table in (self.matter, self.cortex, self.spongiosa, self.yellow):
            if table.shape != (256,) or table.dtype != np.float32 or not np.isfinite(table).all():
                raise ValueError("a palette's tables hold 256 finite float32 values")


def paint(scene: Scene, palette: Palette, *, device: str = "cpu", slices: slice | None = None) -> torch.Tensor:
    """The quantity in every voxel, float32 (slice, row, column), as a volume-weighted mean of its parts.

    Args:
        scene: the patient.
        palette: the values.
        device: of the result.
        slices: only these slices, to bound memory.
    """
    part = slice(None) if slices is None else slices

    def fetch(array: npt.NDArray[np.uint8]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array[part])).to(device)

    def table(values: Table) -> torch.Tensor:
        return torch.from_numpy(values).to(device)

    bones = fetch(scene.bones).int()
    cortex = fetch(scene.cortex_fraction).float() / 255.0
    bone = fetch(scene.bone_fraction).float() / 255.0
    cortex = torch.minimum(cortex, bone)
    core = torch.where(fetch(scene.medullary) > 0, table(palette.yellow)[bones], table(palette.spongiosa)[bones])
    value = table(palette.matter)[fetch(scene.matter).int()] * (1.0 - bone)
    value += table(palette.cortex)[bones] * cortex
    value += core * (bone - cortex)
    sclerosis = fetch(scene.sclerosis).float() / 255.0
    foci = (
        (fetch(scene.lesions), fetch(scene.lesion_fraction), scene.lesion_appearances, sclerosis),
        (fetch(scene.decoys), fetch(scene.decoy_fraction), scene.decoy_appearances, torch.ones_like(sclerosis)),
    )
    for labels, fraction, appearances, dense in foci:
        value = _with_foci(
            value, labels, fraction, values=[palette.focus(item) for item in appearances], sclerosis=dense
        )
    return value


def _with_foci(
    value: torch.Tensor,
    labels: torch.Tensor,
    fraction: torch.Tensor,
    *,
    values: list[tuple[float, float] | None],
    sclerosis: torch.Tensor,
) -> torch.Tensor:
    if not values:
        return value
    ends = np.zeros((256, 2), dtype=np.float32)
    shown = np.zeros(256, dtype=np.float32)
    for number, pair in enumerate(values, start=1):
        if pair is not None:
            ends[number], shown[number] = pair, 1.0
    index = labels.int()
    lytic, dense = (torch.from_numpy(ends[:, end].copy()).to(value.device)[index] for end in (0, 1))
    weight = fraction.float() / 255.0 * torch.from_numpy(shown).to(value.device)[index]
    return value * (1.0 - weight) + (lytic + (dense - lytic) * sclerosis) * weight
