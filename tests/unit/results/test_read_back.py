"""What was written as SR and SEG comes back as the result set that it was."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from bmnode.domain.geometry import CroppedMask, ImagePolygon, VolumeGeometry
from bmnode.domain.ids import derive_uid
from bmnode.domain.results import QualityCheck, ResultSet, Verdict
from bmnode.domain.study import Branch
from bmnode.errors import ResultError
from bmnode.results.context import ResultObject, WriteContext
from bmnode.results.read_back import read_back
from bmnode.results.write import write_results
from tests.support.same_results import assert_same_result, places
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT
from tests.unit.results.test_revision import as_predecessors

Make = Callable[[Path], tuple[sources.SourceSeries, ResultSet]]


def _of(make: Callable[[Path], sources.SourceSeries], results: Callable[[sources.SourceSeries], ResultSet]) -> Make:
    def build(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
        series = make(folder)
        return series, results(series)

    return build


def _ct(folder: Path) -> sources.SourceSeries:
    return sources.classic_slices(folder, sources.CT, "CT")


def _oblique_pet(folder: Path) -> sources.SourceSeries:
    return sources.classic_slices(folder, sources.PT, "PT", oblique=True)


def _outlined(series: sources.SourceSeries) -> ResultSet:
    """A volume's findings with segments and outlines: the root report has those, the outlines' report these."""
    base = result_sets.volumetric(series)
    points = ((3.0, 2.0), (9.0, 2.0), (9.0, 8.0), (3.0, 8.0), (3.0, 2.0))
    ring = (ImagePolygon(sop_instance_uid=series.instance_uids[0], frame_number=None, points=points),)
    return dataclasses.replace(base, findings=tuple(dataclasses.replace(item, polygons=ring) for item in base.findings))


def _descended(results: Callable[[sources.SourceSeries], ResultSet]) -> Callable[[sources.SourceSeries], ResultSet]:
    """Every finding, and one without a region, came from two earlier ones."""

    def make(series: sources.SourceSeries) -> ResultSet:
        base, parents = results(series), tuple(derive_uid("test", "parent", name) for name in "ab")
        alone = dataclasses.replace(
            base.findings[0], tracking_id="L9", tracking_uid="2.25.9", segment=None, polygons=(), measurements=()
        )
        findings = tuple(dataclasses.replace(item, came_from=parents) for item in (*base.findings, alone))
        return dataclasses.replace(base, findings=findings)

    return make


CASES: dict[str, Make] = {
    "ct": _of(_ct, result_sets.volumetric),
    "ct, merged": _of(_ct, _descended(result_sets.volumetric)),
    "planar, merged": _of(sources.planar_bone_scan, _descended(result_sets.planar)),
    "ct with outlines": _of(_ct, _outlined),
    "pet, oblique, simulated": _of(
        _oblique_pet, lambda series: result_sets.volumetric(series, branch=Branch.PET_CT, synthetic=True)
    ),
    "enhanced mr": _of(sources.enhanced_mr, lambda series: result_sets.volumetric(series, branch=Branch.MRI)),
    "spect": _of(sources.spect_recon, lambda series: result_sets.volumetric(series, branch=Branch.SPECT)),
    "planar": _of(sources.planar_bone_scan, result_sets.planar),
    "planar, segmented": _of(sources.planar_bone_scan, result_sets.planar_segmented),
    "negative": _of(_ct, result_sets.negative),
    "refused": _of(sources.planar_bone_scan, result_sets.refused),
}


@dataclasses.dataclass(frozen=True)
class Written:
    """A result set on disk."""

    series: sources.SourceSeries
    result_set: ResultSet
    objects: tuple[ResultObject, ...]

    @property
    def files(self) -> list[Path]:
        """The objects' files."""
        return [item.path for item in self.objects]


def write(make: Make, folder: Path, context: WriteContext = CONTEXT) -> Written:
    """Make a result set and write it."""
    series, result_set = make(folder / "in")
    return Written(
        series,
        result_set,
        write_results(result_set, source_files=series.files, out_dir=folder / "out", context=context),
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """Every case, written once."""
    return {name: write(make, tmp_path_factory.mktemp("read-back")) for name, make in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_with_its_images_a_result_comes_back_as_it_was(name: str, written: dict[str, Written]) -> None:
    """Findings, numbers, masks on their grid, checks and algorithms are those that were written."""
    case = written[name]
    earlier = read_back(case.files, images=case.series.files)
    assert_same_result(earlier.result_set, case.result_set, same_grid=True)
    assert earlier.report_uid == case.objects[0].sop_instance_uid
    assert earlier.pipeline == "bone_metastasis 1.0"
    assert f"{earlier.studied_on}" == "2025-03-04"


@pytest.mark.parametrize("name", CASES)
def test_without_its_images_every_voxel_is_at_its_place(name: str, written: dict[str, Written]) -> None:
    """From SR and SEG alone the same result, its masks at the same places in the patient."""
    case = written[name]
    assert_same_result(read_back(case.files).result_set, case.result_set, same_grid=False)


@pytest.mark.parametrize("name", ["ct", "enhanced mr", "spect", "planar, segmented", "negative"])
def test_what_was_read_back_can_be_written_again(name: str, written: dict[str, Written], tmp_path: Path) -> None:
    """Read with its images, a result is written and verified anew and still is the same."""
    case = written[name]
    once = read_back(case.files, images=case.series.files).result_set
    objects = write_results(once, source_files=case.series.files, out_dir=tmp_path, context=CONTEXT)
    again = read_back([item.path for item in objects], images=case.series.files).result_set
    assert_same_result(again, once, same_grid=True)


def test_a_slice_that_no_frame_names_has_no_instance_without_the_images(
    written: dict[str, Written], tmp_path: Path
) -> None:
    """Between two lesions that lie apart the grid goes on, and the instances of its slices are not known."""
    case = written["ct"]
    base = case.result_set.segmentations[0]
    masks = [result_sets.ball(base.geometry, (slice_index, 5, 6), 0.5) for slice_index in (1, 5)]
    segments = [
        dataclasses.replace(segment, mask=CroppedMask.from_array(mask))
        for segment, mask in zip(base.segments, masks, strict=False)
    ]
    result_set = dataclasses.replace(
        case.result_set,
        segmentations=(dataclasses.replace(base, segments=tuple(segments)),),
        findings=tuple(dataclasses.replace(item, measurements=()) for item in case.result_set.findings),
    )
    objects = write_results(result_set, source_files=case.series.files, out_dir=tmp_path, context=CONTEXT)
    found = read_back([item.path for item in objects]).result_set.segmentations[0]
    uids = case.series.instance_uids
    assert found.source_instance_uids == (uids[1], "", "", "", uids[5])


def test_a_report_that_was_replaced_is_passed_over(tmp_path: Path) -> None:
    """Of two revisions beside each other the one that names the other is read."""
    first = write(CASES["planar"], tmp_path / "first")
    later = dataclasses.replace(CONTEXT, job_digest="later", predecessors=as_predecessors(first.objects))
    second = write(CASES["planar"], tmp_path / "second", later)
    earlier = read_back([*first.files, *second.files])
    assert earlier.report_uid == second.objects[0].sop_instance_uid
    assert earlier.predecessor_uids == (first.objects[0].sop_instance_uid,)


def test_two_results_of_equal_right_are_refused(tmp_path: Path) -> None:
    """Where neither report takes the place of the other, none is chosen."""
    first = write(CASES["planar"], tmp_path / "first")
    second = write(CASES["planar"], tmp_path / "second", dataclasses.replace(CONTEXT, job_digest="other"))
    with pytest.raises(ResultError, match="2 root reports"):
        read_back([*first.files, *second.files])


def test_a_missing_segmentation_is_named(written: dict[str, Written]) -> None:
    """A report without its segmentation is no result; the message gives the UID of what is missing."""
    sr, outlines, seg = written["ct"].objects
    with pytest.raises(ResultError, match=f"{seg.sop_instance_uid}.* is missing"):
        read_back([sr.path, outlines.path])
    with pytest.raises(ResultError, match="no root report"):
        read_back([seg.path])


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_object_gives_an_error_without_the_patient(
    data: st.DataObject, written: dict[str, Written], tmp_path: Path
) -> None:
    """Whatever attribute is lost or holds the patient's name, the result is refused or read, and nobody is named."""
    case = written[data.draw(st.sampled_from(["ct", "planar, segmented", "negative"]))]
    files = []
    for item in case.objects:
        dataset = pydicom.dcmread(item.path)
        inside = [
            (holder, element.tag)
            for holder in _holders(dataset)
            for element in holder
            if element.VR not in ("OB", "OW") and element.keyword not in ("SOPInstanceUID", "Modality")
        ]
        holder, tag = inside[data.draw(st.integers(0, len(inside) - 1))]
        if data.draw(st.booleans()) and holder[tag].VR in ("LO", "SH", "UT", "UC", "CS"):
            holder[tag].value = "Test^Result"
        else:
            del holder[tag]
        path = tmp_path / item.path.name
        dataset.save_as(path, enforce_file_format=True)
        files.append(path)
    try:
        read_back(files)
    except ResultError as error:
        said = f"{error}{error.__cause__ or ''}"
    else:
        said = ""
    assert "Test" not in said


def _holders(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    nested = [child for element in dataset if element.VR == "SQ" for item in element.value for child in _holders(item)]
    return [dataset, *nested]


def test_a_deflated_segmentation_comes_back_too(written: dict[str, Written], tmp_path: Path) -> None:
    """Deflated on disk the object holds the same voxels."""
    case = written["ct"]
    sr, outlines, seg = case.objects
    dataset = pydicom.dcmread(seg.path)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dataset.save_as(tmp_path / "deflated.dcm", enforce_file_format=True)
    found = read_back([sr.path, outlines.path, tmp_path / "deflated.dcm"], images=case.series.files)
    assert_same_result(found.result_set, case.result_set, same_grid=True)


def test_pixels_that_end_too_soon_are_an_error(written: dict[str, Written], tmp_path: Path) -> None:
    """A segmentation whose pixel data were cut off is not read as if it were empty there."""
    sr, outlines, seg = written["ct"].objects
    dataset = pydicom.dcmread(seg.path)
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 4 * 2]
    dataset.save_as(tmp_path / "cut.dcm")
    with pytest.raises(ResultError, match="cannot be understood"):
        read_back([sr.path, outlines.path, tmp_path / "cut.dcm"])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_masks_and_checks_come_back(data: st.DataObject, written: dict[str, Written], tmp_path: Path) -> None:
    """Whatever the voxels of the segments and the words of the checks, they are the same afterwards."""
    case = written["ct"]
    base, geometry = case.result_set, case.result_set.segmentations[0].geometry
    seed = data.draw(st.integers(0, 2**32 - 1))
    masks = _random_masks(geometry, seed, count=len(base.segmentations[0].segments))
    segments = tuple(
        dataclasses.replace(segment, mask=mask)
        for segment, mask in zip(base.segmentations[0].segments, masks, strict=True)
    )
    text = st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=40).filter(
        lambda value: value.strip() == value and "\\" not in value and ": " not in value
    )
    check = QualityCheck(
        name=data.draw(text), verdict=data.draw(st.sampled_from(list(Verdict))), explanation=data.draw(text)
    )
    result_set = dataclasses.replace(
        base,
        segmentations=(dataclasses.replace(base.segmentations[0], segments=segments),),
        findings=tuple(dataclasses.replace(item, measurements=()) for item in base.findings),
        quality=(check,),
    )
    folder = tmp_path / str(seed)
    objects = write_results(result_set, source_files=case.series.files, out_dir=folder, context=CONTEXT)
    found = read_back([item.path for item in objects], images=case.series.files).result_set
    assert_same_result(found, result_set, same_grid=True)


def _random_masks(geometry: VolumeGeometry, seed: int, *, count: int) -> list[CroppedMask]:
    random = np.random.default_rng(seed)
    masks = []
    for _ in range(count):
        mask = random.random(geometry.shape) < random.choice([0.002, 0.1, 0.9])
        mask[tuple(random.integers(0, geometry.shape))] = True
        masks.append(CroppedMask.from_array(np.asarray(mask)))
    return masks


def test_slices_stored_head_first_come_back_at_their_places(written: dict[str, Written]) -> None:
    """The voxels of a tomogram whose frames run from head to feet lie where its own headers put them."""
    case = written["spect"]
    found = read_back(case.files, images=case.series.files).result_set.segmentations[0]
    (expected,) = case.result_set.segmentations
    assert case.series.geometry is not None
    for one, other in zip(found.segments, expected.segments, strict=True):
        np.testing.assert_allclose(
            places(one.mask, found.geometry), places(other.mask, case.series.geometry), atol=1e-4
        )
    assert derive_uid("test", "lesion", "1") in {segment.tracking_uid for segment in found.segments}
