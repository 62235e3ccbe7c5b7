"""From a finding site to what both scores ask of the place: the levels of SINS, the site of Mirels."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bmnode.domain.bones import VERTEBRAE, Bone
from bmnode.domain.codes import Code, Site
from operators.kernels.stability import mirels
from operators.kernels.stability.sins import Level

_SACRAL = (Level.S1, Level.S2, Level.S3, Level.S4, Level.S5)
_LEVELS: Mapping[Code, tuple[Level, ...]] = MappingProxyType(
    {bone.code: (Level(bone.name),) for bone in VERTEBRAE}
    | {
        part: tuple(Level(bone.name) for bone in VERTEBRAE if bone.part == part)
        for part in (Site.CERVICAL_SPINE, Site.THORACIC_SPINE, Site.LUMBAR_SPINE)
    }
    | {Site.SACRUM: _SACRAL, Site.SPINE: (*(Level(bone.name) for bone in VERTEBRAE), *_SACRAL)}
)
_UPPER = (mirels.Site.UPPER_LIMB,)
_MIRELS: Mapping[Code, tuple[mirels.Site, ...]] = MappingProxyType(
    {
        Bone.HUMERUS.code: _UPPER,
        Bone.RADIUS.code: _UPPER,
        Bone.ULNA.code: _UPPER,
        Bone.FEMUR.code: (mirels.Site.LOWER_LIMB, mirels.Site.PERITROCHANTERIC),
        Bone.TIBIA.code: (mirels.Site.LOWER_LIMB,),
        Bone.FIBULA.code: (mirels.Site.LOWER_LIMB,),
    }
)


def levels_of(site: Code | None) -> tuple[Level, ...]:
    """The levels at which a lesion of this site may lie; none where the site is not of the spine or not known.

    A vertebra is one level, a part of the spine all of its levels. Of the sacrum no level is told: S1 is junctional,
    S2 to S5 are rigid.
    """
    return () if site is None else _LEVELS.get(site, ())


def mirels_sites(site: Code | None) -> tuple[mirels.Site, ...]:
    """Mirels' sites that a lesion of this finding site may have; none where it is not known to lie in a long bone.

    No landmark tells where the trochanters of a femur end: a lesion of a femur may be peritrochanteric or not.
    """
    return () if site is None else _MIRELS.get(site, ())
