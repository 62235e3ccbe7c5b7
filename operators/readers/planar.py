"""Planar scintigraphy: NM and Secondary Capture instances to views with counts (clinical reference 2)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from bmnode.domain.study import Reason
from bmnode.selection.attributes import codes, count, items, number, numbers, text, texts, uid
from bmnode.selection.headers import energy_windows
from bmnode.selection.nuclear import PLANAR_TYPES, has_photopeak
from operators.graph.contract import NotAssessableError

_ANTERIOR_CODES = frozenset({"399321004", "G-5215"})
_POSTERIOR_CODES = frozenset({"399001007", "G-5216"})
"""CID 26, SNOMED CT first, then the SNOMED-RT values of older cameras."""
_ANTERIOR_WORDS = frozenset({"ANT", "ANTERIOR", "ANTERIEUR"})
_POSTERIOR_WORDS = frozenset({"POST", "POSTERIOR", "POSTERIEUR"})
_AFTER_POST = frozenset({"VOID", "INJ", "INJECTION", "THERAPY", "OP", "CONTRAST", "MICTURITION"})
"""`POST VOID` names a time, not a view."""
_FEET_FIRST = "FF"
_FEET_FIRST_CODES = frozenset({"102541007", "F-10480"})
"""CID 20 and its SNOMED-RT value."""
_UNDECODABLE = (
    AttributeError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    OSError,
    EOFError,
    KeyError,
    struct.error,
)
"""What pydicom and its decoders raise for pixel data that is damaged or of an unknown kind."""


class ViewName(StrEnum):
    """Which side faced the detector."""

    ANTERIOR = "ANT"
    POSTERIOR = "POST"
    UNSTATED = "VIEW"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarView:
    """One frame of planar counts, as stored: (row, column), patient right on image left in an anterior view."""

    name: ViewName
    counts: npt.NDArray[np.float64]
    spacing_mm: tuple[float, float] | None
    sop_instance_uid: str
    frame_number: int | None
    """From 1; None for an instance of one frame."""
    is_whole_body: bool
    is_head_down: bool
    """Whether rows run from the feet to the head, by Patient Orientation, else Patient Gantry Relationship
    or Patient Position."""
    stated_by: str
    """What says which view it is; for an unstated one, what was looked at."""
    saturated_share: float
    """Share of the pixels above zero that hold the largest value the bits can."""
    stated_counts: float | None
    """Counts Accumulated (0018,0070), where the instance has one frame."""
    lossy_ratio: float | None
    """None for lossless; 0 where lossy compression is declared without a ratio."""
    uptake_time_h: float | None
    """From injection to acquisition."""

    @property
    def head_up(self) -> npt.NDArray[np.float64]:
        """The counts turned so that the head is above; a half turn is its own inverse."""
        return self.counts[::-1, ::-1] if self.is_head_down else self.counts


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlanarStudy:
    """The views of a study, and frames that were left out with the reason."""

    views: tuple[PlanarView, ...]
    dropped: tuple[str, ...] = ()


def read_planar(files: Iterable[Path]) -> PlanarStudy:
    """The views of planar instances, anterior first, whole body before spots.

    Frames of other energy windows than the photopeak are left out. A view is named by its view
    code, else Image ID, else series description and image comments; never by its brightness.
    Raises NotAssessableError where no view remains or an instance cannot be decoded.
    """
    views: list[PlanarView] = []
    dropped: list[str] = []
    for path in sorted(files):
        found, left_out = _read_instance(path)
        views.extend(found)
        dropped.extend(left_out)
    if not views:
        detail = f": {'; '.join(sorted(set(dropped)))}" if dropped else ""
        raise NotAssessableError(Reason.NO_IMAGES, f"No planar photopeak image was found{detail}.")
    order = list(ViewName)
    views.sort(key=lambda view: (not view.is_whole_body, order.index(view.name), view.sop_instance_uid))
    return PlanarStudy(views=tuple(views), dropped=tuple(dropped))


def _read_instance(path: Path) -> tuple[list[PlanarView], list[str]]:
    try:
        dataset = dcmread(path)
    except (InvalidDicomError, *_UNDECODABLE) as error:
        raise NotAssessableError(Reason.UNREADABLE_INPUT, "A planar image file cannot be read.") from error
    if not PLANAR_TYPES.intersection(texts(dataset, "ImageType")):
        return [], ["not a planar image"]
    if "PixelData" not in dataset:
        return [], ["an instance without pixel data"]
    if count(dataset, "SamplesPerPixel") > 1:
        return [], ["a colour picture, not counts"]
    _refuse_minor(dataset)
    frames = _decode(dataset)
    views: list[PlanarView] = []
    dropped: list[str] = []
    chosen = _photopeak_frames(dataset, len(frames))
    for index, counts in enumerate(frames):
        if index in chosen:
            views.append(_view(dataset, counts, index=index, total=len(frames)))
        else:
            dropped.append("a frame of another energy window than the photopeak")
    return views, dropped


def _decode(dataset: Dataset) -> npt.NDArray[np.float64]:
    """All frames as counts (frame, row, column), rescaled where the instance says so."""
    try:
        stored = np.asarray(dataset.pixel_array)
    except _UNDECODABLE as error:
        raise NotAssessableError(
            Reason.UNREADABLE_INPUT, "The pixel data of a planar image cannot be decoded."
        ) from error
    slope = number(dataset, "RescaleSlope")
    intercept = number(dataset, "RescaleIntercept")
    counts = stored.astype(np.float64) * (1.0 if slope in (None, 0.0) else float(slope or 1.0)) + (intercept or 0.0)
    return counts if counts.ndim == 3 else counts[np.newaxis]


def _refuse_minor(dataset: Dataset) -> None:
    """Growth plates light up: the rules are for adults (clinical reference 11, item 5)."""
    match = re.fullmatch(r"([0-9]{3})([DWMY])", text(dataset, "PatientAge") or "")
    if match is None:
        return
    years = int(match.group(1)) if match.group(2) == "Y" else 0
    if years < 18 and not (match.group(2) == "M" and int(match.group(1)) >= 18 * 12):
        raise NotAssessableError(
            Reason.UNSUPPORTED_EXAMINATION, "The patient is younger than 18 years; growth plates are not told apart."
        )


def _vector(dataset: Dataset, keyword: str, frames: int) -> tuple[int, ...]:
    """A frame vector (PS3.3 C.8.4.8), one entry a frame; all ones where it is absent or of another length."""
    values = tuple(int(value) for value in numbers(dataset, keyword))
    return values if len(values) == frames else (1,) * frames


def _photopeak_frames(dataset: Dataset, frames: int) -> frozenset[int]:
    """Frames (from 0) of the Tc-99m window: the one that holds 140.5 keV, the narrowest where several do."""
    vector = _vector(dataset, "EnergyWindowVector", frames)
    used = sorted(set(vector))
    if len(used) == 1 and not energy_windows(dataset):
        return frozenset(range(frames))
    information = items(dataset, "EnergyWindowInformationSequence")
    holding = []
    for window in used:
        item = information[window - 1] if 0 < window <= len(information) else None
        ranges = energy_windows(_only(item)) if item is not None else ()
        if has_photopeak(ranges):
            holding.append((min(bounds.upper_kev - bounds.lower_kev for bounds in ranges), window))
    if not holding:
        if len(used) == 1:
            return frozenset() if energy_windows(dataset) else frozenset(range(frames))
        raise NotAssessableError(
            Reason.UNREADABLE_INPUT,
            f"{len(used)} energy windows, none of which is stated to hold the Tc-99m photopeak.",
        )
    peak = min(holding)[1]
    return frozenset(index for index, window in enumerate(vector) if window == peak)


def _only(window: Dataset) -> Dataset:
    """A data set with this energy window alone."""
    holder = Dataset()
    holder.EnergyWindowInformationSequence = [window]
    return holder


def _view(dataset: Dataset, counts: npt.NDArray[np.float64], *, index: int, total: int) -> PlanarView:
    name, stated_by = _view_name(dataset, index=index, total=total)
    spacing = numbers(dataset, "PixelSpacing")
    lossy = text(dataset, "LossyImageCompression") == "01"
    ratios = numbers(dataset, "LossyImageCompressionRatio")
    return PlanarView(
        name=name,
        counts=counts,
        spacing_mm=(spacing[0], spacing[1]) if len(spacing) == 2 and min(spacing) > 0 else None,
        sop_instance_uid=uid(dataset, "SOPInstanceUID") or "",
        frame_number=index + 1 if total > 1 else None,
        is_whole_body="WHOLE BODY" in texts(dataset, "ImageType"),
        is_head_down=_is_head_down(dataset),
        stated_by=stated_by,
        saturated_share=_saturated_share(dataset, counts),
        stated_counts=number(dataset, "CountsAccumulated") if total == 1 else None,
        lossy_ratio=max((*ratios, 0.0)) if lossy else None,
        uptake_time_h=_uptake_time_h(dataset),
    )


def _view_name(dataset: Dataset, *, index: int, total: int) -> tuple[ViewName, str]:
    detectors = items(dataset, "DetectorInformationSequence")
    detector = _vector(dataset, "DetectorVector", total)[index]
    if 0 < detector <= len(detectors):
        values = {code.value for code in codes(detectors[detector - 1], "ViewCodeSequence")}
        if values & _ANTERIOR_CODES:
            return ViewName.ANTERIOR, "view code"
        if values & _POSTERIOR_CODES:
            return ViewName.POSTERIOR, "view code"
    # Text describes the whole instance, so it names a view only where there is one frame.
    if total == 1:
        for keyword, label in (
            ("ImageID", "Image ID"),
            ("SeriesDescription", "series description"),
            ("ImageComments", "image comments"),
        ):
            spoken = _spoken_view(text(dataset, keyword) or "")
            if spoken is not None:
                return spoken, label
    return ViewName.UNSTATED, "neither view code, Image ID nor descriptions"


def _spoken_view(spoken: str) -> ViewName | None:
    """The view that a text names, or None where it names none or both."""
    parts = re.findall(r"[A-Z]+", spoken)
    anterior = any(part in _ANTERIOR_WORDS for part in parts)
    posterior = any(
        part in _POSTERIOR_WORDS and (index + 1 == len(parts) or parts[index + 1] not in _AFTER_POST)
        for index, part in enumerate(parts)
    )
    if anterior == posterior:
        return None
    return ViewName.ANTERIOR if anterior else ViewName.POSTERIOR


def _is_head_down(dataset: Dataset) -> bool:
    orientation = texts(dataset, "PatientOrientation")
    if len(orientation) == 2 and orientation[1][0] in "HF":
        return orientation[1].startswith("H")
    if _FEET_FIRST_CODES.intersection(code.value for code in codes(dataset, "PatientGantryRelationshipCodeSequence")):
        return True
    return (text(dataset, "PatientPosition") or "").startswith(_FEET_FIRST)


def _saturated_share(dataset: Dataset, counts: npt.NDArray[np.float64]) -> float:
    bits = count(dataset, "BitsStored")
    if not bits:
        return 0.0
    top = 2 ** (bits - count(dataset, "PixelRepresentation")) - 1
    slope, intercept = number(dataset, "RescaleSlope") or 1.0, number(dataset, "RescaleIntercept") or 0.0
    at_top = int(np.count_nonzero(counts >= top * slope + intercept))
    return at_top / max(int(np.count_nonzero(counts > 0)), 1)


def _uptake_time_h(dataset: Dataset) -> float | None:
    """Hours from injection to acquisition; None where a time is missing or they contradict each other."""
    agents: Sequence[Dataset] = items(dataset, "RadiopharmaceuticalInformationSequence")
    start = next((text(agent, "RadiopharmaceuticalStartTime") for agent in agents), None)
    begun, stopped = _seconds(start), _seconds(text(dataset, "AcquisitionTime"))
    if begun is None or stopped is None or stopped <= begun:
        return None
    return (stopped - begun) / 3600.0


def _seconds(time: str | None) -> float | None:
    match = re.fullmatch(r"([0-9]{2})([0-9]{2})([0-9]{2}(?:\.[0-9]+)?)?", time or "")
    if match is None:
        return None
    return int(match.group(1)) * 3600.0 + int(match.group(2)) * 60.0 + float(match.group(3) or 0.0)
