"""Studies of one simulated patient, and changed copies of them: what a scanner, an export or a mistake may do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from highdicom.legacy import LegacyConvertedEnhancedPETImage
from pydicom import Dataset, dcmread
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, EnhancedPETImageStorage

from bmnode.domain.ids import derive_uid

Change = Callable[[Sequence[Dataset]], Sequence[Dataset]]
"""What is done to a study's instances; it gives back those that stay."""
COHORT = """
[cohort]
name = "refusals"
patients = 1
seed = 4

[person]
height_cm = 165
weight_kg = 62
sex = "M"

[decoys]
extravasation = 0
contamination = 0
prosthesis = 0

[disease]
primary = "prostate"
burden = "multiple"

[[study]]
modality = "planar"
pixel_mm = 3.0

[[study]]
modality = "pet"
region = "abdomen_pelvis"
voxel_mm = 6
slice_mm = 6

[study.ct]
region = "abdomen_pelvis"
pixel_mm = 2.5
field_mm = 500
slice_mm = 5
increment_mm = 5

[[study]]
modality = "spect"
length_mm = 450
voxel_mm = 6
centre = "t12"

[study.ct]
region = "abdomen_pelvis"
pixel_mm = 2.5
field_mm = 500
slice_mm = 5
increment_mm = 5

[[study]]
modality = "mri"
region = "spine_sagittal"
sequences = ["t1", "dixon", "dwi"]
b_values = [50, 900]
pixel_mm = 2
slice_mm = 6
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """The folders of one simulated patient's studies, by modality."""

    folder: Path

    def files(self, study: str) -> list[Path]:
        """The instances of `planar`, `mri`, `pet` or `spect` with CT, of `ct` (beside the PET) or `pet-alone`."""
        stored = "pet" if study in {"ct", "pet-alone"} else study
        files = sorted((self.folder / stored / "dicom").iterdir())
        wanted = {"ct": "CT", "pet-alone": "PT"}.get(study)
        return [path for path in files if wanted is None or _modality(path) == wanted]

    def copy(self, study: str, folder: Path, *, change: Change) -> Path:
        """Write a changed copy of a study to a folder."""
        folder.mkdir(parents=True)
        for index, image in enumerate(change([dcmread(path) for path in self.files(study)])):
            image.save_as(folder / f"{index:04}.dcm", enforce_file_format=True)
        return folder


def simulate_patient(folder: Path, *, cache: Path) -> Patient:
    """Make the studies: coarse, so that all of them take seconds."""
    file = folder / "cohort.toml"
    file.write_text(COHORT, encoding="utf-8")
    command = [sys.executable, "-m", "bmnode", "simulate", str(file), "--out", str(folder / "out")]
    said = subprocess.run([*command, "--cache", str(cache)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    (baseline,) = (folder / "out").glob("patient-*/baseline")
    return Patient(folder=baseline)


def _modality(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True, specific_tags=["Modality"]).Modality)


# --- changes ----------------------------------------------------------------------------


def as_it_is(images: Sequence[Dataset]) -> Sequence[Dataset]:
    """No change."""
    return images


def each(change: Callable[[Dataset], None], *, modality: str | None = None) -> Change:
    """The same change to every instance, or to those of one modality."""

    def apply(images: Sequence[Dataset]) -> Sequence[Dataset]:
        for image in images:
            if modality in {None, image.Modality}:
                change(image)
        return images

    return apply


def set_to(**values: object) -> Change:
    """Attributes of every instance set to a value; None takes the attribute away."""

    def change(image: Dataset) -> None:
        _assign(image, values)

    return each(change)


def drug(**values: object) -> Change:
    """The same for the one item of the Radiopharmaceutical Information Sequence."""

    def change(image: Dataset) -> None:
        _assign(image.RadiopharmaceuticalInformationSequence[0], values)

    return each(change)


def code(value: str, meaning: str) -> list[Dataset]:
    """A code sequence of one SNOMED CT code."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


def _assign(image: Dataset, values: dict[str, object]) -> None:
    for keyword, value in values.items():
        if value is None:
            if keyword in image:
                del image[keyword]
        else:
            setattr(image, keyword, value)


def turned(turn: Callable[[npt.NDArray[np.generic]], npt.NDArray[np.generic]]) -> Change:
    """Every instance's pixels turned, its header left as it was."""

    def change(image: Dataset) -> None:
        put_pixels(image, turn(np.asarray(image.pixel_array)))

    return each(change)


def noise(images: Sequence[Dataset]) -> Sequence[Dataset]:
    """The pixels of every instance in an order drawn at random: the same values, and nothing to be seen."""
    random = np.random.default_rng(11)
    for image in images:
        pixels = np.asarray(image.pixel_array)
        put_pixels(image, random.permuted(pixels.ravel()).reshape(pixels.shape))
    return images


def head_to_feet(images: Sequence[Dataset]) -> Sequence[Dataset]:
    """The pixels of the axial slices in the opposite order, their headers left as they were."""
    ordered = sorted(images, key=lambda image: float(image.ImagePositionPatient[2]))
    pixels = [image.PixelData for image in ordered]
    for image, data in zip(ordered, reversed(pixels), strict=True):
        image.PixelData = data
    return ordered


def thinned(share: float) -> Change:
    """Fewer counts, as after a shorter scan: each count is kept with a probability."""

    def change(image: Dataset) -> None:
        counts = np.random.default_rng(7).binomial(np.asarray(image.pixel_array).astype(np.int64), share)
        put_pixels(image, counts.astype(np.uint16))
        image.CountsAccumulated = int(counts.sum())

    return each(change)


def put_pixels(image: Dataset, pixels: npt.NDArray[np.generic]) -> None:
    """Other pixels of the same type."""
    image.Rows, image.Columns = pixels.shape[-2:]
    image.PixelData = np.ascontiguousarray(pixels).tobytes()


def only(keep: Callable[[Dataset], bool], *, then: Change = as_it_is) -> Change:
    """Some of the instances, changed."""
    return lambda images: then([image for image in images if keep(image)])


def of_modality(modality: str, change: Change) -> Change:
    """The change to the instances of one modality; the others stay as they are."""

    def apply(images: Sequence[Dataset]) -> Sequence[Dataset]:
        changed = change([image for image in images if image.Modality == modality])
        return [*changed, *(image for image in images if image.Modality != modality)]

    return apply


def given(*, mbq: float) -> Change:
    """PET of another injected activity: dose and image grow together, the SUV stays."""

    def change(image: Dataset) -> None:
        agent = image.RadiopharmaceuticalInformationSequence[0]
        share = mbq * 1e6 / float(agent.RadionuclideTotalDose)
        agent.RadionuclideTotalDose = f"{mbq * 1e6:.9g}"
        image.RescaleSlope = f"{float(image.RescaleSlope) * share:.9g}"

    return each(change)


def as_radiograph(body_part: str) -> Change:
    """One slice as a digital radiograph."""

    def change(images: Sequence[Dataset]) -> Sequence[Dataset]:
        image = images[0]
        _assign(image, {"Modality": "DX", "BodyPartExamined": body_part, "SeriesDescription": f"DX {body_part} AP"})
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
        image.SOPInstanceUID = UID(derive_uid("radiograph", body_part))
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        return [image]

    return change


def as_suv(images: Sequence[Dataset]) -> Sequence[Dataset]:
    """PET in Bq/ml rescaled to SUVbw, as some exports do (Units GML), by the series' own dose, weight and times."""
    for image in images:
        agent = image.RadiopharmaceuticalInformationSequence[0]
        waited_s = seconds_of_day(image.SeriesTime) - seconds_of_day(agent.RadiopharmaceuticalStartTime)
        left = float(agent.RadionuclideTotalDose) * 2.0 ** (-waited_s / float(agent.RadionuclideHalfLife))
        factor = float(image.PatientWeight) * 1000.0 / left
        image.RescaleSlope = f"{float(image.RescaleSlope) * factor:.10e}"
        _assign(image, {"Units": "GML", "SUVType": "BW"})
    return images


def seconds_of_day(time: object) -> float:
    """Seconds since midnight of a TM value."""
    text = str(time)
    return int(text[:2]) * 3600.0 + int(text[2:4]) * 60.0 + float(text[4:])


def as_legacy_converted(images: Sequence[Dataset]) -> Sequence[Dataset]:
    """A classic PET series as one Legacy Converted Enhanced PET object, by an independent converter."""
    series = str(images[0].SeriesInstanceUID)
    return [
        LegacyConvertedEnhancedPETImage(
            images,
            series_instance_uid=derive_uid(series, "converted"),
            series_number=9,
            sop_instance_uid=derive_uid(series, "converted", "instance"),
            instance_number=1,
            strict=False,
        )
    ]


def as_enhanced_pet(images: Sequence[Dataset]) -> Sequence[Dataset]:
    """A classic PET series in Bq/ml as one Enhanced PET object: nothing is left of the classic attributes."""
    (image,) = as_legacy_converted(images)
    first = min(images, key=lambda one: str(one.AcquisitionTime))
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = EnhancedPETImageStorage
    agent = deepcopy(first.RadiopharmaceuticalInformationSequence[0])
    agent.RadionuclideTotalDose = f"{float(agent.RadionuclideTotalDose) / 1e6:.9g}"
    agent.RadiopharmaceuticalAgentNumber = 1
    image.RadiopharmaceuticalInformationSequence = [agent]
    image.DecayCorrected = image.AttenuationCorrected = "YES"
    image.DecayCorrectionDateTime = f"{first.SeriesDate}{first.SeriesTime}"
    shared = image.SharedFunctionalGroupsSequence[0]
    del shared.UnassignedSharedConvertedAttributesSequence
    for group in image.PerFrameFunctionalGroupsSequence:
        group.pop("UnassignedPerFrameConvertedAttributesSequence", None)
        rescale = (group if "PixelValueTransformationSequence" in group else shared).PixelValueTransformationSequence
        mapping, unit = Dataset(), Dataset()
        unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "Bq/ml", "UCUM", "Becquerels/milliliter"
        mapping.MeasurementUnitsCodeSequence = [unit]
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = float(rescale[0].RescaleSlope), 0.0
        group.RealWorldValueMappingSequence = [mapping]
    return [image]
