"""The two-view network of planar scans, after BtrflyNet (reference 41 of Afnouch 2024): family F2.

```
anterior  -> encoder A -- skips ------------------> decoder A -> regions, hot spots (anterior)
                     \\                          /
                      joined at the lowest level
                     /                          \\
posterior -> encoder P -- skips ------------------> decoder P -> regions, hot spots (posterior)
```

Each view has its own encoder and decoder, since organs and bones shine through differently; what both see meets
at the lowest level. The posterior view is given mirrored, so that one column is one side of the patient in both. Of
the published network the two arms and the joined level are kept; depth, normalisation and heads are the project's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

_GROUPS = 4
_SLOPE = 0.1
_RARE = -3.0
"""What the lesion head says of every pixel before it was trained: 1 in 20. Pixels of hot spots are few; a head that
begins at one half spends its first steps on unlearning that (Lin, ICCV 2017, section 4.1)."""


class ViewLogits(NamedTuple):
    """Of one view: `regions` (batch, 1 + regions, row, column) with no bone as class 0; `lesions` (batch, 1, ...)."""

    regions: torch.Tensor
    lesions: torch.Tensor


class Butterfly(nn.Module):
    """Skeleton regions and hot spots of both views at once.

    Args:
        in_channels: of each view.
        regions: classes beside "no bone".
        blocks: residual blocks on each level.
        widths: channels of each level, the finest first; multiples of 4. Rows and columns are divided by 2 between
            two levels, and have to be multiples of `2 ** (len(widths) - 1)`.

    Raises ValueError where a width is no multiple of 4, or there is one level alone.
    """

    def __init__(self, *, in_channels: int, regions: int, blocks: int, widths: Sequence[int]) -> None:
        super().__init__()
        if len(widths) < 2 or any(width % _GROUPS for width in widths):
            raise ValueError(f"widths are two or more multiples of {_GROUPS}, not {tuple(widths)}")
        self.step = 2 ** (len(widths) - 1)
        self.encoders = nn.ModuleList(_Encoder(in_channels, widths, blocks=blocks) for _ in range(2))
        self.joined = _stage(2 * widths[-1], widths[-1], blocks=blocks)
        self.decoders = nn.ModuleList(_Decoder(widths, regions=regions, blocks=blocks) for _ in range(2))

    def forward(self, anterior: torch.Tensor, posterior: torch.Tensor) -> tuple[ViewLogits, ViewLogits]:
        """Both views (batch, channel, row, column) of one shape. Raises ValueError where that does not divide."""
        if anterior.shape != posterior.shape or any(size % self.step for size in anterior.shape[-2:]):
            raise ValueError(f"both views have one shape, rows and columns are multiples of {self.step}")
        seen = [encoder(view) for encoder, view in zip(self.encoders, (anterior, posterior), strict=True)]
        joined = self.joined(torch.cat([levels[-1] for levels in seen], dim=1))
        first, second = (decoder(joined, levels) for decoder, levels in zip(self.decoders, seen, strict=True))
        return first, second


class _Encoder(nn.Module):
    def __init__(self, in_channels: int, widths: Sequence[int], *, blocks: int) -> None:
        super().__init__()
        inputs = (in_channels, *widths[:-1])
        self.stages = nn.ModuleList(
            _stage(before, width, blocks=blocks) for before, width in zip(inputs, widths, strict=True)
        )

    def forward(self, view: torch.Tensor) -> list[torch.Tensor]:
        levels: list[torch.Tensor] = []
        for stage in self.stages:
            view = stage(functional.avg_pool2d(view, 2) if levels else view)
            levels.append(view)
        return levels


class _Decoder(nn.Module):
    def __init__(self, widths: Sequence[int], *, regions: int, blocks: int) -> None:
        super().__init__()
        # The lowest level comes twice: joined, and as this view's encoder left it.
        self.lowest = _stage(2 * widths[-1], widths[-1], blocks=blocks)
        pairs = zip(widths[:0:-1], widths[-2::-1], strict=True)
        self.stages = nn.ModuleList(_stage(lower + upper, upper, blocks=blocks) for lower, upper in pairs)
        self.regions = nn.Conv2d(widths[0], 1 + regions, kernel_size=1)
        self.lesions = nn.Conv2d(widths[0], 1, kernel_size=1)
        assert self.lesions.bias is not None
        nn.init.constant_(self.lesions.bias, _RARE)

    def forward(self, joined: torch.Tensor, levels: list[torch.Tensor]) -> ViewLogits:
        found = self.lowest(torch.cat([joined, levels[-1]], dim=1))
        for stage, level in zip(self.stages, levels[-2::-1], strict=True):
            larger = functional.interpolate(found, scale_factor=2.0, mode="bilinear", align_corners=False)
            found = stage(torch.cat([larger, level], dim=1))
        return ViewLogits(regions=self.regions(found), lesions=self.lesions(found))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = values + self.layers(values)
        return changed


def _stage(before: int, width: int, *, blocks: int) -> nn.Sequential:
    return nn.Sequential(_convolution(before, width), *(_Residual(width) for _ in range(blocks)))


def _convolution(before: int, width: int) -> nn.Sequential:
    """Group normalisation keeps no statistics of training: one scan gives the same result alone and in a batch."""
    return nn.Sequential(
        nn.Conv2d(before, width, kernel_size=3, padding=1, bias=False),
        nn.GroupNorm(_GROUPS, width),
        nn.LeakyReLU(_SLOPE),
    )
