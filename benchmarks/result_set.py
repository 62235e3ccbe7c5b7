"""How long the result set of a large study takes to write, how large it is, and in how much memory.

Run `python -m benchmarks.result_set` from the repository's root. It makes the headers of a whole-body CT of 1,500
slices with its bone and sixty lesions as masks, writes and verifies the result set as the node does, and prints seconds
on one core and megabytes on disk with their limits, and peak memory. Then it writes one smaller segmentation with this
project's writer and with highdicom's, neither verified, in the same run, and prints both with their ratios. It ends
with 1 where a limit is missed.
"""

from __future__ import annotations

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation as HighdicomSegmentation
from highdicom.seg import SegmentDescription
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from bmnode.domain.codes import Concept, Derivation, Finding, Unit
from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from bmnode.domain.ids import derive_uid
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
from bmnode.results.concepts import coded
from bmnode.results.context import WriteContext
from bmnode.results.instance import save
from bmnode.results.seg import build_segmentation
from bmnode.results.sources import SourceStudy
from bmnode.results.write import write_results

LIMIT_S = 10.0
LIMIT_MB = 30.0
LESIONS = 60
SLICES = 1500
SMALL_SLICES = 150
SMALL_LESIONS = 20
MATRIX = 512
SPACING_MM = (1.0, 0.9765625, 0.9765625)
MEASUREMENTS = (
    (Concept.ATTENUATION, Derivation.MEAN, Unit.HU),
    (Concept.ATTENUATION, Derivation.MAXIMUM, Unit.HU),
    (Concept.ATTENUATION, Derivation.MINIMUM, Unit.HU),
)
CONTEXT = WriteContext(
    job_digest="benchmark",
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    software_version="0.1.0",
    pipeline_name="bone_metastasis",
    pipeline_version="1.0",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A study's headers on disk, and its result set."""

    files: tuple[Path, ...]
    result_set: ResultSet


def case(folder: Path, *, slices: int, lesions: int) -> Case:
    """A body of so many slices with a skeleton all along and lesions of 10 to 60 mm in it."""
    uids = tuple(derive_uid("benchmark", "instance", str(index)) for index in range(slices))
    geometry = _geometry(slices)
    random = np.random.default_rng(1)
    bone = _bone(random, slices)
    found = [_lesion(random, bone) for _ in range(lesions)]
    segments = (
        Segment(
            label="Bone", category=Finding.ANATOMICAL_STRUCTURE, type=Finding.BONE, mask=CroppedMask.from_array(bone)
        ),
        *(_segment(number, mask) for number, mask in enumerate(found, 1)),
    )
    result_set = ResultSet(
        study_uid=derive_uid("benchmark", "study"),
        outcome=Outcome.ASSESSED,
        branch=Branch.CT,
        input_series_uids=(derive_uid("benchmark", "series"),),
        findings=tuple(_finding(number, mask, geometry) for number, mask in enumerate(found, 1)),
        segmentations=(
            Segmentation(
                source_series_uid=derive_uid("benchmark", "series"),
                source_instance_uids=uids,
                geometry=geometry,
                segments=segments,
            ),
        ),
    )
    return Case(files=tuple(_headers(folder, uids, geometry)), result_set=result_set)


def _geometry(slices: int) -> VolumeGeometry:
    across, down, along = SPACING_MM[0], SPACING_MM[1], SPACING_MM[2]
    matrix = np.array([[0, 0, along, -250.0], [0, down, 0, -250.0], [across, 0, 0, -750.0], [0, 0, 0, 1.0]])
    return VolumeGeometry.from_matrix(
        matrix, shape=(slices, MATRIX, MATRIX), frame_of_reference_uid=derive_uid("benchmark", "frame")
    )


def _bone(random: np.random.Generator, slices: int) -> BoolArray:
    """A column, two shafts and a ring of ribs on every slice, with the rough edge that a threshold leaves."""
    row, column = np.ogrid[:MATRIX, :MATRIX]
    bone = np.zeros((slices, MATRIX, MATRIX), dtype=np.bool_)
    for index in range(slices):
        rough = random.normal(0.0, 1.5, size=(MATRIX, MATRIX))
        plane = bone[index]
        for middle, radius in ((256, 22.0), (170, 14.0), (342, 14.0)):
            plane |= np.hypot(row - 330, column - middle) + rough < radius
        wall = np.hypot((row - 256) / 0.7, column - 256) - 150.0
        plane |= (np.abs(wall) + rough < 5.0) & ((row + column + index) // 40 % 2 == 0)
    return bone


def _lesion(random: np.random.Generator, bone: BoolArray) -> CroppedMask:
    """An ellipsoid around a voxel of the bone."""
    slices = len(bone)
    radii = random.uniform(5.0, 30.0) / np.array(SPACING_MM)
    index = int(random.integers(slices // 10, slices * 9 // 10))
    row, column = (int(value) for value in random.permutation(np.argwhere(bone[index]))[0])
    centre = np.array([index, row, column])
    low = np.maximum(np.floor(centre - radii).astype(int), 0)
    high = np.minimum(np.ceil(centre + radii).astype(int) + 1, bone.shape)
    axes = np.ogrid[tuple(slice(first, last) for first, last in zip(low, high, strict=True))]
    inside = sum(((axis - at) / radius) ** 2 for axis, at, radius in zip(axes, centre, radii, strict=True)) <= 1.0
    return CroppedMask(
        grid_shape=(bone.shape[0], bone.shape[1], bone.shape[2]),
        origin=(int(low[0]), int(low[1]), int(low[2])),
        values=np.asarray(inside),
    )


def _segment(number: int, mask: CroppedMask) -> Segment:
    return Segment(
        label=f"Lesion {number}",
        category=Finding.ABNORMAL_STRUCTURE,
        type=Finding.LESION,
        mask=mask,
        tracking_id=f"bmnode lesion {number}",
        tracking_uid=derive_uid("benchmark", "lesion", str(number)),
    )


def _finding(number: int, mask: CroppedMask, geometry: VolumeGeometry) -> FindingResult:
    volume = Measurement(
        concept=Concept.VOLUME,
        value=mask.voxel_count * geometry.voxel_volume_ml,
        unit=Unit.ML,
        method="VOXEL_SUM_V1",
    )
    others = tuple(
        Measurement(
            concept=concept, value=100.0 + number, unit=unit, method="HU_WITHIN_SEGMENT_V1", derivation=derivation
        )
        for concept, derivation, unit in MEASUREMENTS
    )
    return FindingResult(
        tracking_id=f"bmnode lesion {number}",
        tracking_uid=derive_uid("benchmark", "lesion", str(number)),
        finding_type=Finding.LESION,
        segment=SegmentReference(segmentation_index=0, segment_number=number + 1),
        measurements=(volume, *others),
    )


def _headers(folder: Path, uids: tuple[str, ...], geometry: VolumeGeometry) -> Iterator[Path]:
    """CT images without their pixels, which no writer reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, uid in enumerate(uids):
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, uid
        dataset.StudyInstanceUID = derive_uid("benchmark", "study")
        dataset.SeriesInstanceUID = derive_uid("benchmark", "series")
        dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = (
            "Bench^Mark",
            "B",
            "",
            "O",
        )
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20260102", "030405", "1", "1"
        dataset.ReferringPhysicianName = ""
        dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", 1, index + 1
        dataset.Manufacturer = "benchmark"
        dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = geometry.frame_of_reference_uid, ""
        dataset.ImagePositionPatient = list(geometry.position_lps((float(index), 0.0, 0.0)))
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing, dataset.SliceThickness = list(SPACING_MM[1:]), SPACING_MM[0]
        dataset.Rows = dataset.Columns = MATRIX
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"{index:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        yield path


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a piece of work took."""

    seconds: float
    """On one core."""
    peak_mb: float
    """Beside what there was before."""


def cost(work: Callable[[], object]) -> Cost:
    """Run it twice: for its time, and for its memory, whose tracing takes time."""
    begun = time.process_time()
    work()
    seconds = time.process_time() - begun
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Cost(seconds=seconds, peak_mb=peak / 1e6)


def large(folder: Path) -> bool:
    """The whole result set of the large study, verified; whether it keeps the limits."""
    study = case(folder / "images", slices=SLICES, lesions=LESIONS)
    out = folder / "results"
    spent = cost(lambda: write_results(study.result_set, source_files=study.files, out_dir=out, context=CONTEXT))
    megabytes = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    sys.stdout.write(
        f"{SLICES} slices, {LESIONS} lesions and bone: {spent.seconds:.2f} s (limit {LIMIT_S:g} s), "
        f"{megabytes:.1f} MB (limit {LIMIT_MB:g} MB), peak memory {spent.peak_mb:.0f} MB\n"
    )
    return spent.seconds <= LIMIT_S and megabytes <= LIMIT_MB


def beside_highdicom(folder: Path) -> None:
    """One segmentation of a smaller study by both writers."""
    study = case(folder / "images", slices=SMALL_SLICES, lesions=SMALL_LESIONS)
    ours, theirs = folder / "ours.dcm", folder / "theirs.dcm"

    def write_ours() -> None:
        source = SourceStudy.from_files(study.files, study_uid=study.result_set.study_uid)
        save(build_segmentation(study.result_set, 0, source=source, context=CONTEXT), ours)

    one, other = cost(write_ours), cost(lambda: _by_highdicom(study, theirs))
    sizes = [path.stat().st_size / 1e6 for path in (ours, theirs)]
    sys.stdout.write(
        f"SEG of {SMALL_SLICES} slices, {SMALL_LESIONS} lesions and bone: "
        f"ours {one.seconds:.2f} s, {one.peak_mb:.0f} MB of memory, {sizes[0]:.1f} MB; "
        f"highdicom {other.seconds:.2f} s, {other.peak_mb:.0f} MB of memory, {sizes[1]:.1f} MB; "
        f"ratio {one.seconds / other.seconds:.2f}, {one.peak_mb / other.peak_mb:.2f}, {sizes[0] / sizes[1]:.2f}\n"
    )


def _by_highdicom(study: Case, path: Path) -> None:
    (segmentation,) = study.result_set.segmentations
    algorithm = AlgorithmIdentificationSequence(name="benchmark", version="1", family=codes.DCM.ArtificialIntelligence)
    written = HighdicomSegmentation(
        source_images=[dcmread(file) for file in study.files],
        pixel_array=np.stack([segment.mask.to_array() for segment in segmentation.segments], axis=-1),
        segmentation_type="BINARY",
        segment_descriptions=[
            SegmentDescription(
                segment_number=number,
                segment_label=segment.label,
                segmented_property_category=coded(segment.category),
                segmented_property_type=coded(segment.type),
                algorithm_type="AUTOMATIC",
                algorithm_identification=algorithm,
            )
            for number, segment in enumerate(segmentation.segments, 1)
        ],
        series_instance_uid="2.25.1",
        series_number=1,
        sop_instance_uid="2.25.2",
        instance_number=1,
        manufacturer="benchmark",
        manufacturer_model_name="benchmark",
        software_versions="1",
        device_serial_number="1",
    )
    written.save_as(path)


def main() -> int:
    """Measure both; 1 where the large study's result set is too slow or too large."""
    with tempfile.TemporaryDirectory() as name:
        is_kept = large(Path(name) / "large")
        beside_highdicom(Path(name) / "small")
    return int(not is_kept)


if __name__ == "__main__":
    sys.exit(main())
