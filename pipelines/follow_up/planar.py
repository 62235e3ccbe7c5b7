"""Two bone scans of a patient: each view part by part onto the same view of the earlier scan.

Lesions are matched in one space with both views in it: the anterior view is one slice, the posterior one, seen as from
the front, another, so far behind it that what is near in one is not near in the other. A lesion of both views has
pixels in both; one that only one of them shows the next time is still the nearest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bmnode.domain.geometry import BoolArray, CroppedMask, VolumeGeometry
from bmnode.domain.results import PlanarSegmentation, QualityCheck, ResultSet, Verdict
from operators.graph.contract import StudyInput
from operators.kernels.lesion_matching.match import LESION_MATCH
from operators.kernels.planar_regions.part_motion import METHOD, ViewMotion, view_motion
from operators.kernels.planar_regions.parts import PART_NUMBERS, PartMap
from pipelines.bone_scan.branch import read_named
from pipelines.bone_scan.profile import load
from pipelines.bone_scan.views import PreparedView, both_views
from pipelines.follow_up.contract import BoneOf, Drawn, Motion, Pair
from pipelines.follow_up.drawn import is_lesion
from pipelines.follow_up.registration import profile
from pipelines.volumetric import MORPHOLOGY, algorithm

DEPTH_MM = 1.2 * LESION_MATCH.link_mm
"""Between the two slices [P]: more than the distance at which lesions are linked, less than that of a neighbour."""
NOT_BOTH = "One of the two scans lacks a view of the whole body with named bones: totals alone are compared."
NO_FIT = "The views of the two scans do not fit onto each other: totals alone are compared."
_Pixel = TypeVar("_Pixel", bound=np.generic)
_SINGLE_SHARE = 0.8
"""Share of a lesion's pixels on bone that lie in one part, from which on that part is its own [P]."""
_NAMES: Mapping[int, str] = {number: part.value for part, number in PART_NUMBERS.items()}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sweep:
    """The anterior and the posterior view of one scan, head up."""

    views: tuple[PreparedView, PreparedView]
    parts: tuple[PartMap, PartMap]

    @classmethod
    def of(cls, study: StudyInput) -> Sweep | None:
        """None where there are not both, of the whole body and with named parts. Raises NotAssessableError."""
        views = read_named(study)
        both = both_views(views)
        if both is None:
            return None
        front, back = views[both.anterior], views[both.posterior]
        if front.regions is None or back.regions is None:
            return None
        return cls(views=(front, back), parts=(front.regions.parts, back.regions.parts))

    @property
    def geometry(self) -> VolumeGeometry:
        """Of the two slices: x to the patient's left, y to the back, z to the head, in mm from the first pixel."""
        rows, columns = self.views[0].body.shape
        down, right = self.views[0].pixel_mm
        matrix = np.array([[0, 0, right, 0], [DEPTH_MM, 0, 0, 0], [0, -down, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
        return VolumeGeometry.from_matrix(matrix, shape=(2, rows, columns), frame_of_reference_uid="")

    def lesions(self, result: ResultSet) -> tuple[Drawn, ...]:
        """The lesions that were drawn on one of the two views, or on both."""
        masks = [self._masks(view, result.planar_segmentations) for view in self.views]
        found = []
        for finding in result.findings:
            seen = [masks[number].get(finding.tracking_uid) for number in range(2)]
            if is_lesion(finding) and any(mask is not None for mask in seen):
                pixels = np.stack(
                    [np.zeros(self.views[0].body.shape, dtype=np.bool_) if m is None else m for m in seen]
                )
                mask = CroppedMask.from_array(_from_the_front(pixels))
                found.append(Drawn(finding=finding, mask=mask, geometry=self.geometry))
        return tuple(found)

    def bone_of(self) -> BoneOf:
        """The part that nearly all of a mask's pixels on bone lie in."""
        parts = _from_the_front(np.stack(self.parts))

        def bone_of(mask: CroppedMask, _geometry: VolumeGeometry) -> str | None:
            box = tuple(slice(start, start + size) for start, size in zip(mask.origin, mask.values.shape, strict=True))
            counts = np.bincount(parts[box][mask.values], minlength=256)[1:]
            if counts.sum() == 0 or counts.max() < _SINGLE_SHARE * counts.sum():
                return None
            return _NAMES[int(counts.argmax()) + 1]

        return bone_of

    def _masks(self, view: PreparedView, drawn: Sequence[PlanarSegmentation]) -> Mapping[str, BoolArray]:
        """By Tracking UID, head up."""
        own = (view.view.sop_instance_uid, view.view.frame_number or 1)
        found = {}
        for item in drawn:
            if (item.source_instance_uid, item.frame_number or 1) == own:
                for segment in item.segments:
                    pixels = segment.mask.to_array()[0]
                    found[str(segment.tracking_uid)] = pixels[::-1, ::-1] if view.view.is_head_down else pixels
        return found

    def seen_from_the_front(self, stored: BoolArray) -> BoolArray:
        """Maps (..., view, row, column) as the views are stored, head up, the posterior one mirrored."""
        upright = stored.copy()
        for number, view in enumerate(self.views):
            if view.view.is_head_down:
                upright[..., number, :, :] = stored[..., number, ::-1, ::-1]
        return _from_the_front(upright)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BothMotions:
    """A `PointMap` between the two slices of two scans."""

    views: tuple[ViewMotion, ViewMotion]
    current_mm: tuple[float, float]
    prior_mm: tuple[float, float]
    """Row height and column width of a scan."""

    def apply(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where points of the present scan lie in the earlier one."""
        return self._moved(points_mm, start=self.current_mm, end=self.prior_mm, inverse=False)

    def apply_inverse(self, points_mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Where points of the earlier scan lie in the present one; NaN where that is not known."""
        return self._moved(points_mm, start=self.prior_mm, end=self.current_mm, inverse=True)

    def _moved(
        self, points_mm: npt.ArrayLike, *, start: tuple[float, float], end: tuple[float, float], inverse: bool
    ) -> npt.NDArray[np.float64]:
        points = np.asarray(points_mm, dtype=np.float64).reshape(-1, 3)
        pixels = np.stack([-points[:, 2], points[:, 0]], axis=1) / np.array(start)
        there = np.empty_like(pixels)
        is_back = points[:, 1] > DEPTH_MM / 2
        for motion, chosen in zip(self.views, (~is_back, is_back), strict=True):
            there[chosen] = motion.apply_inverse(pixels[chosen]) if inverse else motion.apply(pixels[chosen])
        there *= np.array(end)
        return np.stack([there[:, 1], points[:, 1], -there[:, 0]], axis=1)


def motion_between(now: Sweep, then: Sweep) -> BothMotions | None:
    """How the views of two scans lie to each other; None where one does not fit onto its own of the other scan."""
    rules, regions = profile().planar, load().regions
    views = []
    for one, other, parts in zip(now.views, then.views, now.parts, strict=True):
        motion = view_motion(one.image, other.image, parts, look=regions.feature, fit=regions.fit, rule=rules)
        if motion is None:
            return None
        views.append(motion)
    front, back = views
    return BothMotions(views=(front, back), current_mm=now.views[0].pixel_mm, prior_mm=then.views[0].pixel_mm)


def planar_motion(pair: Pair) -> tuple[Motion | None, str]:
    """How the views lie to each other; or None, and a sentence that says why. Raises NotAssessableError."""
    now, then = Sweep.of(pair.study), Sweep.of(pair.prior_study)
    if now is None or then is None:
        return None, NOT_BOTH
    field = motion_between(now, then)
    if field is None:
        return None, NO_FIT
    return (
        Motion(
            field=field,
            bone_of=now.bone_of(),
            prior=then.lesions(pair.earlier.result_set),
            current=now.lesions(pair.result),
            prior_fields=(then.geometry,),
            current_fields=(now.geometry,),
            extent="pixels",
            algorithm=algorithm(METHOD, family=MORPHOLOGY, profile=profile().planar),
            check=_check(*field.views),
        ),
        "",
    )


def _check(front: ViewMotion, back: ViewMotion) -> QualityCheck:
    alike = "; ".join(
        f"{name} {motion.agreement_before:.2f} before, {motion.agreement:.2f} after"
        for name, motion in (("anterior", front), ("posterior", back))
    )
    return QualityCheck(
        name="Registration",
        verdict=Verdict.PASS,
        explanation=f"Views were brought together part by part ({METHOD}). Correlation of both scans: {alike}.",
    )


def _from_the_front(views: npt.NDArray[_Pixel]) -> npt.NDArray[_Pixel]:
    """Anterior and posterior view (..., 2, row, column), the posterior one mirrored."""
    turned = views.copy()
    turned[..., 1, :, :] = views[..., 1, :, ::-1]
    return turned
