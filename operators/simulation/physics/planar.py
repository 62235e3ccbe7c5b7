"""Whole-body scintigrams: both views of a scene, and where its lesions and bones lie on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.images import PlanarScan, PlanarTruth
from operators.simulation.physics import camera_table as table
from operators.simulation.physics.attenuation import mu_palette
from operators.simulation.physics.camera import counted_share, photopeak_window
from operators.simulation.physics.filters import generator, poisson
from operators.simulation.physics.mixture import paint
from operators.simulation.physics.planar_view import ANT, POST, View, enlarged, seen
from operators.simulation.physics.uptake import activity_bqml, suv_map
from operators.simulation.protocols.planar import COLUMNS, PIXELS_A_VOXEL, ROWS, PlanarProtocol
from operators.simulation.scene import Scene

_NOISE_STREAM = 61
_HALF = 0.5
"""Of a voxel's depth: what a ray must cross of a lesion or bone to count as its shadow."""


def scan_planar(
    scene: Scene, protocol: PlanarProtocol, *, seed: int, noise: bool = True, device: str = "cpu"
) -> PlanarScan:
    """Both views of a whole-body sweep.

    The anterior photopeak frame has the protocol's counts on average; everything else follows. Without
    noise the counts are their expected values.

    Args:
        scene: on the grid of `fields.planar.planar_field` with the same protocol; else ValueError.
        protocol: of the sweep.
        seed: of the counting noise.
        noise: whether counts are Poisson.
        device: where to compute.
    """
    expected = _expected(scene, protocol, device=device)
    total = float(expected.photopeak[ANT].sum(dtype=torch.float64))
    if total <= 0:
        raise ValueError("nothing in the scene is radioactive: no scan has the protocol's counts")
    random = generator(seed, _NOISE_STREAM, device=device)

    def counted(frame: torch.Tensor) -> npt.NDArray[np.float32]:
        scaled = frame * (protocol.kilocounts * 1000.0 / total)
        return np.asarray((poisson(scaled, random=random) if noise else scaled).cpu().numpy())

    return PlanarScan(
        photopeak=counted(expected.photopeak),
        scatter=None if expected.scatter is None else counted(expected.scatter),
        pixel_mm=protocol.pixel_mm,
        to_pixel=to_pixel(scene.geometry),
    )


def expected_kilocounts(
    scene: Scene,
    protocol: PlanarProtocol,
    *,
    sensitivity_cps_mbq: float = table.SENSITIVITY_CPS_MBQ,
    device: str = "cpu",
) -> float:
    """Thousands of anterior photopeak counts that dose, uptake time, speed and the camera's sensitivity give.

    A cohort that wants counts, dose and speed to agree takes `kilocounts` from here.
    """
    expected = _expected(scene, protocol, device=device)
    seconds = table.DETECTOR_LENGTH_MM / (protocol.scan_speed_cm_min * 10.0 / 60.0)
    in_air = float(counted_share(1.0, photopeak_window(table.SENSITIVITY_WINDOW_PERCENT)))
    mbq = float(expected.photopeak[ANT].sum(dtype=torch.float64)) / in_air
    return mbq * sensitivity_cps_mbq * seconds / 1000.0


def views_of(
    scene: Scene, protocol: PlanarProtocol, *, uptakes: Iterable[npt.NDArray[np.float32]], device: str = "cpu"
) -> Iterator[npt.NDArray[np.float32]]:
    """What parts of the body's uptake give to both views, one after another: float32 (2, row, column).

    Counting is linear in the activity, so the images of parts add up to that of their sum; whoever
    needs many scans of one body weighs and adds these instead of projecting anew. The unit is
    `scan_planar`'s before it is scaled to the protocol's counts: MBq as counted in the photopeak.

    Args:
        scene: whose body attenuates and scatters; on the grid of `planar_field`, else ValueError.
        protocol: of the sweep.
        uptakes: SUVbw (slice, row, column) on the scene's grid; parts may be negative.
        device: where to compute.
    """
    _check_grid(scene, protocol)
    rows = _rows_with_body(scene)
    bodies = _views(scene, protocol, rows=rows, device=device)
    window = photopeak_window(protocol.energy_window_percent)
    for uptake in uptakes:
        suv = torch.from_numpy(np.ascontiguousarray(uptake[rows])).to(device)
        activity = _activity_mbq(suv, scene, protocol)
        frames = [
            dataclasses.replace(view, activity=seen(activity, view.number)).counts(
                protocol, window, higher_orders=table.HIGHER_ORDERS
            )
            for view in bodies
        ]
        yield np.stack([np.asarray(_placed(frame, rows).cpu().numpy()) for frame in frames])


def planar_truth(scene: Scene, protocol: PlanarProtocol) -> PlanarTruth:
    """Where lesions and bones lie on both views, by straight projection; a lesion in the image has a pixel at least.

    Raises ValueError where the scene is not on the protocol's grid.
    """
    _check_grid(scene, protocol)
    lesions = np.zeros((len(scene.lesion_names), 2, ROWS, COLUMNS), dtype=np.bool_)
    for number in range(1, len(scene.lesion_names) + 1):
        part = torch.from_numpy(np.where(scene.lesions == number, scene.lesion_fraction, 0).astype(np.float32) / 255.0)
        for view in (ANT, POST):
            crossed = _crossed(seen(part, view))
            lesions[number - 1, view] = (crossed >= min(_HALF, _HALF * float(crossed.max()))) & (crossed > 0)
    return PlanarTruth(lesions=lesions, bones=_bone_truth(scene, protocol))


def to_pixel(geometry: VolumeGeometry) -> npt.NDArray[np.float64]:
    """(2, 2, 4): from LPS millimetres to (row, column) of the anterior and the posterior view."""
    step = geometry.spacing_mm[0]
    pixel = step / PIXELS_A_VOXEL
    slices, _, columns = geometry.shape
    top = geometry.matrix[2, 3] + (slices - _HALF) * step - pixel / 2.0
    left = geometry.matrix[0, 3] - step / 2.0 + pixel / 2.0
    matrix = np.zeros((2, 2, 4))
    matrix[:, 0, 2], matrix[:, 0, 3] = -1.0 / pixel, top / pixel
    matrix[ANT, 1, 0], matrix[ANT, 1, 3] = 1.0 / pixel, -left / pixel
    last = columns * PIXELS_A_VOXEL - 1
    matrix[POST, 1, 0], matrix[POST, 1, 3] = -1.0 / pixel, last + left / pixel
    return matrix


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Expected:
    """MBq as counted in each pixel, float32 (2, row, column)."""

    photopeak: torch.Tensor
    scatter: torch.Tensor | None


def _expected(scene: Scene, protocol: PlanarProtocol, *, device: str) -> _Expected:
    _check_grid(scene, protocol)
    rows = _rows_with_body(scene)
    views = _views(scene, protocol, rows=rows, device=device)
    windows = [(photopeak_window(protocol.energy_window_percent), table.HIGHER_ORDERS)]
    if protocol.scatter_window:
        windows.append((table.LOWER_WINDOW, table.HIGHER_ORDERS_LOWER))
    frames = [
        torch.stack([_placed(view.counts(protocol, window, higher_orders=orders), rows) for view in views])
        for window, orders in windows
    ]
    return _Expected(photopeak=frames[0], scatter=frames[1] if protocol.scatter_window else None)


def _views(scene: Scene, protocol: PlanarProtocol, *, rows: slice, device: str) -> list[View]:
    nuclide = protocol.tracer.nuclide
    suv = suv_map(scene, tracer=protocol.tracer, uptake_minutes=protocol.uptake_minutes, device=device, slices=rows)
    mu = paint(scene, mu_palette(nuclide.photon_kev, person=scene.person), device=device, slices=rows)
    activity = _activity_mbq(suv, scene, protocol)
    step = scene.geometry.spacing_mm[0]
    return [View.of(number, activity=activity, mu=mu, step_mm=step) for number in (ANT, POST)]


def _activity_mbq(suv: torch.Tensor, scene: Scene, protocol: PlanarProtocol) -> torch.Tensor:
    """MBq in each voxel."""
    bqml = activity_bqml(
        suv,
        tracer=protocol.tracer,
        dose_mbq=protocol.dose_mbq,
        weight_kg=float(scene.person["weight_kg"]),
        minutes=protocol.uptake_minutes,
    )
    return bqml * (scene.geometry.voxel_volume_ml * 1e-6)


def _rows_with_body(scene: Scene) -> slice:
    """The slices that hold anything, with room for blur below and above."""
    layers = (scene.matter, scene.bones, scene.lesions, scene.decoys)
    filled = np.stack([layer.max(axis=(1, 2)) for layer in layers]).max(axis=0)
    found = np.flatnonzero(filled)
    if not len(found):
        raise ValueError("nobody lies in the field of view")
    margin = round(table.EMPTY_MARGIN_MM / scene.geometry.spacing_mm[0])
    return slice(max(0, int(found[0]) - margin), min(len(filled), int(found[-1]) + 1 + margin))


def _placed(image: torch.Tensor, rows: slice) -> torch.Tensor:
    """A view of some slices in the whole image."""
    whole = torch.zeros((ROWS, COLUMNS), dtype=image.dtype, device=image.device)
    last = ROWS - PIXELS_A_VOXEL * rows.start
    whole[last - image.shape[0] : last] = image
    return whole


def _check_grid(scene: Scene, protocol: PlanarProtocol) -> None:
    """Raise ValueError where a scene's grid is not that of `planar_field`."""
    geometry = scene.geometry
    step = PIXELS_A_VOXEL * protocol.pixel_mm
    matrix = np.zeros((3, 3))
    matrix[0, 2] = matrix[1, 1] = matrix[2, 0] = step
    slices, _, columns = geometry.shape
    fits = (slices * PIXELS_A_VOXEL, columns * PIXELS_A_VOXEL) == (ROWS, COLUMNS)
    if not fits or not np.allclose(geometry.matrix[:3, :3], matrix, atol=1e-6):
        raise ValueError(f"a planar scan is projected from cubes of {step:g} mm on the grid of planar_field")


def _crossed(part: torch.Tensor) -> npt.NDArray[np.float32]:
    """How many voxels a pixel's ray crosses of something (depth, row, column): (row, column) of the image."""
    return np.asarray((enlarged(part.sum(dim=0)) * PIXELS_A_VOXEL**2).numpy())


def _bone_truth(scene: Scene, protocol: PlanarProtocol) -> npt.NDArray[np.uint8]:
    rows = slice(0, scene.geometry.shape[0])
    fraction = torch.from_numpy(scene.bone_fraction.astype(np.float32) / 255.0)
    labels = torch.from_numpy(scene.bones)
    truth = np.zeros((2, ROWS, COLUMNS), dtype=np.uint8)
    for view in _views(scene, protocol, rows=rows, device="cpu"):
        bone = seen(fraction, view.number)
        counts = view.activity * bone * view.transmission()
        names = seen(labels, view.number)
        truth[view.number] = _brightest(names, counts, bone)
    return truth


def _brightest(names: torch.Tensor, counts: torch.Tensor, bone: torch.Tensor) -> npt.NDArray[np.uint8]:
    """The bone that gives each pixel most counts, where the ray crosses half a voxel of bone or more."""
    _, rows, columns = names.shape
    known, number = torch.unique(names, return_inverse=True)
    depth, row, column = torch.nonzero(bone, as_tuple=True)
    place = (number[depth, row, column] * rows + row) * columns + column
    given = torch.bincount(place, weights=counts[depth, row, column], minlength=len(known) * rows * columns)
    best = torch.zeros((ROWS, COLUMNS))
    found = torch.zeros((ROWS, COLUMNS), dtype=torch.uint8)
    for name, own in zip(known, given.float().reshape(len(known), rows, columns), strict=True):
        spread = enlarged(own)
        better = spread > best
        best = torch.where(better, spread, best)
        found[better] = name
    crossed = torch.from_numpy(_crossed(bone))
    return np.asarray(torch.where(crossed >= _HALF, found, 0).to(torch.uint8).numpy())
