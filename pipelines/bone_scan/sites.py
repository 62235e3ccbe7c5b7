"""Parts and regions as coded finding sites and concepts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bmnode.domain.codes import Code, Laterality, Site, project_code
from operators.kernels.bone_scan_index.regions import BS80K_SIDED, BoneRegion
from operators.kernels.planar_regions.parts import PlanarPart

_LEFT, _RIGHT = "_left", "_right"
_SITES: Mapping[str, Code] = MappingProxyType(
    {
        "skull": Site.SKULL,
        "cervical_spine": Site.CERVICAL_SPINE,
        "thoracic_spine": Site.THORACIC_SPINE,
        "lumbar_spine": Site.LUMBAR_SPINE,
        "sacrum": Site.SACRUM,
        "sternum": Site.STERNUM,
        "ribs": Site.RIB,
        "clavicle": Site.CLAVICLE,
        "scapula": Site.SCAPULA,
        "humerus": Site.HUMERUS,
        "pelvis": Site.PELVIS,
        "femur": Site.FEMUR,
        "forearm": Site.UPPER_LIMB,
        "lower_leg": Site.LOWER_LIMB,
    }
)


def site_of(part: PlanarPart) -> Code:
    """The finding site of a part."""
    return _SITES[_without_side(part.value)]


def laterality_of(part: PlanarPart) -> Code | None:
    """The patient's side of a part; None on the midline."""
    if part.is_left:
        return Laterality.LEFT
    return Laterality.RIGHT if part.is_right else None


def words_of(region: BoneRegion) -> str:
    """A row of the coefficient table as the reader reads it: `left femur`."""
    name = _without_side(region.value).replace("_", " ")
    if region.value.endswith(_LEFT):
        return f"left {name}"
    return f"right {name}" if region.value.endswith(_RIGHT) else name


def _involvement_concept(region: BoneRegion) -> Code:
    side = "-L" if region.value.endswith(_LEFT) else "-R" if region.value.endswith(_RIGHT) else ""
    return project_code(f"BSI-{_without_side(region.value).upper()}{side}", f"Involved share, {words_of(region)}")


def _without_side(name: str) -> str:
    return name.removesuffix(_LEFT).removesuffix(_RIGHT)


INVOLVEMENT: Mapping[BoneRegion, Code] = MappingProxyType(
    {region: _involvement_concept(region) for region in BS80K_SIDED.regions}
)
"""What each region's involved share is called."""
