"""The b-value where each vendor writes it in classic images."""

from __future__ import annotations

from pydicom.dataset import Dataset

from operators.simulation.protocols.habits import Vendor

_GE_OFFSET = 1_000_000_000
"""GE adds it to b in (0043,1039)."""


def mark_b_value(dataset: Dataset, *, b_value: int, vendor: Vendor) -> None:
    """Write the b-value, s/mm2, of a trace-weighted image: by the standard, or privately as the vendor does."""
    if vendor is Vendor.SIEMENS:
        block = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
        block.add_new(0x0C, "IS", b_value)
        block.add_new(0x0D, "CS", "NONE")
        dataset.SequenceName = f"*ep_b{b_value}t"
    elif vendor is Vendor.GE:
        block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
        block.add_new(0x39, "IS", [_GE_OFFSET + b_value, 8, 0, 0])
    elif vendor is Vendor.PHILIPS:
        block = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
        block.add_new(0x03, "FL", float(b_value))
        block.add_new(0x04, "CS", "I")
    else:
        dataset.DiffusionBValue = float(b_value)
        dataset.SequenceName = f"ep_b{b_value}"
