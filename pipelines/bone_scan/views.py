"""A bone scan's views on their way: read, prepared, with regions, with hot spots. All maps are head up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bmnode.domain.geometry import BoolArray
from operators.graph.contract import StudyInput
from operators.kernels.planar_pairing import mirror_shift
from operators.kernels.planar_regions.contract import RegionMap, ViewImage
from operators.kernels.planar_regions.parts import PlanarPart
from operators.kernels.scintigraphy import Counts, HotSpot, NormalLevel, PixelSize
from operators.kernels.scintigraphy_body import BodyFrame, Uptake
from operators.readers.planar import PlanarStudy, PlanarView, ViewName
from pipelines.bone_scan.profile import BoneScanProfile


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoadedScan:
    """A study with its planar views."""

    study: StudyInput
    profile: BoneScanProfile
    planar: PlanarStudy


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PreparedView:
    """A view with its body, skeleton and normal level, and its uptake: smoothed counts by the normal level.

    `regions` is None where no part can be named; `no_regions` then says why. `body_share` is the
    body's median pixel by the normal level.
    """

    view: PlanarView
    pixel_mm: PixelSize
    body: BoolArray
    frame: BodyFrame
    is_whole: bool
    level: NormalLevel
    uptake: Counts
    body_share: float
    regions: RegionMap | None = None
    no_regions: str = ""

    @property
    def image(self) -> ViewImage:
        """What kernels take of a stated view, head up."""
        return ViewImage(
            counts=self.view.head_up,
            body=self.body,
            frame=self.frame,
            pixel_mm=self.pixel_mm,
            is_posterior=self.view.name is ViewName.POSTERIOR,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PreparedScan:
    """A study with every view normalised."""

    scan: LoadedScan
    views: tuple[PreparedView, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DetectedView:
    """A view with its hot spots, what each is taken for, and the part that it lies in or nearest to, where known.

    `outputs`: a model's highest output in each spot, 0 to 1, None in what the rules set aside; None without a model.
    """

    prepared: PreparedView
    spots: tuple[HotSpot, ...]
    uptakes: tuple[Uptake, ...]
    parts: tuple[PlanarPart | None, ...]
    outputs: tuple[float | None, ...] | None = None

    def __post_init__(self) -> None:
        if not len(self.spots) == len(self.uptakes) == len(self.parts):
            raise ValueError("every hot spot is taken for something and has a part or None")
        if self.outputs is not None and len(self.outputs) != len(self.spots):
            raise ValueError("with a model every hot spot has its output or None")

    def output_of(self, spot: int) -> float | None:
        """The model's highest output in a spot; None where none was asked, or the rules set the spot aside."""
        return None if self.outputs is None else self.outputs[spot]

    @property
    def candidates(self) -> tuple[int, ...]:
        """Which of the hot spots are candidates for a lesion."""
        return tuple(index for index, uptake in enumerate(self.uptakes) if uptake is Uptake.CANDIDATE)

    def mask_of(self, *, candidates: bool) -> BoolArray:
        """The pixels of all candidates, or of everything that was set aside (row, column)."""
        mask = np.zeros(self.prepared.body.shape, dtype=np.bool_)
        for spot, uptake in zip(self.spots, self.uptakes, strict=True):
            if (uptake is Uptake.CANDIDATE) == candidates:
                mask[spot.box] |= spot.mask
        return mask


@dataclass(frozen=True, kw_only=True, slots=True)
class BothViews:
    """The anterior and the posterior whole-body view of one scan, as indices among its views.

    `move` lays the mirrored posterior view onto the anterior one: rows and columns.
    """

    anterior: int
    posterior: int
    move: tuple[int, int]


def both_views(views: Sequence[PreparedView]) -> BothViews | None:
    """The two views that show the same body; None unless there is exactly one whole one of each, on one grid."""
    found = {
        name: [index for index, item in enumerate(views) if item.is_whole and item.view.name is name]
        for name in (ViewName.ANTERIOR, ViewName.POSTERIOR)
    }
    if any(len(indices) != 1 for indices in found.values()):
        return None
    (anterior,), (posterior,) = found[ViewName.ANTERIOR], found[ViewName.POSTERIOR]
    one, other = views[anterior], views[posterior]
    if (one.body.shape, one.pixel_mm) != (other.body.shape, other.pixel_mm):
        return None
    return BothViews(anterior=anterior, posterior=posterior, move=mirror_shift(one.body, other.body))


def uptake_seen_from(views: Sequence[PreparedView], both: BothViews | None) -> tuple[Counts | None, ...]:
    """For each view the other's uptake, mirrored and laid onto it; None for a view without a counterpart."""
    others: list[Counts | None] = [None] * len(views)
    if both is not None:
        front, back = views[both.anterior], views[both.posterior]
        rows, columns = both.move
        others[both.anterior] = _laid(back.uptake, (rows, columns))
        others[both.posterior] = _laid(front.uptake, (-rows, columns))
    return tuple(others)


def _laid(uptake: Counts, move: tuple[int, int]) -> Counts:
    """The mirrored image moved by whole pixels, 0 where it does not reach."""
    moved = np.zeros_like(uptake)
    target, source = [], []
    for step, count in zip(move, uptake.shape, strict=True):
        target.append(slice(max(0, step), min(count, count + step)))
        source.append(slice(max(0, -step), min(count, count - step)))
    moved[tuple(target)] = uptake[:, ::-1][tuple(source)]
    return moved
