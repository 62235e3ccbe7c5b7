"""Lesions and decoys against what is published of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from operators.simulation.anatomy.bones import Bone
from operators.simulation.anatomy.person import PersonSpec, Sex
from operators.simulation.anatomy.voxels import axial_geometry
from operators.simulation.compose import SceneBuilder
from operators.simulation.disease.decoys import draw_decoys
from operators.simulation.disease.draw import draw_carrier, draw_disease
from operators.simulation.disease.facts import facts_of
from operators.simulation.disease.foci import draw_foci
from operators.simulation.disease.ground import Ground
from operators.simulation.disease.piece import CENTRE_TO_EDGE
from operators.simulation.disease.tables import Burden, Site, site_of
from operators.simulation.fidelity.row import Row
from operators.simulation.patient import DecoyKind, Lesion, LesionType, Patient, Primary
from operators.simulation.tracer import Tracer

_MAN = PersonSpec(seed=0, sex=Sex.MALE, height_cm=176.0, weight_kg=73.0, size_variation=0.0, shape_variation=0.0)
_WANG = "Wang 2012, Oncol Lett 5:391, few lesions, +- 2 standard errors"
_ULANO = "Ulano 2016, mean +- SD"
_SPINE_AND_PELVIS = (Site.THORACIC, Site.LUMBAR, Site.PELVIS, Site.SACRUM)
_PUBLISHED: dict[Primary, tuple[int, dict[str, tuple[tuple[Site, ...], float]]]] = {
    Primary.PROSTATE: (
        58,
        {
            "T and L spine, pelvis": (_SPINE_AND_PELVIS, 81.0),
            "lumbar": ((Site.LUMBAR,), 39.7),
            "ribs": ((Site.RIBS,), 8.6),
            "sternum": ((Site.STERNUM,), 1.7),
        },
    ),
    Primary.BREAST: (
        151,
        {
            "T and L spine, pelvis": (_SPINE_AND_PELVIS, 41.7),
            "lumbar": ((Site.LUMBAR,), 13.9),
            "ribs": ((Site.RIBS,), 27.2),
            "sternum": ((Site.STERNUM,), 17.9),
        },
    ),
}
"""Lesions in the source, and per cent of them by group of bones."""
_FEW_LESIONS, _PATIENTS = 600, 8
_GRID_MM = 3.0
_HERE = ("L1", "L2", "L3", "L4", "L5", "SACRUM", "HIP_LEFT", "HIP_RIGHT")


def rows(builder: SceneBuilder) -> list[Row]:
    """Where lesions lie, how dense and how diffusive they are, and that grids keep their volume."""
    ground = Ground.of(builder.anatomy.skeleton(_MAN), builder.anatomy.templates_of(_MAN))
    prostate = _drawn(ground, Primary.PROSTATE, Burden.MULTIPLE, _PATIENTS)
    everybody = [lesion for primary in Primary for lesion in _drawn(ground, primary, Burden.MULTIPLE, 2)]
    return [
        *_places(ground),
        *_densities(builder, ground, prostate),
        *_looks(prostate, everybody),
        _enostoses(builder, ground),
    ]


def _drawn(ground: Ground, primary: Primary, burden: Burden, patients: int) -> list[Lesion]:
    return [
        lesion for seed in range(patients) for lesion in draw_disease(ground, primary=primary, burden=burden, seed=seed)
    ]


def _places(ground: Ground) -> Iterator[Row]:
    for primary, (count, groups) in _PUBLISHED.items():
        random = np.random.default_rng(1)
        carriers = [draw_carrier(ground, primary, burden=Burden.OLIGO, random=random) for _ in range(_FEW_LESIONS)]
        sites = [site_of(carrier.bone) for carrier in carriers]
        for name, (group, percent) in groups.items():
            error = 200.0 * float(np.sqrt(percent / 100.0 * (1.0 - percent / 100.0) / count))
            yield Row(
                quantity=f"share of few {primary.value} metastases in {name}",
                value=100.0 * sum(site in group for site in sites) / len(sites),
                unit="%",
                low=max(percent - error, 0.0),
                high=percent + error,
                source=_WANG,
            )


def _densities(builder: SceneBuilder, ground: Ground, prostate: list[Lesion]) -> Iterator[Row]:
    """How dense sclerotic lesions are, before blur and noise, and what a grid keeps of their volume."""
    dense = [lesion for lesion in prostate if lesion.lesion_type is LesionType.SCLEROTIC]
    means, peaks = [_mean_hu(lesion) for lesion in dense], [lesion.appearance.sclerotic_hu for lesion in dense]
    yield _range("mean HU of sclerotic metastases", float(np.mean(means)), "HU", 654.0, 176.0, _ULANO)
    yield _range("maximum HU of sclerotic metastases", float(np.mean(peaks)), "HU", 787.0, 194.0, _ULANO)
    named = {lesion.bone: lesion for lesion in dense if lesion.bone.name in _HERE and lesion.soft_tissue_mm == 0.0}
    lesions = tuple(dataclasses.replace(lesion, name=bone.name.lower()) for bone, lesion in named.items())
    middle = ground.skeleton.centre(Bone.SACRUM)
    box = axial_geometry(
        middle - np.array([170.0, 140.0, 150.0]),
        middle + np.array([170.0, 50.0, 260.0]),
        spacing_mm=_GRID_MM,
        frame_of_reference_uid="2.25.1",
    )
    patient = Patient(person=_MAN, primary=Primary.PROSTATE, lesions=lesions)
    foci = draw_foci(
        patient,
        skeleton=ground.skeleton,
        anatomy=builder.anatomy.volume(_MAN, box),
        templates=builder.anatomy.templates_of(_MAN),
    )
    held = float(foci.lesion_fraction.sum()) / 255.0 * box.voxel_volume_ml
    yield Row(
        quantity=f"volume of lesions on voxels of {_GRID_MM:g} mm to their own",
        value=held / sum(fact.volume_ml for fact in facts_of(lesions, ground)),
        unit="",
        low=0.97,
        high=1.03,
        source="[P] by fine sampling of the same shapes",
    )


def _mean_hu(lesion: Lesion) -> float:
    """Of a sclerotic lesion as a ball: the mean over its volume."""
    look = lesion.appearance
    return look.lytic_hu + (1.0 - 0.6 * CENTRE_TO_EDGE) * (look.sclerotic_hu - look.lytic_hu)


def _range(quantity: str, value: float, unit: str, mean: float, spread: float, source: str) -> Row:
    return Row(quantity=quantity, value=value, unit=unit, low=mean - spread, high=mean + spread, source=source)


def _looks(prostate: list[Lesion], everybody: list[Lesion]) -> Iterator[Row]:
    adc = [lesion.appearance.adc_um2_s for lesion in everybody]
    yield _range(
        "mean ADC of metastases", float(np.mean(adc)), "um2/s", 1054.0, 456.0, "Messiou 2011, metastases and myeloma"
    )
    viable = "viable tumour in MET-RADS-P (Padhani 2017)"
    yield Row(
        quantity="lowest ADC of a metastasis", value=min(adc), unit="um2/s", low=700.0, high=1400.0, source=viable
    )
    yield Row(
        quantity="highest ADC of a metastasis", value=max(adc), unit="um2/s", low=700.0, high=1400.0, source=viable
    )
    lytic = [lesion.appearance.lytic_hu for lesion in everybody if lesion.lesion_type is LesionType.LYTIC]
    yield Row(
        quantity="densest lytic part", value=max(lytic), unit="HU", low=None, high=100.0, source="[P] CT_TYPE_V1, lytic"
    )
    ratios = [lesion.appearance.suv[Tracer.NAF] / lesion.appearance.suv[Tracer.MDP] for lesion in everybody]
    yield Row(
        quantity="NaF to MDP uptake of metastases, median",
        value=float(np.median(ratios)),
        unit="",
        low=1.12,
        high=1.26,
        source="19 % more in the mean, NaF PET to HDP SPECT (Arvola 2019); +- 0.07 [P]",
    )
    dense = [lesion for lesion in prostate if lesion.lesion_type is LesionType.SCLEROTIC]
    yield Row(
        quantity="share of sclerotic metastases in prostate cancer",
        value=100.0 * len(dense) / len(prostate),
        unit="%",
        low=60.0,
        high=95.0,
        source="[P] mostly sclerotic",
    )


def _enostoses(builder: SceneBuilder, ground: Ground) -> Row:
    body = builder.anatomy.body(_MAN)
    found = [
        decoy.appearance.sclerotic_hu
        for seed in range(12)
        for decoy in draw_decoys(ground, body=body, seed=seed, kinds=(DecoyKind.ENOSTOSIS,))
    ]
    return _range("HU of enostoses, mean", float(np.mean(found)), "HU", 1190.0, 239.0, _ULANO)
