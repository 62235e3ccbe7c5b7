"""Names of vendors and of their reconstruction kernels; the rest of a habit is with its modality."""

from __future__ import annotations

from collections.abc import Mapping

from bmnode import __version__
from operators.simulation.protocols.ct import Kernel
from operators.simulation.protocols.habits import Vendor

MANUFACTURERS: Mapping[Vendor, str] = {
    Vendor.PLAIN: "bmnode simulation",
    Vendor.GE: "GE MEDICAL SYSTEMS (simulated)",
    Vendor.PHILIPS: "Philips (simulated)",
    Vendor.SIEMENS: "SIEMENS (simulated)",
}
"""Readers choose private elements by the manufacturer, so that a habit needs its name."""

MODEL = "simulated scanner"
SOFTWARE = f"bmnode {__version__}"
INSTITUTION = "none (simulated)"

KERNELS: Mapping[Vendor, Mapping[Kernel, str]] = {
    Vendor.PLAIN: {Kernel.SOFT: "SOFT", Kernel.STANDARD: "STANDARD", Kernel.BONE: "BONE"},
    Vendor.GE: {Kernel.SOFT: "SOFT", Kernel.STANDARD: "STANDARD", Kernel.BONE: "BONE"},
    Vendor.PHILIPS: {Kernel.SOFT: "A", Kernel.STANDARD: "B", Kernel.BONE: "D"},
    Vendor.SIEMENS: {Kernel.SOFT: "Br32f", Kernel.STANDARD: "Br40f", Kernel.BONE: "Br64f"},
}
