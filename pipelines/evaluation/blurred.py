"""What an exact measurement would find in a noise-free emission image: the truth through the image's resolution.

Every voxel of the truth's label maps gets the SUV of what it holds: a lesion its true mean, bone the mean of its
cortex and its spongiosa, half each [P], the rest the organ's or tissue's own. That map is blurred with a Gaussian of
the image's FWHM. What the map leaves out (uptake that is uneven within a lesion or near joints, voxels that hold
several tissues) stays in the difference.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from bmnode.domain.geometry import BoolArray
from operators.simulation.truth.model import LabelKind, OrganValue
from operators.simulation.truth.read import TruthFolder
from pipelines.evaluation.quantities import Quantity
from pipelines.evaluation.truths import resolution_mm, true_values

FWHM_PER_SIGMA = 2.3548200450309493
FloatArray = npt.NDArray[np.float32]


def blurred_truth(truth: TruthFolder, series_uid: str) -> FloatArray:
    """SUVbw of an emission series without noise, on the grid of its label maps (slice, row, column).

    Raises KeyError on a study without emission values.
    """
    tracer = str(truth.study.protocol["tracer"])
    values = truth.study.values[f"suv:{tracer}"]
    names = truth.study.label_values
    maps = {kind: truth.labels(series_uid, kind) for kind in (LabelKind.ORGANS, LabelKind.BONES, LabelKind.LESIONS)}
    painted = _table(names[LabelKind.ORGANS], values, ("{}",))[maps[LabelKind.ORGANS].values]
    bones = maps[LabelKind.BONES].values
    painted = np.where(bones > 0, _table(names[LabelKind.BONES], values, ("{} cortex", "{} spongiosa"))[bones], painted)
    lesions = maps[LabelKind.LESIONS].values
    uptake = np.zeros(256, dtype=np.float32)
    for lesion in truth.study.lesions:
        uptake[lesion.label] = true_values(lesion, truth.study).get(Quantity.SUV_MEAN, 0.0)
    painted = np.where(lesions > 0, uptake[lesions], painted)
    spacing = maps[LabelKind.LESIONS].geometry.spacing_mm
    sigma = [resolution_mm(truth.study) / FWHM_PER_SIGMA / step for step in spacing]
    return np.asarray(gaussian_filter(painted.astype(np.float32), sigma, mode="nearest"), dtype=np.float32)


def _table(names: Mapping[int, str], values: tuple[OrganValue, ...], forms: tuple[str, ...]) -> FloatArray:
    """SUV by label: the mean over the forms of its name; a label without a value, air among them, has none."""
    by_name = {item.name: item.value for item in values}
    table = np.zeros(256, dtype=np.float32)
    for label, name in names.items():
        found = [by_name[form.format(name.lower())] for form in forms if form.format(name.lower()) in by_name]
        table[label] = sum(found) / len(found) if found else 0.0
    return table


def mean_seen(blurred: FloatArray, mask: BoolArray) -> float:
    """Mean over a mask of the same grid. Raises ValueError where the mask is empty."""
    if not mask.any():
        raise ValueError("an empty region has no mean")
    return float(blurred[mask].mean(dtype=np.float64))
