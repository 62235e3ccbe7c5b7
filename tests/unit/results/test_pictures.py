"""Pictures show the findings where they are, under the statements that head every output."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from bmnode.domain.codes import Concept, Finding, Unit, UptakeKind
from bmnode.domain.results import Evaluation, FindingResult
from bmnode.domain.study import Branch
from bmnode.results.canvas import BANNER, LINE, MARGIN, outline, to_grey
from bmnode.results.concepts import LESION_COLOURS_RGB
from bmnode.results.picture_volumes import VOLUME_HEIGHT
from bmnode.results.pictures import PLANAR_HEIGHT, draw_pictures, legend_line
from bmnode.results.words import measurement_text
from tests.unit.results import result_sets, sources


def _pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def _where(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.argwhere((pixels == np.asarray(colour)).all(axis=-1))


def test_outlines_of_a_planar_scan_are_drawn_where_they_are(tmp_path: Path) -> None:
    """Both views side by side; the hot spot's outline encloses the dark pixels on the first view."""
    series = sources.planar_bone_scan(tmp_path / "in")
    (path,) = draw_pictures(result_sets.planar(series), source_files=series.files, out_dir=tmp_path)
    pixels = _pixels(path)
    scale = PLANAR_HEIGHT / 64
    top = LINE * 2 + MARGIN + LINE  # two statements, the views' titles
    legend = pixels.shape[0] - LINE * 2 - 2 * MARGIN
    red = _where(pixels[top:legend, MARGIN : MARGIN + 32 * int(scale)], LESION_COLOURS_RGB[0])
    line = red[red[:, 1] < 16.2 * scale]  # the label stands to the right of it
    np.testing.assert_allclose(line.min(axis=0), [20 * scale, 13 * scale], atol=3)
    np.testing.assert_allclose(line.max(axis=0), [24 * scale, 16 * scale], atol=3)
    inside = pixels[top + int(22 * scale), MARGIN + int(14.5 * scale)]
    outside = pixels[top + int(60 * scale), MARGIN + int(2 * scale)]
    assert inside.max() < 30, "high counts are dark"
    assert outside.min() > 240, "background is white"


def test_the_statements_head_the_picture(tmp_path: Path) -> None:
    """A simulated study has one more line of statements than a real one, and both have text there."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.planar(series)
    heights = {}
    for synthetic in (True, False):
        one = dataclasses.replace(result_set, synthetic=synthetic)
        (path,) = draw_pictures(one, source_files=series.files, out_dir=tmp_path / str(synthetic))
        pixels = _pixels(path)
        heights[synthetic] = pixels.shape[0]
        assert (pixels[2 : LINE - 2] != np.asarray(BANNER)).any()
    assert heights[True] - heights[False] == LINE


def test_a_scan_without_findings_is_drawn_too(tmp_path: Path) -> None:
    """A negative bone scan has its picture."""
    series = sources.planar_bone_scan(tmp_path / "in")
    result_set = result_sets.negative(series, branch=Branch.BONE_SCAN)
    (path,) = draw_pictures(result_set, source_files=series.files, out_dir=tmp_path)
    assert _where(_pixels(path), LESION_COLOURS_RGB[0]).size == 0


def test_a_refused_study_has_no_picture(tmp_path: Path) -> None:
    """Nothing was assessed, nothing is drawn."""
    series = sources.planar_bone_scan(tmp_path / "in")
    assert draw_pictures(result_sets.refused(series), source_files=series.files, out_dir=tmp_path) == ()


def test_a_projection_is_upright_with_the_left_side_on_the_right(tmp_path: Path) -> None:
    """Head up and the patient's left on the image's right, though the tomogram is stored the other way round."""
    series = sources.spect_recon(tmp_path / "in")
    result_set = result_sets.volumetric(series, branch=Branch.SPECT)
    path, _ = draw_pictures(result_set, source_files=series.files, out_dir=tmp_path)
    pixels = _pixels(path)
    top = LINE * 2 + MARGIN
    legend = pixels.shape[0] - LINE * 2 - 2 * MARGIN
    slices, _, columns = sources.SHAPE
    width = VOLUME_HEIGHT * columns * sources.SPACING[2] / (slices * sources.SPACING[0])
    red = _where(pixels[top:legend, : MARGIN + int(width)], LESION_COLOURS_RGB[0]) - [0, MARGIN]
    # The first lesion: slice 3 of 9 counted from the feet, columns 4 to 8 of 14 counted from the right side; its
    # label stands to the right of it.
    expected_row = (1 - 3.5 / slices) * VOLUME_HEIGHT
    expected_left = 4 / columns * width
    assert abs((red[:, 0].min() + red[:, 0].max()) / 2 - expected_row) < 0.5 * VOLUME_HEIGHT / slices
    assert abs(red[:, 1].min() - expected_left) < 0.4 * width / columns


def test_the_second_projection_is_from_the_left_with_the_back_on_the_right(tmp_path: Path) -> None:
    """Beside the front view stands the side view: same heights, the lesion as far to the right as it lies behind."""
    series = sources.spect_recon(tmp_path / "in")
    result_set = result_sets.volumetric(series, branch=Branch.SPECT)
    projections, key_slices = draw_pictures(result_set, source_files=series.files, out_dir=tmp_path)
    assert (projections.name, key_slices.name) == ("volume-1.png", "volume-1-slices.png")
    pixels = _pixels(projections)
    slices, rows, columns = sources.SHAPE
    scale = VOLUME_HEIGHT / (slices * sources.SPACING[0])
    left = 2 * MARGIN + round(columns * sources.SPACING[2] * scale)
    top = LINE * 2 + MARGIN
    legend = pixels.shape[0] - LINE * 2 - 2 * MARGIN
    red = _where(pixels[top:legend, left:], LESION_COLOURS_RGB[0])
    # The first lesion is round slice 3 of 9, rows 3 to 7 of 12 counted from the front.
    assert (
        abs((red[:, 0].min() + red[:, 0].max()) / 2 - (1 - 3.5 / slices) * VOLUME_HEIGHT) < 0.5 * VOLUME_HEIGHT / slices
    )
    assert abs(red[:, 1].min() - 3 * sources.SPACING[1] * scale) < 0.4 * sources.SPACING[1] * scale
    assert rows * sources.SPACING[1] * scale > red[:, 1].min()


def test_a_ct_shows_the_slices_on_which_lesions_are_widest(tmp_path: Path) -> None:
    """One panel a slice; both lesions in their colours."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    (path,) = draw_pictures(result_sets.volumetric(series), source_files=series.files, out_dir=tmp_path)
    pixels = _pixels(path)
    assert path.name == "volume-1.png"
    for colour in LESION_COLOURS_RGB[:2]:
        assert len(_where(pixels, colour)) > 50


def test_a_volume_without_lesions_is_drawn_too(tmp_path: Path) -> None:
    """Where bone was segmented and nothing found, the picture shows a slice of it and says so."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    result_set = dataclasses.replace(result_sets.volumetric(series), findings=())
    (path,) = draw_pictures(result_set, source_files=series.files, out_dir=tmp_path)
    assert _where(_pixels(path), LESION_COLOURS_RGB[0]).size == 0


def test_grey_values_follow_the_window() -> None:
    """Linear between the ends, clipped outside, inverted on demand."""
    values = np.array([[-1.0, 0.0, 5.0, 10.0, 11.0]])
    assert to_grey(values, low=0.0, high=10.0, inverted=False).tolist() == [[0, 0, 128, 255, 255]]
    assert to_grey(values, low=0.0, high=10.0, inverted=True).tolist() == [[255, 255, 128, 0, 0]]


def test_an_outline_is_the_border_inside_the_mask() -> None:
    """The outline never leaves the mask and keeps its middle free."""
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    border = outline(mask, thickness=2)
    assert not (border & ~mask).any()
    assert not border[3:6, 3:6].any()
    assert border.sum() == 49 - 9


def test_units_are_written_for_people(tmp_path: Path) -> None:
    """The legend says HU, not the UCUM symbol."""
    series = sources.classic_slices(tmp_path / "in", sources.CT, "CT")
    texts = [measurement_text(item) for item in result_sets.volumetric(series).findings[0].measurements]
    assert texts[1].endswith("HU")
    assert Unit.HU.value not in " ".join(texts)


def test_the_legend_says_what_is_not_taken_for_a_lesion() -> None:
    """An outline that the report takes for the bladder is not shown as a lesion without a word."""
    finding = FindingResult(
        tracking_id="ANT-1",
        tracking_uid="2.25.1",
        finding_type=Finding.LESION,
        evaluations=(Evaluation(concept=Concept.UPTAKE_KIND, value=UptakeKind.BLADDER),),
    )
    assert legend_line(1, finding) == "1: ANT-1   Possible bladder activity"
