"""Landmarks of the spine in the rest frame of the source's meshes (millimetres, x = 0 in the midline)."""

from __future__ import annotations

from dataclasses import dataclass

from operators.simulation.anatomy.bones import Bone


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A vertebral body in the midline, and the canal behind it.

    Args:
        front_mm, back_mm: y of the body's front and rear wall.
        bottom_mm, top_mm: z of the endplates' middle.
        bottom_tilt, top_tilt: rise of the endplates in z over y.
        half_width_mm: half the body's width.
        canal_mm: y of the canal's middle.
        canal_half_mm: half the canal's depth.
    """

    front_mm: float
    back_mm: float
    bottom_mm: float
    top_mm: float
    bottom_tilt: float
    top_tilt: float
    half_width_mm: float
    canal_mm: float
    canal_half_mm: float


def _body(
    walls: tuple[float, float], front: tuple[float, float], back: tuple[float, float], width: float, rear: float
) -> Body:
    """From y of both walls, (bottom, top) z at a quarter and three quarters of the depth, and y of the lamina."""
    depth = (walls[1] - walls[0]) / 2
    return Body(
        front_mm=walls[0],
        back_mm=walls[1],
        bottom_mm=(front[0] + back[0]) / 2,
        top_mm=(front[1] + back[1]) / 2,
        bottom_tilt=(back[0] - front[0]) / depth,
        top_tilt=(back[1] - front[1]) / depth,
        half_width_mm=width,
        canal_mm=(walls[1] + rear) / 2,
        canal_half_mm=(rear - walls[1]) / 2,
    )


BODIES: dict[Bone, Body] = {
    Bone.C2: _body((203.9, 217.5), (1587.7, 1602.7), (1586.7, 1598.7), 12.0, 232.9),
    Bone.C3: _body((203.7, 217.7), (1571.4, 1582.4), (1571.4, 1583.4), 12.5, 232.7),
    Bone.C4: _body((204.8, 219.3), (1555.4, 1567.4), (1557.4, 1566.4), 14.0, 234.8),
    Bone.C5: _body((207.3, 222.3), (1538.4, 1550.4), (1541.4, 1550.4), 15.0, 236.8),
    Bone.C6: _body((210.7, 225.7), (1523.5, 1535.5), (1525.5, 1534.5), 15.0, 240.7),
    Bone.C7: _body((214.2, 235.2), (1504.7, 1519.7), (1507.7, 1521.7), 16.0, 251.2),
    Bone.T1: _body((218.9, 238.9), (1485.8, 1501.8), (1488.8, 1505.8), 14.5, 250.9),
    Bone.T2: _body((223.6, 244.6), (1467.9, 1484.9), (1470.9, 1487.9), 14.0, 255.6),
    Bone.T3: _body((227.5, 249.5), (1448.4, 1465.4), (1450.4, 1468.4), 14.5, 261.5),
    Bone.T4: _body((230.8, 253.8), (1425.2, 1443.2), (1426.2, 1445.2), 16.0, 266.8),
    Bone.T5: _body((232.5, 255.5), (1403.5, 1421.5), (1404.5, 1422.5), 16.0, 267.5),
    Bone.T6: _body((234.9, 259.9), (1382.3, 1400.3), (1382.3, 1401.3), 16.0, 272.9),
    Bone.T7: _body((235.7, 260.7), (1361.6, 1379.6), (1361.6, 1381.6), 16.0, 272.7),
    Bone.T8: _body((236.1, 262.1), (1336.2, 1355.2), (1335.2, 1355.2), 16.5, 273.1),
    Bone.T9: _body((234.5, 262.0), (1311.1, 1330.1), (1310.1, 1331.1), 16.5, 273.5),
    Bone.T10: _body((230.4, 259.0), (1285.7, 1307.7), (1282.7, 1307.7), 16.5, 269.4),
    Bone.T11: _body((223.3, 252.3), (1260.5, 1283.5), (1256.5, 1281.5), 16.5, 262.3),
    Bone.T12: _body((208.4, 237.4), (1235.1, 1259.1), (1229.1, 1253.1), 16.5, 247.4),
    Bone.L1: _body((192.7, 220.7), (1208.1, 1233.1), (1204.1, 1230.1), 16.5, 231.7),
    Bone.L2: _body((180.9, 207.9), (1178.4, 1202.4), (1176.4, 1199.4), 16.5, 218.9),
    Bone.L3: _body((174.9, 203.2), (1141.1, 1167.1), (1143.1, 1167.1), 17.5, 215.9),
    Bone.L4: _body((176.0, 205.0), (1103.7, 1129.7), (1106.7, 1131.7), 17.5, 219.0),
    Bone.L5: _body((181.5, 210.5), (1064.0, 1090.0), (1069.0, 1092.0), 17.5, 223.5),
}
"""Measured on the meshes' depth fields, mean of the 6 mm beside the midline. An L6 has the mesh of L5."""
ATLAS_CANAL = (224.5, 1603.0)
"""(y, z) of the canal's middle in C1."""
SACRAL_TOP = ((166.0, 1048.0), (197.0, 1059.0))
"""(y, z) of the sacrum's upper endplate, front and back."""
SACRAL_CANAL = ((221.0, 1046.0), (232.0, 1020.0), (240.0, 995.0))
"""(y, z) down the sacral canal to about S3, by eye."""

LOIN = ((0.0, 44.0), (22.0, 48.0), (34.0, 54.0), (48.0, 60.0), (64.0, 62.0), (82.0, 57.0), (100.0, 45.0))
"""(distance from the midline, depth behind the front of the vertebral body): the front of quadratus lumborum, by eye
on CT."""


def body_of(bone: Bone) -> Body:
    """The body of a vertebra from C2 down. Raises KeyError for another bone."""
    return BODIES[Bone.L5 if bone is Bone.L6 else bone]
