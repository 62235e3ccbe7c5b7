"""The objects of a real whole-body PET, against their source and the validator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from bmnode.domain.geometry import VolumeGeometry
from bmnode.domain.objects import ResultKind
from bmnode.domain.study import Branch
from bmnode.results.reading import read_report
from bmnode.results.recompute import recompute_segments
from bmnode.results.write import write_results
from tests.support.real_data import unpack
from tests.support.validators import complaints
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT


def _real_series(files: tuple[Path, ...]) -> sources.SourceSeries:
    """A real axial series as the test's own reading has it, sorted along z, with its stored values."""
    headers = sorted((pydicom.dcmread(path) for path in files), key=lambda item: float(item.ImagePositionPatient[2]))
    first, last = headers[0], headers[-1]
    positions = np.asarray([item.ImagePositionPatient for item in headers], dtype=np.float64)
    matrix = np.eye(4)
    matrix[:3, 0] = (positions[-1] - positions[0]) / (len(headers) - 1)
    matrix[:3, 1] = np.asarray(first.ImageOrientationPatient[3:], dtype=np.float64) * float(first.PixelSpacing[0])
    matrix[:3, 2] = np.asarray(first.ImageOrientationPatient[:3], dtype=np.float64) * float(first.PixelSpacing[1])
    matrix[:3, 3] = positions[0]
    geometry = VolumeGeometry.from_matrix(
        matrix,
        shape=(len(headers), int(last.Rows), int(last.Columns)),
        frame_of_reference_uid=str(first.FrameOfReferenceUID),
    )
    values = np.stack([item.pixel_array.astype(np.float64) * float(item.RescaleSlope) for item in headers])
    return sources.SourceSeries(
        study_uid=str(first.StudyInstanceUID),
        series_uid=str(first.SeriesInstanceUID),
        files=files,
        instance_uids=tuple(str(item.SOPInstanceUID) for item in headers),
        geometry=geometry,
        pixels=(values + 1024.0).astype(np.float64),  # `result_sets.volumetric` takes 1024 off
    )


@pytest.mark.real_data
def test_a_real_pet_agrees_everywhere(shared_data: Path, tmp_path: Path) -> None:
    """On a whole-body PET of 267 slices the SR, the SEG, the source and dciodvfy agree, numbers to 1e-6."""
    archive = shared_data / "sts001_raw_dicom" / "STS_001_FDG_PET.tar.xz"
    if not archive.is_file():
        pytest.skip(f"{archive.name} is not among the real images")
    files = tuple(path for path in unpack(archive, tmp_path / "in") if "image" in path.parts and path.suffix == ".dcm")
    series = _real_series(files)
    result_set = result_sets.volumetric(series, branch=Branch.PET_CT)
    objects = write_results(result_set, source_files=files, out_dir=tmp_path / "out", context=CONTEXT)
    (segmentation,) = (item for item in objects if item.kind is ResultKind.SEG)
    recomputed = {item.number: item for item in recompute_segments(segmentation.path, source_files=files)}
    for item in objects:
        assert complaints(item.path, real=True) == []
    for finding in read_report(objects[0].path).findings:
        assert finding.segment is not None
        segment = recomputed[finding.segment.segment_number]
        volume, mean, maximum = finding.measurements
        assert volume.value == pytest.approx(segment.volume_ml, rel=1e-6)
        assert mean.value == pytest.approx(segment.mean, rel=1e-6)
        assert maximum.value == pytest.approx(segment.maximum, rel=1e-6)
