"""Bone scintigrams and SPECT of normal people against a real scan, published uptake, and the laws of counting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.bones import LUMBAR, THORACIC, Bone
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.compose import SceneBuilder
from operators.simulation.fidelity.row import Row
from operators.simulation.fidelity.scintigram import REAL_QUANTILES, REAL_SCAN, body_quantiles, region_ratios
from operators.simulation.fields.planar import planar_field
from operators.simulation.fields.spect import spect_field
from operators.simulation.matter import Matter
from operators.simulation.patient import Patient, Physiology
from operators.simulation.physics.planar import expected_kilocounts, planar_truth, scan_planar
from operators.simulation.physics.spect import scan_spect
from operators.simulation.physics.uptake import suv_palette
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol
from operators.simulation.scene import Scene
from operators.simulation.tracer import Tracer

_MAN = PersonSpec(seed=3, sex=Sex.MALE, height_cm=172.0, weight_kg=95.0, size_variation=0.0)
"""As tall and about as stout as the man of the real scan looks."""
_WOMAN = PersonSpec(seed=0, sex=Sex.FEMALE, height_cm=163.0, weight_kg=60.0, size_variation=0.0)
_AVERAGE = Physiology(spread=0.0)
_FRAME_UID = "2.25.1"
_PLANAR = PlanarProtocol(pixel_mm=2.26, kilocounts=3600.0)
_SPECT = SpectProtocol(uptake_minutes=180.0, centre=Bone.T12, length_mm=420.0)
_REGION_SHARE, _QUANTILE_SHARE = 0.35, 0.15
_REAL = "[P] within {:.0%} of one real scan, JPEG-LL.dcm of pydicom-data"
_ROHANI = "Rohani 2020: {}, body weight, 286 vertebrae of 30 women"
Values = npt.NDArray[np.float32]


def rows(builder: SceneBuilder) -> list[Row]:
    """A man's whole-body scan, a woman's SPECT of the spine."""
    return [*_planar_rows(builder), *_spect_rows(builder), *_time_rows()]


def _planar_rows(builder: SceneBuilder) -> Iterator[Row]:
    field = planar_field(_PLANAR, builder.anatomy, _MAN, frame_of_reference_uid=_FRAME_UID)
    scene = builder.scene(Patient(person=_MAN, physiology=_AVERAGE), field)
    expected = scan_planar(scene, _PLANAR, seed=1, noise=False).photopeak
    counted = scan_planar(scene, _PLANAR, seed=1).photopeak
    ratios = region_ratios(expected[0], planar_truth(scene, _PLANAR).bones[0], pixel_mm=_PLANAR.pixel_mm)
    for name, real in REAL_SCAN.items():
        yield _against(f"planar MDP, {name} by medial thigh", ratios[name], real, _REGION_SHARE)
    for percentile, share in body_quantiles(counted[0]).items():
        name = f"planar MDP, percentile {percentile} of the body by the median"
        yield _against(name, share, REAL_QUANTILES[percentile], _QUANTILE_SHARE)
    bright = expected > 5.0
    chi_square = float(np.mean((counted[bright] - expected[bright]) ** 2 / expected[bright]))
    yield Row(
        quantity="planar, variance of the counts by their mean",
        value=chi_square,
        unit="",
        low=0.98,
        high=1.02,
        source="Poisson",
    )
    yield Row(
        quantity="planar, expected anterior counts by the protocol's",
        value=float(expected[0].sum(dtype=np.float64)) / (_PLANAR.kilocounts * 1000.0),
        unit="",
        low=0.999,
        high=1.001,
        source="the protocol",
    )
    yield Row(
        quantity="planar, posterior by anterior counts",
        value=float(expected[1].sum() / expected[0].sum()),
        unit="",
        low=None,
        high=None,
        source="physics of the model",
    )
    yield Row(
        quantity="planar, anterior counts at 680 MBq, 3 h, 15 cm/min",
        value=expected_kilocounts(scene, _PLANAR) / 1000.0,
        unit="million",
        low=1.0,
        high=4.0,
        source="EANM 2016 asks for 1.5 million a view or more (clinical reference 2); [P] limits",
    )


def _against(quantity: str, value: float, real: float, share: float) -> Row:
    low, high = real * (1.0 - share), real * (1.0 + share)
    return Row(quantity=quantity, value=value, unit="", low=low, high=high, source=_REAL.format(share))


def _spect_rows(builder: SceneBuilder) -> Iterator[Row]:
    field = spect_field(_SPECT, builder.anatomy, _WOMAN, frame_of_reference_uid=_FRAME_UID)
    scene = builder.scene(Patient(person=_WOMAN, physiology=_AVERAGE), field)
    expected, counted = _suv(scene, _SPECT, noise=False), _suv(scene, _SPECT, noise=True)
    whole = [bone for bone in THORACIC + LUMBAR if _lies_inside(scene, bone)]
    yield Row(
        quantity="MDP SPECT, SUVmean of a whole vertebra without noise, woman",
        value=float(np.mean([expected[scene.bone_labels == bone].mean() for bone in whole])),
        unit="SUVbw",
        low=3.92 - 0.27,
        high=3.92 + 0.27,
        source=_ROHANI.format("3.92 +- 0.27"),
    )
    yield Row(
        quantity="MDP SPECT, SUVmax of a whole vertebra with noise, woman",
        value=float(np.mean([counted[scene.bone_labels == bone].max() for bone in whole])),
        unit="SUVbw",
        low=6.51 - 0.72,
        high=6.51 + 0.72,
        source=_ROHANI.format("6.51 +- 0.72"),
    )
    muscle = (scene.matter == Matter.MUSCLE) & (scene.bone_fraction == 0) & (expected > 0.2) & (expected < 0.6)
    longer = _suv(scene, replace(_SPECT, seconds_per_view=4.0 * _SPECT.seconds_per_view), noise=True)
    noise, less = (float(np.std(seen[muscle] / expected[muscle])) for seen in (counted, longer))
    yield Row(
        quantity="SPECT, noise in muscle",
        value=100.0 * noise,
        unit="%",
        low=10.0,
        high=35.0,
        source="[P] what the noise gain is chosen for",
    )
    yield Row(
        quantity="SPECT, noise at four times the counts by noise",
        value=less / noise,
        unit="",
        low=0.45,
        high=0.55,
        source="Poisson: one half",
    )


def _suv(scene: Scene, protocol: SpectProtocol, *, noise: bool) -> Values:
    bqml = scan_spect(scene, protocol, seed=5, noise=noise).values
    left = protocol.tracer.nuclide.left_after(protocol.uptake_minutes * 60.0)
    return bqml * np.float32(float(scene.person["weight_kg"]) * 1000.0 / (protocol.dose_mbq * 1e6 * left))


def _lies_inside(scene: Scene, bone: Bone) -> bool:
    found = np.flatnonzero((scene.bones == bone).any(axis=(1, 2)))
    return len(found) > 0 and found[0] > 0 and int(found[-1]) < scene.geometry.shape[0] - 1


def _time_rows() -> Iterator[Row]:
    ratios = []
    for hours in (2.0, 4.0, 6.0):
        palette = suv_palette(Tracer.MDP, person={"spread": 0.0}, uptake_minutes=60.0 * hours)
        ratios.append(float(palette.spongiosa[Bone.L3] / palette.matter[Matter.MUSCLE]))
    for early, late, first, second in ((2, 4, ratios[0], ratios[1]), (4, 6, ratios[1], ratios[2])):
        yield Row(
            quantity=f"MDP, vertebra by muscle, {late} h against {early} h",
            value=second / first,
            unit="",
            low=1.05,
            high=None,
            source="Shintawati 2015: hot spots and BSI rise from 2 to 4 to 6 h; [P] limit",
        )
