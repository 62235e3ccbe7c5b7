"""Outlines as the report for viewers has them: each under a Tracking UID of its own, and none a rectangle.

OHIF takes all groups under one Tracking UID for one measurement and draws the first outline of them: of a hot spot
that is seen from before and from behind the second would never be seen. There, and nowhere else, the second outline
and those after it have Tracking UIDs of their own, which follow from the lesion's, so that a reader finds the lesion
again [P].
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from bmnode.domain.geometry import ImagePolygon
from bmnode.domain.ids import derive_uid

LEAST_POINTS = 6
"""Of a drawn outline, the closing one included."""


def drawn_outline(polygon: ImagePolygon) -> ImagePolygon:
    """The same outline, with corners more on its first edge where it has few.

    Of a closed line of four or five points OHIF 3.13 makes a rectangle of its own, with an area of its own instead of
    the finding's numbers, and goes to nothing else of the report any more.
    """
    points = polygon.points
    while len(points) < LEAST_POINTS:
        (x0, y0), (x1, y1) = points[:2]
        points = (points[0], ((x0 + x1) / 2.0, (y0 + y1) / 2.0), *points[1:])
    return replace(polygon, points=points)


def outline_uid(tracking_uid: str, number: int) -> str:
    """Of a lesion's outline by its number, from 1: the first has the lesion's own. Raises ValueError below 1."""
    if number < 1:
        raise ValueError("outlines are counted from 1")
    return tracking_uid if number == 1 else derive_uid("outline", tracking_uid, str(number))


def lesions_of(uids: Collection[str]) -> dict[str, str]:
    """The lesion's Tracking UID by the Tracking UID of each of these groups.

    What is no further outline of another of them stands for itself.
    """
    found = {uid: uid for uid in uids}
    for lesion in uids:
        number = 2
        while (further := outline_uid(lesion, number)) in found:
            found[further] = lesion
            number += 1
    return found
