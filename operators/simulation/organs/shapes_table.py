"""Where the organs of the trunk lie: shapes in the rest frame of the source's skeleton (see `frame`), millimetres.

+x is left, +y back, +z up. The vertebrae stand at T1 z = 1495, T4 1435, T8 1345, T12 1244, L1 1218, L3 1154, L5 1078;
the sternum reaches from z = 1301 to 1478, the iliac crests to 1080. Volumes are not drawn here: every organ is grown or
shrunk to its own. Placed by eye after sectional anatomy and CT (chosen).
"""

from __future__ import annotations

from operators.simulation.organs.shapes import Ellipsoid, HalfSpace, Tube

AORTA = Tube(
    knots=(
        (6, 190, 1388, 14), (-10, 178, 1412, 15), (-13, 177, 1440, 14.5), (-6, 187, 1462, 14), (7, 205, 1470, 13.5),
        (17, 222, 1458, 13), (21, 228, 1435, 12.5), (20, 224, 1390, 12), (17, 221, 1345, 12), (13, 217, 1300, 11.5),
        (9, 207, 1262, 11), (6, 195, 1240, 10.5), (4, 180, 1215, 10), (4, 168, 1189, 9.5), (4, 162, 1154, 9),
        (2, 163, 1125, 9),
    )
)  # fmt: skip
CAVA = Tube(
    knots=(
        (-12, 167, 1095, 10), (-17, 164, 1125, 10.5), (-19, 163, 1154, 11), (-20, 168, 1189, 11),
        (-22, 180, 1215, 11.5), (-25, 192, 1245, 12), (-27, 194, 1290, 12.5), (-25, 192, 1330, 13),
    )
)  # fmt: skip
UPPER_CAVA = Tube(knots=((-24, 190, 1375, 10), (-27, 186, 1410, 9.5), (-27, 184, 1450, 9), (-20, 182, 1470, 8)))
BRACHIOCEPHALIC = (
    Tube(knots=((-22, 182, 1462, 8), (0, 178, 1470, 7), (25, 190, 1490, 6.5), (34, 203, 1520, 6))),
    Tube(knots=((-22, 183, 1465, 8), (-32, 196, 1495, 6.5), (-35, 204, 1520, 6))),
    Tube(knots=((-10, 188, 1466, 6), (-24, 200, 1500, 5), (-25, 204, 1530, 4))),
    Tube(knots=((8, 196, 1472, 5), (22, 204, 1500, 4.5), (25, 206, 1530, 4))),
)
CAROTIDS = tuple(
    tube
    for left in (
        Tube(knots=((25, 205, 1520, 3.8), (26, 201, 1550, 3.8), (27, 201, 1580, 3.5), (27, 205, 1600, 3))),
        Tube(knots=((34, 204, 1515, 6), (34, 204, 1550, 5.5), (33, 208, 1580, 5), (31, 211, 1600, 4))),
    )
    for tube in (left, left.mirrored)
)
PULMONARY = (
    Tube(
        knots=(
            (20, 160, 1395, 13),
            (17, 172, 1418, 13.5),
            (14, 186, 1432, 13),
            (-8, 200, 1430, 11),
            (-38, 208, 1420, 9),
        )
    ),
    Tube(knots=((16, 182, 1430, 12), (34, 205, 1432, 10.5), (48, 222, 1424, 8.5))),
)
ILIACS = tuple(
    tube
    for left in (
        Tube(knots=((3, 163, 1128, 7.5), (22, 172, 1090, 6), (44, 182, 1045, 5.5), (60, 160, 985, 5), (64, 128, 930, 5),
                    (68, 118, 880, 4.5))),
        Tube(knots=((-8, 169, 1100, 8), (22, 182, 1072, 7), (42, 190, 1040, 6.5), (55, 168, 985, 6.5),
                    (55, 134, 930, 6), (60, 124, 880, 5.5))),
    )
    for tube in (left, left.mirrored)
)  # fmt: skip

TRACHEA = Tube(
    knots=(
        (0, 196, 1578, 7),
        (0, 194, 1555, 6),
        (0, 195, 1530, 8),
        (0, 203, 1485, 8.5),
        (-2, 214, 1445, 8.5),
        (-2, 217, 1432, 8),
    )
)
BRONCHI = (
    Tube(knots=((-2, 217, 1432, 8), (-18, 220, 1414, 6.5), (-38, 224, 1398, 5), (-52, 228, 1380, 3.5))),
    Tube(knots=((-2, 217, 1432, 8), (18, 221, 1412, 6), (40, 226, 1398, 5), (54, 229, 1380, 3.5))),
)
THYROID = (
    Ellipsoid(centre=(17, 197, 1522), radii=(8, 9, 23), turn_deg=(0, -8, 0)),
    Ellipsoid(centre=(-17, 197, 1522), radii=(8, 9, 23), turn_deg=(0, 8, 0)),
    Ellipsoid(centre=(0, 187, 1514), radii=(13, 3.5, 7)),
)

HEART = Ellipsoid(centre=(20, 174, 1358), radii=(70, 45, 50), turn_deg=(0, 34, -33))
LEFT_VENTRICLE = Ellipsoid(centre=(37, 173, 1346), radii=(46, 31, 30), turn_deg=(0, 34, -33))
MEDIASTINUM = Tube(
    knots=((0, 200, 1500, 24), (0, 198, 1465, 28), (0, 203, 1430, 30), (4, 214, 1390, 25), (6, 224, 1340, 21),
           (6, 224, 1290, 21), (4, 212, 1240, 22))
)  # fmt: skip
OESOPHAGUS = Tube(
    knots=(
        (2, 212, 1525, 6),
        (3, 218, 1480, 6.5),
        (4, 228, 1430, 6.5),
        (4, 226, 1390, 7),
        (6, 214, 1330, 7),
        (16, 196, 1295, 7),
    )
)

LIVER = (
    Ellipsoid(centre=(-68, 190, 1275), radii=(72, 88, 82), turn_deg=(0, -8, 0)),
    Ellipsoid(centre=(4, 140, 1300), radii=(74, 42, 36), turn_deg=(0, -10, -12)),
)
LIVER_ML = 1530.0
"""Volume in the rest frame for which the liver is drawn; a larger one reaches further down."""
LIVER_BELOW = HalfSpace(point=(-60, 165, 1192), normal=(0.45, -0.10, -1.0))
GALLBLADDER = Tube(knots=((-48, 108, 1190, 12), (-42, 120, 1202, 13), (-34, 134, 1216, 9), (-28, 146, 1224, 5)))
SPLEEN = Ellipsoid(centre=(98, 232, 1268), radii=(24, 40, 56), turn_deg=(-35, 14, -25))
STOMACH = Tube(
    knots=((48, 208, 1302, 24), (56, 192, 1290, 34), (60, 168, 1262, 33), (54, 145, 1228, 28), (34, 128, 1204, 24),
           (8, 128, 1196, 19), (-14, 136, 1202, 12))
)  # fmt: skip
DUODENUM = Tube(
    knots=((-18, 140, 1204, 12), (-36, 156, 1200, 12), (-42, 166, 1178, 12), (-36, 164, 1148, 12), (-12, 150, 1142, 11),
           (14, 148, 1148, 11), (28, 148, 1166, 11))
)  # fmt: skip
PANCREAS = Tube(
    knots=((-24, 155, 1162, 12), (-22, 153, 1184, 15), (-4, 146, 1196, 10), (18, 148, 1206, 11), (44, 172, 1216, 11.5),
           (76, 204, 1232, 10))
)  # fmt: skip

KIDNEY = (
    Ellipsoid(centre=(61, 224, 1207), radii=(28, 23, 56), turn_deg=(14, -13, -38)),
    Ellipsoid(centre=(-61, 221, 1192), radii=(28, 23, 56), turn_deg=(14, 13, 38)),
)
"""Left, right. The upper poles lean to the spine and to the back, the hilum looks forward to the middle."""
RENAL_SINUS = (
    Ellipsoid(centre=(46, 213, 1204), radii=(17, 8, 25), turn_deg=(14, -13, -38)),
    Ellipsoid(centre=(-46, 210, 1189), radii=(17, 8, 25), turn_deg=(14, 13, 38)),
)
RENAL_PELVIS = (
    Tube(
        knots=((55, 219, 1220, 4), (48, 214, 1204, 6), (40, 202, 1194, 4.5), (38, 188, 1170, 2.6), (36, 180, 1140, 2.4))
    ),
    Tube(
        knots=(
            (-55, 216, 1205, 4),
            (-48, 211, 1189, 6),
            (-40, 198, 1179, 4.5),
            (-38, 185, 1155, 2.6),
            (-36, 179, 1130, 2.4),
        )
    ),
)

COLON = Tube(
    knots=((-78, 140, 1030, 24), (-84, 160, 1070, 26), (-90, 178, 1120, 23), (-90, 178, 1165, 22), (-78, 158, 1192, 22),
           (-50, 125, 1172, 21), (-18, 112, 1146, 21), (20, 112, 1146, 21), (55, 128, 1176, 20), (82, 168, 1228, 20),
           (97, 196, 1210, 18), (98, 198, 1150, 17), (94, 186, 1090, 16), (86, 160, 1050, 15), (62, 150, 1012, 15),
           (34, 158, 1030, 15), (10, 168, 1010, 15), (8, 198, 985, 17), (2, 205, 950, 19), (0, 203, 922, 17)),
    ripple=0.16,
    ring_mm=26.0,
)  # fmt: skip
SMALL_BOWEL_ROWS = (
    (1150.0, (-52.0, 66.0), (140.0, 150.0)), (1124.0, (-62.0, 72.0), (122.0, 148.0)),
    (1098.0, (-58.0, 74.0), (114.0, 150.0)), (1072.0, (-52.0, 70.0), (112.0, 150.0)),
    (1046.0, (-46.0, 60.0), (114.0, 150.0)), (1020.0, (-42.0, 46.0), (116.0, 156.0)),
    (996.0, (-30.0, 30.0), (132.0, 172.0)),
)  # fmt: skip
"""Loops of jejunum and ileum from above: height, from x to x, from y to y."""
SMALL_BOWEL_RADIUS_MM = 11.0

PELVIC_FLOOR = HalfSpace(point=(0, 180, 905), normal=(0, -0.36, -1.0))
"""Levator ani between coccyx and pubis."""
BLADDER_BASE = (0.0, 150.0, 906.0)
PROSTATE = Ellipsoid(centre=(0, 152, 899), radii=(21, 16, 15))
UTERUS = Tube(knots=((2, 178, 930, 13), (2, 174, 950, 14), (1, 160, 972, 20), (0, 150, 986, 22)))
VALVES = HalfSpace(point=(8, 190, 1384), normal=(-0.74, 0.34, 0.58))
"""Between ventricles and atria."""

SPINE = Tube(
    knots=((0, 232, 1500, 18), (0, 243, 1435, 20), (0, 251, 1345, 22), (0, 244, 1296, 22), (0, 224, 1244, 22),
           (0, 209, 1218, 21), (0, 196, 1189, 21), (0, 191, 1154, 21), (0, 192, 1117, 21), (0, 198, 1078, 21),
           (0, 205, 1045, 21))
)  # fmt: skip
"""Room of the vertebral bodies and discs: a little more than they are."""
PSOAS = tuple(
    tube
    for left in (
        Tube(knots=((20, 226, 1240, 8), (27, 212, 1200, 12), (34, 202, 1154, 16), (42, 196, 1117, 19),
                    (52, 186, 1078, 20), (66, 172, 1030, 19), (76, 150, 980, 17), (84, 140, 930, 15))),
        Tube(knots=((14, 214, 1250, 5), (14, 206, 1220, 5), (14, 192, 1190, 5), (12, 182, 1165, 4))),
    )
    for tube in (left, left.mirrored)
)  # fmt: skip
"""Psoas with the iliacus, and the diaphragm's crura."""
THORAX_TOP = HalfSpace(point=(0, 235, 1507), normal=(0, -0.42, 1.0))
"""From the first thoracic vertebra down to the top of the sternum; the lungs' apices end there."""
