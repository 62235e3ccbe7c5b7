"""Left stays left: what a segment and an outline point at is the lesion, in every modality and patient position.

A lesion sits in every bone of a simulated patient, at a place that its bone's pose alone says. The images go the
product's way (its readers, its writers); what was written is read by others: segments by dcmqi's `segimage2itkimage`,
the report by its `tid1500reader`, outlines by the standard's formulas (PS3.3 C.7.6.2.1.1, C.10.5) from the headers of
the images. dcmqi refuses a planar segmentation without a frame of reference, so there highdicom reads it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from highdicom.seg import segread
from pydicom import Dataset, dcmread

from bmnode.domain.bones import Bone as NamedBone
from bmnode.domain.codes import Concept, Finding, Laterality, Unit
from bmnode.domain.geometry import BoolArray, CroppedMask, ImagePolygon
from bmnode.domain.ids import derive_uid
from bmnode.domain.objects import ResultKind
from bmnode.domain.outlines import outline
from bmnode.domain.results import (
    FindingResult,
    Measurement,
    Outcome,
    PlanarSegmentation,
    ResultSet,
    Segment,
    Segmentation,
    SegmentReference,
)
from bmnode.domain.study import Branch
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from operators.readers.volume import ImageVolume, read_volume
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
from tests.support.nrrd import read_nrrd
from tests.support.validators import program, run
from tests.unit.results.result_sets import CONTEXT

FRAME_UID = "1.2.3.4"
RADIUS_MM = 7.0
"""Of the ball that stands for a lesion; neighbouring ribs' lesions lie about 25 mm apart."""
VIEWS = {"399321004": "anterior", "399001007": "posterior"}
"""SNOMED CT codes of DICOM's CID 26."""
SIDES = {Side.LEFT: Laterality.LEFT, Side.RIGHT: Laterality.RIGHT, None: None}

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reported:
    """What was written of the lesions that an image holds, and the image's files."""

    files: tuple[Path, ...]
    lesions: tuple[LesionFacts, ...]
    """The lesion of segment 1, 2, ..."""
    objects: tuple[ResultObject, ...]
    voxel_mm: float
    """Diagonal of a voxel."""

    def path(self, kind: ResultKind) -> Path:
        """The one object of the kind."""
        (found,) = (item.path for item in self.objects if item.kind is kind)
        return found


def report(files: Sequence[Path], facts: Sequence[LesionFacts], *, branch: Branch, out: Path) -> Reported:
    """Read the series as the branches do and report a ball of voxels around every lesion that it holds."""
    # The order of files says nothing of the order of slices.
    volume = read_volume(files[::-1])
    masks = dict(_masks(volume, facts))
    header = dcmread(files[0], stop_before_pixels=True)
    lesions = tuple(lesion for lesion in facts if lesion.name in masks)
    segments, findings = [], []
    for number, lesion in enumerate(lesions, 1):
        mask = CroppedMask.from_array(masks[lesion.name])
        named = NamedBone[lesion.bone.name.removesuffix("_LEFT").removesuffix("_RIGHT")].code
        uid, side = derive_uid("test", lesion.name), SIDES[lesion.bone.side]
        segments.append(
            Segment(
                label=lesion.name[:64],
                category=Finding.ABNORMAL_STRUCTURE,
                type=Finding.LESION,
                mask=mask,
                site=named,
                laterality=side,
                tracking_id=lesion.name,
                tracking_uid=uid,
            )
        )
        volume_ml = mask.voxel_count * volume.geometry.voxel_volume_ml
        findings.append(
            FindingResult(
                tracking_id=lesion.name,
                tracking_uid=uid,
                finding_type=Finding.LESION,
                site=named,
                laterality=side,
                segment=SegmentReference(segmentation_index=0, segment_number=number),
                polygons=(_key_slice(mask, volume),),
                measurements=(
                    Measurement(concept=Concept.VOLUME, value=volume_ml, unit=Unit.ML, method="VOXEL_SUM_V1"),
                ),
            )
        )
    result_set = ResultSet(
        study_uid=str(header.StudyInstanceUID),
        outcome=Outcome.ASSESSED,
        branch=branch,
        input_series_uids=(str(header.SeriesInstanceUID),),
        findings=tuple(findings),
        segmentations=(
            Segmentation(
                source_series_uid=str(header.SeriesInstanceUID),
                source_instance_uids=volume.source_instance_uids,
                geometry=volume.geometry,
                segments=tuple(segments),
            ),
        ),
        synthetic=True,
    )
    objects = write_results(result_set, source_files=files, out_dir=out, context=CONTEXT)
    diagonal = float(np.linalg.norm(volume.geometry.spacing_mm))
    return Reported(files=tuple(files), lesions=lesions, objects=objects, voxel_mm=diagonal)


def _masks(volume: ImageVolume, facts: Sequence[LesionFacts]) -> Iterator[tuple[str, BoolArray]]:
    """The voxels within the radius of each lesion's centre, and the one nearest to it; each voxel once."""
    taken = np.zeros(volume.array.shape, dtype=np.bool_)
    to_index = np.linalg.inv(volume.geometry.matrix)
    reach = np.ceil(RADIUS_MM / np.asarray(volume.geometry.spacing_mm)).astype(int) + 1
    for lesion in facts:
        middle = np.rint((to_index @ np.append(lesion.centre_lps, 1.0))[:3]).astype(int)
        if np.any(middle - reach < 0) or np.any(middle + reach >= volume.array.shape):
            continue
        box = tuple(slice(at - step, at + step + 1) for at, step in zip(middle, reach, strict=True))
        index = np.stack(np.meshgrid(*(np.arange(part.start, part.stop) for part in box), indexing="ij"), axis=-1)
        points = index @ volume.geometry.matrix[:3, :3].T + volume.geometry.matrix[:3, 3]
        mask = np.zeros_like(taken)
        mask[box] = np.linalg.norm(points - np.array(lesion.centre_lps), axis=-1) <= RADIUS_MM
        mask[tuple(middle)] = True
        mask &= ~taken
        if mask[tuple(middle)]:
            taken |= mask
            yield lesion.name, mask


def _key_slice(mask: CroppedMask, volume: ImageVolume) -> ImagePolygon:
    """The outline on the slice with the most voxels."""
    within = int(np.argmax(mask.values.sum(axis=(1, 2))))
    index = mask.origin[0] + within
    frames = volume.source_frames
    uids = volume.source_instance_uids
    return ImagePolygon(
        sop_instance_uid=uids[0] if frames else uids[index],
        frame_number=frames[index] if frames else None,
        points=outline(mask.values[within], origin=(mask.origin[1], mask.origin[2])),
    )


# --- how others read it ----------------------------------------------------------------


def segment_places(path: Path, folder: Path) -> dict[int, FloatArray]:
    """Where dcmqi finds the voxels of each segment: (n, 3), LPS, millimetres."""
    folder.mkdir()
    said = run(
        program("segimage2itkimage"),
        *("--inputDICOM", str(path), "--outputDirectory", str(folder), "-t", "nrrd", "--mergeSegments"),
    )
    assert said.returncode == 0, said.stderr
    places: dict[int, list[FloatArray]] = {}
    for file in folder.glob("*.nrrd"):
        labels, matrix = read_nrrd(file)
        for number in np.unique(labels[labels > 0]):
            index = np.argwhere(labels == number)
            places.setdefault(int(number), []).append(index @ matrix[:3, :3].T + matrix[:3, 3])
    return {number: np.concatenate(parts) for number, parts in places.items()}


def reported_segments(path: Path, folder: Path) -> dict[str, tuple[int, str | None]]:
    """Segment number and laterality by tracking identifier, as `tid1500reader` has them."""
    target = folder / "report.json"
    said = run(program("tid1500reader"), "--inputDICOM", str(path), "--outputMetadata", str(target))
    assert said.returncode == 0, said.stderr
    groups = [item for item in json.loads(target.read_text())["Measurements"] if "ReferencedSegment" in item]
    return {
        item["TrackingIdentifier"]: (
            int(item["ReferencedSegment"]),
            None if "Laterality" not in item else item["Laterality"]["CodeValue"],
        )
        for item in groups
    }


def frame_affines(files: Sequence[Path]) -> dict[tuple[str, int], FloatArray]:
    """From (column, row, 1) of a frame, pixel centres at whole numbers, to LPS: 3 x 3, by the headers alone."""
    found: dict[tuple[str, int], FloatArray] = {}
    for file in files:
        header = dcmread(file, stop_before_pixels=True)
        detector: Dataset = header.DetectorInformationSequence[0] if "DetectorInformationSequence" in header else header
        row, column = (
            np.array(detector.ImageOrientationPatient[part], dtype=float) for part in (slice(3), slice(3, 6))
        )
        first = np.array(detector.ImagePositionPatient, dtype=float)
        down, across = (float(value) for value in header.PixelSpacing)
        step = np.cross(row, column) * float(header.get("SpacingBetweenSlices") or 0.0)
        for number in range(1, int(header.get("NumberOfFrames") or 1) + 1):
            origin = first + step * (number - 1)
            found[str(header.SOPInstanceUID), number] = np.stack([row * across, column * down, origin], axis=1)
    return found


def outline_places(path: Path, files: Sequence[Path]) -> dict[str, FloatArray]:
    """Where the corners of each outline lie, by tracking identifier: (n, 3), LPS, millimetres.

    Image coordinates have the corner of the first pixel at (0, 0), so its centre at (0.5, 0.5) (PS3.3 C.18.6.1.2).
    """
    affines = frame_affines(files)
    places: dict[str, FloatArray] = {}
    for item in _groups(dcmread(path)):
        names = {part.ConceptNameCodeSequence[0].CodeValue: part for part in item.ContentSequence}
        region = names["111030"]
        reference = region.ContentSequence[0].ReferencedSOPSequence[0]
        affine = affines[str(reference.ReferencedSOPInstanceUID), int(reference.get("ReferencedFrameNumber") or 1)]
        corners = np.array(region.GraphicData, dtype=float).reshape(-1, 2) - 0.5
        places[str(names["112039"].TextValue)] = np.c_[corners, np.ones(len(corners))] @ affine.T
    return places


def _groups(dataset: Dataset) -> Iterator[Dataset]:
    """Measurement groups of a TID 1500 report."""
    for item in dataset.ContentSequence:
        if item.ConceptNameCodeSequence[0].CodeValue == "126010":
            yield from item.ContentSequence


def astray(found: Reported, folder: Path) -> Iterator[str]:
    """What of the written objects does not lie on its lesion."""
    segments = segment_places(found.path(ResultKind.SEG), folder / "labels")
    numbers = reported_segments(found.path(ResultKind.SR), folder)
    outlines = outline_places(found.path(ResultKind.ROI_SR), found.files)
    for lesion in found.lesions:
        number, laterality = numbers[lesion.name]
        side = SIDES[lesion.bone.side]
        if laterality != (None if side is None else side.value):
            yield f"{lesion.name}: the report has it on side {laterality}"
        for what, points in (("segment", segments[number]), ("outline", outlines[lesion.name])):
            gaps = np.linalg.norm(points - np.array(lesion.centre_lps), axis=1)
            if gaps.max() > RADIUS_MM + found.voxel_mm:
                yield f"{lesion.name}: the {what} reaches {gaps.max():.1f} mm from it"
            centre = points.mean(axis=0)
            if np.linalg.norm(centre - lesion.centre_lps) > found.voxel_mm:
                yield f"{lesion.name}: the {what} lies {np.linalg.norm(centre - lesion.centre_lps):.1f} mm off"


# --- tomography ------------------------------------------------------------------------


def bones(found: Reported) -> set[Bone]:
    """The bones whose lesions were reported."""
    return {lesion.bone for lesion in found.lesions}


def test_ct(pair: Pair, scenes: SceneBuilder, tmp_path: Path) -> None:
    """Every bone of a whole-body CT."""
    protocol = CtProtocol(region=Region.WHOLE_BODY, slice_mm=5.0, increment_mm=5.0, pixel_mm=2.5, field_mm=680.0)
    field = ct_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    volume = scan_ct(scenes.scene(pair.marked, field), protocol, seed=1, noise=False)
    files = write_ct(tmp_path / "in", header=pair.header, volume=volume, protocol=protocol, habits=Habits()).files
    found = report(files, pair.facts, branch=Branch.CT, out=tmp_path / "out")
    assert {lesion.bone for lesion in pair.facts} - bones(found) == set()
    assert list(astray(found, tmp_path)) == []


@pytest.mark.parametrize("feet_first", [False, True], ids=["head first", "feet first"])
def test_pet(pair: Pair, scenes: SceneBuilder, tmp_path: Path, feet_first: bool) -> None:
    """Every bone of a whole-body PET; feet first the slices run the other way."""
    protocol = PetProtocol(tracer=Tracer.NAF, region=Region.WHOLE_BODY, voxel_mm=5.0, slice_mm=5.0)
    field = pet_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    volume = scan_pet(scenes.scene(pair.marked, field), protocol, seed=1, noise=False)
    habits = Habits(feet_first=feet_first)
    files = write_pet(tmp_path / "in", header=pair.header, volume=volume, protocol=protocol, habits=habits).files
    found = report(files, pair.facts, branch=Branch.PET_CT, out=tmp_path / "out")
    assert {lesion.bone for lesion in pair.facts} - bones(found) == set()
    assert list(astray(found, tmp_path)) == []


@pytest.mark.parametrize(
    ("feet_first", "centre"), [(False, Bone.T6), (True, Bone.L5)], ids=["head first", "feet first"]
)
def test_spect(pair: Pair, scenes: SceneBuilder, tmp_path: Path, feet_first: bool, centre: Bone) -> None:
    """The bones of chest and pelvis in one object of many frames, counted from either end."""
    protocol = SpectProtocol(centre=centre, length_mm=420.0, voxel_mm=4.42, resolution_mm=8.0)
    field = spect_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    volume = scan_spect(scenes.scene(pair.marked, field), protocol, seed=1, noise=False)
    habits = Habits(feet_first=feet_first)
    files = write_spect(tmp_path / "in", header=pair.header, volume=volume, protocol=protocol, habits=habits).files
    found = report(files, pair.facts, branch=Branch.SPECT, out=tmp_path / "out")
    assert len(bones(found)) > 15
    assert list(astray(found, tmp_path)) == []


@pytest.mark.parametrize("oblique_deg", [0.0, 20.0], ids=["straight", "oblique"])
@pytest.mark.parametrize("sequence", [MrSequence.T1, MrSequence.DIXON], ids=["coronal", "axial"])
def test_mri(pair: Pair, scenes: SceneBuilder, tmp_path: Path, sequence: MrSequence, oblique_deg: float) -> None:
    """The bones of the trunk on coronal and axial slices, straight and turned by 20 degrees."""
    protocol = MrProtocol(
        sequences=(sequence,), pixel_mm=3.0, slice_mm=6.0, gap_mm=0.0, bias_field=0.0, oblique_deg=oblique_deg
    )
    (field,) = mri_fields(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    scene = scenes.scene(pair.marked, field.scene_geometry)
    volumes = scan_mri(scene, protocol, field, seed=1, noise=False)[:1]
    written = write_mri(tmp_path / "in", header=pair.header, volumes=volumes, protocol=protocol, habits=Habits())
    (series,) = written
    found = report(series.files, pair.facts, branch=Branch.MRI, out=tmp_path / "out")
    assert len(bones(found)) > 25
    assert list(astray(found, tmp_path)) == []


# --- planar ----------------------------------------------------------------------------


@pytest.mark.parametrize("habits", [Habits(), Habits(posterior_first=True)], ids=["ANT first", "POST first"])
def test_planar(pair: Pair, scenes: SceneBuilder, tmp_path: Path, habits: Habits) -> None:
    """What the left bones' lesions add to a view is segmented and outlined on that view, on the side where they are:
    the right half of the anterior image, the left half of the posterior one."""
    protocol = PlanarProtocol(kilocounts=4000.0)
    field = planar_field(protocol, scenes.anatomy, pair.plain.person, frame_of_reference_uid=FRAME_UID)
    left = tuple(lesion for lesion in pair.marked.lesions if lesion.bone.side is Side.LEFT)

    def scan(patient: Patient, name: str) -> Path:
        image = scan_planar(scenes.scene(patient, field), protocol, seed=1, noise=False)
        image = dataclasses.replace(image, photopeak=np.rint(image.photopeak))
        folder = tmp_path / name
        (file,) = write_planar(folder, header=pair.header, scan=image, protocol=protocol, habits=habits).files
        return file

    marked, plain = scan(dataclasses.replace(pair.plain, lesions=left), "on"), scan(pair.plain, "off")
    gains = _gains(marked, plain)
    objects = write_results(_hot(marked, gains), source_files=[marked], out_dir=tmp_path / "out", context=CONTEXT)
    header = dcmread(marked, stop_before_pixels=True)
    drawn = _drawn(next(item.path for item in objects if item.kind is ResultKind.ROI_SR))
    written = [item.path for item in objects if item.kind is ResultKind.SEG]
    assert len(written) == len(gains) == 2
    for path, (frame, gain) in zip(written, gains.items(), strict=True):
        view = VIEWS[header.DetectorInformationSequence[frame - 1].ViewCodeSequence[0].CodeValue]
        (pixels,) = segread(path).get_pixels_by_source_frame(str(header.SOPInstanceUID), [frame])
        np.testing.assert_array_equal(pixels[..., 0].astype(bool), gain)
        middle = gain.shape[1] / 2.0
        columns = np.nonzero(pixels[..., 0])[1] + 0.5
        on_right = columns > middle
        assert on_right.all() if view == "anterior" else not on_right.any()
        corners = drawn[frame]
        np.testing.assert_array_equal(corners.min(axis=0)[::-1], [axis.min() for axis in np.nonzero(gain)])
        np.testing.assert_array_equal(corners.max(axis=0)[::-1], [axis.max() + 1 for axis in np.nonzero(gain)])


def _gains(marked: Path, plain: Path) -> Mapping[int, BoolArray]:
    """The brightest spot that the lesions add, by frame from 1: the largest of its connected pixels."""
    on, off = (np.asarray(dcmread(path).pixel_array, dtype=float) for path in (marked, plain))
    gains = {}
    for number, (one, other) in enumerate(zip(on, off, strict=True), 1):
        # Equal counts are asked of both scans, so the lesions take some from everywhere else: only gains are lesions.
        gain = np.clip(one - other, 0.0, None)
        peak = np.unravel_index(int(np.argmax(gain)), gain.shape)
        spot = np.zeros(gain.shape, dtype=np.bool_)
        spot[peak[0] - 1 : peak[0] + 2, peak[1] - 1 : peak[1] + 2] = True
        gains[number] = spot
    return gains


def _hot(file: Path, spots: Mapping[int, BoolArray]) -> ResultSet:
    """One finding on both frames."""
    header = dcmread(file, stop_before_pixels=True)
    uid = str(header.SOPInstanceUID)
    finding = FindingResult(
        tracking_id="left",
        tracking_uid="2.25.1",
        finding_type=Finding.LESION,
        laterality=Laterality.LEFT,
        site=NamedBone.FEMUR.code,
        polygons=tuple(
            ImagePolygon(sop_instance_uid=uid, frame_number=frame, points=outline(spot))
            for frame, spot in spots.items()
        ),
    )
    return ResultSet(
        study_uid=str(header.StudyInstanceUID),
        outcome=Outcome.ASSESSED,
        branch=Branch.BONE_SCAN,
        input_series_uids=(str(header.SeriesInstanceUID),),
        findings=(finding,),
        planar_segmentations=tuple(
            PlanarSegmentation(
                source_instance_uid=uid,
                frame_number=frame,
                shape=(spot.shape[0], spot.shape[1]),
                patient_orientation=None,
                segments=(
                    Segment(
                        label="left",
                        category=Finding.ABNORMAL_STRUCTURE,
                        type=Finding.LESION,
                        mask=CroppedMask.from_array(spot[np.newaxis]),
                        tracking_id="left",
                        tracking_uid="2.25.1",
                    ),
                ),
            )
            for frame, spot in spots.items()
        ),
        synthetic=True,
    )


def _drawn(path: Path) -> dict[int, FloatArray]:
    """Corners (column, row) of the outlines by frame."""
    found = {}
    for group in _groups(dcmread(path)):
        (region,) = (item for item in group.ContentSequence if item.ValueType == "SCOORD")
        frame = int(region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber)
        found[frame] = np.array(region.GraphicData, dtype=float).reshape(-1, 2)
    return found
