"""The one door to MONAI's transforms and losses.

Importing MONAI imports MONAI Deploy and with it Holoscan, where these are installed: `operators.graph.runtime` settles
what they ask of the process, so it comes first.
"""

from __future__ import annotations

from operators.graph import runtime  # noqa: F401 - for what its import settles

from monai.losses.dice import DiceCELoss, DiceLoss  # isort: skip
from monai.transforms.spatial.array import Affine  # isort: skip

__all__ = ["Affine", "DiceCELoss", "DiceLoss"]
