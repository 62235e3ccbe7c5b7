"""Where the organs of the head lie, in the rest frame of the source's skull (millimetres; +x left, +y back, +z up).

The skull reaches from y = 121 to 290 and from z = 1590 to 1752. Placed by eye after sectional anatomy (chosen).
"""

from __future__ import annotations

from operators.simulation.organs.shapes import Ellipsoid, Shape, Tube

BRAIN_CENTRE = (0.0, 208.0, 1686.0)
"""From here every direction meets the inside of the skull once."""
WALL_MM = 6.5
"""Skull over the cavity, as `bones.CORTEX`."""
CSF_MM = 1.5
"""Least fluid between brain and skull (chosen)."""

_VENTRICLE = (
    Tube(
        knots=((7, 168, 1690, 3.5), (9, 190, 1701, 5), (14, 218, 1702, 5.5), (21, 240, 1693, 6.5), (24, 258, 1687, 4))
    ),
    Tube(knots=((21, 240, 1693, 6), (31, 222, 1676, 3.5), (31, 200, 1668, 2.5))),
)
VENTRICLES: tuple[Shape, ...] = (
    *_VENTRICLE,
    *(tube.mirrored for tube in _VENTRICLE),
    Ellipsoid(centre=(0, 205, 1683), radii=(3, 14, 9)),
    Ellipsoid(centre=(0, 240, 1645), radii=(8, 6, 10)),
)

EYES = (Ellipsoid(centre=(32, 139, 1653), radii=(12, 12, 12)), Ellipsoid(centre=(-32, 139, 1653), radii=(12, 12, 12)))
"""Left, right; so are all pairs here."""
ORBITS = tuple(
    tube
    for left in (Tube(knots=((33, 137, 1653, 17), (30, 152, 1653, 15), (24, 168, 1651, 9), (17, 180, 1649, 4))),)
    for tube in (left, left.mirrored)
)
LACRIMALS = (
    Ellipsoid(centre=(46, 139, 1662), radii=(4, 7, 5), turn_deg=(0, 0, 25)),
    Ellipsoid(centre=(-46, 139, 1662), radii=(4, 7, 5), turn_deg=(0, 0, -25)),
)
PAROTIDS = (
    Ellipsoid(centre=(55, 200, 1596), radii=(11, 17, 25), turn_deg=(0, 8, 0)),
    Ellipsoid(centre=(-55, 200, 1596), radii=(11, 17, 25), turn_deg=(0, -8, 0)),
)
SUBMANDIBULARS = (
    Ellipsoid(centre=(31, 178, 1561), radii=(10, 17, 13), turn_deg=(0, 0, 15)),
    Ellipsoid(centre=(-31, 178, 1561), radii=(10, 17, 13), turn_deg=(0, 0, -15)),
)
AIRWAYS: tuple[Shape, ...] = (
    Tube(knots=((0, 172, 1624, 5), (0, 186, 1622, 7), (0, 191, 1606, 7), (0, 190, 1585, 7), (0, 189, 1562, 6))),
    *(
        shape
        for left in (
            Ellipsoid(centre=(6, 154, 1629), radii=(3.5, 30, 15)),
            Ellipsoid(centre=(27, 151, 1625), radii=(12, 15, 15)),
            Ellipsoid(centre=(11, 131, 1664), radii=(9, 4, 8)),
            Ellipsoid(centre=(7, 178, 1642), radii=(6.5, 9, 8)),
            Ellipsoid(centre=(10, 153, 1649), radii=(4, 16, 8)),
        )
        for shape in (left, left.mirrored)
    ),
)
"""Pharynx; nasal cavity, maxillary, frontal, sphenoid and ethmoid sinuses."""
"""What is not bone around them is mucosa and muscle."""
