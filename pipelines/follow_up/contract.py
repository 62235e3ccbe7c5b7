"""What the operators of a comparison hand to each other: `register` to `match` to `assess`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bmnode.domain.earlier import EarlierResult
from bmnode.domain.geometry import CroppedMask, VolumeGeometry
from bmnode.domain.registration import Registration
from bmnode.domain.results import Algorithm, BurdenPoint, FindingResult, QualityCheck, ResultSet
from bmnode.priors.handover import PriorStudy
from operators.graph.contract import StudyInput
from operators.kernels.lesion_matching.contract import LesionEvent, LesionGroup
from operators.kernels.lesion_matching.places import PointMap

BoneOf = Callable[[CroppedMask, VolumeGeometry], str | None]


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
class Drawn:
    """A lesion with its voxels on the grid that it was found on."""

    finding: FindingResult
    mask: CroppedMask
    geometry: VolumeGeometry


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Motion:
    """How places of the present scan lie in the earlier one, and the lesions of both, drawn in one space each.

    Args:
        field: from the present scan to the earlier one.
        bone_of: the single bone that a mask on a grid of the present scan lies in; None where that is not known.
        prior, current: the lesions.
        prior_fields, current_fields: grids of a scan; it shows a place that lies in all of them.
        extent: what the size of a lesion is counted in, for the reader.
        algorithm: what brought the scans together.
        check: how well, for the reader.
    """

    field: PointMap
    bone_of: BoneOf
    prior: tuple[Drawn, ...]
    current: tuple[Drawn, ...]
    prior_fields: tuple[VolumeGeometry, ...]
    current_fields: tuple[VolumeGeometry, ...]
    algorithm: Algorithm
    check: QualityCheck
    extent: str = "volume"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Registered:
    """A pair, and how places of the one lie in the other.

    Args:
        motion: None where lesions are not compared.
        objects: what is written as DICOM: the motion of the whole, then the field; nothing of planar scans, which have
            no frame of reference.
        why_not: a sentence; empty where there is a motion.
    """

    pair: Pair
    motion: Motion | None = None
    objects: tuple[Registration, ...] = ()
    why_not: str = ""

    def __post_init__(self) -> None:
        if (self.motion is None) != bool(self.why_not):
            raise ValueError("there is a motion, or a reason why there is none")


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
