"""One lesion in every bone: each lies where it belongs in every modality's own DICOM convention.

Where a lesion is comes from the pose of its bone alone, free of any grid. What an image says comes from
the written files, read here by the standard's formulas (PS3.3 C.7.6.2.1.1) without the project's readers: the
difference of two noise-free scans, with the lesions and without them, is the lesions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread

from operators.simulation.anatomy.bones import Bone, Side
from operators.simulation.compose import SceneBuilder
from operators.simulation.dicom.ct import write_ct
from operators.simulation.dicom.mri import write_mri
from operators.simulation.dicom.pet import write_pet
from operators.simulation.dicom.planar import write_planar
from operators.simulation.dicom.spect import write_spect
from operators.simulation.disease.facts import LesionFacts
from operators.simulation.fields.ct import ct_field
from operators.simulation.fields.mri import mri_fields
from operators.simulation.fields.pet import pet_field
from operators.simulation.fields.planar import planar_field
from operators.simulation.fields.spect import spect_field
from operators.simulation.patient import Patient
from operators.simulation.physics.ct import scan_ct
from operators.simulation.physics.mri import scan_mri
from operators.simulation.physics.pet import scan_pet
from operators.simulation.physics.planar import scan_planar
from operators.simulation.physics.spect import scan_spect
from operators.simulation.protocols.ct import CtProtocol, Region
from operators.simulation.protocols.habits import Habits
from operators.simulation.protocols.mri import MrProtocol
from operators.simulation.protocols.mri import Sequence as MrSequence
from operators.simulation.protocols.pet import PetProtocol
from operators.simulation.protocols.planar import PlanarProtocol
from operators.simulation.protocols.spect import SpectProtocol
from operators.simulation.tracer import Tracer
from tests.integration.simulation.pair import Pair

FRAME_UID = "1.2.3.4"
VIEWS = {"399321004": "anterior", "399001007": "posterior"}
"""SNOMED CT codes of DICOM's CID 26."""
REACH_MM = 14.0
"""How far around a lesion its image is looked for: the ribs' lesions lie about 25 mm apart."""

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image:
    """Slices as the files give them: values (slice, row, column), and the affine from that index to LPS."""

    values: FloatArray
    affine: FloatArray

    @classmethod
    def read_tomogram(cls, file: Path) -> Image:
        """By the detector's image position and orientation and the signed way from slice to slice (PS3.3 C.8.4.15)."""
        dataset = dcmread(file)
        (place,) = dataset.DetectorInformationSequence
        row, column = (np.array(place.ImageOrientationPatient[part], dtype=float) for part in (slice(3), slice(3, 6)))
        down, across = (float(value) for value in dataset.PixelSpacing)
        affine = np.eye(4)
        affine[:3, 0] = np.cross(row, column) * float(dataset.SpacingBetweenSlices)
        affine[:3, 1], affine[:3, 2] = column * down, row * across
        affine[:3, 3] = np.array(place.ImagePositionPatient, dtype=float)
        return cls(values=np.asarray(dataset.pixel_array, dtype=float), affine=affine)

    @classmethod
    def read(cls, files: Sequence[Path]) -> Image:
        """By Image Position, Image Orientation and Pixel Spacing."""
        slices = [dcmread(path) for path in files]
        row, column = (
            np.array(slices[0].ImageOrientationPatient[part], dtype=float) for part in (slice(3), slice(3, 6))
        )
        normal = np.cross(row, column)
        slices.sort(key=lambda item: float(normal @ np.array(item.ImagePositionPatient, dtype=float)))
        first, last = (np.array(slices[end].ImagePositionPatient, dtype=float) for end in (0, -1))
        down, across = (float(value) for value in slices[0].PixelSpacing)
        affine = np.eye(4)
        affine[:3, 0] = (last - first) / (len(slices) - 1)
        affine[:3, 1], affine[:3, 2], affine[:3, 3] = column * down, row * across, first
        stored = [
            item.pixel_array * float(item.get("RescaleSlope", 1.0)) + float(item.get("RescaleIntercept", 0.0))
            for item in slices
        ]
        return cls(values=np.array(stored, dtype=float), affine=affine)

    def places(self, centre: tuple[float, float, float], reach_mm: float) -> tuple[tuple[FloatArray, ...], FloatArray]:
        """Indices of the voxels within a reach of a place, and where they are (n, 3)."""
        to_index = np.linalg.inv(self.affine)
        middle = (to_index @ np.append(centre, 1.0))[:3]
        steps = np.ceil(reach_mm / np.linalg.norm(self.affine[:3, :3], axis=0)).astype(int) + 1
        grids = [np.arange(round(at) - step, round(at) + step + 1) for at, step in zip(middle, steps, strict=True)]
        index = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 3)
        index = index[np.all((index >= 0) & (index < self.values.shape), axis=1)]
        points = index @ self.affine[:3, :3].T + self.affine[:3, 3]
        near = np.linalg.norm(points - np.array(centre), axis=1) <= reach_mm
        return tuple(index[near].T), points[near]

    def holds(self, centre: tuple[float, float, float]) -> bool:
        """Whether the surroundings of a place are in the image."""
        index = (np.linalg.inv(self.affine) @ np.append(centre, 1.0))[:3]
        margin = REACH_MM / np.linalg.norm(self.affine[:3, :3], axis=0)
        return bool(np.all((index >= margin) & (index <= np.array(self.values.shape) - 1 - margin)))


def misplaced(on: Image, off: Image, facts: Sequence[LesionFacts], *, tolerance_mm: float) -> Iterator[str]:
    """The lesions whose image is not where they are."""
    difference = Image(values=np.abs(on.values - off.values), affine=on.affine)
    for lesion in facts:
        if not difference.holds(lesion.centre_lps):
            continue
        at, points = difference.places(lesion.centre_lps, REACH_MM)
        weight = difference.values[at]
        weight = np.where(weight > 0.3 * weight.max(), weight, 0.0)
        if weight.sum() <= 0:
            yield f"{lesion.name} is not there"
            continue
        centre = (points * weight[:, None]).sum(axis=0) / weight.sum()
        gap = float(np.linalg.norm(centre - lesion.centre_lps))
        if gap > tolerance_mm:
            yield f"{lesion.name} is off by {gap:.1f} mm"
        side = lesion.bone.side
        if side is not None and bool(centre[0] > 0) is not (side is Side.LEFT) and abs(centre[0]) > tolerance_mm:
            yield f"{lesion.name} is on the wrong side"


def seen(image: Image, facts: Sequence[LesionFacts]) -> set[Bone]:
    """The bones whose lesions are in the image."""
    return {lesion.bone for lesion in facts if image.holds(lesion.centre_lps)}


def both(pair: Pair, make: Callable[[Patient, str], Sequence[Path]]) -> tuple[Image, Image]:
    """The written image with the lesions and the one without."""
    return Image.read(make(pair.marked, "on")), Image.read(make(pair.plain, "off"))


def test_every_bone_on_ct(pair: Pair, scenes: SceneBuilder, tmp_path: Path) -> None:
    """All bones that a whole-body CT shows, left on the left."""
    protocol = CtProtocol(region=Region.WHOLE_BODY, slice_mm=5.0, increment_mm=5.0, pixel_mm=2.5, field_mm=680.0)
    field = ct_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)

    def make(patient: Patient, name: str) -> Sequence[Path]:
        volume = scan_ct(scenes.scene(patient, field), protocol, seed=1, noise=False)
        return write_ct(tmp_path / name, header=pair.header, volume=volume, protocol=protocol, habits=Habits()).files

    on, off = both(pair, make)
    assert {lesion.bone for lesion in pair.facts} - seen(on, pair.facts) == set()
    assert not list(misplaced(on, off, pair.facts, tolerance_mm=5.0))


@pytest.mark.parametrize("feet_first", [False, True])
def test_every_bone_on_pet(pair: Pair, scenes: SceneBuilder, tmp_path: Path, feet_first: bool) -> None:
    """All bones, head or feet first; uptake spills a little into the neighbour."""
    protocol = PetProtocol(tracer=Tracer.NAF, region=Region.WHOLE_BODY, voxel_mm=4.0, slice_mm=4.0)
    field = pet_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    habits = Habits(feet_first=feet_first)

    def make(patient: Patient, name: str) -> Sequence[Path]:
        volume = scan_pet(scenes.scene(patient, field), protocol, seed=1, noise=False)
        return write_pet(tmp_path / name, header=pair.header, volume=volume, protocol=protocol, habits=habits).files

    on, off = both(pair, make)
    assert {lesion.bone for lesion in pair.facts} - seen(on, pair.facts) == set()
    assert not list(misplaced(on, off, pair.facts, tolerance_mm=5.0))


@pytest.mark.parametrize(("feet_first", "centre"), [(False, Bone.T6), (True, Bone.L5)])
def test_every_bone_on_spect(pair: Pair, scenes: SceneBuilder, tmp_path: Path, feet_first: bool, centre: Bone) -> None:
    """The bones of chest and pelvis, slices counted from either end."""
    protocol = SpectProtocol(centre=centre, length_mm=420.0, voxel_mm=4.42, resolution_mm=8.0)
    field = spect_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    habits = Habits(feet_first=feet_first)

    def make(patient: Patient, name: str) -> Image:
        volume = scan_spect(scenes.scene(patient, field), protocol, seed=1, noise=False)
        written = write_spect(tmp_path / name, header=pair.header, volume=volume, protocol=protocol, habits=habits)
        (file,) = written.files
        return Image.read_tomogram(file)

    on, off = make(pair.marked, "on"), make(pair.plain, "off")
    assert len(seen(on, pair.facts)) > 15
    assert not list(misplaced(on, off, pair.facts, tolerance_mm=6.0))


@pytest.mark.parametrize(
    ("sequence", "plane"), [(MrSequence.T1, "coronal"), (MrSequence.DIXON, "axial")], ids=["coronal", "axial"]
)
def test_every_bone_on_mri(pair: Pair, scenes: SceneBuilder, tmp_path: Path, sequence: MrSequence, plane: str) -> None:
    """The bones of the trunk, coronal and axial."""
    protocol = MrProtocol(sequences=(sequence,), pixel_mm=2.5, slice_mm=5.0, gap_mm=0.0, bias_field=0.0)
    (field,) = mri_fields(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    assert field.plane == plane

    def make(patient: Patient, name: str) -> Sequence[Path]:
        scene = scenes.scene(patient, field.scene_geometry)
        volumes = scan_mri(scene, protocol, field, seed=1, noise=False)[:1]
        (series,) = write_mri(tmp_path / name, header=pair.header, volumes=volumes, protocol=protocol, habits=Habits())
        return series.files

    on, off = both(pair, make)
    axial_skeleton = {bone for bone in Bone if bone.kind in ("vertebra", "rib", "hip", "sternum", "sacrum")}
    axial_skeleton &= {lesion.bone for lesion in pair.facts}
    assert len(axial_skeleton & seen(on, pair.facts)) > 40
    assert not list(misplaced(on, off, pair.facts, tolerance_mm=6.0))


def _views(files: Sequence[Path]) -> dict[str, FloatArray]:
    """Counts (row, column) of the view that each frame's detector has by its code (PS3.3 C.8.4.11)."""
    (path,) = files
    dataset = dcmread(path)
    names = [VIEWS[item.ViewCodeSequence[0].CodeValue] for item in dataset.DetectorInformationSequence]
    frames = np.asarray(dataset.pixel_array, dtype=float)
    return {names[int(detector) - 1]: frame for detector, frame in zip(dataset.DetectorVector, frames, strict=True)}


@pytest.mark.parametrize("habits", [Habits(), Habits(posterior_first=True)], ids=["ANT first", "POST first"])
def test_sides_on_a_planar_scan(pair: Pair, scenes: SceneBuilder, tmp_path: Path, habits: Habits) -> None:
    """The left half's lesions fall on the right half of the anterior image and on the left half of the posterior."""
    protocol = PlanarProtocol(kilocounts=4000.0)
    field = planar_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    left = [lesion for lesion in pair.marked.lesions if lesion.bone.side is Side.LEFT]
    marked = dataclasses.replace(pair.plain, lesions=tuple(left))
    means = {}
    for name, patient in (("on", marked), ("off", pair.plain)):
        scan = scan_planar(scenes.scene(patient, field), protocol, seed=1, noise=False)
        written = write_planar(
            tmp_path / name,
            header=pair.header,
            scan=dataclasses.replace(scan, photopeak=np.rint(scan.photopeak)),
            protocol=protocol,
            habits=habits,
        )
        means[name] = _views(written.files)
    middle = (128 - 0.5) * np.ones(1)
    for view, is_left_half in (("anterior", False), ("posterior", True)):
        # Equal counts are asked of both scans, so the lesions take some from everywhere else: only gains are lesions.
        gain = np.clip(means["on"][view] - means["off"][view], 0.0, None)
        columns = np.arange(gain.shape[1])
        on_left = gain[:, columns < middle].sum() / gain.sum()
        assert (on_left > 0.9) if is_left_half else (on_left < 0.1), f"{view}: {on_left:.2f} in the image's left half"


def test_order_on_a_planar_scan(pair: Pair, scenes: SceneBuilder, tmp_path: Path) -> None:
    """From head to foot the vertebrae's lesions come in their order, a pixel's size apart as the bones are."""
    protocol = PlanarProtocol(kilocounts=4000.0)
    field = planar_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    wanted = (Bone.C4, Bone.T2, Bone.T7, Bone.T12, Bone.L4, Bone.SACRUM)
    plain = scan_planar(scenes.scene(pair.plain, field), protocol, seed=1, noise=False).photopeak
    rows, heights = [], []
    for bone in wanted:
        (lesion,) = (item for item in pair.marked.lesions if item.bone is bone)
        patient = dataclasses.replace(pair.plain, lesions=(lesion,))
        scan = scan_planar(scenes.scene(patient, field), protocol, seed=1, noise=False)
        written = write_planar(
            tmp_path / bone.name,
            header=pair.header,
            scan=dataclasses.replace(scan, photopeak=np.rint(scan.photopeak)),
            protocol=protocol,
            habits=Habits(),
        )
        gain = np.clip(_views(written.files)["posterior"] - plain[1], 0.0, None)
        gain = np.where(gain > 0.3 * gain.max(), gain, 0.0)
        rows.append(float((gain.sum(axis=1) * np.arange(gain.shape[0])).sum() / gain.sum()))
        heights += [item.centre_lps[2] for item in pair.facts if item.bone is bone]
    assert rows == sorted(rows)
    np.testing.assert_allclose(np.diff(rows) * protocol.pixel_mm, -np.diff(heights), atol=4.0)
