"""What the operators of a comparison hand to each other: `register` to `match` to `assess`."""

from __future__ import annotations

from dataclasses import dataclass

from bmnode.domain.earlier import EarlierResult
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.registration import Registration
from bmnode.domain.results import BurdenPoint, FindingResult, ResultSet
from bmnode.priors.handover import PriorStudy
from operators.graph.contract import StudyInput
from operators.kernels.lesion_matching.contract import LesionEvent, LesionGroup
from operators.kernels.registration.registration import Registration as BoneRegistration
from operators.kernels.skeleton_sites.sites import SkeletonMap


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pair:
    """The present study with its result, and the earlier one with its own.

    Args:
        earlier: what bmnode said of the prior: read back from its objects, or found anew in this run.
        is_anew: whether it was found anew: nobody else has seen its Tracking UIDs.
        history: the earlier studies whose results are at hand, the first first.
    """

    study: StudyInput
    result: ResultSet
    prior: PriorStudy
    prior_study: StudyInput
    earlier: EarlierResult
    is_anew: bool = False
    history: tuple[BurdenPoint, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Registered:
    """A pair, and how places of the one lie in the other.

    Args:
        motion: of every bone, and the field; None where lesions are not compared.
        names: of the present scan's bones; None likewise.
        objects: what is written as DICOM: the motion of the whole, then the field.
        prior_fields, current_fields: grids of the images that were brought together.
        why_not: a sentence; empty where there is a motion.
    """

    pair: Pair
    motion: BoneRegistration | None = None
    names: SkeletonMap | None = None
    objects: tuple[Registration, ...] = ()
    prior_fields: tuple[VolumeGeometry, ...] = ()
    current_fields: tuple[VolumeGeometry, ...] = ()
    why_not: str = ""

    def __post_init__(self) -> None:
        if (self.motion is None) != bool(self.why_not) or (self.motion is None) != (self.names is None):
            raise ValueError("there is a motion with names, or a reason why there is none")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Drawn:
    """A lesion with its voxels on the grid that it was found on."""

    finding: FindingResult
    mask: CroppedMask
    geometry: VolumeGeometry


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Matched:
    """The lesions of both scans in groups; `groups` None where lesions are not compared."""

    registered: Registered
    prior: tuple[Drawn, ...] = ()
    current: tuple[Drawn, ...] = ()
    groups: tuple[LesionGroup, ...] | None = None

    def group(self, *events: LesionEvent) -> tuple[LesionGroup, ...]:
        """The groups of these events."""
        return tuple(group for group in self.groups or () if group.event in events)
