"""The page of pictures: each study as a reader would see it, and below that the outlines of what was put in.

Bone scans are shown inverted, every view; PET, SPECT and the highest b-value as projections of the
maximum, CT and other MR as slices: through the largest lesion where there is one, else through the
spine. Every picture says that it is simulated.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from bmnode.domain.simulators import SimulatedStudy
from operators.simulation.preview_images import FloatArray, Picture, read_pictures
from operators.simulation.preview_sheet import Panel, sheet, to_grey
from operators.simulation.truth.model import LabelKind
from operators.simulation.truth.read import TruthFolder, load_truth

FOLDER = "preview"
PAGE = "index.html"
_CT_WINDOW_HU = (-250.0, 1250.0)
_CT_DENSE_HU = 250.0
_BRIGHTEST_PERCENTILE = 99.7
_PROJECTED_PERCENTILE = 98.5
_PLANAR_PERCENTILE = 98.5
"""Bladder, kidneys and hot lesions may saturate, as readers window them."""
_PLANAR_HEIGHT = 1024
_HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>SIMULATED: {title}</title>
<style>body{{font-family:sans-serif;background:#fff;color:#111}} img{{max-width:100%}}</style></head>
<body><h1>SIMULATED: {title}</h1>
<p>No patient is shown. Lower rows: outlines of the metastases that were put in. RESEARCH USE ONLY.</p>
{studies}</body></html>
"""
_AXES = {"z": 0, "y": 1, "x": 2}
Mask = npt.NDArray[np.bool_]


def draw_page(studies: Sequence[SimulatedStudy], *, out: Path) -> Path:
    """One PNG a study and one page that shows them all; returns the page.

    Args:
        studies: on disk.
        out: folder of the cohort; the page goes into `preview` below it.
    """
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for study in studies:
        title = f"{study.patient} {study.timepoint} {study.name}: {study.modality}, {study.lesions} lesions"
        name = f"{study.patient}-{study.timepoint}-{study.name}.png"
        draw_study(study.dicom, truth=study.truth).save(folder / name)
        parts.append(f'<h2>{html.escape(title)}</h2><p><img alt="{html.escape(title)}" src="{html.escape(name)}"></p>')
    page = folder / PAGE
    page.write_text(_HTML.format(title=f"{len(studies)} studies", studies="\n".join(parts)), encoding="utf-8")
    return page


def draw_study(dicom: Path, *, truth: Path) -> Image.Image:
    """One study: its panels side by side, and again with outlines."""
    known = load_truth(truth)
    panels = [
        panel
        for picture in _worth_showing(read_pictures(sorted(dicom.rglob("*.dcm"))))
        for panel in _panels(picture, known)
    ]
    return sheet(panels)


def _worth_showing(pictures: Sequence[Picture]) -> list[Picture]:
    """Of several b-values the highest."""
    diffusion = [picture for picture in pictures if picture.b_value is not None]
    highest = max((picture.b_value or 0.0 for picture in diffusion), default=0.0)
    return [picture for picture in pictures if picture.b_value in (None, highest)]


def _panels(picture: Picture, truth: TruthFolder) -> list[Panel]:
    if picture.affine_lps is None:
        return _planar(picture, truth)
    lesions = _lesions(picture, truth)
    if picture.modality in ("PT", "NM") or picture.b_value is not None:
        return _projections(picture, lesions)
    return _slices(picture, lesions)


def _planar(picture: Picture, truth: TruthFolder) -> list[Panel]:
    """The photopeak's views; frames of another window follow them and are not shown."""
    views = truth.series(picture.series_uid).views
    shadows = truth.planar(picture.series_uid).lesions
    found = []
    for number, view in enumerate(views):
        image = picture.values[number]
        high = max(1.0, float(np.percentile(image[image > 0], _PLANAR_PERCENTILE)) if (image > 0).any() else 1.0)
        mask = np.asarray(shadows[:, number].any(axis=0), dtype=np.bool_) if len(shadows) else None
        grey = to_grey(image, low=0.0, high=high, inverted=True)
        found.append(Panel(title=view, grey=grey, mask=mask, tallest=_PLANAR_HEIGHT))
    return found


def _lesions(picture: Picture, truth: TruthFolder) -> Mask | None:
    """Upright as the picture; None where slices are missing or doubled, or nothing was put in."""
    labels = truth.labels(picture.series_uid, LabelKind.LESIONS)
    if labels.values.shape != picture.values.shape or not labels.values.any():
        return None
    turned, _ = Picture(
        series_uid="", modality="", title="", values=labels.values.astype(np.float32), affine_lps=labels.geometry.matrix
    ).upright()
    return np.asarray(turned > 0)


def _projections(picture: Picture, lesions: Mask | None) -> list[Panel]:
    """From the front and from the side."""
    values, spacing = picture.upright()
    high = float(np.percentile(values.max(axis=1), _PROJECTED_PERCENTILE)) or 1.0
    return [
        Panel(
            title=f"{picture.title} MIP",
            grey=to_grey(values.max(axis=axis), low=0.0, high=high, inverted=True),
            aspect=spacing[0] / spacing[across],
            mask=None if lesions is None else np.asarray(lesions.any(axis=axis)),
        )
        for axis, across in ((1, 2), (2, 1))
    ]


def _slices(picture: Picture, lesions: Mask | None) -> list[Panel]:
    """CT: from the front and from the side; MR: as it was acquired."""
    values, spacing = picture.upright()
    axes: tuple[int, ...] = (1, 2)
    if picture.modality == "CT":
        low, high = _CT_WINDOW_HU
    else:
        low, high = 0.0, float(np.percentile(values, _BRIGHTEST_PERCENTILE)) or 1.0
        axes = (_AXES[next(name for name in "xyz" if picture.axis(name)[0] == 0)],)
    panels = []
    for axis in axes:
        index = _cut(values, lesions, axis=axis, dense=_CT_DENSE_HU if picture.modality == "CT" else None)
        down, right = (spacing[other] for other in (0, 1, 2) if other != axis)
        panels.append(
            Panel(
                title=picture.title,
                grey=to_grey(np.take(values, index, axis=axis), low=low, high=high, inverted=False),
                aspect=down / right,
                mask=None if lesions is None else np.asarray(np.take(lesions, index, axis=axis)),
            )
        )
    return panels


def _cut(values: FloatArray, lesions: Mask | None, *, axis: int, dense: float | None) -> int:
    """Which slice: that with most lesion, else with most bone near the midline, else the middle."""
    others = tuple({0, 1, 2} - {axis})
    if lesions is not None and lesions.any():
        return int(np.argmax(lesions.sum(axis=others)))
    if dense is None:
        return int(values.shape[axis]) // 2
    third = values.shape[2] // 3
    middle = np.zeros(values.shape[2], dtype=bool)
    middle[third : 2 * third] = True
    return int(np.argmax(((values > dense) & middle).sum(axis=others)))
