"""The exact outline of a pixel mask: a polygon along pixel edges that holds the mask's pixels and no others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from bmnode.domain.geometry import BoolArray

Corner = tuple[int, int]
Outline = tuple[tuple[float, float], ...]

_TURNS = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Steps (row, column) clockwise on the image: right, down, left, up."""


def outline(mask: BoolArray, *, origin: tuple[int, int] = (0, 0)) -> Outline:
    """The closed outline of one 8-connected mask without holes, as (column, row) corners.

    Coordinates are those of PS3.3 C.18.6.1.2: pixel (row r, column c) covers the square from
    (c, r) to (c + 1, r + 1). The walk keeps the mask on its right; where two pixels touch by a
    corner only, it crosses from one to the other, so that one ring holds both. Corners on a
    straight edge are left out. The ring's area is the number of pixels.

    Raises ValueError where the mask is empty, in several parts, or has a hole.
    """
    if not mask.any():
        raise ValueError("an empty mask has no outline")
    rings = list(_rings(mask, origin=origin))
    if len(rings) > 1:
        raise ValueError("the mask has a hole or lies in several parts")
    return rings[0]


def outer_outline(mask: BoolArray, *, origin: tuple[int, int] = (0, 0)) -> Outline:
    """The closed outline around the part of a mask that covers the most, its holes included; the first of equals.

    Parts, corners and coordinates are those of `outline`. Raises ValueError where the mask is empty.
    """
    if not mask.any():
        raise ValueError("an empty mask has no outline")
    return max(_rings(mask, origin=origin), key=ring_area)


def ring_area(points: Outline) -> float:
    """Area of a closed ring, in squares of its units (shoelace formula)."""
    twice = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(points))
    return abs(twice) / 2.0


def rasterise(points: Outline, *, shape: tuple[int, int]) -> BoolArray:
    """The pixels (row, column) whose centres lie inside a closed ring, by the even-odd rule."""
    columns = np.arange(shape[1]) + 0.5
    inside = np.zeros(shape, dtype=np.bool_)
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 == y1:
            continue
        low, high = min(y0, y1), max(y0, y1)
        for row in range(max(0, int(np.ceil(low - 0.5))), min(shape[0], int(np.ceil(high - 0.5)))):
            crossing = x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            inside[row] ^= columns > crossing
    return inside


def _rings(mask: BoolArray, *, origin: tuple[int, int]) -> Iterator[Outline]:
    """Every closed ring between inside and outside: around each part and around each hole."""
    edges = _edges(mask)
    for start in sorted(edges):
        while edges[start]:
            yield tuple((float(column + origin[1]), float(row + origin[0])) for row, column in _walk(edges, start))


def _walk(edges: dict[Corner, list[int]], start: Corner) -> list[Corner]:
    """The corners of one ring, from its first back to it; the edges walked are taken out."""
    first = direction = min(edges[start])
    here, corners = start, [start]
    while True:
        edges[here].remove(direction)
        here = (here[0] + _TURNS[direction][0], here[1] + _TURNS[direction][1])
        available = [*edges[here], *([first] if here == start else [])]
        # Turning left first, as seen by the walker, joins pixels that meet at a corner.
        heading = next(turn for turn in ((direction - 1) % 4, direction, (direction + 1) % 4) if turn in available)
        if here == start and heading == first:
            return [*corners, start]
        if heading != direction:
            corners.append(here)
        direction = heading


def _edges(mask: BoolArray) -> dict[Corner, list[int]]:
    """Directed pixel edges between inside and outside, by their first corner, the inside on the right."""
    padded = np.pad(mask, 1)
    edges: dict[Corner, list[int]] = {}
    for row, column in zip(*np.nonzero(padded), strict=True):
        r, c = int(row), int(column)
        sides = (
            (padded[r - 1, c], (r - 1, c - 1), 0),  # top edge, walked to the right
            (padded[r, c + 1], (r - 1, c), 1),  # right edge, walked down
            (padded[r + 1, c], (r, c), 2),  # bottom edge, walked to the left
            (padded[r, c - 1], (r, c - 1), 3),  # left edge, walked up
        )
        for neighbour, corner, heading in sides:
            if not neighbour:
                edges.setdefault(corner, []).append(heading)
    return edges
