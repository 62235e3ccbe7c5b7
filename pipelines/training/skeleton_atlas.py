"""Makes the atlas of `operators.kernels.skeleton_sites` from simulated people.

    python -c "from pathlib import Path; from pipelines.training.skeleton_atlas import make; make(Path('atlas.npz'), \
cache=Path('cache'))"

Twenty-one people and their mirror images, in two postures of the arms; about ten minutes of one core.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.geometry import BoolArray
from operators.kernels.skeleton_sites.atlas import ATLAS_ID, PATH_LIMITS
from operators.kernels.skeleton_sites.frame import Coarse, spine_path, upright_below
from operators.simulation.anatomy.build import AnatomyBuilder
from operators.simulation.anatomy.person import Arms, PersonSpec
from pipelines.training.site_accuracy import without_sides

FIRST_SEED = 900_000
PEOPLE = 21
_GRID_MM = 4.0
_FINE_MM = 4.0
_COARSE_MM = 8.0
_LOWEST_MM, _HIGHEST_MM = -1100.0, 1300.0
_FRONT_MM, _BACK_MM, _SIDE_MM = -200.0, 136.0, 304.0
_REACH_MM = 30.0
"""Cells within this distance of a bone of some person are given the nearest bone."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelledPerson:
    """A person on a grid of 4 mm (z up, y to the back, x to the left): `bones` uint8 as in `Bone`, left and right
    alike; `body` inside the skin."""

    bones: npt.NDArray[np.uint8]
    body: BoolArray
    arms_up: bool


def simulated_people(*, cache: Path, people: int = PEOPLE) -> Iterator[LabelledPerson]:
    """People without malformation, lying straight, every other one with the arms above the head."""
    builder = AnatomyBuilder(cache, keep=False)
    for index in range(people):
        drawn = PersonSpec.drawn(FIRST_SEED + index)
        arms = Arms.BESIDE_BODY if index % 2 else Arms.ABOVE_HEAD
        posture = dataclasses.replace(drawn.posture, roll_deg=0.0, yaw_deg=0.0, pitch_deg=0.0, arms=arms)
        spec = dataclasses.replace(drawn, sixth_lumbar=False, missing_twelfth_ribs=False, posture=posture)
        grid = builder.whole_body(spec, spacing_mm=_GRID_MM, frame_of_reference_uid="2.25.0")
        volume = builder.volume(spec, grid)
        yield LabelledPerson(bones=without_sides(volume.bones)[0], body=volume.body, arms_up=arms is Arms.ABOVE_HEAD)


def make(path: Path, *, cache: Path) -> None:
    """Write the atlas of the shipped size. The same package versions give the same bytes."""
    path.write_bytes(atlas_bytes(simulated_people(cache=cache)))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Seen:
    """A person seen from the spine: own heights of the landmarks, fine labels (n, v, u) with u to both sides."""

    landmarks_mm: FloatArray
    slices_mm: FloatArray
    labels: npt.NDArray[np.uint8]
    arms_up: bool


def atlas_bytes(people: Iterable[LabelledPerson]) -> bytes:
    """The atlas of people as the bytes of its file."""
    seen = [_see(person) for person in people]
    reference = np.mean([person.landmarks_mm for person in seen], axis=0)
    fine_heights = np.arange(_LOWEST_MM, _HIGHEST_MM, _FINE_MM)
    sheets = []
    for arms_up in (True, False):
        group = [person for person in seen if person.arms_up is arms_up]
        sheets.append(_sheet(group, reference, fine_heights))
    v_mm, u_mm = _axes(_FINE_MM)
    half = u_mm[len(u_mm) // 2 :]
    step = int(_COARSE_MM / _FINE_MM)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "id": np.array(ATLAS_ID),
        "occupied": np.stack([_coarse(occupied, step) for occupied, _ in sheets]),
        "bones": np.stack([bones for _, bones in sheets]),
        "heights_mm": _blocks(fine_heights, step),
        "v_mm": _blocks(v_mm, step),
        "u_mm": half[::step],
        "fine_heights_mm": fine_heights,
        "fine_v_mm": v_mm,
        "fine_u_mm": half,
        "centre_mm": reference[_VERTEBRA_ROWS],
        "people": np.array(len(seen)),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _axes(step: float) -> tuple[FloatArray, FloatArray]:
    side = np.arange(0.0, _SIDE_MM + step / 2.0, step)
    return np.arange(_FRONT_MM, _BACK_MM, step), np.concatenate([-side[:0:-1], side])


def _blocks(axis: FloatArray, step: int) -> FloatArray:
    return np.asarray(axis[: len(axis) // step * step].reshape(-1, step).mean(axis=1))


_VERTEBRA_ROWS = slice(1, 1 + len(VERTEBRAE))
"""Of the landmarks: top of the skull, C1 to L5, upper end of the sacrum, lowest point of hips, femora, feet."""


def _see(person: LabelledPerson) -> _Seen:
    coarse = Coarse.of(person.bones > 0, person.body, spacing_mm=(_GRID_MM,) * 3, grid_mm=PATH_LIMITS.grid_mm)
    path = spine_path(coarse, limits=PATH_LIMITS)
    sacrum = np.flatnonzero((person.bones == Bone.SACRUM).any(axis=(1, 2)))[-1]
    path = upright_below(path, slice_index=float(sacrum), step_mm=_GRID_MM)
    v_mm, u_mm = _axes(_FINE_MM)
    rows = path.middle_mm[:, 0, None, None] + v_mm[None, :, None]
    columns = path.middle_mm[:, 1, None, None] + u_mm[None, None, :]
    planes = np.arange(len(path.middle_mm), dtype=np.float64)[:, None, None]
    places = np.broadcast_arrays(planes, rows / _GRID_MM, columns / _GRID_MM)
    labels = ndimage.map_coordinates(person.bones, places, order=0, mode="constant")
    heights: FloatArray = np.arange(len(labels), dtype=np.float64) * _GRID_MM
    near = labels[:, np.abs(v_mm) <= 12.0][:, :, np.abs(u_mm) <= 12.0]

    def middle(bone: Bone) -> float:
        count = (near == bone).sum(axis=(1, 2))
        return float(np.average(heights, weights=count))

    def end(bone: Bone, which: int) -> float:
        return float(heights[np.flatnonzero((person.bones == bone).any(axis=(1, 2)))[which]])

    upper = (end(Bone.SACRUM, -1) + middle(Bone.L5)) / 2.0
    marks = [end(Bone.SKULL, -1), *(middle(bone) for bone in VERTEBRAE), upper]
    marks += [end(bone, 0) for bone in (Bone.HIP, Bone.FEMUR, Bone.FOOT)]
    return _Seen(
        landmarks_mm=np.asarray(marks) - upper,
        slices_mm=np.asarray(heights - upper, dtype=np.float64),
        labels=labels,
        arms_up=person.arms_up,
    )


def _sheet(
    group: list[_Seen], reference: FloatArray, heights: FloatArray
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Share of people (and of their mirror images) with bone (height, v, |u|), and the likeliest bone there."""
    shape = (len(heights), *(len(axis) for axis in _axes(_FINE_MM)))
    middle = shape[2] // 2
    votes: dict[int, npt.NDArray[np.float32]] = {}
    for person in group:
        own = _extrapolated(heights, reference[::-1], person.landmarks_mm[::-1])
        index = np.rint((own - person.slices_mm[0]) / _GRID_MM).astype(int)
        valid = (index >= 0) & (index < len(person.labels))
        whole = np.zeros(shape, dtype=np.uint8)
        whole[valid] = person.labels[index[valid]]
        for half in (whole[:, :, middle:], whole[:, :, middle::-1]):
            for bone in np.unique(half):
                if bone:
                    vote = votes.setdefault(int(bone), np.zeros(half.shape, dtype=np.float32))
                    vote += (half == bone) / np.float32(2 * len(group))
    occupied: npt.NDArray[np.float32] = np.asarray(np.sum(list(votes.values()), axis=0, dtype=np.float32))
    likeliest, highest = np.zeros(occupied.shape, dtype=np.uint8), np.zeros(occupied.shape, dtype=np.float32)
    for bone, vote in sorted(votes.items()):
        smooth = ndimage.gaussian_filter(vote, 1.0)
        likeliest[smooth > highest] = bone
        highest = np.maximum(highest, smooth)
    known = highest > 0.01
    distance, nearest = ndimage.distance_transform_edt(~known, sampling=_FINE_MM, return_indices=True)
    bones = np.where(distance <= _REACH_MM, likeliest[tuple(nearest)], 0).astype(np.uint8)
    return occupied, bones


def _extrapolated(heights: FloatArray, reference: FloatArray, own: FloatArray) -> FloatArray:
    """Heights of the reference as a person's own: linear between landmarks, as long beyond them."""
    inner = np.interp(heights, reference, own)
    inner = np.where(heights < reference[0], own[0] + heights - reference[0], inner)
    return np.asarray(np.where(heights > reference[-1], own[-1] + heights - reference[-1], inner))


def _coarse(occupied: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.uint8]:
    """Blurred to the coarse grid: blocks along height and v; along u samples, so that the midline stays one."""
    blurred = ndimage.gaussian_filter(occupied, 1.0, mode="nearest")
    heights, rows, _ = (size // step * step for size in blurred.shape)
    blocks = blurred[:heights, :rows, ::step].reshape(heights // step, step, rows // step, step, -1).mean(axis=(1, 3))
    return np.asarray(np.rint(255.0 * np.clip(blocks, 0.0, 1.0)), dtype=np.uint8)
