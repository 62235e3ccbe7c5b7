"""Headers of a study's files: read without pixels, one pass, tolerant (`StudyHeaders`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from bmnode import MANUFACTURER, MODEL_NAME
from bmnode.domain.codes import Code
from bmnode.domain.ids import is_safe_uid
from bmnode.domain.study import EnergyWindow, Plane, SeriesHeader, StudyHeaders
from bmnode.selection import diffusion
from bmnode.selection.age import is_minor
from bmnode.selection.attributes import codes, count, items, number, numbers, text, texts, uid
from bmnode.selection.multi_frame import agents, frame_macros
from bmnode.selection.tracers import named_tracers, normalise_radionuclide, normalise_tracer

_KEYWORDS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality",
    "Manufacturer", "ManufacturerModelName", "ImageType", "SyntheticData", "PatientID", "IssuerOfPatientID",
    "PatientAge", "PatientBirthDate", "StudyDate",
    "StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined", "FrameOfReferenceUID", "Rows",
    "Columns", "NumberOfFrames", "PixelSpacing", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient",
    "ConvolutionKernel", "EchoTime", "RepetitionTime", "SequenceName", "DiffusionBValue", "Units", "SeriesType",
    "CorrectedImage", "AttenuationCorrected", "RadiopharmaceuticalInformationSequence",
    "EnergyWindowInformationSequence", "DetectorInformationSequence", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
_GE_NUCLIDE_NAME = (0x0011, 0x100D)
_TAGS = [*(BaseTag(tag_for_keyword(keyword) or 0) for keyword in _KEYWORDS), Tag(_GE_NUCLIDE_NAME)]
_TAGS += [Tag(private) for private in diffusion.PRIVATE_TAGS]
_PIXEL_TAGS = frozenset(tag_for_keyword(keyword) for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
_UNDEFINED_LENGTH = 0xFFFFFFFF
_AXIS_COSINE = 0.866
"""Within 30 degrees of an axis."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyReading:
    """What one pass over a study's files gave."""

    headers: StudyHeaders
    files: Mapping[str, tuple[Path, ...]]
    """Files by Series Instance UID, bmnode's own results left out."""
    unreadable: tuple[Path, ...] = ()
    """Files that are no DICOM, lack their UIDs, or end before their pixel data does."""
    own_results: int = 0
    """Instances that bmnode itself wrote: a result is never an input."""


def read_study(files: Iterable[Path], *, study_uid: str | None = None) -> StudyReading:
    """Read the headers of a study's files, never their pixels.

    Args:
        files: the study's DICOM files, in any order.
        study_uid: the study to look for; instances of others are left out. By default the
            study of the first readable file.

    Nothing is raised for a bad file: it is listed in `unreadable` and counted in the headers.
    """
    collector = _Collector(study_uid=study_uid)
    for path in sorted(files):
        collector.add(path)
    return collector.result()


def read_study_headers(files: Iterable[Path], *, study_uid: str | None = None) -> StudyHeaders:
    """The headers alone; see `read_study`."""
    return read_study(files, study_uid=study_uid).headers


@dataclass(kw_only=True, slots=True)
class _SeriesParts:
    """A series while its instances are being read."""

    first: FileDataset
    files: list[Path] = field(default_factory=list)
    frames: int = 0
    b_values: set[float] = field(default_factory=set)
    views: list[str] = field(default_factory=list)
    synthetic: bool = False


@dataclass(kw_only=True, slots=True)
class _Collector:
    study_uid: str | None
    series: dict[str, _SeriesParts] = field(default_factory=dict)
    patients: set[tuple[str, str]] = field(default_factory=set)
    unreadable: list[Path] = field(default_factory=list)
    minors: set[bool | None] = field(default_factory=set)
    own_results: int = 0

    def add(self, path: Path) -> None:
        read = _read(path)
        if read is None:
            self.unreadable.append(path)
            return
        dataset, has_pixels = read
        study = str(dataset.StudyInstanceUID)
        self.study_uid = self.study_uid or study
        if study != self.study_uid:
            return
        if text(dataset, "Manufacturer") == MANUFACTURER.upper() and (
            text(dataset, "ManufacturerModelName") == MODEL_NAME.upper()
        ):
            self.own_results += 1
            return
        self.patients.add((text(dataset, "PatientID") or "", text(dataset, "IssuerOfPatientID") or ""))
        self.minors.add(is_minor(dataset))
        parts = self.series.setdefault(str(dataset.SeriesInstanceUID), _SeriesParts(first=dataset))
        if has_pixels and not parts.frames:
            parts.first = dataset  # an instance with an image describes the series better than one without
        parts.files.append(path)
        parts.frames += max(count(dataset, "NumberOfFrames"), 1) if has_pixels else 0
        parts.b_values.update(diffusion.b_values(dataset))
        parts.views.extend(view for view in _views(dataset) if view not in parts.views)
        parts.synthetic |= text(dataset, "SyntheticData") == "YES"

    def result(self) -> StudyReading:
        headers = StudyHeaders(
            study_uid=self.study_uid or "",
            series=tuple(_series_header(series_uid, parts) for series_uid, parts in sorted(self.series.items())),
            patient_count=max(len(self.patients), 1),
            unreadable_files=len(self.unreadable),
            is_minor=True if True in self.minors else False if False in self.minors else None,
        )
        return StudyReading(
            headers=headers,
            files=MappingProxyType({series_uid: tuple(parts.files) for series_uid, parts in self.series.items()}),
            unreadable=tuple(self.unreadable),
            own_results=self.own_results,
        )


def _read(path: Path) -> tuple[FileDataset, bool] | None:
    """The header and whether pixel data follow it; None where the file cannot be used."""
    try:
        with path.open("rb") as stream:
            dataset = dcmread(stream, stop_before_pixels=True, specific_tags=_TAGS)
            position = stream.tell()
            head = stream.read(12)
            size = path.stat().st_size
    except (InvalidDicomError, OSError, EOFError, ValueError, TypeError, AttributeError, KeyError, NotImplementedError):
        return None
    required = (uid(dataset, name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"))
    if not all(value and is_safe_uid(value) for value in required):
        return None
    syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
    if syntax == DeflatedExplicitVRLittleEndian:
        # The deflated stream was inflated elsewhere, so the file's position says nothing of pixels.
        return dataset, count(dataset, "Rows") > 0
    pixels = _pixel_length(head, little=bool(dataset.original_encoding[1]), implicit=bool(dataset.original_encoding[0]))
    if pixels is None:
        return dataset, False
    length, value_offset = pixels
    if length != _UNDEFINED_LENGTH and position + value_offset + length > size:
        return None
    return dataset, length > 0


def _pixel_length(head: bytes, *, little: bool, implicit: bool) -> tuple[int, int] | None:
    """Length and offset of the pixel data's value (PS3.5 7.1), or None where the element is another."""
    order = "little" if little else "big"
    tag = (int.from_bytes(head[0:2], order) << 16) | int.from_bytes(head[2:4], order)  # type: ignore[arg-type]  # the two literals
    if len(head) < 8 or tag not in _PIXEL_TAGS:
        return None
    first, end = (4, 8) if implicit else (8, 12)
    return int.from_bytes(head[first:end], order), end  # type: ignore[arg-type]  # the two literals


def _series_header(series_uid: str, parts: _SeriesParts) -> SeriesHeader:
    first = parts.first
    spacing = numbers(_measures(first), "PixelSpacing")
    plane = _plane(_orientation(first))
    macros = frame_macros(first, 0)
    return SeriesHeader(
        series_uid=series_uid,
        modality=text(first, "Modality") or "",
        sop_class_uid=uid(first, "SOPClassUID") or "",
        instance_count=len(parts.files),
        frame_count=parts.frames,
        image_type=texts(first, "ImageType"),
        series_number=count(first, "SeriesNumber") if text(first, "SeriesNumber") else None,
        frame_of_reference_uid=uid(first, "FrameOfReferenceUID"),
        body_part=text(first, "BodyPartExamined"),
        protocol_text=_free_text(first),
        rows=count(first, "Rows"),
        columns=count(first, "Columns"),
        spacing_mm=(spacing[0], spacing[1]) if len(spacing) == 2 and min(spacing) > 0 else None,
        has_position=plane is not None and len(_position(first)) == 3,
        units=next(iter(_stated(macros, "Units")), None),
        corrected_image=_corrected(macros),
        series_type=_stated(macros, "SeriesType"),
        radionuclide=_radionuclide(first),
        tracer=normalise_tracer(*_tracer_statements(first)),
        named_tracers=named_tracers(*_tracer_statements(first)),
        energy_windows=energy_windows(first),
        view_codes=tuple(parts.views),
        b_values=tuple(sorted(parts.b_values)),
        synthetic=parts.synthetic,
        plane=plane,
        slice_thickness_mm=number(_measures(first), "SliceThickness"),
        convolution_kernel=text(first, "ConvolutionKernel"),
        echo_time_ms=number(first, "EchoTime"),
        repetition_time_ms=number(first, "RepetitionTime"),
    )


def _stated(macros: Sequence[Dataset], keyword: str) -> tuple[str, ...]:
    """The values of the first macro that has any."""
    return next((found for macro in macros if (found := texts(macro, keyword))), ())


def _corrected(macros: Sequence[Dataset]) -> frozenset[str]:
    """Corrected Image (0028,0051); an enhanced PET says YES or NO for each correction instead (PS3.3 C.8.22.6)."""
    return frozenset(
        {*_stated(macros, "CorrectedImage"), *(("ATTN",) if text(macros[-1], "AttenuationCorrected") == "YES" else ())}
    )


def _free_text(dataset: Dataset) -> str:
    names = ("StudyDescription", "SeriesDescription", "ProtocolName")
    return " | ".join(value for value in (text(dataset, name) for name in names) if value)


def _groups(dataset: Dataset, name: str) -> tuple[Dataset, ...]:
    """The items of a functional group, shared first, then the first frame's (PS3.3 C.7.6.16)."""
    frames = items(dataset, "PerFrameFunctionalGroupsSequence")[:1]
    return tuple(
        item for group in (*items(dataset, "SharedFunctionalGroupsSequence"), *frames) for item in items(group, name)
    )


def _measures(dataset: Dataset) -> Dataset:
    return next((item for item in _groups(dataset, "PixelMeasuresSequence")), dataset)


def _orientation(dataset: Dataset) -> tuple[float, ...]:
    places = (dataset, *_groups(dataset, "PlaneOrientationSequence"), *items(dataset, "DetectorInformationSequence"))
    return next((found for found in (numbers(place, "ImageOrientationPatient") for place in places) if found), ())


def _position(dataset: Dataset) -> tuple[float, ...]:
    places = (dataset, *_groups(dataset, "PlanePositionSequence"), *items(dataset, "DetectorInformationSequence"))
    return next((found for found in (numbers(place, "ImagePositionPatient") for place in places) if found), ())


def _plane(orientation: tuple[float, ...]) -> Plane | None:
    """How slices lie, from the normal of their row and column directions; None without a valid orientation."""
    if len(orientation) != 6:
        return None
    normal = np.cross(orientation[:3], orientation[3:])
    length = float(np.linalg.norm(normal))
    if not 0.9 < length < 1.1:
        return None
    axis = int(np.argmax(np.abs(normal)))
    if abs(float(normal[axis])) / length < _AXIS_COSINE:
        return Plane.OBLIQUE
    return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[axis]


def _views(dataset: Dataset) -> tuple[str, ...]:
    """View codes of every detector (0054,0022) > (0054,0220), in order."""
    detectors = items(dataset, "DetectorInformationSequence")
    return tuple(code.value for detector in detectors for code in codes(detector, "ViewCodeSequence"))


def energy_windows(dataset: Dataset) -> tuple[EnergyWindow, ...]:
    """One entry for each range of each item of (0054,0012), in order; malformed ranges are left out."""
    found = []
    for window in items(dataset, "EnergyWindowInformationSequence"):
        for bounds in items(window, "EnergyWindowRangeSequence"):
            lower, upper = number(bounds, "EnergyWindowLowerLimit"), number(bounds, "EnergyWindowUpperLimit")
            if lower is not None and upper is not None and lower < upper:
                found.append(EnergyWindow(lower_kev=lower, upper_kev=upper))
    return tuple(found)


def _radionuclide(dataset: Dataset) -> str | None:
    coded = [code for agent in agents(dataset) for code in codes(agent, "RadionuclideCodeSequence")]
    pharmaceutical = [code for agent in agents(dataset) for code in codes(agent, "RadiopharmaceuticalCodeSequence")]
    named = [code.meaning for code in (*coded, *pharmaceutical)]
    spoken = [text(agent, "Radiopharmaceutical") or "" for agent in agents(dataset)]
    windows = [text(window, "EnergyWindowName") or "" for window in items(dataset, "EnergyWindowInformationSequence")]
    return normalise_radionuclide(
        coded, (*named, *spoken, text(dataset, _GE_NUCLIDE_NAME) or "", *windows, _nuclear_text(dataset))
    )


def _tracer_statements(dataset: Dataset) -> tuple[tuple[Code, ...], tuple[str, ...]]:
    """The radiopharmaceutical's codes, and every text that may name it, the most exact first."""
    coded = [code for agent in agents(dataset) for code in codes(agent, "RadiopharmaceuticalCodeSequence")]
    spoken = [text(agent, "Radiopharmaceutical") or "" for agent in agents(dataset)]
    return tuple(coded), (*(code.meaning for code in coded), *spoken, _nuclear_text(dataset))


def _nuclear_text(dataset: Dataset) -> str:
    """Free text, of emission images only: what a CT of a PET/CT calls itself is no statement of its tracer."""
    return _free_text(dataset) if text(dataset, "Modality") in {"NM", "PT"} else ""
