"""Writing the truth of a study."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from bmnode import __version__
from operators.simulation.anatomy.bones import Bone
from operators.simulation.dicom.nuclear import VIEWS
from operators.simulation.dicom.planar import FrameLayout
from operators.simulation.dicom.series import WrittenSeries
from operators.simulation.disease.facts import LesionFacts
from operators.simulation.disease.ground import Ground
from operators.simulation.images import PlanarTruth
from operators.simulation.matter import Matter
from operators.simulation.patient import Appearance, Vector
from operators.simulation.protocols.ct import CtProtocol
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol
from operators.simulation.scene import Scene
from operators.simulation.study import StudyPlan
from operators.simulation.truth.label_maps import PlanarLabels, write_label_map, write_planar_labels
from operators.simulation.truth.model import (
    FILE_NAME,
    FORMAT,
    BonePose,
    DecoyTruth,
    Fate,
    FocusTruth,
    ImagePoint,
    LabelKind,
    LesionTruth,
    Matrix,
    OrganValue,
    SeenLesion,
    SeriesTruth,
    StudyTruth,
)
from operators.simulation.truth.values import organ_values

_DIGITS = 9
"""Significant digits of poses: a nanometre at a metre."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageTruth:
    """One written series with what it was simulated from.

    Args:
        scene: on the grid of the series' volumes; of a planar scan, on the grid that it was projected from.
        shadows: of a planar scan.
        to_pixel: of a planar scan, as `PlanarScan` has it.
    """

    written: WrittenSeries
    scene: Scene
    shadows: PlanarTruth | None = None
    to_pixel: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if (self.shadows is None) != (self.to_pixel is None):
            raise ValueError("a planar scan has shadows and the way to its pixels")


def write_truth(
    folder: Path,
    *,
    plan: StudyPlan,
    ground: Ground,
    facts: Sequence[LesionFacts],
    images: Sequence[ImageTruth],
    fates: Mapping[str, Fate] | None = None,
) -> StudyTruth:
    """Write `truth.json` and the label maps of a study, and return what they say.

    Args:
        folder: made where it does not exist; no DICOM in it.
        ground: the bones as they lie in this study; a bone that it does not carry has no volume.
        facts: of the patient's lesions, in their order.
        images: every series that was written.
        fates: of lesions since the prior and of the prior's that are gone, by name; None takes those of the plan.

    Raises ValueError where a scene or the facts have other lesions than the patient.
    """
    patient = plan.patient
    names = tuple(lesion.name for lesion in patient.lesions)
    if tuple(fact.name for fact in facts) != names or any(image.scene.lesion_names != names for image in images):
        raise ValueError("scenes and facts are those of the patient's lesions, in their order")
    folder.mkdir(parents=True, exist_ok=True)
    known = fates if fates is not None else {name: Fate(kind=kind) for name, kind in plan.fates.items()}
    truth = StudyTruth(
        synthetic=True,
        format=FORMAT,
        versions={"bmnode": __version__, "numpy": np.__version__, "python": platform.python_version()},
        seed=plan.seed,
        study_uid=plan.header.study_uid,
        patient_id=plan.header.patient_id,
        modality=_MODALITIES[type(plan.protocol)],
        primary=None if patient.primary is None else patient.primary.value,
        person={key: value for key, value in _plain(patient.person).items() if key != "posture"},
        posture=_plain(patient.person.posture),
        physiology=_plain(patient.physiology),
        protocol=_plain(plan.protocol),
        habits=_plain(plan.habits),
        patient_digest=patient.digest,
        lesions=_lesions(plan, facts, fates=known),
        gone={name: fate for name, fate in known.items() if name not in names},
        decoys=_decoys(plan),
        bones=_poses(ground),
        values=_values(plan, images),
        label_values=_LABEL_VALUES,
        series=_series(folder, images=images, facts=facts, habits=plan.habits),
    )
    (folder / FILE_NAME).write_bytes(TypeAdapter(StudyTruth).dump_json(truth, indent=1) + b"\n")
    return truth


_MODALITIES: Mapping[type, str] = {
    PlanarProtocol: "planar",
    SpectProtocol: "spect",
    CtProtocol: "ct",
    PetProtocol: "pet",
    MrProtocol: "mri",
}
_LABEL_VALUES: Mapping[LabelKind, Mapping[int, str]] = {
    LabelKind.LESIONS: {0: "no lesion"},
    LabelKind.DECOYS: {0: "no decoy"},
    LabelKind.BONES: {0: "no bone"} | {bone.value: bone.name for bone in Bone},
    LabelKind.ORGANS: {matter.value: matter.name for matter in Matter},
}


def _values(plan: StudyPlan, images: Sequence[ImageTruth]) -> dict[str, tuple[OrganValue, ...]]:
    return organ_values(plan.protocol, person=images[0].scene.person)


def _lesions(plan: StudyPlan, facts: Sequence[LesionFacts], *, fates: Mapping[str, Fate]) -> tuple[LesionTruth, ...]:
    found = []
    for label, (lesion, fact) in enumerate(zip(plan.patient.lesions, facts, strict=True), start=1):
        fate = fates.get(lesion.name, Fate(kind=""))
        found.append(
            LesionTruth(
                name=lesion.name,
                label=label,
                bone=lesion.bone,
                lesion_type=lesion.lesion_type,
                centre_lps=fact.centre_lps if fact.volume_ml > 0.0 else None,
                volume_ml=fact.volume_ml,
                diameters_mm=fact.diameters_mm,
                sclerotic_share=fact.sclerotic_share,
                flesh_share=fact.flesh_share,
                focus=_focus(lesion.appearance),
                fate=fate.kind,
                partners=fate.partners,
                mean_sclerosis=fact.mean_sclerosis,
                sclerosis_range=fact.sclerosis_range,
            )
        )
    return tuple(found)


def _decoys(plan: StudyPlan) -> tuple[DecoyTruth, ...]:
    return tuple(
        DecoyTruth(
            name=decoy.name,
            label=label,
            kind=decoy.kind,
            bone=decoy.bone,
            inside_bone=decoy.inside_bone,
            focus=_focus(decoy.appearance),
        )
        for label, decoy in enumerate(plan.patient.decoys, start=1)
    )


def _focus(appearance: Appearance) -> FocusTruth:
    return FocusTruth(
        suv={tracer.value: value for tracer, value in appearance.suv.items()},
        lytic_hu=appearance.lytic_hu,
        sclerotic_hu=appearance.sclerotic_hu,
        adc_um2_s=appearance.adc_um2_s,
        t1_ms=appearance.t1_ms,
        t2_ms=appearance.t2_ms,
        fat_fraction=appearance.fat_fraction,
        metal=appearance.metal,
        lytic_suv={tracer.value: value for tracer, value in appearance.lytic_suv.items()},
    )


def _poses(ground: Ground) -> tuple[BonePose, ...]:
    parts: dict[Bone, list[Matrix]] = {}
    for placed in ground.skeleton.parts:
        if placed.bone is not None:
            parts.setdefault(placed.bone, []).append(_matrix(placed.affine))
    volumes: dict[Bone, float] = {}
    for carrier in ground.carriers:
        volumes[carrier.bone] = volumes.get(carrier.bone, 0.0) + carrier.volume_ml
    return tuple(
        BonePose(bone=bone, parts=tuple(affines), volume_ml=volumes.get(bone))
        for bone, affines in sorted(parts.items())
    )


def _series(
    folder: Path, *, images: Sequence[ImageTruth], facts: Sequence[LesionFacts], habits: Habits
) -> tuple[SeriesTruth, ...]:
    written: dict[object, Mapping[LabelKind, str]] = {}
    found = []
    for image in images:
        if image.shadows is not None and image.to_pixel is not None:
            found.append(_planar_series(folder, image, facts=facts, layout=FrameLayout.of(habits)))
            continue
        grid = (image.scene.geometry.shape, image.scene.geometry.affine_lps)
        if grid not in written:
            written[grid] = _write_maps(folder, image)
        found.append(_sliced_series(image, files=written[grid]))
    return tuple(found)


def _write_maps(folder: Path, image: ImageTruth) -> dict[LabelKind, str]:
    scene = image.scene
    maps = {
        LabelKind.LESIONS: scene.lesion_labels,
        LabelKind.BONES: scene.bone_labels,
        LabelKind.ORGANS: scene.matter,
        LabelKind.DECOYS: scene.decoy_labels,
    }
    files = {kind: f"s{image.written.number:02d}_{kind.value}.nii.gz" for kind in maps}
    for kind, labels in maps.items():
        write_label_map(folder / files[kind], labels=labels, geometry=scene.geometry)
    return files


def _sliced_series(image: ImageTruth, *, files: Mapping[LabelKind, str]) -> SeriesTruth:
    scene, geometry = image.scene, image.scene.geometry
    counts = np.bincount(scene.lesion_labels.ravel(), minlength=len(scene.lesion_names) + 1)
    return SeriesTruth(
        **_identity(image.written),
        frame_of_reference_uid=geometry.frame_of_reference_uid,
        shape=geometry.shape,
        affine_lps=_matrix(geometry.matrix),
        files=files,
        lesions=tuple(
            SeenLesion(name=name, voxels=int(count), volume_ml=int(count) * geometry.voxel_volume_ml)
            for name, count in zip(scene.lesion_names, counts[1:], strict=True)
        ),
    )


def _planar_series(
    folder: Path, image: ImageTruth, *, facts: Sequence[LesionFacts], layout: FrameLayout
) -> SeriesTruth:
    """Shadows and points as the stored frames have them: the order of views and the half turn are the habits'."""
    assert image.shadows is not None
    assert image.to_pixel is not None
    order = list(layout.views)
    labels = PlanarLabels(
        lesions=np.ascontiguousarray(layout.image(image.shadows.lesions[:, order])),
        bones=np.ascontiguousarray(layout.image(image.shadows.bones[order])),
    )
    name = f"s{image.written.number:02d}_planar.npz"
    write_planar_labels(folder / name, labels)
    to_pixel = [layout.stored_pixels(image.to_pixel[view], shape=labels.bones.shape[1:]) for view in order]
    views = tuple(VIEWS[view][0] for view in order)
    return SeriesTruth(
        **_identity(image.written),
        planar=name,
        views=views,
        to_pixel=tuple(_matrix(matrix) for matrix in to_pixel),
        lesions=tuple(
            SeenLesion(
                name=fact.name,
                voxels=int(np.count_nonzero(labels.lesions[place])),
                points=_points(fact.centre_lps, views=views, to_pixel=to_pixel) if fact.volume_ml > 0.0 else (),
            )
            for place, fact in enumerate(facts)
        ),
    )


def _points(
    centre: Vector, *, views: Sequence[str], to_pixel: Sequence[npt.NDArray[np.float64]]
) -> tuple[ImagePoint, ...]:
    found = []
    for frame, (view, matrix) in enumerate(zip(views, to_pixel, strict=True), start=1):
        row, column = (float(value) for value in matrix @ np.array([*centre, 1.0]))
        found.append(ImagePoint(frame=frame, view=view, row=round(row, 3), column=round(column, 3)))
    return tuple(found)


def _identity(written: WrittenSeries) -> dict[str, Any]:
    return {
        "series_uid": written.series_uid,
        "number": written.number,
        "modality": written.modality,
        "description": written.description,
        "contents": tuple(content.value for content in written.contents),
    }


def _matrix(matrix: npt.ArrayLike) -> Matrix:
    rows = np.asarray(matrix, dtype=np.float64)
    return tuple(tuple(float(f"{value:.{_DIGITS}g}") for value in row) for row in rows)


def _plain(value: Any) -> Any:
    """A dataclass as JSON has it: bones by name, other enums by value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Bone):
        return value.name
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
