"""Simulated images as DICOM studies: one module a modality, `series` and `slices` for what they share.

Writers take physical values and never truth: nothing in a header tells what was simulated inside.
The same input gives the same bytes.
"""
