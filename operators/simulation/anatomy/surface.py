"""Points on the surface of a mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from operators.simulation.anatomy.source import Part

FloatArray = npt.NDArray[np.float64]


def surface_points(part: Part, *, spacing_mm: float) -> tuple[FloatArray, FloatArray]:
    """Points (n, 3) spread evenly over every triangle, closer than the spacing, with their triangles' normals."""
    a, b, c = (part.vertices[part.faces[:, corner]] for corner in range(3))
    longest = np.max(
        [np.linalg.norm(b - a, axis=1), np.linalg.norm(c - a, axis=1), np.linalg.norm(c - b, axis=1)], axis=0
    )
    pieces = np.clip(np.ceil(longest / spacing_mm), 1, None).astype(int)
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    points, directions = [], []
    for count in np.unique(pieces):
        chosen = np.flatnonzero(pieces == count)
        i, j = np.meshgrid(np.arange(count), np.arange(count), indexing="ij")
        u, v = ((grid[i + j < count] + 1 / 3) / count for grid in (i, j))
        spread = (
            a[chosen, None] * (1 - u - v)[None, :, None]
            + b[chosen, None] * u[None, :, None]
            + c[chosen, None] * v[None, :, None]
        )
        points.append(spread.reshape(-1, 3))
        directions.append(np.repeat(normals[chosen], len(u), axis=0))
    return np.concatenate(points), np.concatenate(directions)
