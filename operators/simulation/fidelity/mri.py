"""MR images of a lumbar spine with one lesion against published diffusion, fat and contrast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmnode.domain.geometry import VolumeGeometry
from operators.simulation.anatomy.bones import LUMBAR, Bone
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.compose import SceneBuilder
from operators.simulation.disease import tables
from operators.simulation.disease.ground import Ground
from operators.simulation.fidelity.row import Row
from operators.simulation.images import Content, Volume
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance, Lesion, LesionType, Patient, Physiology, Shape
from operators.simulation.physics.mri import scan_mri
from operators.simulation.physics.mri_grid import MrField, Plane
from operators.simulation.physics.mri_properties import Properties
from operators.simulation.protocols.mri import MrProtocol, Sequence
from operators.simulation.scene import Scene

_MAN = PersonSpec(seed=0, sex=Sex.MALE, height_cm=176.0, weight_kg=73.0, size_variation=0.0)
_PROTOCOL = MrProtocol(bias_field=0.0, slice_mm=5.0, gap_mm=0.5)
_SHAPE, _SPACING_MM = (22, 76, 72), (5.5, 2.5, 2.5)
_FRONT_MM = 65.0
"""Of the field before the vertebra; the rest of it lies behind, to the skin and the air beyond."""
_PERSONS = 200
_ADULTS = "422 +- 67 um2/s, 100 adults, 1.5 T (PMC8161193)"
_MESSIOU = "Messiou 2011"

Mask = npt.NDArray[np.bool_]
Range = tuple[float | None, float | None]


def rows(builder: SceneBuilder) -> list[Row]:
    """Every row about MRI: one small patient, and the tissues of two hundred people."""
    lumbar = _Lumbar(builder)
    return [*_diffusion(lumbar), *_fat(lumbar), *_contrast(lumbar), *_noise(lumbar), *_people()]


class _Lumbar:
    """The reference man's L2 to L4 with a lytic lesion in L3, and what was measured there."""

    def __init__(self, builder: SceneBuilder) -> None:
        ground = Ground.of(builder.anatomy.skeleton(_MAN), builder.anatomy.templates)
        carrier = ground.main_part(Bone.L3)
        nodes = carrier.nodes()
        x, y, z = (float(value) for value in nodes[int(np.argmax(carrier.depth_mm(nodes)))])
        self.field = _field(carrier.to_lps(np.array([[x, y, z]]))[0])
        self.look = _typical_lytic()
        lesion = Lesion(
            name="m001",
            bone=Bone.L3,
            lesion_type=LesionType.LYTIC,
            shapes=(Shape(centre_mm=(x, y, z), radii_mm=(12.0,) * 3),),
            appearance=self.look,
            sclerotic_share=0.0,
        )
        patient = Patient(person=_MAN, lesions=(lesion,), physiology=Physiology(spread=0.0))
        scene = builder.scene(patient, self.field.scene_geometry)
        self.regions = _regions(scene, self.field)
        self.quiet = _by_content(scan_mri(scene, _PROTOCOL, self.field, seed=1, noise=False))
        self.noisy = _by_content(scan_mri(scene, _PROTOCOL, self.field, seed=1))

    def mean(self, content: Content, region: str, *, b_value: int | None = None) -> float:
        """Of the noise-free image."""
        return float(self.quiet[content, b_value].values[self.regions[region]].mean())

    def ratio(self, content: Content, region: str, to: str = "muscle", *, b_value: int | None = None) -> float:
        """Of two regions in the noise-free image."""
        return self.mean(content, region, b_value=b_value) / self.mean(content, to, b_value=b_value)


def _diffusion(lumbar: _Lumbar) -> Iterator[Row]:
    truth = Properties.of({"spread": 0.0}, field_strength_t=_PROTOCOL.field_strength_t)
    of = {
        "muscle": truth.matter.adc_um2_s[Matter.MUSCLE],
        "marrow": truth.spongiosa.adc_um2_s[Bone.L3],
        "lesion": lumbar.look.adc_um2_s,
    }
    quiet, noisy = (images[Content.ADC_UM2_S, None].values for images in (lumbar.quiet, lumbar.noisy))
    worst = max(float(np.abs(quiet[lumbar.regions[name]] - value).max()) for name, value in of.items())
    yield _row(
        "MR ADC without noise, largest error in pure voxels",
        worst,
        "um2/s",
        within=(0.0, 1.0),
        source="[P] fit gives the truth",
    )
    for name, low, high, source in (
        ("marrow", None, 655.0, f"below the threshold of abnormal marrow, 655 um2/s ({_MESSIOU})"),
        ("lesion", 598.0, 1510.0, f"metastases and myeloma 1054 +- 456 um2/s ({_MESSIOU})"),
    ):
        value = float(np.median(noisy[lumbar.regions[name]]))
        yield _row(f"MR ADC with noise, median of lumbar {name}", value, "um2/s", within=(low, high), source=source)
    for b_value, low, high in ((50, 1.2, 2.2), (900, 2.3, 4.1)):
        value = lumbar.ratio(Content.DWI, "marrow", b_value=b_value)
        source = f"{(low + high) / 2:.1f} +- {(high - low) / 2:.1f}, all bones of 100 adults, 1.5 T (PMC8161193)"
        yield _row(f"MR DWI b {b_value}, lumbar marrow to muscle", value, "", within=(low, high), source=source)


def _fat(lumbar: _Lumbar) -> Iterator[Row]:
    fat, water = (lumbar.mean(content, "marrow") for content in (Content.DIXON_FAT, Content.DIXON_WATER))
    yield _row(
        "MR fat fraction of lumbar marrow, Dixon",
        100.0 * fat / (fat + water),
        "%",
        within=(27.0, 60.0),
        source="27 to 35 in young adults (Baum 2018), about 50 from 55 years (AJR 1996, 167:355)",
    )


def _contrast(lumbar: _Lumbar) -> Iterator[Row]:
    known = "a focus as dark as muscle or darker is marrow replacement on T1 [K]"
    yield _row(
        "MR T1, lumbar marrow to muscle", lumbar.ratio(Content.T1, "marrow"), "", within=(1.0, None), source=known
    )
    lesion = lumbar.ratio(Content.T1, "lesion")
    gap = (
        "" if lesion <= 1.0 else "T1 and proton density of `disease.tables` make a purely lytic focus a little brighter"
    )
    yield _row("MR T1, lytic lesion to muscle", lesion, "", within=(None, 1.0), source=known, gap=gap)
    yield _row(
        "MR T1, muscle to subcutaneous fat",
        lumbar.ratio(Content.T1, "muscle", "fat"),
        "",
        within=(0.24, 0.36),
        source="range of five real T1 images (TCIA Soft-tissue-Sarcoma), measured for this table",
    )
    for name, low, high in (("lesion", 1.5, None), ("marrow", None, 1.0), ("fat", None, 0.2)):
        value = lumbar.ratio(Content.STIR, name)
        yield _row(
            f"MR STIR, {name} to muscle",
            value,
            "",
            within=(low, high),
            source="[P] lesions bright, marrow and fat dark",
        )


def _noise(lumbar: _Lumbar) -> Iterator[Row]:
    quiet, noisy = (images[Content.T1, None].values for images in (lumbar.quiet, lumbar.noisy))
    muscle, air = lumbar.regions["muscle"], lumbar.regions["air"]
    ratio = float(quiet[muscle].mean() / (noisy - quiet)[muscle].std())
    asked = _PROTOCOL.signal_to_noise
    yield _row(
        "MR T1, signal-to-noise ratio of muscle",
        ratio,
        "",
        within=(0.9 * asked, 1.1 * asked),
        source=f"[P] protocol: {asked:g}",
    )
    rayleigh = float(noisy[air].mean() / noisy[air].std())
    source = "1.913 (Rayleigh noise of a magnitude image, Gudbjartsson 1995)"
    yield _row("MR T1, mean to standard deviation of air", rayleigh, "", within=(1.85, 1.98), source=source)


def _people() -> Iterator[Row]:
    """The marrow of many people, straight from their properties."""
    own = [
        Properties.of({"person_seed": number, "seed": number, "spread": 1.0}, field_strength_t=1.5).spongiosa
        for number in range(_PERSONS)
    ]
    bones = [int(bone) for bone in (*LUMBAR[:5], Bone.HIP_LEFT, Bone.HIP_RIGHT, Bone.SACRUM)]
    diffusion = np.array([person.adc_um2_s[bones].mean() for person in own])
    fat = 100.0 * np.array([person.fat_fraction[[int(bone) for bone in LUMBAR[:4]]].mean() for person in own])
    yield _row(
        "MR ADC of marrow, mean of 200 people", float(diffusion.mean()), "um2/s", within=(355.0, 489.0), source=_ADULTS
    )
    yield _row(
        "MR ADC of marrow, SD of 200 people",
        float(diffusion.std()),
        "um2/s",
        within=(45.0, 90.0),
        source=f"[P] near {_ADULTS}",
    )
    source = "6.0 to 8.0 within one decade of age (Baum 2018)"
    yield _row("MR fat fraction of L1 to L4, SD of 200 people", float(fat.std()), "%", within=(6.0, 8.0), source=source)


def _row(quantity: str, value: float, unit: str, *, within: Range, source: str, gap: str = "") -> Row:
    low, high = within
    return Row(quantity=quantity, value=value, unit=unit, low=low, high=high, source=source, known_gap=gap)


def _typical_lytic() -> Appearance:
    """The middle of every range that lytic metastases are drawn from."""
    return Appearance(
        lytic_hu=tables.LYTIC_HU[0],
        adc_um2_s=tables.ADC_UM2_S[LesionType.LYTIC][0],
        t1_ms=float(np.mean(tables.T1_MS)),
        t2_ms=float(np.mean(tables.T2_MS[LesionType.LYTIC])),
        proton_density=float(np.mean(tables.PROTON_DENSITY)),
        fat_fraction=float(np.mean(tables.FAT_FRACTION)),
    )


def _field(centre: npt.NDArray[np.float64]) -> MrField:
    """An axial field around a place in L3, from some way in front of it to the air behind the back."""
    matrix = np.zeros((4, 4))
    matrix[2, 0], matrix[1, 1], matrix[0, 2], matrix[3, 3] = *_SPACING_MM, 1.0
    half = [step * (count - 1) / 2.0 for step, count in zip(_SPACING_MM, _SHAPE, strict=True)]
    matrix[:3, 3] = centre[0] - half[2], centre[1] - _FRONT_MM, centre[2] - half[0]
    geometry = VolumeGeometry.from_matrix(matrix, shape=_SHAPE, frame_of_reference_uid="1.2.3")
    sequences = (Sequence.T1, Sequence.STIR, Sequence.DIXON, Sequence.DWI)
    return MrField(sequences=sequences, plane=Plane.AXIAL, geometry=geometry, slices_of_scene=3)


def _regions(scene: Scene, field: MrField) -> Mapping[str, Mask]:
    """Voxels that hold one thing alone, their neighbours and the parts of their slice included."""
    whole, flesh = scene.bone_fraction == 255, scene.bone_fraction == 0
    healthy = whole & (scene.cortex_fraction == 0) & (scene.lesion_fraction == 0)
    parts = {
        "marrow": healthy & np.isin(scene.bones, [int(bone) for bone in LUMBAR]),
        "lesion": whole & (scene.lesion_fraction == 255) & (scene.sclerosis == 0),
        "muscle": flesh & (scene.matter == Matter.MUSCLE),
        "fat": flesh & (scene.matter == Matter.FAT),
        "air": flesh & (scene.matter == Matter.AIR),
    }
    shape = (field.geometry.shape[0], field.slices_of_scene, *field.geometry.shape[1:])
    disc = np.ones((1, 5, 5), dtype=bool)
    pure = {name: ndimage.binary_erosion(part, disc).reshape(shape).all(axis=1) for name, part in parts.items()}
    empty = [name for name, mask in pure.items() if not mask.any()]
    if empty:
        raise ValueError(f"the field holds no pure {', '.join(empty)}")
    return pure


def _by_content(volumes: tuple[Volume, ...]) -> dict[tuple[Content, int | None], Volume]:
    return {(volume.content, volume.b_value): volume for volume in volumes}
