"""How the source's bones are changed before anybody is made of them: smoothing, growth, form.

The source's bones are slender and drawn with few triangles. The numbers are chosen [P] so that a reference person
has the skeleton's mass of ICRP 89 and bone volumes as in label maps of real CT;
`docs/explanation/simulated-anatomy.md` shows what comes of it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from operators.simulation.anatomy.bones import CERVICAL, LUMBAR, THORACIC, Bone

Vector = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What is done to the depth field of every bone of a kind.

    Args:
        smooth_mm: standard deviation of the Gaussian that takes out the facets; the volume is kept.
        growth_mm: how far the surface then moves outward (negative: inward).
        fill_mm: radius of the ball that cannot enter grooves: they are filled first.
    """

    smooth_mm: float
    growth_mm: float
    fill_mm: float = 0.0

    def __post_init__(self) -> None:
        if self.smooth_mm < 0 or self.fill_mm < 0 or abs(self.growth_mm) > 2.5:
            raise ValueError("a form smooths and fills by nothing or more, and grows by at most 2.5 mm")


FORMS: dict[str, Form] = {
    "skull": Form(smooth_mm=1.5, growth_mm=1.0),
    "mandible": Form(smooth_mm=1.0, growth_mm=0.6),
    "vertebra": Form(smooth_mm=1.2, growth_mm=0.5),
    "sacrum": Form(smooth_mm=1.5, growth_mm=-0.5, fill_mm=6.0),
    "coccyx": Form(smooth_mm=1.5, growth_mm=0.0, fill_mm=6.0),
    "sternum": Form(smooth_mm=1.0, growth_mm=-0.6),
    "cartilage": Form(smooth_mm=1.0, growth_mm=0.0),
    "rib": Form(smooth_mm=1.0, growth_mm=0.5),
    "clavicle": Form(smooth_mm=1.2, growth_mm=1.1),
    "scapula": Form(smooth_mm=0.6, growth_mm=0.6),
    "humerus": Form(smooth_mm=1.5, growth_mm=1.8),
    "radius": Form(smooth_mm=1.0, growth_mm=1.6),
    "ulna": Form(smooth_mm=1.0, growth_mm=1.6),
    "hand": Form(smooth_mm=0.5, growth_mm=1.3),
    "hip": Form(smooth_mm=1.8, growth_mm=0.8),
    "femur": Form(smooth_mm=1.8, growth_mm=2.3),
    "patella": Form(smooth_mm=1.5, growth_mm=-1.5),
    "tibia": Form(smooth_mm=1.5, growth_mm=2.1),
    "fibula": Form(smooth_mm=1.0, growth_mm=0.8),
    "foot": Form(smooth_mm=0.8, growth_mm=1.7),
}
"""By kind of bone. Growth is smallest where bones face each other closely (vertebrae, hips); limb bones, hands and
feet are too slender in the source, its kneecap and sacrum too large."""

SIZES: dict[Bone, Vector] = {
    Bone.SKULL: (1.06, 1.06, 1.02),
    Bone.MANDIBLE: (1.06, 1.06, 1.02),
    **dict.fromkeys(CERVICAL, (1.08, 1.08, 0.97)),
    **dict.fromkeys(THORACIC, (1.10, 1.08, 0.92)),
    **dict.fromkeys(LUMBAR, (1.22, 1.18, 1.02)),
}
"""Width, depth and height of a bone against the source: its vertebrae are narrow for their height and almost touch
in the chest, its skull holds too small a brain."""

Tube = tuple[Vector, Vector, float]
"""(one end, other end, radius) in the rest frame."""

SACRUM_FRONT: tuple[tuple[float, float], ...] = (
    (960.0, 222.0), (976.0, 219.0), (988.0, 214.0), (1000.0, 207.0), (1012.0, 195.0), (1018.0, 188.0),
    (1024.0, 180.0), (1030.0, 171.0), (1036.0, 166.0), (1040.0, 166.0), (1050.0, 184.0), (1062.0, 186.0),
)  # fmt: skip
"""(z, y): in front of it the source's sacrum is cut away, a bulge on both sides of a deep groove; by eye."""

_CANAL = ((222.0, 1050.0, 7.5), (229.0, 1027.0, 6.5), (236.0, 1008.0, 5.0), (241.0, 990.0, 3.5))
_FORAMINA = (
    ((18.0, 176.0, 1022.0), (7.0, 226.0, 1036.0), 4.0),
    ((17.0, 192.0, 1003.0), (6.0, 232.0, 1017.0), 3.5),
    ((15.0, 206.0, 988.0), (5.0, 237.0, 1001.0), 3.0),
    ((12.0, 214.0, 974.0), (4.0, 240.0, 988.0), 2.5),
)
"""From the pelvic surface up and back to the canal, on the left."""
SACRUM_HOLES: tuple[Tube, ...] = (
    *(((0.0, a[0], a[1]), (0.0, b[0], b[1]), (a[2] + b[2]) / 2) for a, b in itertools.pairwise(_CANAL)),
    *(
        ((side * front[0], front[1], front[2]), (side * back[0], back[1], back[2]), radius)
        for front, back, radius in _FORAMINA
        for side in (1.0, -1.0)
    ),
)
"""The sacral canal in three pieces and four pairs of foramina, which the source's sacrum has not; by eye."""

_LIMBS = (
    ("{0}_pelvis", "{0}_femur"), ("{0}_tibia", "{0}_femur"), ("{0}_patella", "{0}_femur"), ("{0}_fibula", "{0}_tibia"),
    ("{0}_talus", "{0}_tibia"), ("{0}_talus", "{0}_fibula"), ("scapula_{0}", "humerus_{0}"),
    ("ulna_{0}", "humerus_{0}"), ("radius_{0}", "humerus_{0}"), ("radius_{0}", "ulna_{0}"),
    ("scapula_{0}", "clavicle_{0}"), ("lunate_{0}", "radius_{0}"), ("scaphoid_{0}", "radius_{0}"),
)  # fmt: skip
PARTED: tuple[tuple[str, str], ...] = (
    ("sacrum", "l_pelvis"), ("sacrum", "r_pelvis"), ("hat_jaw", "hat_skull"),
    *((cut.format(side), other.format(side)) for side in "lr" for cut, other in _LIMBS),
)  # fmt: skip
"""Parts that meet in a joint: the first is cut back until it keeps `JOINT_SPACE_MM` from the second at rest."""
JOINT_SPACE_MM = 1.8
