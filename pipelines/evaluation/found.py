"""What a branch found, as masks on the truth's own grid, and its candidates' values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon2mask

from bmnode.domain.codes import Finding
from bmnode.domain.geometry import BoolArray, ImagePolygon
from bmnode.domain.results import FindingResult, ResultSet
from operators.simulation.truth.label_maps import LabelMap
from pipelines.evaluation.matching import IntArray
from pipelines.evaluation.quantities import Quantity, reported
from pipelines.evaluation.records import Values
from pipelines.evaluation.truths import on_grid

_LESIONS = frozenset({(code.value, code.scheme) for code in (Finding.LESION, Finding.BONE_METASTASIS)})


def candidates(result: ResultSet) -> tuple[FindingResult, ...]:
    """The findings that a branch takes for lesions, not for organs or an injection site."""
    return tuple(item for item in result.findings if (item.finding_type.value, item.finding_type.scheme) in _LESIONS)


def found_values(finding: FindingResult, quantities: Sequence[Quantity]) -> Values:
    """What the branch reports of a candidate; what it does not report is left out."""
    values = {quantity: reported(finding.measurements, quantity) for quantity in quantities}
    return {quantity: value for quantity, value in values.items() if value is not None}


def overlap_in_volume(
    result: ResultSet, findings: Sequence[FindingResult], lesions: LabelMap, *, numbers: Sequence[int]
) -> IntArray:
    """Voxels that lesions and candidates share, (lesion, candidate).

    Args:
        lesions: labels on the grid of the series that was measured.
        numbers: the labels of the lesions, in the table's order.

    Raises ValueError where a candidate has no segment, or one on another grid than the truth.
    """
    table = np.zeros((len(numbers), len(findings)), dtype=np.int64)
    for column, finding in enumerate(findings):
        if finding.segment is None:
            raise ValueError(f"{finding.tracking_id} has no segment")
        segmentation = result.segmentations[finding.segment.segmentation_index]
        mask = segmentation.segments[finding.segment.segment_number - 1].mask
        shared = on_grid(lesions, segmentation.geometry)[mask.box][mask.values]
        counts = np.bincount(shared, minlength=256)
        table[:, column] = counts[list(numbers)]
    return table


def view_masks(finding: FindingResult, *, shape: tuple[int, int, int]) -> BoolArray:
    """The outlines of a planar candidate as pixels (view, row, column); frames are views in their order."""
    masks = np.zeros(shape, dtype=np.bool_)
    for outline in finding.polygons:
        masks[(outline.frame_number or 1) - 1] |= _inside(outline, shape=shape[1:])
    return masks


def _inside(outline: ImagePolygon, *, shape: tuple[int, ...]) -> BoolArray:
    """Pixels whose centres lie inside; the outline's zero is the corner of the first pixel."""
    corners = np.array([(row - 0.5, column - 0.5) for column, row in outline.points])
    fill: Callable[..., BoolArray] = polygon2mask
    return fill(shape, corners)


def overlap_in_view(shadows: npt.NDArray[np.bool_], masks: Sequence[BoolArray]) -> IntArray:
    """Pixels that lesions' shadows (lesion, row, column) and candidates (row, column) share in one view."""
    table = np.zeros((len(shadows), len(masks)), dtype=np.int64)
    for column, mask in enumerate(masks):
        table[:, column] = np.count_nonzero(shadows[:, mask], axis=1)
    return table
