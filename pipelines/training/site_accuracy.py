"""How often finding sites are right, against label maps: of places in bone, and of simulated lesions.

    python -c "from pathlib import Path; from pipelines.training.site_accuracy import accuracy, lines; \
print(*lines(accuracy(sorted(Path('cohort').glob('patient-*/*/*')))), sep='\n')"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.codes import Laterality, SiteCertainty
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from operators.kernels.bone import segment_bone
from operators.kernels.skeleton_sites.atlas_namer import AtlasNamer
from operators.kernels.skeleton_sites.sites import LEFT, RIGHT, NamedSite, SkeletonMap
from operators.readers.volume import read_volume
from operators.simulation.anatomy.bones import Bone as SimulatedBone
from operators.simulation.anatomy.bones import Side
from operators.simulation.truth.model import LabelKind
from operators.simulation.truth.read import load_truth
from pipelines.ct.branch import profile

PLACES = 20_000
"""Voxels of bone that are asked of each image."""
_RADIUS_MM = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """Places or lesions in one kind of bone, and how their names compare with the truth.

    `exact` have the bone's own name, `neighbour` that of the next vertebra or rib, `part` and `region` a coarser name
    that is true, `none` no name, `wrong` another. Of those in bones of two sides `right_side` and `wrong_side`; the
    others' side was withheld.
    """

    kind: str
    count: int = 0
    exact: int = 0
    neighbour: int = 0
    part: int = 0
    region: int = 0
    none: int = 0
    wrong: int = 0
    right_side: int = 0
    wrong_side: int = 0

    def __add__(self, other: Tally) -> Tally:
        names = [name for name in self.__slots__ if name != "kind"]
        return Tally(kind=self.kind, **{name: getattr(self, name) + getattr(other, name) for name in names})


def judge(site: NamedSite, *, bone: Bone, side: int) -> Tally:
    """One name against the truth; `side` is 1 left, -1 right, 0 of a bone in the midline."""
    sides = {LEFT: Laterality.LEFT, RIGHT: Laterality.RIGHT}
    verdict = "wrong"
    if site.certainty == SiteCertainty.NONE:
        verdict = "none"
    elif site.site == bone.code:
        verdict = "exact"
    elif site.site in {other.code for other in _beside(bone)}:
        verdict = "neighbour"
    elif site.site == bone.part:
        verdict = "part"
    elif site.site == bone.region:
        verdict = "region"
    right = bool(side and site.laterality == sides[side])
    wrong = bool(side and site.laterality is not None and not right)
    kind = bone.part.meaning if bone.is_vertebra or bone.is_rib else bone.name.capitalize()
    return Tally(kind=kind, count=1, right_side=int(right), wrong_side=int(wrong)) + Tally(kind=kind, **{verdict: 1})


def _beside(bone: Bone) -> tuple[Bone, ...]:
    if bone.is_vertebra:
        index = VERTEBRAE.index(bone)
        return VERTEBRAE[max(0, index - 1) : index] + VERTEBRAE[index + 1 : index + 2]
    if bone.is_rib:
        return tuple(other for other in Bone if other.is_rib and abs(other - bone) == 1)
    return ()


def places(
    skeleton: SkeletonMap,
    geometry: VolumeGeometry,
    truth: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]],
    *,
    seed: int = 1,
) -> dict[str, Tally]:
    """Names of balls of 8 mm about random voxels of true bone (value of `Bone`, and side), by kind of bone."""
    bones, sides = truth
    voxels = np.argwhere(bones > 0)
    chosen = np.random.default_rng(seed).choice(len(voxels), size=min(PLACES, len(voxels)), replace=False)
    reach = [max(1, int(_RADIUS_MM / step)) for step in geometry.spacing_mm]
    tallies: dict[str, Tally] = {}
    for voxel in voxels[np.sort(chosen)[:: max(1, len(chosen) // 2000)]]:
        low = np.maximum(voxel - reach, 0)
        high = np.minimum(voxel + np.asarray(reach) + 1, geometry.shape)
        z, y, x = (int(value) for value in low)
        mask = CroppedMask(
            grid_shape=geometry.shape, origin=(z, y, x), values=np.ones(tuple(high - low), dtype=np.bool_)
        )
        site = skeleton.site_of(mask, geometry, limits=profile().sites.lesion)
        at = tuple(int(value) for value in voxel)
        _count(tallies, judge(site, bone=Bone(int(bones[at])), side=int(sides[at])))
    return tallies


def accuracy(studies: Iterable[Path]) -> dict[str, dict[str, Tally]]:
    """Tallies of places and of lesions over simulated CT studies (folders with `dicom` and `truth`)."""
    totals: dict[str, dict[str, Tally]] = {"places": {}, "lesions": {}}
    for study in studies:
        volume = read_volume(sorted(path for path in (study / "dicom").rglob("*") if path.is_file()))
        work = segment_bone(volume.array, volume.geometry, profile=profile().skeleton)
        skeleton = AtlasNamer(limits=profile().sites.atlas)(work, volume.geometry)
        truth = load_truth(study / "truth")
        series = next(item for item in truth.study.series if LabelKind.BONES in item.files)
        labels = without_sides(truth.labels(series.series_uid, LabelKind.BONES).values)
        for tally in places(skeleton, volume.geometry, labels).values():
            _count(totals["places"], tally)
        lesions = truth.labels(series.series_uid, LabelKind.LESIONS).values
        for lesion in truth.study.lesions:
            mask = lesions == lesion.label
            bone, side = bone_of(lesion.bone)
            if mask.any() and bone is not None:
                site = skeleton.site_of(CroppedMask.from_array(mask), volume.geometry, limits=profile().sites.lesion)
                _count(totals["lesions"], judge(site, bone=bone, side=side))
    return totals


def bone_of(bone: SimulatedBone) -> tuple[Bone | None, int]:
    """A simulated bone and its side; None for a sixth lumbar vertebra."""
    name = bone.name.removesuffix("_LEFT").removesuffix("_RIGHT")
    return Bone.__members__.get(name), {Side.LEFT: LEFT, Side.RIGHT: RIGHT, None: 0}[bone.side]


def without_sides(bones: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
    """The simulator's labels as those of `Bone`, and the sides; a sixth lumbar vertebra has no label."""
    table, side = np.zeros(256, dtype=np.uint8), np.zeros(256, dtype=np.int8)
    for bone in SimulatedBone:
        plain, side[bone] = bone_of(bone)
        table[bone] = 0 if plain is None else plain
    return table[bones], side[bones]


def lines(totals: Mapping[str, Mapping[str, Tally]]) -> list[str]:
    """The tallies as tables of Markdown, per cent of the count."""
    rows = []
    for what, tallies in totals.items():
        rows += [
            "",
            f"| {what} in | count | exact | next level | part | region | none | wrong | side right | side wrong |",
        ]
        rows.append("| --- |" + " --- |" * 9)
        whole = sum(tallies.values(), start=Tally(kind="**all**"))
        for tally in (*(tallies[kind] for kind in sorted(tallies)), whole):
            parts = (tally.exact, tally.neighbour, tally.part, tally.region, tally.none, tally.wrong)
            shares = " | ".join(f"{100.0 * value / max(1, tally.count):.0f}" for value in parts)
            rows.append(f"| {tally.kind} | {tally.count} | {shares} | {tally.right_side} | {tally.wrong_side} |")
    return rows


def _count(tallies: dict[str, Tally], tally: Tally) -> None:
    tallies[tally.kind] = tallies[tally.kind] + tally if tally.kind in tallies else tally
