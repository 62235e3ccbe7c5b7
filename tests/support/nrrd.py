"""Label images as dcmqi writes them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import numpy.typing as npt

_TYPES = {"unsigned char": "u1", "short": "<i2", "unsigned short": "<u2"}
"""Of a BINARY segmentation it writes short, of a label map what its pixels have."""


def read_nrrd(path: Path) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float64]]:
    """A label image as (slice, row, column) and its affine from that index to LPS millimetres."""
    raw = path.read_bytes()
    head, _, body = raw.partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode("ascii").splitlines() if ": " in line)
    assert fields["space"] == "left-posterior-superior"
    sizes = [int(size) for size in fields["sizes"].split()]
    vectors = [[float(v) for v in text.strip("()").split(",")] for text in fields["space directions"].split()]
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(vectors)[::-1].T
    matrix[:3, 3] = [float(v) for v in fields["space origin"].strip("()").split(",")]
    array = np.frombuffer(gzip.decompress(body), dtype=_TYPES[fields["type"]]).reshape(sizes[::-1]).astype(np.int16)
    return array, matrix
