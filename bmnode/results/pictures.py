"""PNG pictures of a result: where the findings are, for people without a DICOM viewer at hand.

Planar scans show every view with its outlines. Emission volumes (PET, SPECT) show the coronal
maximum intensity projection with the lesions' shadows; CT and MR show, for each of the largest
lesions, the slice on which it is widest. Nothing on a picture identifies the patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom

from bmnode.domain.codes import Code, Concept, Unit, UptakeKind
from bmnode.domain.geometry import BoolArray, VolumeGeometry
from bmnode.domain.results import Evaluation, FindingResult, Measurement, ResultSet, Segmentation
from bmnode.domain.study import Branch
from bmnode.results.canvas import RGB, Mark, Panel, compose, resize_grey, resize_mask, to_grey
from bmnode.results.concepts import LESION_COLOURS_RGB
from bmnode.results.grid import slice_sources
from bmnode.results.instance import plain
from bmnode.results.recompute import Values, rescaled_values
from bmnode.results.sources import SourceInstance, SourceStudy

PLANAR_HEIGHT = 900
VOLUME_HEIGHT = 560
LARGEST_LESIONS = 4
LEGEND_LINES = 14
LEGEND_MEASUREMENTS = 3
EMISSION_MODALITIES = frozenset({"PT", "NM"})
BRIGHTEST_PERCENTILE = 99.7
"""The window's upper end: hot spots may saturate, the normal skeleton stays visible."""
_VIEW_TAGS = ["DetectorVector", "DetectorInformationSequence"]
CT_WINDOW_HU = (-250.0, 1250.0)
"""Bone window."""
_UNIT_TEXT: Mapping[Code, str] = {
    Unit.HU: "HU",
    Unit.SUV_BW: "g/ml",
    Unit.NO_UNITS: "",
    Unit.RATIO: "",
    Unit.COUNT: "",
    Unit.COUNTS: "counts",
    Unit.PIXELS: "pixels",
}
"""Units whose UCUM symbol a person would not read; the others show theirs."""


def draw_pictures(result_set: ResultSet, *, source_files: Sequence[Path], out_dir: Path) -> tuple[Path, ...]:
    """Write one PNG for the planar views and one a segmentation; their paths in that order.

    Without findings a planar bone scan and a segmented volume are drawn all the same; a volume
    without segmentation has no picture. Raises ResultError where a source is missing, cannot be
    decoded or lies on another grid.
    """
    if not result_set.input_series_uids or result_set.refusal is not None:
        return ()
    out_dir.mkdir(parents=True, exist_ok=True)
    source = SourceStudy.from_files(source_files, study_uid=result_set.study_uid)
    paths = []
    panels = _planar_panels(result_set, source)
    if panels:
        paths.append(_save(out_dir / "planar.png", panels, result_set, list(result_set.findings)))
    for index, segmentation in enumerate(result_set.segmentations):
        findings = _drawn_findings(result_set, index)
        panels = _volume_panels(segmentation, findings, source)
        if panels:
            path = out_dir / f"volume-{index + 1}.png"
            paths.append(_save(path, panels, result_set, [item.finding for item in findings]))
    return tuple(paths)


def _save(path: Path, panels: Sequence[Panel], result_set: ResultSet, findings: list[FindingResult]) -> Path:
    legend = [(legend_line(index + 1, item), _colour(index)) for index, item in enumerate(findings[:LEGEND_LINES])]
    if len(findings) > LEGEND_LINES:
        legend.append((f"and {len(findings) - LEGEND_LINES} more", (200, 200, 200)))
    if not findings:
        legend.append(("No findings", (200, 200, 200)))
    compose(panels, legend=legend, synthetic=result_set.synthetic).save(path, format="PNG")
    return path


def legend_line(number: int, finding: FindingResult) -> str:
    """The number that labels the outline, and what it stands for."""
    parts = [f"{number}: {finding.tracking_id}"]
    if finding.site is not None:
        parts.append(" ".join(code.meaning for code in (finding.laterality, finding.site) if code is not None))
    parts.extend(item.value.meaning for item in finding.evaluations if _says_no_lesion(item))
    parts.extend(_measurement_text(item) for item in finding.measurements[:LEGEND_MEASUREMENTS])
    return plain("   ".join(parts))


def _measurement_text(item: Measurement) -> str:
    derivation = "" if item.derivation is None else f" {item.derivation.meaning.lower()}"
    unit = _UNIT_TEXT.get(item.unit, item.unit.value)
    value = f"{item.value:.0f}" if abs(item.value) >= 100 else f"{item.value:.3g}"
    return f"{item.concept.meaning}{derivation} {value} {unit}".rstrip()


def _says_no_lesion(item: Evaluation) -> bool:
    return item.concept == Concept.UPTAKE_KIND and item.value != UptakeKind.CANDIDATE


def _colour(index: int) -> RGB:
    return LESION_COLOURS_RGB[index % len(LESION_COLOURS_RGB)]


# --- planar ------------------------------------------------------------------------------


def _planar_panels(result_set: ResultSet, source: SourceStudy) -> list[Panel]:
    outlined = {polygon.sop_instance_uid for finding in result_set.findings for polygon in finding.polygons}
    instances = [source.instance(uid) for uid in sorted(outlined)]
    if not instances and result_set.branch is Branch.BONE_SCAN:
        instances = list(source.series(result_set.input_series_uids))
    return [
        _view(instance, frame, result_set.findings) for instance in instances for frame in range(instance.frame_count)
    ]


def _view(instance: SourceInstance, frame: int, findings: Sequence[FindingResult]) -> Panel:
    values = rescaled_values(instance.path, frame)
    scale = PLANAR_HEIGHT / values.shape[0]
    grey = to_grey(values, low=0.0, high=_bright_end(values), inverted=True)
    marks = [
        Mark(
            text=str(index + 1),
            colour=_colour(index),
            polygon=tuple((column * scale, row * scale) for column, row in polygon.points),
        )
        for index, finding in enumerate(findings)
        for polygon in finding.polygons
        if polygon.sop_instance_uid == instance.sop_instance_uid and (polygon.frame_number or 1) == frame + 1
    ]
    size = (PLANAR_HEIGHT, round(values.shape[1] * scale))
    return Panel(title=_view_title(instance.path, frame), grey=resize_grey(grey, size), marks=tuple(marks))


def _view_title(path: Path, frame: int) -> str:
    """The view's code meaning as the header gives it, else its number (frame from 0)."""
    header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_VIEW_TAGS)
    vector = np.atleast_1d(np.asarray(header.get("DetectorVector", frame + 1)))
    detectors = header.get("DetectorInformationSequence") or []
    number = int(vector[frame]) if frame < vector.size else frame + 1
    views = detectors[number - 1].get("ViewCodeSequence") if number <= len(detectors) else None
    return plain(str(views[0].CodeMeaning)) if views else f"View {frame + 1}"


def _bright_end(values: Values) -> float:
    above = values[values > 0]
    return float(np.percentile(above, BRIGHTEST_PERCENTILE)) if above.size else 1.0


# --- volumes -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Drawn:
    """A finding, its number on the picture, its segment number (from 1) and its colour."""

    finding: FindingResult
    number: int
    segment_number: int
    colour: RGB


@dataclass(frozen=True, kw_only=True, slots=True)
class _Upright:
    """How grid axes become the display's (down, right) for a view, and which axis is looked along."""

    along: int
    down: int
    right: int
    flip_down: bool
    flip_right: bool
    size: tuple[int, int]

    def show(self, plane: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """A plane over the two remaining grid axes, in ascending order, turned upright."""
        turned = plane if self.down < self.right else plane.T
        turned = turned[::-1] if self.flip_down else turned
        return turned[:, ::-1] if self.flip_right else turned


def _drawn_findings(result_set: ResultSet, index: int) -> list[_Drawn]:
    drawn: list[_Drawn] = []
    for finding in result_set.findings:
        reference = finding.segment
        if reference is not None and reference.segmentation_index == index:
            drawn.append(
                _Drawn(
                    finding=finding,
                    number=len(drawn) + 1,
                    segment_number=reference.segment_number,
                    colour=_colour(len(drawn)),
                )
            )
    return drawn


def _volume_panels(segmentation: Segmentation, findings: list[_Drawn], source: SourceStudy) -> list[Panel]:
    modality = source.instance(segmentation.source_instance_uids[0]).modality
    if modality in EMISSION_MODALITIES:
        return [_projection(segmentation, findings, source)]
    is_ct = modality == "CT"
    return [
        _key_slice(segmentation, index, findings, source, is_ct=is_ct) for index in _key_slices(segmentation, findings)
    ]


def _key_slices(segmentation: Segmentation, findings: list[_Drawn]) -> list[int]:
    """For the largest lesions the slice on which each is widest, once where they share it; for a study without
    lesions the slice with most of what was segmented."""
    masks = [segmentation.segments[item.segment_number - 1].mask for item in findings]
    if not masks:
        masks = [max((segment.mask for segment in segmentation.segments), key=lambda mask: mask.voxel_count)]
    largest = sorted(masks, key=lambda mask: -mask.voxel_count)[:LARGEST_LESIONS]
    return sorted({mask.origin[0] + int(np.argmax(mask.values.sum(axis=(1, 2)))) for mask in largest})


def _projection(segmentation: Segmentation, findings: list[_Drawn], source: SourceStudy) -> Panel:
    upright = _upright(segmentation.geometry, along_patient_axis=1)
    volume = np.stack(
        [
            rescaled_values(item.instance.path, (item.frame_number or 1) - 1).astype(np.float32)
            for item in slice_sources(segmentation, source)
        ]
    )
    flat = volume.max(axis=upright.along)
    grey = to_grey(flat, low=0.0, high=_bright_end(flat.astype(np.float64)), inverted=True)
    marks = []
    for item in findings:
        mask = segmentation.segments[item.segment_number - 1].mask
        plane: BoolArray = np.zeros([n for axis, n in enumerate(mask.grid_shape) if axis != upright.along], dtype=bool)
        box = tuple(part for axis, part in enumerate(mask.box) if axis != upright.along)
        plane[box] = mask.values.any(axis=upright.along)
        marks.append(_mask_mark(item, plane, upright))
    return Panel(
        title="Maximum intensity projection, from the front",
        grey=resize_grey(np.ascontiguousarray(upright.show(grey)).astype(np.uint8), upright.size),
        marks=tuple(marks),
    )


def _key_slice(
    segmentation: Segmentation, index: int, findings: list[_Drawn], source: SourceStudy, *, is_ct: bool
) -> Panel:
    """One slice with every lesion that it shows."""
    item = slice_sources(segmentation, source)[index]
    values = rescaled_values(item.instance.path, (item.frame_number or 1) - 1)
    low, high = CT_WINDOW_HU if is_ct else (0.0, _bright_end(values))
    _, row_step, column_step = segmentation.geometry.spacing_mm
    height, width = values.shape[0] * row_step, values.shape[1] * column_step
    size = (VOLUME_HEIGHT, max(1, round(VOLUME_HEIGHT * width / height)))
    marks = []
    for other in findings:
        here = segmentation.segments[other.segment_number - 1].mask
        if not here.origin[0] <= index < here.origin[0] + here.values.shape[0]:
            continue
        plane: BoolArray = np.zeros(values.shape, dtype=np.bool_)
        plane[here.box[1:]] = here.values[index - here.origin[0]]
        marks.append(Mark(text=str(other.number), colour=other.colour, mask=resize_mask(plane, size)))
    grey = to_grey(values, low=low, high=high, inverted=False)
    return Panel(title=f"Slice {index + 1}", grey=resize_grey(grey, size), marks=tuple(marks))


def _mask_mark(item: _Drawn, plane: BoolArray, upright: _Upright) -> Mark:
    shown = np.ascontiguousarray(upright.show(plane)).astype(np.bool_)
    return Mark(text=str(item.number), colour=item.colour, mask=resize_mask(shown, upright.size))


_VIEWS: Mapping[int, tuple[int, int, float, float]] = {
    # looked along -> patient axes (down, right) and the sign that points down and right: feet down, left side right
    1: (2, 0, -1.0, 1.0),
}


def _upright(geometry: VolumeGeometry, *, along_patient_axis: int) -> _Upright:
    """Match grid axes to the patient's x, y, z by their directions, and find which must be turned."""
    down_axis, right_axis, down_sign, right_sign = _VIEWS[along_patient_axis]
    directions = geometry.matrix[:3, :3] / np.asarray(geometry.spacing_mm)
    grid_axis = _nearest_axes(directions)
    down, right = grid_axis[down_axis], grid_axis[right_axis]
    extent = [size * step for size, step in zip(geometry.shape, geometry.spacing_mm, strict=True)]
    width = max(1, round(VOLUME_HEIGHT * extent[right] / extent[down]))
    return _Upright(
        along=grid_axis[along_patient_axis],
        down=down,
        right=right,
        flip_down=bool(directions[down_axis, down] * down_sign < 0),
        flip_right=bool(directions[right_axis, right] * right_sign < 0),
        size=(VOLUME_HEIGHT, width),
    )


def _nearest_axes(directions: npt.NDArray[np.float64]) -> dict[int, int]:
    """Patient axis -> grid axis, the best aligned pair first."""
    strength = np.abs(directions).copy()
    pairs: dict[int, int] = {}
    for _ in range(3):
        patient, axis = np.unravel_index(int(np.argmax(strength)), strength.shape)
        pairs[int(patient)] = int(axis)
        strength[patient, :] = strength[:, axis] = -1.0
    return pairs
