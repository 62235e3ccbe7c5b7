"""Radionuclides and tracers by code and by text."""

from __future__ import annotations

import pytest

from bmnode.domain.codes import Code
from bmnode.selection.tracers import contradiction, named_tracers, normalise_radionuclide, normalise_tracer


@pytest.mark.parametrize(
    ("value", "scheme", "name"),
    [
        ("96390006", "SCT", "MDP"),
        ("C-B1218", "SRT", "MDP"),
        ("53951001", "SCT", "HDP"),
        ("35321007", "SCT", "FDG"),
        ("C-B1031", "SNM3", "FDG"),
        ("Y-X1743", "99SDM", "FDG"),
        ("129501009", "SCT", "NaF"),
        ("126758", "DCM", "PSMA-1007"),
        ("C118961", "NCIt", "PSMA-11"),
        ("395787009", "SCT", "MIBG"),
    ],
)
def test_code_names_the_tracer(value: str, scheme: str, name: str) -> None:
    """Codes of CID 25 and CID 4021 and their SNOMED-RT predecessors name the tracer, whatever the text says."""
    assert normalise_tracer([Code(value, scheme, "x")], ["SESTAMIBI"]) == name


@pytest.mark.parametrize(
    ("value", "name"),
    [("72454006", "Tc-99m"), ("C-163A8", "Tc-99m"), ("C-111A1", "F-18"), ("35337001", "Ga-68"), ("C-114A4", "I-123")],
)
def test_code_names_the_radionuclide(value: str, name: str) -> None:
    """Codes of CID 18 and CID 4020 and their predecessors name the radionuclide."""
    assert normalise_radionuclide([Code(value, "SRT", "x")], []) == name


@pytest.mark.parametrize(
    ("text", "tracer", "nuclide"),
    [
        ("FDG -- fluorodeoxyglucose", "FDG", None),
        ("Fluorodeoxyglucose F^18^", "FDG", "F-18"),
        ("99mTc-MDP", "MDP", "Tc-99m"),
        ("99MTCHMDP", "HDP", "Tc-99m"),
        ("Tc99m", None, "Tc-99m"),
        ("68GaPSMA11", "PSMA-11", "Ga-68"),
        ("F18 PSMA 1007", "PSMA-1007", "F-18"),
        ("^18^Fluorine", None, "F-18"),
        ("I-123 MIBG", "MIBG", "I-123"),
        ("WHOLE BODY BONE", None, None),
    ],
)
def test_text_names_what_no_code_does(text: str, tracer: str | None, nuclide: str | None) -> None:
    """Free text is the fall-back, in the spellings that scanners use."""
    assert normalise_tracer([], [text]) == tracer
    assert normalise_radionuclide([], [text]) == nuclide


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (("FDG",), {"FDG"}),
        (("Fluorodeoxyglucose F^18^", "PET 68Ga-PSMA-11 WB"), {"FDG", "PSMA-11"}),
        (("PSMA", "18F-PSMA-1007"), {"PSMA-1007"}),
        (("PET/CT",), set()),
    ],
)
def test_every_tracer_that_is_named_is_known(texts: tuple[str, ...], named: set[str]) -> None:
    """Not the first alone: a description may contradict the code."""
    assert named_tracers((), texts) == named


@pytest.mark.parametrize(
    ("named", "tracer", "nuclide", "contradicts"),
    [
        ({"FDG"}, "FDG", "F-18", False),
        ({"FDG"}, "FDG", None, False),
        ({"FDG"}, "FDG", "Ga-68", True),
        ({"FDG", "PSMA-11"}, "FDG", "F-18", True),
        ({"FDG", "NaF"}, "FDG", "F-18", True),
        ({"PSMA", "PSMA-11"}, "PSMA-11", "Ga-68", False),
        ({"PSMA-11"}, "PSMA-11", "F-18", False),
        ({"PSMA-1007"}, "PSMA-1007", "Ga-68", True),
        ({"FDG", "choline"}, "FDG", "F-18", False),
    ],
)
def test_contradictions_are_found(named: set[str], tracer: str, nuclide: str | None, contradicts: bool) -> None:
    """Two tracers with thresholds of their own, or a label that a tracer does not have."""
    assert (contradiction(named, tracer=tracer, nuclide=nuclide) is not None) == contradicts
