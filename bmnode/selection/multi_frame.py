"""Functional groups of enhanced multi-frame objects (PS3.3 C.7.6.16), read where a classic image has attributes."""

from __future__ import annotations

from pydicom.dataset import Dataset

from bmnode.selection.attributes import items, text

_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_DRUGS, _NUMBER = "RadiopharmaceuticalInformationSequence", "RadiopharmaceuticalAgentNumber"


def frame_groups(dataset: Dataset, index: int) -> tuple[Dataset, ...]:
    """The functional groups of a frame (from 0), then those of all frames; empty for a classic image."""
    return (*items(dataset, _PER_FRAME)[index : index + 1], *items(dataset, _SHARED)[:1])


def frame_macros(dataset: Dataset, index: int) -> tuple[Dataset, ...]:
    """What is said of a frame (from 0), the most special first: its own macros, the shared ones, the data set.

    The unassigned attributes of a legacy converted object are among the macros.
    """
    groups = frame_groups(dataset, index)
    macros = [element.value[0] for group in groups for element in group if element.VR == "SQ" and element.value]
    return (*macros, dataset)


def group_items(dataset: Dataset, index: int, keyword: str) -> tuple[Dataset, ...]:
    """Every item of one functional group of a frame: the frame's own, else the shared ones."""
    return next((found for group in frame_groups(dataset, index) if (found := items(group, keyword))), ())


def agents(dataset: Dataset, index: int = 0) -> tuple[Dataset, ...]:
    """The items of Radiopharmaceutical Information Sequence (0054,0016) that a frame was made with.

    Where the Radiopharmaceutical Usage group names agents these alone, otherwise all.
    """
    stated = next((found for macro in frame_macros(dataset, index) if (found := items(macro, _DRUGS))), ())
    used = {text(item, _NUMBER) for item in group_items(dataset, index, "RadiopharmaceuticalUsageSequence")} - {None}
    return tuple(item for item in stated if not used or text(item, _NUMBER) in used)
