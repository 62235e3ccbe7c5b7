"""What is written of every lesion of an image, and where other programs see it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
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
    ResultSet,
    Segment,
    Segmentation,
    SegmentReference,
)
from bmnode.domain.study import Branch
from bmnode.results.context import ResultObject
from bmnode.results.write import write_results
from operators.readers.volume import ImageVolume, read_volume
from operators.simulation.anatomy.bones import Side
from operators.simulation.disease.facts import LesionFacts
from tests.integration.simulation.painted import RADIUS_MM
from tests.support.nrrd import read_nrrd
from tests.support.validators import program, run
from tests.unit.results.result_sets import CONTEXT

VIEWS = {"399321004": "anterior", "399001007": "posterior"}
"""SNOMED CT codes of DICOM's CID 26."""
SIDES = {Side.LEFT: Laterality.LEFT, Side.RIGHT: Laterality.RIGHT, None: None}

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reported:
    """What was written of the lesions of an image, and the image's files."""

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
    """Read the series as the branches do and report the voxels of every lesion painted in it (`painted`)."""
    # The order of files says nothing of the order of slices.
    volume = read_volume(files[::-1])
    masks = dict(_masks(volume, facts))
    header = dcmread(files[0], stop_before_pixels=True)
    lesions = tuple(facts)
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
    """The voxels of each lesion by its number; the brightest of an image has the last, whatever the image's scale."""
    numbers = np.rint(volume.array / volume.array.max() * len(facts)).astype(int)
    for number, lesion in enumerate(facts, 1):
        yield lesion.name, numbers == number


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
        places = _frame_places(header) if "SharedFunctionalGroupsSequence" in header else _stack_places(header)
        for number, (orientation, first, spacing) in enumerate(places, 1):
            row, column = orientation[:3], orientation[3:]
            down, across = spacing
            found[str(header.SOPInstanceUID), number] = np.stack([row * across, column * down, first], axis=1)
    return found


def _stack_places(header: Dataset) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Orientation, position and spacing of each frame of one image, or of a tomogram: the signed way from the first."""
    place: Dataset = header.DetectorInformationSequence[0] if "DetectorInformationSequence" in header else header
    orientation, first = (_numbers(place[key].value) for key in ("ImageOrientationPatient", "ImagePositionPatient"))
    step = np.cross(orientation[:3], orientation[3:]) * float(header.get("SpacingBetweenSlices") or 0.0)
    for index in range(int(header.get("NumberOfFrames") or 1)):
        yield orientation, first + step * index, _numbers(header.PixelSpacing)


def _frame_places(header: Dataset) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """The same of each frame of an enhanced object, shared by all or its own."""
    shared = header.SharedFunctionalGroupsSequence[0]
    for frame in header.PerFrameFunctionalGroupsSequence:
        groups = {**{item.keyword: item.value[0] for item in shared}, **{item.keyword: item.value[0] for item in frame}}
        yield (
            _numbers(groups["PlaneOrientationSequence"].ImageOrientationPatient),
            _numbers(groups["PlanePositionSequence"].ImagePositionPatient),
            _numbers(groups["PixelMeasuresSequence"].PixelSpacing),
        )


def _numbers(values: Iterable[object]) -> FloatArray:
    return np.array([float(str(value)) for value in values])


def outline_places(path: Path, files: Sequence[Path]) -> dict[str, FloatArray]:
    """Where the corners of each outline lie, by tracking identifier: (n, 3), LPS, millimetres.

    Image coordinates have the corner of the first pixel at (0, 0), so its centre at (0.5, 0.5) (PS3.3 C.18.6.1.2).
    """
    affines = frame_affines(files)
    places: dict[str, FloatArray] = {}
    for item in measurement_groups(dcmread(path)):
        names = {part.ConceptNameCodeSequence[0].CodeValue: part for part in item.ContentSequence}
        region = names["111030"]
        reference = region.ContentSequence[0].ReferencedSOPSequence[0]
        affine = affines[str(reference.ReferencedSOPInstanceUID), int(reference.get("ReferencedFrameNumber") or 1)]
        corners = np.array(region.GraphicData, dtype=float).reshape(-1, 2) - 0.5
        places[str(names["112039"].TextValue)] = np.c_[corners, np.ones(len(corners))] @ affine.T
    return places


def measurement_groups(dataset: Dataset) -> Iterator[Dataset]:
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
