"""A planar bundle at work: parts of the skeleton and hot spots of both views of one scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from bmnode.domain.models import BundleFault
from bmnode.domain.study import Branch
from bmnode.errors import BundleRefusedError
from bmnode.models.bundle import Bundle
from operators.kernels.planar_input import METHOD, from_working, network_input, to_working
from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap
from operators.models.loader import load_network
from operators.networks.butterfly import Butterfly, ViewLogits

LESION_LEVEL = 0.5
"""[P]: where the network's loss puts the border."""


class PlanarMaps(NamedTuple):
    """Of one view, on its own grid and in its own orientation.

    `parts`: numbers of `PART_NUMBERS`, 0 where no bone is seen. `lesion`: float32 (row, column), the network's output
    for a metastasis between 0 and 1, which is no calibrated probability.
    """

    parts: PartMap
    lesion: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarModel:
    """The network of a bundle with what surrounds it.

    `lesion_level`: above which the output makes a pixel a candidate's, of `postprocessing`; `LESION_LEVEL` where the
    bundle gives none.
    """

    network: Butterfly
    lesion_level: float = LESION_LEVEL

    def __post_init__(self) -> None:
        if not 0.0 < self.lesion_level < 1.0:
            raise ValueError(f"lesion_level is {self.lesion_level}, allowed is between 0 and 1")

    @classmethod
    def from_bundle(cls, bundle: Bundle, *, device: str = "cpu") -> PlanarModel:
        """Raises BundleRefusedError where the bundle is for other images, input or parts than are given to it here."""
        network = load_network(bundle, device=device)
        asked = bundle.inference.preprocessing.get("input")
        if bundle.contract.branch is not Branch.BONE_SCAN or not isinstance(network, Butterfly) or asked != METHOD:
            raise BundleRefusedError(
                f"it is for {bundle.contract.branch} with the input {asked!r}; planar scans are given as {METHOD}",
                fault=BundleFault.CONFIGURATION,
            )
        if bundle.inference.channels != 1 or bundle.inference.arguments["regions"] != len(PART_NUMBERS):
            raise BundleRefusedError(
                f"a view has one channel, and there are {len(PART_NUMBERS)} parts", fault=BundleFault.CHANNELS
            )
        level = bundle.inference.postprocessing.get("lesion_level", LESION_LEVEL)
        if not isinstance(level, float) or not 0.0 < level < 1.0:
            raise BundleRefusedError(
                f"lesion_level is {level!r}; a number between 0 and 1 is taken", fault=BundleFault.CONFIGURATION
            )
        return cls(network=network, lesion_level=level)

    def find(self, anterior: ViewImage, posterior: ViewImage) -> tuple[PlanarMaps, PlanarMaps]:
        """Both views of one sweep. Raises ValueError where one has no counts or pixels above 4.8 mm."""
        views = (anterior, posterior)
        given = [
            network_input(to_working(view.counts, pixel_mm=view.pixel_mm, is_posterior=view.is_posterior))
            for view in views
        ]
        device = next(self.network.parameters()).device
        first, second = (torch.from_numpy(image)[None].to(device) for image in given)
        with torch.inference_mode():
            logits = self.network(first, second)
        one, other = (_maps(found, view) for found, view in zip(logits, views, strict=True))
        return one, other


def _maps(found: ViewLogits, view: ViewImage) -> PlanarMaps:
    """Chances are brought to the view's grid, and the likeliest part is chosen there."""
    chances = torch.softmax(found.regions[0].float(), dim=0)
    maps = torch.cat([chances, torch.sigmoid(found.lesions[0].float())]).cpu().numpy()
    rows, columns = view.counts.shape
    fine = from_working(maps, shape=(rows, columns), pixel_mm=view.pixel_mm, is_posterior=view.is_posterior)
    return PlanarMaps(parts=fine[:-1].argmax(axis=0).astype(np.uint8), lesion=fine[-1])
