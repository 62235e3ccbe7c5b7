"""Pictures -> Secondary Capture (PS3.3 A.8.1), for archives and viewers that open neither SR nor SEG."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from bmnode.domain.objects import ResultKind
from bmnode.domain.results import ResultSet
from bmnode.errors import ResultError
from bmnode.results.canvas import banner
from bmnode.results.concepts import SECONDARY_CAPTURE
from bmnode.results.context import WriteContext
from bmnode.results.examined import Examined
from bmnode.results.instance import NewInstance, new_instance
from bmnode.results.pictures import Picture, compose_pictures
from bmnode.results.sources import SourceStudy
from bmnode.results.text import plain


def build_captures(result_set: ResultSet, *, source: SourceStudy, context: WriteContext) -> list[Dataset]:
    """The result's pictures as instances of one series, the banner burned in; none for a study that has none."""
    pictures = compose_pictures(result_set, source)
    return [
        _capture(picture, index, result_set=result_set, source=source, context=context)
        for index, picture in enumerate(pictures)
    ]


def _capture(
    picture: Picture, index: int, *, result_set: ResultSet, source: SourceStudy, context: WriteContext
) -> Dataset:
    what = NewInstance(kind=ResultKind.SC, sop_class_uid=SECONDARY_CAPTURE, modality="OT", index=index)
    dataset = new_instance(what, source=source, context=context, result_set=result_set)
    dataset.ConversionType = "WSD"
    dataset.DateOfSecondaryCapture, dataset.TimeOfSecondaryCapture = dataset.ContentDate, dataset.ContentTime
    dataset.SecondaryCaptureDeviceManufacturer = dataset.Manufacturer
    dataset.SecondaryCaptureDeviceManufacturerModelName = dataset.ManufacturerModelName
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.ImageComments = plain(picture.title)
    dataset.PatientOrientation = []
    dataset.Laterality = ""  # of whatever the study shows
    # The banner, and of a course the dates of the studies: whoever takes an identity away has to look at the pixels.
    dataset.BurnedInAnnotation = "YES"
    _fill_pixels(dataset, picture)
    for keyword, value in next((item.lossy for item in source.instances.values() if item.lossy), ()):
        setattr(dataset, keyword, value)
    return dataset


def _fill_pixels(dataset: Dataset, picture: Picture) -> None:
    """Image Pixel module: 8-bit RGB, interleaved."""
    pixels = np.asarray(picture.image.convert("RGB"), dtype=np.uint8)
    raw = pixels.tobytes()
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    dataset.PixelData = raw + b"\0" * (len(raw) % 2)
    dataset["PixelData"].VR = "OB"


def check_capture(examined: Examined) -> None:
    """The picture decodes, and the statements that head every output, those and no more, are burned into it."""
    pixels = np.asarray(examined.dataset.pixel_array)
    synthetic = examined.result_set.synthetic
    if not _begins_with(pixels, synthetic=synthetic):
        raise ResultError("the statements are not burned in")
    if not synthetic and _begins_with(pixels, synthetic=True):
        raise ResultError("a picture of real images says that they are simulated")


def _begins_with(pixels: npt.NDArray[np.generic], *, synthetic: bool) -> bool:
    head = banner(pixels.shape[1], synthetic=synthetic)
    return np.array_equal(pixels[: len(head)], head)
