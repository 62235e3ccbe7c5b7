"""Pictures of a result: where the findings are, for people and viewers that open no segmentation.

Planar scans show every view with its outlines. Emission volumes (PET, SPECT) show maximum
intensity projections from the front and from the left with the lesions' shadows; all volumes show,
for each of the largest lesions, the slice on which it is widest. A history of three studies or more shows the
burden over time. Nothing on a picture identifies the patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image

from bmnode.domain.codes import Concept, UptakeKind
from bmnode.domain.results import BurdenPoint, Evaluation, FindingResult, ResultSet
from bmnode.domain.study import Branch
from bmnode.results.burden import burden_curves, burden_legend, burden_panels
from bmnode.results.canvas import RGB, Mark, Panel, bright_end, compose, lesion_colour, resize_grey, to_grey
from bmnode.results.picture_volumes import EMISSION_MODALITIES, drawn_findings, key_slices, projections
from bmnode.results.recompute import rescaled_values
from bmnode.results.sources import SourceInstance, SourceStudy
from bmnode.results.text import plain
from bmnode.results.words import measurement_text

PLANAR_HEIGHT = 900
CHARTS_A_PICTURE = 3
LEGEND_LINES = 14
LEGEND_MEASUREMENTS = 3
_PALE: RGB = (200, 200, 200)
_VIEW_TAGS = ["DetectorVector", "DetectorInformationSequence"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """One picture with the banner, its panels and the legend."""

    name: str
    title: str
    image: Image.Image


def draw_pictures(result_set: ResultSet, *, source_files: Sequence[Path], out_dir: Path) -> tuple[Path, ...]:
    """Write the pictures of `compose_pictures` as PNG files; their paths in that order.

    Raises ResultError where a source is missing, cannot be decoded or lies on another grid.
    """
    if not _can_be_drawn(result_set):
        return ()
    out_dir.mkdir(parents=True, exist_ok=True)
    source = SourceStudy.from_files(source_files, study_uid=result_set.study_uid)
    paths = []
    for picture in compose_pictures(result_set, source):
        path = out_dir / f"{picture.name}.png"
        picture.image.save(path, format="PNG")
        paths.append(path)
    return tuple(paths)


def compose_pictures(result_set: ResultSet, source: SourceStudy) -> Iterator[Picture]:
    """The planar views; then of every segmentation the projections, where it is an emission image, and key slices;
    then the burden over time, where the history has three studies or more.

    Without findings a planar bone scan and a segmented volume are drawn all the same; a volume without segmentation
    and a study that was not assessed have no picture. Raises ResultError where a source is missing, cannot be decoded
    or lies on another grid.
    """
    if not _can_be_drawn(result_set):
        return
    panels = _planar_panels(result_set, source)
    if panels:
        yield _picture("planar", "Views", panels, result_set, list(result_set.findings))
    for index, segmentation in enumerate(result_set.segmentations, 1):
        drawn = drawn_findings(result_set, index - 1)
        findings = [item.finding for item in drawn]
        if source.instance(segmentation.source_instance_uids[0]).modality in EMISSION_MODALITIES:
            panels = projections(segmentation, drawn, source)
            yield _picture(f"volume-{index}", "Maximum intensity projections", panels, result_set, findings)
            if not drawn:
                continue
            name = f"volume-{index}-slices"
        else:
            name = f"volume-{index}"
        panels = key_slices(segmentation, drawn, source)
        yield _picture(name, "Slices through the largest lesions", panels, result_set, findings)
    yield from compose_burden(result_set.history, synthetic=result_set.synthetic)


def compose_burden(points: Sequence[BurdenPoint], *, synthetic: bool = False) -> Iterator[Picture]:
    """The burden over three dates or more, three charts a picture; none for a shorter history.

    The pictures say that they are simulated where `synthetic` or any of the points is.
    """
    curves = burden_curves(points)
    simulated = synthetic or any(point.synthetic for point in points)
    for start in range(0, len(curves), CHARTS_A_PICTURE):
        shown = curves[start : start + CHARTS_A_PICTURE]
        image = compose(burden_panels(shown), legend=burden_legend(shown), synthetic=simulated)
        yield Picture(name=f"burden-{start // CHARTS_A_PICTURE + 1}", title="Burden over time", image=image)


def _can_be_drawn(result_set: ResultSet) -> bool:
    return bool(result_set.input_series_uids) and result_set.refusal is None


def _picture(
    name: str, title: str, panels: Sequence[Panel], result_set: ResultSet, findings: Sequence[FindingResult]
) -> Picture:
    legend = [
        (legend_line(index + 1, item), lesion_colour(index)) for index, item in enumerate(findings[:LEGEND_LINES])
    ]
    if len(findings) > LEGEND_LINES:
        legend.append((f"and {len(findings) - LEGEND_LINES} more", _PALE))
    if not findings:
        legend.append(("No findings", _PALE))
    return Picture(name=name, title=title, image=compose(panels, legend=legend, synthetic=result_set.synthetic))


def legend_line(number: int, finding: FindingResult) -> str:
    """The number that labels the outline, and what it stands for."""
    parts = [f"{number}: {finding.tracking_id}"]
    if finding.site is not None:
        parts.append(" ".join(code.meaning for code in (finding.laterality, finding.site) if code is not None))
    parts.extend(item.value.meaning for item in finding.evaluations if _says_no_lesion(item))
    parts.extend(measurement_text(item) for item in finding.measurements[:LEGEND_MEASUREMENTS])
    return plain("   ".join(parts))


def _says_no_lesion(item: Evaluation) -> bool:
    return item.concept == Concept.UPTAKE_KIND and item.value != UptakeKind.CANDIDATE


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
    grey = to_grey(values, low=0.0, high=bright_end(values), inverted=True)
    marks = [
        Mark(
            text=str(index + 1),
            colour=lesion_colour(index),
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
