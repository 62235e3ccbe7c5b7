"""Make the atlas of planar regions from simulated people.

    python -m pipelines.training.bone_scan.make_atlas OUT CACHE

Every person is placed in the body's frame; the mean of all is registered to each, each is brought
back to the mean, and the mean is taken anew. A mirrored copy of everybody keeps the sides alike.
The same seeds and simulator give the same file on the same machine; it takes about half a minute a
person. The file that comes along was made at revision 389b9bc; an atlas that is made anew is to be
measured, and to get another id.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from operators.kernels.planar_regions.atlas import ATLAS_FILE, CHANCE_STEPS, LOOK_STEPS, UPPER_STEPS, PlanarAtlas
from operators.kernels.planar_regions.atlas_regions import AtlasRule
from operators.kernels.planar_regions.contract import ViewImage
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap, mirrored
from operators.kernels.planar_regions.placement import FRAME_SHAPE, Placement, feature
from operators.kernels.planar_regions.registration import Displacement, Image, register, warped
from operators.kernels.scintigraphy import normal_level, skeleton_mask, smooth
from pipelines.bone_scan.profile import BoneScanProfile, load
from pipelines.training.bone_scan.simulated import SimulatedViews, healthy_people, parts_of_bones, view_images

ATLAS_ID = "ATLAS_SIM24_V2"
SEEDS = tuple(range(770000, 770024))
"""Of the people; no other cohort of the project draws from them."""
_ROUNDS = 3
_UPPER_QUANTILE = 0.9


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Placed:
    """One view of one person in the body's frame, seen as from the front."""

    look: Image
    parts: PartMap
    uptake: Image
    """Smoothed as for hot spots, by the normal skeleton's level."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Mean:
    """One view of the atlas, before it is stored."""

    look: Image
    chances: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]


def make_atlas(
    people: Iterable[SimulatedViews], *, profile: BoneScanProfile, atlas_id: str, source: str
) -> PlanarAtlas:
    """The atlas of some people and their mirror images. Raises ValueError without people."""
    placed: tuple[list[_Placed], list[_Placed]] = ([], [])
    for person in people:
        for number, view in enumerate(view_images(person, rule=profile.body)):
            one = _placed(view, parts_of_bones(person.bones[number]), profile=profile)
            other = _Placed(look=one.look[:, ::-1], parts=mirrored(one.parts), uptake=one.uptake[:, ::-1])
            placed[number].extend((one, other))
    if not placed[0]:
        raise ValueError("an atlas is made from one person or more")
    views = [_mean_of(found, rule=profile.regions) for found in placed]
    return PlanarAtlas(
        id=atlas_id,
        source=source,
        look=np.stack([_stored(view.look, LOOK_STEPS) for view in views]),
        chances=np.stack([_stored(view.chances, CHANCE_STEPS) for view in views]),
        upper=np.stack([_stored(view.upper, UPPER_STEPS) for view in views]),
    )


def _placed(view: ViewImage, parts: PartMap, *, profile: BoneScanProfile) -> _Placed:
    """Raises ValueError where a view shows no skeleton."""
    place = Placement.of(view)
    skeleton = skeleton_mask(view.counts, view.body, pixel_mm=view.pixel_mm, rule=profile.skeleton)
    level = normal_level(view.counts[skeleton], rule=profile.normalisation)
    if level is None:
        raise ValueError("a simulated view shows no skeleton")
    uptake = smooth(view.counts, sigma_mm=profile.hot_spots.smoothing_mm, pixel_mm=view.pixel_mm)
    flip = slice(None, None, -1 if view.is_posterior else 1)
    return _Placed(
        look=place.on_frame(feature(view, rule=profile.regions.feature)),
        # Only the image is mirrored: the parts' sides are the patient's in both views.
        parts=place.parts_on_frame(np.ascontiguousarray(parts[:, flip])),
        uptake=place.on_frame(uptake[:, flip] / level.counts_per_pixel),
    )


def _mean_of(people: list[_Placed], *, rule: AtlasRule) -> _Mean:
    """The mean look, the share of the people that have each part (part, row, column) where it is, the upper uptake."""
    look = _average([one.look for one in people])
    fields: list[Displacement] = []
    for _ in range(_ROUNDS):
        fields = [register(look, one.look, rule=rule.fit) for one in people]
        brought = [warped(one.look, field) for one, field in zip(people, fields, strict=True)]
        look = _average(brought)
    shares = np.zeros((len(PART_NUMBERS) + 1, *FRAME_SHAPE))
    for one, field in zip(people, fields, strict=True):
        for number in range(len(PART_NUMBERS) + 1):
            shares[number] += warped((one.parts == number).astype(np.float32), field)
    uptakes = [warped(one.uptake, field) for one, field in zip(people, fields, strict=True)]
    return _Mean(look=look, chances=shares / len(people), upper=np.quantile(uptakes, _UPPER_QUANTILE, axis=0))


def _average(images: list[Image]) -> Image:
    return np.asarray(np.stack(images).mean(axis=0, dtype=np.float64), dtype=np.float32)


def _stored(values: npt.NDArray[np.floating], steps: float) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values * steps), 0, 255), dtype=np.uint8)


def main() -> None:
    """Write the atlas into the folder OUT; CACHE keeps the simulator's depth fields."""
    out, cache = Path(sys.argv[1]), Path(sys.argv[2])
    profile = load()
    atlas = make_atlas(
        healthy_people(SEEDS, cache_dir=cache),
        profile=profile,
        atlas_id=ATLAS_ID,
        source=f"bmnode simulate: {len(SEEDS)} people without lesions, seeds {SEEDS[0]} to {SEEDS[-1]}, and mirrored",
    )
    (out / ATLAS_FILE).write_bytes(atlas.to_bytes())


if __name__ == "__main__":
    main()
