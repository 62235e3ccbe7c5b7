"""What an emission image says of its radiopharmaceutical."""

from __future__ import annotations

from pydicom.dataset import Dataset

from bmnode.selection.attributes import codes, items, text
from bmnode.selection.tracers import normalise_radionuclide


def radiopharmaceutical_of(header: Dataset) -> Dataset:
    """The first item of Radiopharmaceutical Information Sequence (0054,0016), empty where there is none."""
    return next(iter(items(header, "RadiopharmaceuticalInformationSequence")), Dataset())


def radionuclide_of(drug: Dataset) -> str | None:
    """The nuclide of such an item, e.g. `Tc-99m`: by code, else by what the texts say; None where unknown."""
    coded = codes(drug, "RadionuclideCodeSequence")
    return normalise_radionuclide(coded, (*(code.meaning for code in coded), text(drug, "Radiopharmaceutical") or ""))
