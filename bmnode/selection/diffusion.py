"""b-values of MR instances: the standard attribute, the vendors' own, free text as the last resort."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from bmnode.selection.attributes import items, number, numbers, text, texts

SIEMENS_B_VALUE = (0x0019, 0x100C)
GE_B_VALUE = (0x0043, 0x1039)
PHILIPS_B_VALUE = (0x2001, 0x1003)
PRIVATE_TAGS = (SIEMENS_B_VALUE, GE_B_VALUE, PHILIPS_B_VALUE)

_GE_OFFSET = 1_000_000_000
"""GE adds 10^9 to b in (0043,1039) since software DV24."""
_MAX_B = 20_000.0
_SEQUENCE_NAME = re.compile(r"EP_B([0-9]+)|(?<![A-Z0-9])B[-_ =]?([0-9]{1,5})(?![0-9A-Z])")


def _plausible(value: float | None) -> tuple[float, ...]:
    return (value,) if value is not None and 0 <= value <= _MAX_B else ()


def _standard(dataset: Dataset) -> tuple[float, ...]:
    found = list(_plausible(number(dataset, "DiffusionBValue")))
    groups = (*items(dataset, "SharedFunctionalGroupsSequence"), *items(dataset, "PerFrameFunctionalGroupsSequence"))
    for group in groups:
        for diffusion in items(group, "MRDiffusionSequence"):
            found.extend(_plausible(number(diffusion, "DiffusionBValue")))
    return tuple(found)


def _private(dataset: Dataset) -> tuple[float, ...]:
    maker = text(dataset, "Manufacturer") or ""
    if "SIEMENS" in maker:
        return _plausible(number(dataset, SIEMENS_B_VALUE))
    if "PHILIPS" in maker:
        return _plausible(number(dataset, PHILIPS_B_VALUE))
    if "GE" in maker.split() or maker.startswith("GE"):
        values = numbers(dataset, GE_B_VALUE)
        first = values[0] if values else None
        return _plausible(first - _GE_OFFSET if first is not None and first >= _GE_OFFSET else first)
    return ()


def b_values(dataset: Dataset) -> tuple[float, ...]:
    """The b-values (s/mm2) of one instance, every frame's; empty where none is stated.

    Order: (0018,9087), at the top level or in the MR Diffusion Sequence of the functional
    groups (PS3.3 C.8.13.5.9); Siemens (0019,100C), Philips (2001,1003), GE (0043,1039); the
    sequence name (`ep_b800`) or description (`b800`) where the image is of diffusion.
    """
    found = _standard(dataset) or _private(dataset)
    if found:
        return found
    named = (*texts(dataset, "SequenceName"), *texts(dataset, "SeriesDescription"), *texts(dataset, "ProtocolName"))
    is_diffusion = "DIFFUSION" in texts(dataset, "ImageType") or any(
        word in name for name in named for word in ("DWI", "DIFF", "EP_B")
    )
    if not is_diffusion:
        return ()
    hits = (_SEQUENCE_NAME.search(name) for name in named)
    stated = next((hit for hit in hits if hit), None)
    return _plausible(float(stated.group(1) or stated.group(2))) if stated else ()
