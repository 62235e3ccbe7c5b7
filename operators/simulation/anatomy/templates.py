"""Each part of the skeleton as a field of depth below its surface, on a grid in the rest frame.

The fields do not depend on the person: `depth` makes one from a mesh once, it is then looked up at
any place, size and spacing, and `shape` bends it to a person's own.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.source import Part

FloatArray = npt.NDArray[np.float64]

STEP_MM = 0.1
"""Depth of one unit of the stored int8."""
LIMIT = 127
FORMAT = 2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Template:
    """Depth below the surface (positive inside), trilinear between the nodes.

    Args:
        depth: int8 (z, y, x) in units of STEP_MM, clipped at 12.7 mm.
        origin_mm: (x, y, z) of node (0, 0, 0) in the rest frame.
        step_mm: distance between nodes.
        axis: unit vector of the long axis; ends_mm: the part's first and last projection on it.
    """

    depth: npt.NDArray[np.int8]
    origin_mm: tuple[float, float, float]
    step_mm: float
    axis: tuple[float, float, float]
    ends_mm: tuple[float, float]

    def along(self, points: FloatArray) -> FloatArray:
        """Where points (n, 3) of the rest frame lie along the long axis: 0 at one end, 1 at the other."""
        first, last = self.ends_mm
        return np.asarray((points @ np.asarray(self.axis) - first) / (last - first))


def long_axis(vertices: FloatArray) -> tuple[tuple[float, float, float], tuple[float, float]]:
    """Direction of the greatest spread of points (n, 3), and the first and last projection on it."""
    centred = vertices - vertices.mean(axis=0)
    direction = np.linalg.svd(centred, full_matrices=False)[2][0]
    direction = direction * (1.0 if direction[np.argmax(np.abs(direction))] > 0 else -1.0)
    along = vertices @ direction
    x, y, z = direction
    return (float(x), float(y), float(z)), (float(along.min()), float(along.max()))


def load_templates(
    parts: tuple[Part, ...], make: Callable[[tuple[Part, ...]], dict[str, Template]], *, digest: str, cache_dir: Path
) -> dict[str, Template]:
    """The depth fields of all parts by name, made once and kept in the folder.

    Args:
        make: makes them.
        digest: of the source and of what is done to its bones; another source gets other files.
        cache_dir: made where it does not exist. A file that cannot be read is made anew.
    """
    key = hashlib.sha256(f"{FORMAT} {digest}".encode()).hexdigest()[:16]
    path = cache_dir / f"skeleton-{key}.npz"
    if path.exists():
        found = _read(path, names=[part.name for part in parts])
        if found is not None:
            return found
    templates = make(parts)
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name, template in templates.items():
        arrays[f"{name}/depth"] = template.depth
        arrays[f"{name}/frame"] = np.array([*template.origin_mm, template.step_mm, *template.axis, *template.ends_mm])
    save_arrays(path, arrays, compress=False)  # read at every start: 40 MB in a tenth of a second
    return templates


def _read(path: Path, *, names: list[str]) -> dict[str, Template] | None:
    stored = read_arrays(path)
    if stored is None or {f"{name}/depth" for name in names} - set(stored):
        return None
    templates = {}
    for name in names:
        x, y, z, step, *rest = (float(value) for value in stored[f"{name}/frame"])
        templates[name] = Template(
            depth=stored[f"{name}/depth"].astype(np.int8, copy=False),
            origin_mm=(x, y, z),
            step_mm=step,
            axis=(rest[0], rest[1], rest[2]),
            ends_mm=(rest[3], rest[4]),
        )
    return templates


def save_arrays(path: Path, arrays: dict[str, npt.NDArray[np.generic]], *, compress: bool = True) -> None:
    """Write arrays to an npz that is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            if compress:
                np.savez_compressed(stream, allow_pickle=False, **arrays)
            else:
                np.savez(stream, allow_pickle=False, **arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]] | None:
    """The arrays of an npz; None where the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
