"""What headers say of diffusion weighting, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom.dataset import Dataset

from bmnode.selection.diffusion import b_values


def b_value_of(dataset: Dataset, macros: Sequence[Dataset] = ()) -> float | None:
    """The frame's b-value in s/mm2, or None where it carries none.

    Its own functional groups come first; a classic image is read as the selection reads it, with the
    vendors' private elements.
    """
    for source in macros:
        if source.get("DiffusionBValue") is not None:
            return float(source.DiffusionBValue)
    if "PerFrameFunctionalGroupsSequence" in dataset:
        return None
    found = b_values(dataset)
    return found[0] if found else None


def gradient_of(dataset: Dataset, macros: Sequence[Dataset] = ()) -> tuple[float, ...]:
    """The diffusion gradient's direction (0018,9089), empty where the frame names none."""
    for source in (*macros, dataset):
        value = source.get("DiffusionGradientOrientation")
        if value is not None:
            return tuple(round(float(item), 4) for item in value)
    return ()
