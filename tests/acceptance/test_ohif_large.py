"""The segmentations of a long study in the real OHIF.

150 slices with six lesions and bone as it is installed; `BMNODE_VIEWER_SLICES=1500` makes it a whole body with sixty
lesions, which takes some minutes and 3 GB of memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import RLELossless

from benchmarks.result_set import CONTEXT, MATRIX, case
from bmnode.domain.objects import ResultKind
from bmnode.results.reading import read_header
from bmnode.results.write import write_results
from bmnode.testing.orthanc import OrthancPeer
from tests.support.ohif import Ohif, find_chromium, find_dicom_web, find_ohif, open_browser
from tests.support.viewer_site import ViewerSite, dicom_web_settings

SLICES = int(os.environ.get("BMNODE_VIEWER_SLICES", "150"))
SLICES_A_LESION = 25

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(3600)]


def test_every_segment_of_a_long_study_is_listed(tmp_path: Path, orthanc_configuration: Path) -> None:
    """Each segmentation opens with all its segments by name, and the page comes to rest without an error."""
    find_dicom_web()
    study = case(tmp_path / "images", slices=SLICES, lesions=SLICES // SLICES_A_LESION)
    give_pixels(study.files)
    objects = write_results(study.result_set, source_files=study.files, out_dir=tmp_path / "results", context=CONTEXT)
    headers = [read_header(item.path) for item in objects if item.kind is ResultKind.SEG]
    labels = {
        int(header.SeriesNumber): [str(item.SegmentLabel) for item in header.SegmentSequence] for header in headers
    }
    assert sum(map(len, labels.values())) == SLICES // SLICES_A_LESION + 1
    with ViewerSite(find_ohif()) as site, open_browser(find_chromium()) as browser:
        overrides = {**dicom_web_settings(site_port=site.port), "LuaScripts": []}
        with OrthancPeer(tmp_path / "orthanc", configuration=orthanc_configuration, overrides=overrides) as orthanc:
            site.show(orthanc)
            for path in (*study.files, *(item.path for item in objects)):
                orthanc.rest.upload(path.read_bytes())
            for number, names in labels.items():
                viewer = Ohif(browser, url=site.url, study_uid=study.result_set.study_uid, mode="segmentation")
                viewer.open_series(number)
                viewer.until(lambda: list(viewer.segments().values()) == names)  # noqa: B023 - called in this turn
                viewer.await_rest()
                assert viewer.errors == []
                viewer.close()


def give_pixels(files: Iterable[Path]) -> None:
    """A body in air on every slice, compressed: the benchmark's images have headers alone."""
    frame = np.full((MATRIX, MATRIX), -1000, dtype=np.int16)
    frame[100:400, 100:400] = 40
    encoded = b""
    for path in files:
        dataset = pydicom.dcmread(path)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        if not encoded:
            dataset.compress(RLELossless, frame, generate_instance_uid=False)
            encoded = dataset.PixelData
        else:
            dataset.PixelData = encoded
            dataset["PixelData"].VR = "OB"
            dataset["PixelData"].is_undefined_length = True
            dataset.file_meta.TransferSyntaxUID = RLELossless
        dataset.save_as(path)
