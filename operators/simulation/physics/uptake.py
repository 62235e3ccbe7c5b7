"""How much of a tracer is where: SUVbw of everything in a scene, and the activity that it stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from operators.simulation.anatomy.bones import Bone
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance
from operators.simulation.physics import uptake_table as table
from operators.simulation.physics.filters import FWHM_PER_SIGMA
from operators.simulation.physics.mixture import Palette, Table, paint
from operators.simulation.scene import Scene
from operators.simulation.tracer import Tracer

Person = Mapping[str, float | str]
IntArray = npt.NDArray[np.int64]
_ORGAN_STREAM, _SIDE_STREAM, _BONE_STREAM, _SKELETON_STREAM, _UNSPECIFIC_STREAM, _JOINT_STREAM = range(41, 47)
_TRACER_NUMBER = {tracer: number for number, tracer in enumerate(Tracer)}


def suv_palette(tracer: Tracer, *, person: Person, uptake_minutes: float) -> Palette:
    """SUVbw of every matter and bone of one person, decay-corrected to the injection as SUV is.

    Each organ's uptake is log-normal between people; the two of a pair share most of it.

    Args:
        tracer: what was injected.
        person: `Scene.person`: its `person_seed`, `seed` and `spread` (0 is the reference everybody) are used.
        uptake_minutes: from injection to scan.
    """
    draw = _Draw.of(tracer, person)
    hours = (uptake_minutes - table.REFERENCE_MINUTES[tracer]) / 60.0
    cortex, spongiosa, yellow = _bone_tables(tracer, draw=draw, hours=hours)
    return Palette(
        matter=_matter_table(tracer, draw=draw, hours=hours),
        cortex=cortex,
        spongiosa=spongiosa,
        yellow=yellow,
        focus=lambda appearance: _focus(appearance, tracer),
    )


def suv_map(
    scene: Scene, *, tracer: Tracer, uptake_minutes: float, device: str = "cpu", slices: slice | None = None
) -> torch.Tensor:
    """SUVbw in every voxel, float32 (slice, row, column): the palette, and what depends on the place.

    Bone seekers gather where bones meet; PSMA tracers show unspecific foci in some people.

    Args:
        scene: the patient.
        tracer: what was injected.
        uptake_minutes: from injection to scan.
        device: of the result.
        slices: only these slices, to bound memory.
    """
    palette = suv_palette(tracer, person=scene.person, uptake_minutes=uptake_minutes)
    suv = paint(scene, palette, device=device, slices=slices)
    if table.JOINT_GAIN.get(tracer, 0.0) > 0:
        suv *= 1.0 + joint_gain(scene, tracer=tracer, device=device, slices=slices)
    return _with_unspecific_foci(suv, scene, tracer=tracer, slices=slices)


def activity_bqml(
    suv: torch.Tensor, *, tracer: Tracer, dose_mbq: float, weight_kg: float, minutes: float
) -> torch.Tensor:
    """Activity concentration in Bq/mL some minutes after the injection of a dose (SUVbw, 1 mL taken as 1 g)."""
    left = tracer.nuclide.left_after(minutes * 60.0)
    return suv * (dose_mbq * 1e6 * left / (weight_kg * 1000.0))


def joint_gain(scene: Scene, *, tracer: Tracer, device: str = "cpu", slices: slice | None = None) -> torch.Tensor:
    """How much more of a bone seeker bone takes up near another bone: 0 away from joints and in foci.

    Float32 (slice, row, column). The reach is kept on every grid by a blend of two whole numbers of voxels.
    """
    count = scene.geometry.shape[0]
    first, last, _ = (slice(None) if slices is None else slices).indices(count)
    exact = [max(1.0, table.JOINT_REACH_MM / step) for step in scene.geometry.spacing_mm]
    reach = [int(steps) for steps in exact]
    halo = reach[0] + 1
    low, high = max(0, first - halo), min(count, last + halo)
    bones = torch.from_numpy(scene.bones[low:high]).to(device)
    gains = torch.from_numpy(_joint_gains(tracer, scene.person)).to(device)
    largest = _widest(bones, reach)
    smallest = _widest(torch.where(bones == 0, 0, 255 - bones), reach)
    near = _gain(gains, largest, smallest, bones)
    far = _gain(gains, _widest(largest, [1, 1, 1]), _widest(smallest, [1, 1, 1]), bones)
    share = sum(steps - int(steps) for steps in exact) / 3.0
    kept = slice(first - low, last - low)
    foci = np.maximum(scene.lesion_fraction[first:last], scene.decoy_fraction[first:last])
    gain = torch.lerp(near[kept], far[kept], share)
    return gain * (1.0 - torch.from_numpy(foci).to(device).float() / 255.0)


def _gain(gains: torch.Tensor, largest: torch.Tensor, smallest: torch.Tensor, bones: torch.Tensor) -> torch.Tensor:
    """The gain of the pair of bones around each voxel of bone; `smallest` counts down from 255."""
    found = torch.zeros(bones.shape, dtype=torch.float32, device=bones.device)
    at = torch.nonzero((bones > 0) & (largest != 255 - smallest), as_tuple=True)
    found[at] = gains[largest[at].int() * 256 + 255 - smallest[at].int()]
    return found


def _widest(labels: torch.Tensor, reach: list[int]) -> torch.Tensor:
    """The largest label (uint8) within some voxels along each axis."""
    for axis, steps in enumerate(reach):
        found, size = labels.clone(), labels.shape[axis]
        for step in range(1, min(steps, size - 1) + 1):
            low, high = found.narrow(axis, 0, size - step), found.narrow(axis, step, size - step)
            torch.maximum(low, labels.narrow(axis, step, size - step), out=low)
            torch.maximum(high, labels.narrow(axis, 0, size - step), out=high)
        labels = found
    return labels


def _joint_gains(tracer: Tracer, person: Person) -> Table:
    """Float32 (65536,), by 256 times the larger label plus the smaller one; every joint of a person has its own."""
    draw = _Draw.of(tracer, person)
    gains = np.zeros((256, 256), dtype=np.float32)
    for one in Bone:
        for other in Bone:
            if other < one and (one.side is None or other.side is None or one.side is other.side):
                kinds = frozenset((one.kind, other.kind))
                own = draw.trait(_JOINT_STREAM, 256 * one + other, table.JOINT_LOG_SD)
                gains[one, other] = table.JOINTS.get(kinds, table.OTHER_JOINTS) * own
    return gains.reshape(-1) * table.JOINT_GAIN[tracer]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Draw:
    """One person's deviations; every one has a random stream of its own, so that tables may grow.

    Organs differ from scan to scan with the physiology's seed, bones only from person to person.
    """

    seed: int
    person: int
    spread: float
    tracer: int

    @classmethod
    def of(cls, tracer: Tracer, person: Person) -> _Draw:
        seed = int(person.get("seed", 0))
        return cls(
            seed=seed,
            person=int(person.get("person_seed", seed)),
            spread=float(person.get("spread", 1.0)),
            tracer=_TRACER_NUMBER[tracer],
        )

    def state(self, stream: int, number: int, log_sd: float) -> float:
        """Log-normal with median 1, of this scan."""
        return self._factor(self.seed, stream, number, log_sd)

    def trait(self, stream: int, number: int, log_sd: float) -> float:
        """Log-normal with median 1, of this person in every scan with the tracer."""
        return self._factor(self.person, stream, number, log_sd)

    def _factor(self, seed: int, stream: int, number: int, log_sd: float) -> float:
        if self.spread * log_sd == 0.0:
            return 1.0
        normal = np.random.default_rng([seed, stream, self.tracer, number]).standard_normal()
        return math.exp(self.spread * log_sd * float(normal))


def _matter_table(tracer: Tracer, *, draw: _Draw, hours: float) -> Table:
    values = np.zeros(256, dtype=np.float32)
    kinds = sorted({matter.kind for matter in Matter})
    for matter in Matter:
        suv, log_sd, per_hour = table.ORGANS[tracer][matter.kind]
        own = draw.state(_ORGAN_STREAM, kinds.index(matter.kind), log_sd)
        if matter >= Matter.LUNG_LEFT:
            own *= draw.trait(_SIDE_STREAM, matter, table.SIDE_LOG_SD)
        values[matter] = suv * own * math.exp(per_hour * hours) * table.SOFT_SCALE.get(tracer, 1.0)
    return values


def _bone_tables(tracer: Tracer, *, draw: _Draw, hours: float) -> tuple[Table, Table, Table]:
    values = np.zeros((3, 256), dtype=np.float32)
    scale, scale_sd, per_hour = table.BONE_SCALE[tracer]
    rising = min(hours, table.BONE_FULL_HOURS.get(tracer, hours))
    whole = scale * draw.trait(_SKELETON_STREAM, 0, scale_sd) * math.exp(per_hour * rising)
    whole *= draw.state(_SKELETON_STREAM, 0, table.RETEST_LOG_SD)
    kinds = sorted({bone.kind for bone in Bone})
    for bone in Bone:
        *parts, log_sd = table.BONES[tracer][bone.kind]
        own = draw.trait(_SKELETON_STREAM, 1 + kinds.index(bone.kind), log_sd)
        own *= draw.trait(_BONE_STREAM, bone, table.SIDE_LOG_SD)
        values[:, bone] = whole * own * np.array(parts)
    return values[0], values[1], values[2]


def _focus(appearance: Appearance, tracer: Tracer) -> tuple[float, float] | None:
    return appearance.suv_ends(tracer)


def _with_unspecific_foci(suv: torch.Tensor, scene: Scene, *, tracer: Tracer, slices: slice | None) -> torch.Tensor:
    """Small foci of low uptake in ribs and pelvis, which look like metastases and are not."""
    share = table.UNSPECIFIC_SHARE.get(tracer, 0.0)
    draw = _Draw.of(tracer, scene.person)
    random = np.random.default_rng([draw.person, _UNSPECIFIC_STREAM, draw.tracer])
    if draw.spread <= 0 or random.random() >= share:
        return suv
    for _ in range(int(random.integers(1, table.UNSPECIFIC_MOST + 1))):
        bone = random.choice([bone for bone in Bone if bone.kind in ("rib", "hip")])
        along, peak = random.random(), random.uniform(*table.UNSPECIFIC_SUV)
        sigma = random.uniform(*table.UNSPECIFIC_FWHM_MM) / FWHM_PER_SIGMA
        places = np.argwhere((scene.bones == bone) & (scene.bone_fraction >= 128))
        if len(places):
            centre = places[int(along * len(places))]
            suv = torch.maximum(suv, peak * _spot(scene, centre, sigma, slices=slices).to(suv.device))
    return suv


def _spot(scene: Scene, centre: IntArray, sigma: float, *, slices: slice | None) -> torch.Tensor:
    """A Gaussian of height 1 about a voxel, in bone alone."""
    part = slice(None) if slices is None else slices
    axes = [np.arange(size) for size in scene.geometry.shape]
    axes[0] = axes[0][part]
    profiles = [
        np.exp(-0.5 * ((axis - at) * step / sigma) ** 2).astype(np.float32)
        for axis, at, step in zip(axes, centre, scene.geometry.spacing_mm, strict=True)
    ]
    z, y, x = (torch.from_numpy(profile) for profile in profiles)
    bone = torch.from_numpy(np.ascontiguousarray(scene.bone_fraction[part])).float() / 255.0
    return z[:, None, None] * y[None, :, None] * x[None, None, :] * bone
