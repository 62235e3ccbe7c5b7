"""Hounsfield units, uptake, noise and recovery of small CT and PET fields against what is published or chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.compose import SceneBuilder
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.one_per_bone import one_per_bone
from operators.simulation.fidelity.row import Row
from operators.simulation.fields.ct import stack
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance, LesionType, Patient, Physiology
from operators.simulation.physics.ct import CtScanner, scan_ct
from operators.simulation.physics.pet import reference_minutes, resolution_mm, scan_pet
from operators.simulation.protocols.ct import Contrast, CtProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.scene import ARRAYS, Scene
from operators.simulation.tracer import Tracer

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

_MAN = PersonSpec(seed=0, sex=Sex.MALE, height_cm=176.0, weight_kg=73.0, size_variation=0.0, osteopenia=0.3)
_CT = CtProtocol(slice_mm=1.5, increment_mm=1.5, pixel_mm=1.5, field_mm=420.0, couch=False)
_FRAME = "2.25.1"
_BALLS_MM = (10.0, 20.0)
_LESION_RADIUS_MM = 8.0
_COUNTS = "photon statistics"


def rows(builder: SceneBuilder) -> list[Row]:
    """A slab of a reference man through L1, L2 and his liver, a thigh, and balls of activity."""
    patient = _patient(builder)
    skeleton = builder.anatomy.skeleton(_MAN)
    middle = (skeleton.centre(Bone.L1) + skeleton.centre(Bone.L2)) / 2.0
    ct_scene = builder.scene(patient, _slab(middle, spacing=(1.5, 1.5, 1.5), slices=40, width=280))
    pet_scene = builder.scene(patient, _slab(middle, spacing=(4.0, 4.0, 4.0), slices=24, width=140))
    return [
        *_tissue_rows(ct_scene),
        *_lesion_rows(ct_scene),
        *_voltage_rows(ct_scene),
        *_cortex_rows(builder, patient),
        *_ct_noise_rows(ct_scene),
        *_uptake_rows(pet_scene),
        *_pet_noise_rows(pet_scene),
        *_recovery_rows(),
    ]


def _patient(builder: SceneBuilder) -> Patient:
    """The reference man with a sclerotic lesion in L1 and a lytic one in L2."""
    ground = Ground.of(builder.anatomy.skeleton(_MAN), builder.anatomy.templates)
    found = {
        lesion.bone: lesion
        for lesion in one_per_bone(ground, radius_mm=_LESION_RADIUS_MM, appearance=Appearance())
        if lesion.bone in (Bone.L1, Bone.L2)
    }
    return Patient(
        person=_MAN,
        lesions=(found[Bone.L1], replace(found[Bone.L2], lesion_type=LesionType.LYTIC, sclerotic_share=0.0)),
        physiology=Physiology(spread=0.0),
    )


def _slab(
    middle: npt.NDArray[np.float64], *, spacing: tuple[float, float, float], slices: int, width: int
) -> VolumeGeometry:
    return stack(
        centre_mm=(0.0, float(middle[1]) - 30.0, float(middle[2])),
        spacing_mm=spacing,
        shape=(slices, width, width),
        tilt_deg=0.0,
        frame_of_reference_uid=_FRAME,
    )


def _within(mask: BoolArray, steps: int) -> BoolArray:
    """Voxels whose neighbours within some steps along each axis belong to the mask too."""
    inner = mask.copy()
    for axis in range(3):
        for shift in range(-steps, steps + 1):
            inner &= np.roll(mask, shift, axis=axis)
    return inner


def _of(scene: Scene, matter: Matter, *, steps: int) -> BoolArray:
    return _within((scene.matter == matter) & (scene.bone_fraction == 0), steps)


def _tissue_rows(scene: Scene) -> Iterator[Row]:
    values = scan_ct(scene, _CT, seed=1, noise=False).values
    for name, matter, low, high in (
        ("liver", Matter.LIVER, 45.0, 65.0),
        ("muscle", Matter.MUSCLE, 40.0, 65.0),
        ("fat", Matter.FAT, -115.0, -85.0),
        ("air", Matter.AIR, -1005.0, -995.0),
    ):
        yield Row(
            quantity=f"CT, {name}, 120 kVp",
            value=float(values[_of(scene, matter, steps=3)].mean()),
            unit="HU",
            low=low,
            high=high,
            source="[P] textbooks of CT",
        )
    spongiosa = _within((scene.bone_fraction == 255) & (scene.lesion_fraction == 0) & (scene.cortex_fraction == 0), 2)
    yield Row(
        quantity="CT, spongiosa of lumbar vertebrae, 120 kVp",
        value=float(values[spongiosa].mean()),
        unit="HU",
        low=89.0,
        high=226.0,
        source="Jang 2019, Radiology 291:360: means above 89 years and below 30",
    )


def _lesion_rows(scene: Scene) -> Iterator[Row]:
    values = scan_ct(scene, _CT, seed=1, noise=False).values
    for number, name, low, high, source in (
        (1, "sclerotic", 654.0 - 176.0, 654.0 + 176.0, "Ulano 2016: untreated osteoblastic metastases 654 +- 176"),
        (2, "lytic", 0.0, 100.0, "[P] CT_TYPE_V1: soft tissue below 100"),
    ):
        inside = _within((scene.lesions == number) & (scene.lesion_fraction == 255), 1)
        yield Row(
            quantity=f"CT, {name} metastasis of 16 mm, mean",
            value=float(values[inside].mean()),
            unit="HU",
            low=low,
            high=high,
            source=source,
        )


def _voltage_rows(scene: Scene) -> Iterator[Row]:
    spongiosa = _within((scene.bone_fraction == 255) & (scene.lesion_fraction == 0) & (scene.cortex_fraction == 0), 2)
    blood = _of(scene, Matter.BLOOD, steps=2)
    for contrast, where, name, low, high in (
        (Contrast.NONE, spongiosa, "spongiosa", 1.25, 1.50),
        (Contrast.PORTAL_VENOUS, blood, "enhanced blood", 1.25, 1.65),
    ):
        mean = {}
        for kvp in (80.0, 120.0):
            protocol = replace(_CT, kvp=kvp, contrast=contrast)
            mean[kvp] = float(scan_ct(scene, protocol, seed=1, noise=False).values[where].mean())
        yield Row(
            quantity=f"CT, {name}, HU at 80 kVp by those at 120",
            value=mean[80.0] / mean[120.0],
            unit="",
            low=low,
            high=high,
            source="[P] mass attenuation of bone and iodine (NIST SRD 126) at effective energies",
        )


def _cortex_rows(builder: SceneBuilder, patient: Patient) -> Iterator[Row]:
    femur = builder.anatomy.skeleton(_MAN).vertices(Bone.FEMUR_LEFT)
    middle = (femur.min(axis=0) + femur.max(axis=0)) / 2.0
    geometry = stack(
        centre_mm=(float(middle[0]), float(middle[1]), float(middle[2])),
        spacing_mm=(1.5, 0.8, 0.8),
        shape=(4, 128, 128),
        tilt_deg=0.0,
        frame_of_reference_uid=_FRAME,
    )
    scene = builder.scene(patient, geometry)
    values = scan_ct(scene, replace(_CT, pixel_mm=0.8), seed=1, noise=False).values
    yield Row(
        quantity="CT, cortex of the femur's shaft",
        value=float(values[scene.cortex_fraction == 255].mean()),
        unit="HU",
        low=1300.0,
        high=2000.0,
        source="[P] around ICRU 44 cortical bone (1609 at 120 kVp)",
    )


def _ct_noise_sd(scene: Scene, protocol: CtProtocol, liver: BoolArray) -> float:
    """Of noise alone, without the texture of tissues."""
    slices = range(8)
    noisy = replace(CtScanner.of(scene, protocol, seed=2, noise=True), texture=None).slices(slices)
    still = CtScanner.of(scene, protocol, seed=2, noise=False).slices(slices)
    return float((noisy - still).numpy()[liver[:8]].std())


def _ct_noise_rows(scene: Scene) -> Iterator[Row]:
    liver = _of(scene, Matter.LIVER, steps=2)
    plain = _ct_noise_sd(scene, _CT, liver)
    yield Row(
        quantity="CT, noise in the liver: 120 kVp, 150 mAs, 1.5 mm, standard kernel",
        value=plain,
        unit="HU",
        low=15.0,
        high=30.0,
        source="[P] 11 to 13 HU at 5 mm in abdomens",
    )
    for name, protocol, factor in (
        ("four times the dose", replace(_CT, effective_mas=4.0 * _CT.effective_mas), 0.5),
        ("twice the slice thickness", replace(_CT, slice_mm=2.0 * _CT.slice_mm), math.sqrt(0.5)),
    ):
        yield Row(
            quantity=f"CT, noise with {name} by noise without",
            value=_ct_noise_sd(scene, protocol, liver) / plain,
            unit="",
            low=factor - 0.05,
            high=factor + 0.05,
            source=_COUNTS,
        )


def _suv(scene: Scene, protocol: PetProtocol, *, noise: bool = False) -> FloatArray:
    values = scan_pet(scene, protocol, seed=3, noise=noise).values
    left = protocol.tracer.nuclide.left_after(60.0 * reference_minutes(protocol))
    return np.asarray(values * (float(scene.person["weight_kg"]) * 1000.0 / (protocol.dose_mbq * 1e6 * left)))


def _uptake_rows(scene: Scene) -> Iterator[Row]:
    marrow = (scene.bone_fraction == 255) & (scene.lesion_fraction == 0) & (scene.cortex_fraction < 64)
    places = {
        "liver": _of(scene, Matter.LIVER, steps=3),
        "blood in the aorta": _of(scene, Matter.BLOOD, steps=1),
        "lumbar vertebra": _within(marrow, 1),
    }
    for tracer, name, low, high in (
        (Tracer.FDG, "liver", 1.7, 2.7),
        (Tracer.FDG, "blood in the aorta", 1.2, 2.0),
        (Tracer.FDG, "lumbar vertebra", 0.9, 1.7),
        (Tracer.PSMA_11, "liver", 3.0, 7.0),
        (Tracer.PSMA_11, "blood in the aorta", 1.0, 2.3),
        (Tracer.NAF, "lumbar vertebra", 5.0, 11.0),
    ):
        found = _suv(scene, PetProtocol(tracer=tracer))
        yield Row(
            quantity=f"PET, {tracer.value}, {name}, mean in the image",
            value=float(found[places[name]].mean()),
            unit="SUVbw",
            low=low,
            high=high,
            source="[P] clinical reports of normal scans",
        )


def _pet_noise_rows(scene: Scene) -> Iterator[Row]:
    liver = _of(scene, Matter.LIVER, steps=2)
    still = _suv(scene, PetProtocol())[liver]

    def variation(seconds: float) -> float:
        return float((_suv(scene, PetProtocol(seconds_per_bed=seconds), noise=True)[liver] / still).std())

    plain = variation(150.0)
    yield Row(
        quantity="PET, FDG, variation in the liver: 280 MBq, 60 min, 150 s, 73 kg",
        value=100.0 * plain,
        unit="%",
        low=7.0,
        high=15.0,
        source="[P] about what EANM's FDG guideline 2.0 (2015) asks of a liver: 10 to 15 %",
    )
    yield Row(
        quantity="PET, variation with four times the time by that without",
        value=variation(600.0) / plain,
        unit="",
        low=0.42,
        high=0.58,
        source=_COUNTS,
    )


def _recovery_rows() -> Iterator[Row]:
    protocol = PetProtocol(voxel_mm=2.0, slice_mm=2.0, resolution_mm=6.5)
    for diameter in _BALLS_MM:
        reach = diameter / 2.0 / (resolution_mm(protocol) / (2.0 * math.sqrt(2.0 * math.log(2.0))))
        expected = math.erf(reach / math.sqrt(2.0)) - math.sqrt(2.0 / math.pi) * reach * math.exp(-0.5 * reach**2)
        yield Row(
            quantity=f"PET, recovery in the middle of a ball of {diameter:g} mm, FWHM 6.5 mm",
            value=float(_suv(_ball(diameter / 2.0), protocol).max()) / 10.0,
            unit="",
            low=expected - 0.03,
            high=expected + 0.03,
            source="a ball seen through a Gaussian, closed form",
        )


def _ball(radius_mm: float) -> Scene:
    """A ball of SUV 10 in air, on a grid of 2 mm."""
    size, spacing, fine = 31, 2.0, 5
    geometry = stack(
        centre_mm=(0.0, 0.0, 0.0),
        spacing_mm=(spacing,) * 3,
        shape=(size,) * 3,
        tilt_deg=0.0,
        frame_of_reference_uid=_FRAME,
    )
    along = ((np.arange(size * fine) + 0.5) / fine - size / 2.0) * spacing
    inside = along[:, None, None] ** 2 + along[None, :, None] ** 2 + along[None, None, :] ** 2 <= radius_mm**2
    part = np.rint(255.0 * inside.reshape(size, fine, size, fine, size, fine).mean(axis=(1, 3, 5))).astype(np.uint8)
    arrays = {name: np.zeros(geometry.shape, dtype=np.uint8) for name in ARRAYS}
    arrays |= {"decoys": (part > 0).astype(np.uint8), "decoy_fraction": part}
    return Scene(
        geometry=geometry,
        lesion_names=(),
        lesion_appearances=(),
        decoy_names=("ball",),
        decoy_appearances=(Appearance(suv={Tracer.FDG: 10.0}),),
        person={"weight_kg": 75.0, "seed": 0, "spread": 0.0},
        **arrays,
    )
