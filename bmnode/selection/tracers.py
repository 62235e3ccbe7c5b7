"""Radionuclides and radiopharmaceuticals, normalised: code sequences first, then free text.

Codes are those of CID 18 and CID 4020 (radionuclides) and CID 25 and CID 4021
(radiopharmaceuticals), with the SNOMED-RT values that older scanners write under SRT, SNM3
or 99SDM. A code value is unique across these schemes, so the scheme is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bmnode.domain.codes import Code

RADIONUCLIDE_CODES: Mapping[str, str] = {
    **dict.fromkeys(("72454006", "C-163A8"), "Tc-99m"),
    **dict.fromkeys(("77004003", "C-111A1"), "F-18"),
    **dict.fromkeys(("35337001", "C-131A3"), "Ga-68"),
    **dict.fromkeys(("40565003", "C-105A1"), "C-11"),
    **dict.fromkeys(("21576001", "C-107A1"), "N-13"),
    **dict.fromkeys(("129504001", "C-B1038"), "O-15"),
    **dict.fromkeys(("79197006", "C-159A2"), "Rb-82"),
    **dict.fromkeys(("3932008", "C-127A2"), "Cu-64"),
    **dict.fromkeys(("63360001", "C-168A4"), "Zr-89"),
    **dict.fromkeys(("53315004", "C-128A2"), "Ge-68"),
    **dict.fromkeys(("40937006", "C-114A5"), "I-124"),
    **dict.fromkeys(("21572004", "C-114A4"), "I-123"),
    **dict.fromkeys(("1368003", "C-114B1"), "I-131"),
    **dict.fromkeys(("56609000", "C-145A4"), "In-111"),
    **dict.fromkeys(("2008008", "C-131A2"), "Ga-67"),
    **dict.fromkeys(("60057003", "C-138A9"), "Tl-201"),
    **dict.fromkeys(("447553000", "C-101ED"), "Lu-177"),
    **dict.fromkeys(("24853006", "C-136A2"), "Ra-223"),
    **dict.fromkeys(("419804008", "C-B1134"), "Sm-153"),
}

TRACER_CODES: Mapping[str, str] = {
    **dict.fromkeys(("96390006", "C-B1218"), "MDP"),
    **dict.fromkeys(("53951001", "C-B1213"), "HDP"),
    **dict.fromkeys(("111162007", "C-B1211"), "HEDP"),
    "764821009": "PYP",
    **dict.fromkeys(("35321007", "C-B1031", "Y-X1743"), "FDG"),
    **dict.fromkeys(("129501009", "C-B1032"), "NaF"),
    "C118961": "PSMA-11",
    "126758": "PSMA-1007",
    "126759": "PSMA-617",
    "C116352": "DCFPyL",
    "C96234": "DCFBC",
    "724025002": "DOTATATE",
    "C2713594": "DOTATOC",
    **dict.fromkeys(("456992002", "C-E0273", "126703"), "choline"),
    **dict.fromkeys(("457000009", "C-E026A"), "fluciclovine"),
    "926372005": "FES",
    **dict.fromkeys(("395787009", "C-B110E", "395789007", "C-B112D"), "MIBG"),
    **dict.fromkeys(("67690002", "C-B1081", "111160004", "C-B1086"), "iodide"),
    **dict.fromkeys(("446800006", "C-145AA"), "pentetreotide"),
    **dict.fromkeys(("73065000", "C-B1041"), "gallium citrate"),
    **dict.fromkeys(("19495007", "C-B1206"), "pertechnetate"),
    **dict.fromkeys(("424299003", "C-163AB"), "sestamibi"),
    **dict.fromkeys(("424118002", "C-163AD"), "tetrofosmin"),
    **dict.fromkeys(("429296007", "C-B07EC"), "ioflupane"),
    **dict.fromkeys(("73685002", "C-B1231"), "thallium chloride"),
    **dict.fromkeys(("81761004", "C-B1203"), "MAA"),
    **dict.fromkeys(("446536001", "C-163B8"), "MAG3"),
    **dict.fromkeys(("24511001", "C-B1221"), "DMSA"),
    **dict.fromkeys(("430276001", "C-163B0"), "DTPA"),
    **dict.fromkeys(("4832001", "C-B1208"), "mebrofenin"),
    "C116887": "MIP-1404",
    "781259000": "Lu-DOTATATE",
}

BONE_TRACERS = frozenset({"MDP", "HDP", "HEDP", "DPD"})
"""Tc-99m diphosphonates: what the bone scan and SPECT branches assess."""

PSMA_LIGANDS = frozenset({"PSMA", "PSMA-11", "PSMA-617", "PSMA-1007", "DCFPyL", "DCFBC", "rhPSMA"})
"""Ligands of the prostate-specific membrane antigen; plain `PSMA` where the ligand is not stated."""

PET_TRACERS = PSMA_LIGANDS | {"FDG", "NaF"}
"""What the PET/CT branch assesses."""

_NUCLIDES_OF: Mapping[str, frozenset[str]] = {
    "FDG": frozenset({"F-18"}),
    "NaF": frozenset({"F-18"}),
    "PSMA-11": frozenset({"Ga-68", "F-18"}),
    "PSMA-1007": frozenset({"F-18"}),
    "DCFPyL": frozenset({"F-18"}),
    "DCFBC": frozenset({"F-18"}),
    "rhPSMA": frozenset({"F-18", "Ga-68"}),
}
"""What a tracer is labelled with for PET, as its name says; PSMA-11 also comes as Al(18F)-PSMA-11."""

RADIONUCLIDE_OF_TRACER: Mapping[str, str] = {
    **dict.fromkeys(("FDG", "NaF", "PSMA-1007", "DCFPyL", "DCFBC", "rhPSMA"), "F-18"),
    **dict.fromkeys(sorted(BONE_TRACERS), "Tc-99m"),
}
"""Tracers that are made with one radionuclide alone: it follows where the header names none."""

_TRACER_TEXTS: tuple[tuple[str, str], ...] = (
    (r"RH-?PSMA|FLOTUFOLASTAT", "rhPSMA"),
    (r"PSMA[-_ ]?1007", "PSMA-1007"),
    (r"PSMA[-_ ]?617", "PSMA-617"),
    (r"PSMA[-_ ]?(HBED|11)|GOZETOTIDE", "PSMA-11"),
    (r"DCF?PYL|PIFLUFOLASTAT|PYLARIFY", "DCFPyL"),
    (r"DCFBC", "DCFBC"),
    (r"PSMA", "PSMA"),
    (r"FDG|[A-Z0-9-]*(DEOXY|DESOXY)-?(D-)?GLU[CK]OSE", "FDG"),
    (r"NAF|SODIUM FLUORIDE|FLUORIDE", "NaF"),
    (r"HEDP|ETIDRONATE", "HEDP"),
    (r"MDP|MEDRONATE", "MDP"),
    (r"HM?DP|OXIDRONATE", "HDP"),
    (r"DPD|DICARBOXYPROPANE", "DPD"),
    (r"PYP|PYROPHOSPHATE", "PYP"),
    (r"M-?IBG|IOBENGUANE", "MIBG"),
    (r"DOTA-?(TATE|TOC|NOC)|SOMATOSTATIN|OCTREOTIDE|PENTETREOTIDE", "somatostatin analogue"),
    (r"SESTAMIBI|MIBI", "sestamibi"),
    (r"TETROFOSMIN|MYOVIEW", "tetrofosmin"),
    (r"PERTECHNETATE|TCO4", "pertechnetate"),
    (r"MAA|MACROAGGREGATED", "MAA"),
    (r"MAG-?3|MERTIATIDE", "MAG3"),
    (r"DTPA|PENTETATE", "DTPA"),
    (r"DMSA|SUCCIMER", "DMSA"),
    (r"HMPAO|EXAMETAZIME|BICISATE", "brain perfusion agent"),
    (r"DATSCAN|IOFLUPANE", "ioflupane"),
    (r"F?CHOLINE|FCH", "choline"),
    (r"FLUCICLOVINE|AXUMIN|FACBC", "fluciclovine"),
    (r"FES|FLUOROESTRADIOL", "FES"),
    (r"FAPI(-?[0-9]+)?", "FAPI"),
    (r"FLT|FLUOROTHYMIDINE", "FLT"),
    (r"F-?DOPA", "FDOPA"),
    (r"AMMONIA|NH3", "ammonia"),
    (r"RUBIDIUM", "rubidium"),
    (r"WBC|LEU[KC]OCYTES?", "labelled leucocytes"),
    (r"(NANO|SULFUR |SULPHUR )COLLOID", "colloid"),
    (r"MEBROFENIN|HIDA", "mebrofenin"),
    (r"IODIDE|NAI", "iodide"),
)

_NUCLIDE_TEXTS: tuple[tuple[str, str], ...] = tuple(
    (rf"({element}|{name})[-_ ^]*{mass}\^?|\^?{mass}\^?[-_ ]*({element}|{name})", f"{symbol}-{shown}")
    for element, mass, name, symbol, shown in (
        ("TC", "99M?", "TECHNETIUM", "Tc", "99m"),
        ("F", "18", "FLUORINE", "F", "18"),
        ("GA", "68", "GALLIUM", "Ga", "68"),
        ("GA", "67", "GALLIUM", "Ga", "67"),
        ("I", "123", "IODINE", "I", "123"),
        ("I", "131", "IODINE", "I", "131"),
        ("I", "124", "IODINE", "I", "124"),
        ("IN", "111", "INDIUM", "In", "111"),
        ("TL", "201", "THALLIUM", "Tl", "201"),
        ("LU", "177", "LUTETIUM", "Lu", "177"),
        ("CU", "64", "COPPER", "Cu", "64"),
        ("ZR", "89", "ZIRCONIUM", "Zr", "89"),
        ("RB", "82", "RUBIDIUM", "Rb", "82"),
        ("C", "11", "CARBON", "C", "11"),
        ("N", "13", "NITROGEN", "N", "13"),
        ("O", "15", "OXYGEN", "O", "15"),
    )
)


def _compiled(table: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(rf"(?<![A-Z0-9])({pattern})(?![A-Z0-9])"), name) for pattern, name in table)


# A label may run into the ligand's name ("68GAPSMA11", "99MTCMDP"), so a nuclide in front is cut off first.
_GLUED = re.compile(r"(99M-?TC|TC-?99M|18F|F-?18|68GA|GA-?68)[-_ ]?(?=[A-Z])")
_TRACERS = _compiled(_TRACER_TEXTS)
_NUCLIDES = _compiled(_NUCLIDE_TEXTS)


def _first(patterns: tuple[tuple[re.Pattern[str], str], ...], texts: Iterable[str]) -> str | None:
    for text in texts:
        for pattern, name in patterns:
            if pattern.search(text):
                return name
    return None


def _spaced(texts: Iterable[str]) -> Iterable[str]:
    return (_GLUED.sub(r"\1 ", text.upper()) for text in texts)


def normalise_radionuclide(codes: Iterable[Code], texts: Iterable[str]) -> str | None:
    """The radionuclide, e.g. `Tc-99m`: the first known code, else the first text that names one, else None."""
    coded = (RADIONUCLIDE_CODES.get(code.value) for code in codes)
    return next((name for name in coded if name), None) or _first(_NUCLIDES, _spaced(texts))


def normalise_tracer(codes: Iterable[Code], texts: Iterable[str]) -> str | None:
    """The radiopharmaceutical, e.g. `MDP`: the first known code, else the first text that names one, else None."""
    coded = (TRACER_CODES.get(code.value) for code in codes)
    return next((name for name in coded if name), None) or _first(_TRACERS, _spaced(texts))


def named_tracers(codes: Iterable[Code], texts: Iterable[str]) -> frozenset[str]:
    """Every radiopharmaceutical that a code or a text names, the more exact name where two mean one ligand."""
    found = {TRACER_CODES[code.value] for code in codes if code.value in TRACER_CODES}
    spoken = tuple(_spaced(texts))
    found |= {name for pattern, name in _TRACERS if any(pattern.search(text) for text in spoken)}
    return frozenset(found - {"PSMA"} if found & PSMA_LIGANDS - {"PSMA"} else found)


def contradiction(named: Iterable[str], *, tracer: str | None, nuclide: str | None) -> str | None:
    """The sentence that says why a PET's headers do not agree on its tracer, or None where they do.

    `named` is all that is named, `tracer` what counts. Ligands of PSMA have one set of thresholds and
    are one kind here; tracers that this branch does not assess are another matter (clinical reference 11).
    """
    kinds = {"PSMA" if name in PSMA_LIGANDS else name for name in named if name in PET_TRACERS}
    if len(kinds) > 1:
        return f"The headers name more than one tracer ({', '.join(sorted(kinds))}); thresholds depend on it."
    possible = _NUCLIDES_OF.get(tracer or "")
    if possible is not None and nuclide is not None and nuclide not in possible:
        return (
            f"The headers name {tracer} labelled with {nuclide}, which there is not; thresholds depend on the tracer."
        )
    return None
