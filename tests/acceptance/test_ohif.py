"""The result objects in the real OHIF, served against the DICOMweb of a real Orthanc, in a headless Chromium.

The studies are small and exactly known. Their matrix is a multiple of 8 columns: of others Orthanc hands out
no single frame of a binary segmentation, which is what OHIF asks for (see the how-to on OHIF).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser
from scipy import ndimage

from bmnode.domain.geometry import BoolArray
from bmnode.domain.objects import OutputOptions
from bmnode.domain.results import ResultSet
from bmnode.domain.study import Branch
from bmnode.results.reading import ReportedFinding, read_report
from bmnode.results.words import findings_in_words
from bmnode.results.write import write_results
from bmnode.testing.orthanc import OrthancPeer
from tests.support.ohif import Ohif, find_chromium, find_dicom_web, find_ohif, open_browser, tint
from tests.support.viewer_site import ViewerSite, dicom_web_settings
from tests.unit.results import result_sets, sources
from tests.unit.results.result_sets import CONTEXT

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600)]

SHAPE = (9, 12, 16)
JAPANESE = "骨転移 が"
ROOT, OUTLINES, SEGMENTATION = 9901, 9902, 9911
"""Series numbers of the result objects."""
LEAST_TINT = 3.0
"""Grey has none on the screen; the palest colour of a segment has more than that, laid over it."""
LEAST_COSINE = 0.95
ENDING = "/{uid}/frames/{frame}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """A study whose images and results Orthanc holds."""

    series: sources.SourceSeries
    result_set: ResultSet
    outlines: Path
    masks: dict[int, dict[tuple[str, int], BoolArray]]
    """By segment number of the first segmentation, its pixels (row, column) by instance and frame."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, orthanc_configuration: Path) -> Iterator[tuple[str, OrthancPeer]]:
    """The viewer's address and the archive behind it."""
    find_dicom_web()
    with ViewerSite(find_ohif()) as site:
        overrides = {**dicom_web_settings(site_port=site.port), "LuaScripts": []}
        folder = tmp_path_factory.mktemp("viewer") / "orthanc"
        with OrthancPeer(folder, configuration=orthanc_configuration, overrides=overrides) as orthanc:
            site.show(orthanc)
            yield site.url, orthanc


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with open_browser(find_chromium()) as opened:
        yield opened


def slices(folder: Path, *, modality: str, branch: Branch) -> tuple[sources.SourceSeries, ResultSet]:
    """Two lesions that overlap, and the bone around them; the PET lies obliquely, and the MR has a Japanese name."""
    sop_class = {"CT": sources.CT, "PT": sources.PT, "MR": sources.MR}[modality]
    series = sources.classic_slices(folder, sop_class, modality, oblique=modality == "PT", shape=SHAPE)
    few = result_sets.volumetric(series, branch=branch, synthetic=True)
    return series, named_in_japanese(few) if modality == "MR" else few


def named_in_japanese(result_set: ResultSet) -> ResultSet:
    """The first lesion by another name."""
    (segmentation,), (first, *others) = result_set.segmentations, result_set.findings
    segment = dataclasses.replace(segmentation.segments[0], label=JAPANESE, tracking_id=JAPANESE)
    segments = (segment, *segmentation.segments[1:])
    return dataclasses.replace(
        result_set,
        segmentations=(dataclasses.replace(segmentation, segments=segments),),
        findings=(dataclasses.replace(first, tracking_id=JAPANESE), *others),
    )


def views(folder: Path) -> tuple[sources.SourceSeries, ResultSet]:
    """A hot spot that is seen on both views, on one of them a rectangle, and the bladder on the anterior one."""
    series = sources.planar_bone_scan(folder)
    return series, result_sets.planar_segmented(series)


def masks_of(series: sources.SourceSeries, result_set: ResultSet) -> dict[int, dict[tuple[str, int], BoolArray]]:
    """The pixels that the first segmentation must show, from the result set and not from the object."""
    if result_set.planar_segmentations:
        view = result_set.planar_segmentations[0]
        place = (view.source_instance_uid, view.frame_number or 1)
        return {number: {place: part.mask.to_array()[0]} for number, part in enumerate(view.segments, 1)}
    return {
        number: {(series.instance_uids[k], 1): plane for k, plane in enumerate(part.mask.to_array())}
        for number, part in enumerate(result_set.segmentations[0].segments, 1)
    }


MAKERS: dict[str, Callable[[Path], tuple[sources.SourceSeries, ResultSet]]] = {
    "ct": lambda folder: slices(folder, modality="CT", branch=Branch.CT),
    "pet": lambda folder: slices(folder, modality="PT", branch=Branch.PET_CT),
    "mr": lambda folder: slices(folder, modality="MR", branch=Branch.MRI),
    "planar": views,
}


@pytest.fixture(scope="module", params=MAKERS, ids=str)
def shown(
    request: pytest.FixtureRequest, archive: tuple[str, OrthancPeer], tmp_path_factory: pytest.TempPathFactory
) -> Shown:
    """One study of each kind with its results in the archive."""
    folder = tmp_path_factory.mktemp(request.param)
    series, result_set = MAKERS[request.param](folder / "in")
    output = OutputOptions(fictitious_planar_geometry=bool(result_set.planar_segmentations))
    objects = write_results(
        result_set,
        source_files=series.files,
        out_dir=folder / "out",
        context=dataclasses.replace(CONTEXT, job_digest=request.param, output=output),
    )
    for path in (*series.files, *(item.path for item in objects)):
        archive[1].rest.upload(path.read_bytes())
    return Shown(series=series, result_set=result_set, outlines=objects[1].path, masks=masks_of(series, result_set))


def test_the_reports_are_shown(shown: Shown, archive: tuple[str, OrthancPeer], browser: Browser) -> None:
    """Every measurement loads with its number and is gone to on its image; the root report is text to read."""
    viewer = Ohif(browser, url=archive[0], study_uid=shown.series.study_uid)
    viewer.open_series(OUTLINES)
    findings = read_report(shown.outlines).findings
    outlines = [(finding, number) for finding in findings for number in range(1, len(finding.polygons) + 1)]
    viewer.until(lambda: len(viewer.measurements(OUTLINES)) == len(outlines))
    viewer.until(lambda: all(item["loaded"] for item in viewer.measurements(OUTLINES)))
    viewer.await_rest()
    for item, (finding, number) in zip(viewer.measurements(OUTLINES), outlines, strict=True):
        check_measurement(viewer, item, finding, number=number)
        viewer.next_measurement()
    viewer.open_series(ROOT)
    said = ["Oncology Measurement Report", "RESEARCH USE ONLY", *(item.tracking_id for item in findings)]
    named = [f"{item.concept.meaning}: " for finding in findings for item in finding.measurements]
    words = [line for text in findings_in_words(shown.result_set) for line in text.splitlines()]
    viewer.until(lambda: all(text in viewer.text() for text in (*said, *named, *words)))
    assert viewer.errors == []
    viewer.close()


def check_measurement(viewer: Ohif, item: dict[str, Any], finding: ReportedFinding, *, number: int) -> None:
    """The measurement is the finding's outline of this number (from 1), and the image shown is its own.

    The first has the finding's first number beside it; the others say whose they are, and have none.
    """
    measured, outline = finding.measurements[0], finding.polygons[number - 1]
    if number == 1:
        assert item["tracking"] == finding.tracking_id
        assert item["texts"][0] == f"{measured.concept.meaning}: {measured.value:.2f} {measured.unit.value}"
    else:
        assert item["tracking"] == f"{finding.tracking_id} (outline {number})"
        assert item["texts"] == []
    place = ENDING.format(uid=outline.sop_instance_uid, frame=outline.frame_number or 1)
    viewer.until(lambda: viewer.image().endswith(place))


def test_the_segments_are_shown(shown: Shown, archive: tuple[str, OrthancPeer], browser: Browser) -> None:
    """Every segment stands in the list by its name, and is drawn on its pixels in its colour, and on no others."""
    viewer = Ohif(browser, url=archive[0], study_uid=shown.series.study_uid, mode="segmentation")
    viewer.open_series(SEGMENTATION)
    parts = (shown.result_set.segmentations or shown.result_set.planar_segmentations)[0].segments
    viewer.until(lambda: viewer.segments() == {number: part.label for number, part in enumerate(parts, 1)})
    viewer.await_rest()
    viewer.until(lambda: all(part.label in viewer.text() for part in parts))
    for number in viewer.segments():
        check_segment(viewer, number, shown.masks[number])
    assert viewer.errors == []
    viewer.close()


def check_segment(viewer: Ohif, number: int, planes: dict[tuple[str, int], BoolArray]) -> None:
    """The segment alone, on the image where it covers most."""
    uid, frame = max(planes, key=lambda key: np.count_nonzero(planes[key]))
    mask, colour = planes[uid, frame], viewer.colours()[number]
    viewer.show_segment(number)
    viewer.show_image(uid, frame=frame)
    viewer.until(lambda: viewer.image().endswith(ENDING.format(uid=uid, frame=frame)))
    viewer.until(lambda: is_painted(viewer, mask, colour))


def is_painted(viewer: Ohif, mask: BoolArray, colour: tuple[int, int, int]) -> bool:
    """Whether exactly the mask's pixels are tinted, and in the colour's direction.

    Of the pixels around the mask the drawn outline may take some; they are left out.
    """
    seen, wanted = tint(viewer.paint(shape=(mask.shape[0], mask.shape[1]))), tint(colour)
    tinted = np.abs(seen).max(axis=-1) >= LEAST_TINT
    away = ~ndimage.binary_dilation(mask, structure=np.ones((3, 3)))
    if not tinted[mask].all() or tinted[away].any():
        return False
    inside = seen[mask]
    cosines = inside @ wanted / (np.linalg.norm(inside, axis=1) * np.linalg.norm(wanted))
    return bool((cosines >= LEAST_COSINE).all())
