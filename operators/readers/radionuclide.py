"""What an emission image says of its radiopharmaceutical."""

from __future__ import annotations

from pydicom.dataset import Dataset

from bmnode.selection.attributes import codes, items, text
from bmnode.selection.tracers import RADIONUCLIDE_OF_TRACER, normalise_radionuclide, normalise_tracer


def radiopharmaceutical_of(header: Dataset) -> Dataset:
    """The first item of Radiopharmaceutical Information Sequence (0054,0016), empty where there is none."""
    return next(iter(items(header, "RadiopharmaceuticalInformationSequence")), Dataset())


def radionuclide_of(drug: Dataset) -> str | None:
    """The nuclide of such an item, e.g. `Tc-99m`: by code, else by what the texts say, else the one that the tracer
    is labelled with; None where unknown."""
    coded = codes(drug, "RadionuclideCodeSequence")
    name = text(drug, "Radiopharmaceutical") or ""
    stated = normalise_radionuclide(coded, (*(code.meaning for code in coded), name))
    if stated is not None:
        return stated
    tracer = normalise_tracer(codes(drug, "RadiopharmaceuticalCodeSequence"), (name,))
    return RADIONUCLIDE_OF_TRACER.get(tracer or "")
