"""The images that a result refers to, as their headers describe them. No pixels are read here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from highdicom._standard_utils import get_module_attribute_map
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from bmnode.errors import ResultError

UNREADABLE = (InvalidDicomError, OSError, EOFError, ValueError, KeyError, AttributeError, NotImplementedError)
"""What pydicom raises on bytes that are no data set."""

PATIENT_AND_STUDY_MODULES = (
    "patient",
    "clinical-trial-subject",
    "general-study",
    "patient-study",
    "clinical-trial-study",
)
IDENTIFYING = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Type 1 and 2 of Patient and General Study: copied as they stand, valid or not, so that an archive files the
result beside its images."""
_DIRECTION = re.compile(r"[AFHLPR]{1,3}")
"""Patient Orientation of a biped (PS3.3 C.7.6.1.1.1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FramePlace:
    """One frame's place: position of the first pixel's centre and orientation (LPS, mm), (row, column) spacing."""

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]

    def __post_init__(self) -> None:
        if len(self.position) != 3 or len(self.orientation) != 6:
            raise ValueError("a place has three coordinates and six direction cosines")
        if not np.all(np.isfinite([*self.position, *self.orientation, *self.spacing_mm])):
            raise ValueError("a place is finite")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceInstance:
    """One source object. `places` has one entry a frame, or is empty where the frames say no place."""

    path: Path
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    modality: str
    rows: int
    columns: int
    frame_count: int
    frame_of_reference_uid: str
    places: tuple[FramePlace, ...]
    lossy: tuple[tuple[str, Any], ...]
    """Lossy Image Compression attributes by keyword, which everything derived inherits (PS3.3 C.7.6.1.1.5)."""
    patient_orientation: tuple[str, str] | None
    """Patient Orientation of an instance of one frame; of several views it could hold for one only."""
    pixel_spacing_mm: tuple[float, float] | None
    """Pixel Spacing of the data set itself (rows, columns), where it states one above 0."""

    @classmethod
    def from_header(cls, header: Dataset, path: Path) -> SourceInstance:
        """Describe a header. Raises KeyError or ValueError where it does not identify its instance."""
        keywords = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
        return cls(
            path=path,
            series_uid=_uid(header, "SeriesInstanceUID"),
            sop_instance_uid=_uid(header, "SOPInstanceUID"),
            sop_class_uid=_uid(header, "SOPClassUID"),
            modality=str(header.get("Modality") or ""),
            rows=int(header.get("Rows") or 0),
            columns=int(header.get("Columns") or 0),
            frame_count=int(header.get("NumberOfFrames") or 1),
            frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
            places=frame_places(header),
            lossy=tuple((key, header.get(key)) for key in keywords if header.get(key) not in (None, "")),
            patient_orientation=_patient_orientation(header),
            pixel_spacing_mm=_pixel_spacing(header),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SourceStudy:
    """The instances of one study and the patient and study attributes that every result copies."""

    study_uid: str
    instances: Mapping[str, SourceInstance]
    """By SOP Instance UID."""
    header: Dataset
    unreadable_count: int
    """Files that could not be read and so are not referred to."""
    proved: dict[Hashable, tuple[Any, ...]] = field(default_factory=dict)
    """The slices of each grid that `grid.slice_sources` has proved to be that of the images."""

    @classmethod
    def from_files(cls, files: Iterable[Path], *, study_uid: str) -> SourceStudy:
        """Read the headers of the study's files; their order does not matter.

        Files of other studies are left out, and unreadable ones counted. Where the instances disagree
        about the patient, the Patient ID of most of them is taken (the result of such a study is a refusal).
        Raises ResultError where no instance of the study can be read: then there is no study to file under.
        """
        found: dict[str, tuple[SourceInstance, str]] = {}
        unreadable = 0
        for path in sorted(files):
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True)
                if str(header.get("StudyInstanceUID", "")) != study_uid:
                    continue
                instance = SourceInstance.from_header(header, path)
                found.setdefault(instance.sop_instance_uid, (instance, str(header.get("PatientID") or "")))
            except UNREADABLE:
                unreadable += 1
        if not found:
            raise ResultError("no instance of the study can be read, so its result has no study to be filed under")
        ordered = sorted(found.values(), key=lambda pair: (pair[0].series_uid, pair[0].sop_instance_uid))
        return cls(
            study_uid=study_uid,
            instances={instance.sop_instance_uid: instance for instance, _ in ordered},
            header=patient_and_study(pydicom.dcmread(_most_frequent_patient(ordered).path, stop_before_pixels=True)),
            unreadable_count=unreadable,
        )

    def instance(self, sop_instance_uid: str) -> SourceInstance:
        """The instance. Raises ResultError where the study has none of this UID."""
        try:
            return self.instances[sop_instance_uid]
        except KeyError:
            raise ResultError(f"the result refers to {sop_instance_uid}, which is not among its source files") from None

    def series(self, series_uids: Iterable[str]) -> Iterator[SourceInstance]:
        """The instances of these series, in a fixed order."""
        wanted = set(series_uids)
        return (instance for instance in self.instances.values() if instance.series_uid in wanted)


def patient_and_study(header: Dataset) -> Dataset:
    """The patient and study attributes of a header, with its character set and time zone.

    Optional attributes whose value breaks the rules of their VR are left out: a result is
    never less conformant than it must be to be filed beside its images.
    """
    attributes = get_module_attribute_map()
    keywords = {
        str(item["keyword"]) for module in PATIENT_AND_STUDY_MODULES for item in attributes[module] if not item["path"]
    }
    copied = Dataset()
    for keyword in ("SpecificCharacterSet", "TimezoneOffsetFromUTC", *sorted(keywords)):
        if keyword not in header:
            continue
        element = header[keyword]
        if keyword in IDENTIFYING or _is_valid(element):
            copied.add(deepcopy(element))
    return copied


def frame_places(header: Dataset) -> tuple[FramePlace, ...]:
    """Where every frame lies; empty where any frame does not say.

    Enhanced objects: functional groups, per-frame before shared (PS3.3 C.7.6.16). Nuclear medicine
    tomograms: Detector Information, Slice Vector and Spacing Between Slices (C.8.4.8, C.8.4.15), which
    may run against the normal. Others: Image Plane of the data set, one frame only.
    """
    count = int(header.get("NumberOfFrames") or 1)
    try:
        if "PerFrameFunctionalGroupsSequence" in header:
            shared = _macros((header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0])
            groups = header.PerFrameFunctionalGroupsSequence
            return tuple(_place([*_macros(group), *shared, header]) for group in groups)
        if "RECON TOMO" in _image_type(header) and "DetectorInformationSequence" in header:
            return _tomogram_places(header, count)
        return (_place([header]),) if count == 1 else ()
    except (KeyError, TypeError, ValueError, IndexError):
        return ()


def _tomogram_places(header: Dataset, count: int) -> tuple[FramePlace, ...]:
    first = _place([header.DetectorInformationSequence[0], header])
    step = float(header.get("SpacingBetweenSlices") or header.get("SliceThickness") or 0.0)
    if count > 1 and step == 0.0:
        return ()
    vector = header.get("SliceVector")
    numbers = [vector] if isinstance(vector, int) else list(vector or ())
    slices = [int(number) for number in numbers] if len(numbers) == count else list(range(1, count + 1))
    across = np.cross(first.orientation[:3], first.orientation[3:])
    across = across / np.linalg.norm(across)
    places = []
    for number in slices:
        position = np.asarray(first.position) + across * step * (number - 1)
        places.append(
            FramePlace(
                position=tuple(float(value) for value in position),
                orientation=first.orientation,
                spacing_mm=first.spacing_mm,
            )
        )
    return tuple(places)


def _place(macros: Sequence[Dataset]) -> FramePlace:
    spacing = _first(macros, "PixelSpacing")
    return FramePlace(
        position=tuple(float(value) for value in _first(macros, "ImagePositionPatient")),
        orientation=tuple(float(value) for value in _first(macros, "ImageOrientationPatient")),
        spacing_mm=(float(spacing[0]), float(spacing[1])),
    )


def _first(macros: Sequence[Dataset], keyword: str) -> Any:
    for macro in macros:
        value = macro.get(keyword)
        if value not in (None, "", []):
            return value
    raise KeyError(keyword)


def _macros(group: Dataset) -> list[Dataset]:
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _image_type(header: Dataset) -> tuple[str, ...]:
    value: Any = header.get("ImageType") or ()
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value)


def _patient_orientation(header: Dataset) -> tuple[str, str] | None:
    value: Any = header.get("PatientOrientation")
    stated = [] if value is None or isinstance(value, str) else [str(item) for item in value]
    is_whole = len(stated) == 2 and all(_DIRECTION.fullmatch(item) for item in stated)
    return (stated[0], stated[1]) if is_whole and int(header.get("NumberOfFrames") or 1) == 1 else None


def _pixel_spacing(header: Dataset) -> tuple[float, float] | None:
    try:
        rows, columns = (float(item) for item in header["PixelSpacing"].value)
    except (KeyError, TypeError, ValueError):
        return None
    return (rows, columns) if min(rows, columns) > 0.0 and np.isfinite([rows, columns]).all() else None


def _uid(header: Dataset, keyword: str) -> str:
    value = str(header.get(keyword) or "")
    if not value:
        raise ValueError(f"{keyword} is absent")
    return value


def _most_frequent_patient(instances: Sequence[tuple[SourceInstance, str]]) -> SourceInstance:
    """The first instance of the Patient ID that most instances carry."""
    counts = Counter(patient for _, patient in instances)
    most = min(counts, key=lambda patient: (-counts[patient], patient))
    return next(instance for instance, patient in instances if patient == most)


def _is_valid(element: DataElement) -> bool:
    """Whether the value is legal for its VR, in every item of a sequence."""
    if element.VR == "SQ":
        return all(_is_valid(inner) for item in element.value for inner in item)
    try:
        DataElement(element.tag, element.VR, element.value, validation_mode=pydicom.config.RAISE)
    except (ValueError, TypeError):
        return False
    return True
